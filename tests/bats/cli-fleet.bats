#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bats file_tags=core
# e2b-inspect on whole accounts and on the lives of sandboxes: summary, kill-all, create,
# timeout, extend, pause, resume, ps.

load helpers

setup() {
    setup_environment
    start_server
    id=$(make_sandbox '{"metadata":{"app":"demo"}}')
}

# exits STATUS COMMAND...
exits() {
    local expected=$1
    shift
    run --separate-stderr -- "$@"
    [ "$status" -eq "$expected" ] || fail "$* exited with $status, not $expected" "$output" "$stderr"
}

# typing TEXT COMMAND-LINE: runs it on a terminal; what was shown and its status.
typing() {
    run script -qec "$2" /dev/null < <(printf '%s' "$1")
}

state_of() {
    api GET "/sandboxes/$1" | jq -r .state
}

is_gone() {
    ! api GET "/sandboxes/$1" >/dev/null 2>&1
}

# --- summary -----------------------------------------------------------------------------------

@test "summary has the nine fields" {
    other=$(make_sandbox)
    pause_sandbox "$other"
    e2b-inspect summary -o json >"$T/summary"
    assert_equal "$(jq -c 'keys_unsorted' "$T/summary")" \
        '["running_count","paused_count","total_count","total_cpu","total_memory_mb","oldest_sandbox_id","oldest_uptime_seconds","newest_sandbox_id","newest_uptime_seconds"]'
    api GET /v2/sandboxes >"$T/list"
    assert_equal "$(jq -c '[.running_count,.paused_count,.total_count,.total_cpu,.total_memory_mb]' "$T/summary")" \
        "$(jq -c '[1,1,2,(map(.cpuCount)|add),(map(.memoryMB)|add)]' "$T/list")"
    assert_equal "$(jq -r .oldest_sandbox_id "$T/summary")" "$id"
    assert_equal "$(jq -r .newest_sandbox_id "$T/summary")" "$other"
    assert_between "$(jq -r .oldest_uptime_seconds "$T/summary")" 0 60
    assert_match "$(e2b-inspect summary)" "OLDEST +$id"
    e2b-inspect summary --format table | grep -q '^RUNNING  *1$'
}

@test "the summary of an empty account has zeros and nulls" {
    kill_sandbox "$id"
    assert_equal "$(e2b-inspect summary -o jsonl)" \
        '{"running_count":0,"paused_count":0,"total_count":0,"total_cpu":0,"total_memory_mb":0,"oldest_sandbox_id":null,"oldest_uptime_seconds":null,"newest_sandbox_id":null,"newest_uptime_seconds":null}'
}

# --- kill-all ----------------------------------------------------------------------------------

@test "kill-all ends running sandboxes only" {
    other=$(make_sandbox)
    sleeper=$(make_sandbox)
    pause_sandbox "$sleeper"
    exits 0 e2b-inspect kill-all --force
    assert_equal "$(sort <<<"$output")" "$(printf '%s  killed\n' "$id" "$other" | sort)"
    is_gone "$id"
    is_gone "$other"
    assert_equal "$(state_of "$sleeper")" paused
    exits 0 e2b-inspect kill-all --force
    assert_equal "$output" ''
}

@test "kill-all --dry-run ends nothing, and is quiet with -q" {
    ledger_clear
    exits 0 e2b-inspect kill-all --dry-run
    assert_equal "$output" "$id  would be killed"
    assert_equal "$(e2b-inspect kill-all -n -o json | jq -c .)" \
        "[{\"sandbox_id\":\"$id\",\"result\":\"would be killed\"}]"
    assert_only_reads
    exits 0 e2b-inspect kill-all -f -q
    assert_equal "$output$stderr" ''
    is_gone "$id"
}

@test "kill-all without a terminal wants --force" {
    assert_one_sentence 2 e2b-inspect kill-all </dev/null
    assert_match "$stderr" '--force'
    assert_equal "$(state_of "$id")" running
}

@test "kill-all on a terminal shows the list and wants the number typed" {
    other=$(make_sandbox)
    for answer in $'y\n' $'1\n' $'\n' ''; do
        typing "$answer" 'e2b-inspect kill-all'
        assert_equal "$status" 1
        assert_match "$output" "$id +up"
        assert_match "$output" "$other +up"
        assert_match "$output" 'nothing was ended'
    done
    assert_equal "$(state_of "$id") $(state_of "$other")" 'running running'
    typing $'2\n' 'e2b-inspect kill-all'
    assert_equal "$status" 0
    is_gone "$id"
    is_gone "$other"
}

@test "kill-all says which failed and exits with 7" {
    other=$(make_sandbox)
    fault "[{\"match\":{\"method\":\"DELETE\",\"path\":\"/sandboxes/$id\"},\"kind\":\"status\",\"value\":403}]"
    exits 7 e2b-inspect kill-all --force
    assert_match "$stderr" "$id"
    assert_equal "$output" "$other  killed"
    fault '[]'
    assert_equal "$(state_of "$id")" running
    is_gone "$other"
}

@test "kill-all has 10 requests under way at most, but not one by one" {
    for _ in {1..21}; do make_sandbox >/dev/null; done
    fault '[{"match":{"method":"DELETE"},"kind":"delay","value":300}]'
    start=$(now_ms)
    exits 0 e2b-inspect kill-all --force
    assert_equal "$(wc -l <<<"$output")" 22
    assert_between $(($(now_ms) - start)) 900 $((5000 * SLOW))
}

@test "summary and kill-all take the account of a mount" {
    mount_fs
    assert_equal "$(e2b-inspect summary "$MNT" -o json | jq .total_count)" 1
    assert_equal "$(e2b-inspect kill-all -n "$MNT")" "$id  would be killed"
    exits 3 e2b-inspect summary "$T"
    exits 3 e2b-inspect kill-all -f "$T"
    assert_equal "$(state_of "$id")" running
}

@test "every command of this file and of cli-files has a help of its own" {
    for command in summary kill-all files download upload cat timeout extend pause resume create ps; do
        exits 0 e2b-inspect "$command" --help
        assert_match "$output" "Usage: e2b-inspect $command "
        e2b-inspect --help | grep -q "^  $command "
        assert_one_sentence 2 e2b-inspect "$command" --no-such-option
    done
}

# --- create ------------------------------------------------------------------------------------

@test "create prints an id, and sends what it was told" {
    exits 0 e2b-inspect create
    assert_match "$output" '^i[a-z0-9]{20}$'
    assert_between "$(seconds_left "$output")" 280 300
    new=$(e2b-inspect create --timeout 20m -m app=new -m 'who=a b' -e GREETING='hi there' base)
    assert_equal "$(api GET "/sandboxes/$new" | jq -c .metadata)" '{"app":"new","who":"a b"}'
    assert_between "$(seconds_left "$new")" 1180 1200
    assert_equal "$(e2b-inspect exec "$new" 'echo $GREETING')" 'hi there'
    assert_equal "$(e2b-inspect create -o json | jq -c keys_unsorted)" \
        '["sandbox_id","template_id","alias","envd_version"]'
    assert_equal "$(e2b-inspect create -q | wc -l)" 1
    new=$(e2b-inspect create --auto-pause)
    assert_equal "$(e2b-inspect info "$new" -o json | jq -r .on_timeout)" pause
}

@test "create says what is wrong" {
    ledger_clear
    assert_one_sentence 2 e2b-inspect create --timeout 0
    assert_one_sentence 2 e2b-inspect create --timeout 5d
    assert_one_sentence 2 e2b-inspect create -m nonsense
    assert_equal "$(ledger_count '.method == "POST"')" 0
    assert_one_sentence 3 e2b-inspect create no-such-template
}

# --- timeout, extend ---------------------------------------------------------------------------

@test "timeout and extend move the end, and say where to" {
    exits 0 e2b-inspect timeout "$id" 20m
    assert_match "$output" "$id +running .* kill"
    assert_between "$(seconds_left "$id")" 1180 1200
    exits 0 e2b-inspect extend "${id:0:10}" 60
    assert_between "$(seconds_left "$id")" 1235 1260
    exits 0 e2b-inspect timeout "$id" 100s -o json
    assert_equal "$(jq -r .sandbox_id <<<"$output")" "$id"
    assert_between "$(jq -r .time_remaining_seconds <<<"$output")" 80 100
    assert_between "$(seconds_left "$id")" 80 100
    exits 0 e2b-inspect -q extend "$id" 1
    assert_equal "$output$stderr" ''
}

@test "a timeout that is none sends nothing" {
    ledger_clear
    for time in 0 0s -5 abc 1d 500ms ''; do
        assert_one_sentence 2 e2b-inspect timeout "$id" "$time"
        assert_one_sentence 2 e2b-inspect extend "$id" "$time"
    done
    assert_equal "$(ledger_count true)" 0
    assert_one_sentence 3 e2b-inspect timeout i0000000000000000000z 10m
}

@test "timeout and extend leave a paused sandbox alone" {
    pause_sandbox "$id"
    ledger_clear
    assert_one_sentence 6 e2b-inspect timeout "$id" 10m
    assert_match "$stderr" paused
    assert_one_sentence 6 e2b-inspect extend "$id" 10m
    assert_match "$stderr" paused
    assert_no_data_plane "$id"
    assert_equal "$(state_of "$id")" paused
}

# --- pause, resume -----------------------------------------------------------------------------

@test "pause and resume several, and say which failed" {
    other=$(make_sandbox)
    exits 0 e2b-inspect pause "$id" "$other" "$id"
    assert_equal "$(state_of "$id") $(state_of "$other")" 'paused paused'
    assert_match "$output" "$id +paused"
    exits 0 e2b-inspect pause "$id" -q
    assert_equal "$output$stderr" ''
    exits 7 e2b-inspect resume "$id" i0000000000000000000z
    assert_match "$stderr" i0000000000000000000z
    assert_match "$output" "$id +running"
    assert_equal "$(state_of "$id") $(state_of "$other")" 'running paused'
    assert_between "$(seconds_left "$id")" 280 300
    printf '%s\n' "$other" | e2b-inspect resume --timeout 20m - -o json >"$T/resumed"
    assert_equal "$(jq -c '.[] | [.sandbox_id, .state]' "$T/resumed")" "[\"$other\",\"running\"]"
    assert_between "$(seconds_left "$other")" 1180 1200
}

@test "resume of a running sandbox never shortens its life" {
    exits 0 e2b-inspect resume "$id" --timeout 10s
    assert_between "$(seconds_left "$id")" 560 600
    assert_one_sentence 2 e2b-inspect resume "$id" --timeout 0
}

@test "what is started, is kept through pause and resume" {
    sandbox_exec "$id" sh -c 'echo kept >/tmp/kept'
    e2b-inspect pause -q "$id"
    e2b-inspect resume -q "$id"
    assert_equal "$(e2b-inspect cat "$id" /tmp/kept)" kept
}

# --- ps ----------------------------------------------------------------------------------------

# Starts a process with this name, which no terminal should get raw.
evil_sleep() {
    e2b-inspect exec "$id" -- bash -c "exec -a \$'sleep\\e[31m' sleep 300" </dev/null >/dev/null 2>&1 3>&- &
    EVIL=$!
}

@test "ps lists the processes of a sandbox, as data" {
    evil_sleep
    found() { e2b-inspect ps "$id" -o json >"$T/ps" && jq -e '.[] | select(.command | test("^sleep.* 300$"))' "$T/ps" >"$T/one"; }
    wait_until 10 found
    assert_equal "$(jq -c 'keys_unsorted' "$T/one")" \
        '["pid","ppid","user","state","cpu_pct","mem_pct","rss_kb","elapsed_seconds","command"]'
    assert_equal "$(jq -r .user "$T/one")" "$(sandbox_exec "$id" id -un)"
    pid=$(jq -r .pid "$T/one")
    e2b-inspect ps -q "$id" | grep -qx "$pid"
    assert_match "$(e2b-inspect ps "$id" | head -n 1)" '^ *PID +USER +STATE +CPU% +MEM% +TIME +COMMAND$'
    run ! jq -e '.[] | select(.command | test("etimes"))' "$T/ps"
    script -qec "e2b-inspect ps $id" /dev/null >"$T/shown" </dev/null
    grep -q 'sleep' "$T/shown"
    run ! grep -aP '\x1b\[31m' "$T/shown"
    sandbox_exec "$id" kill "$pid"
    wait "$EVIL" || true
}

@test "ps of a paused or missing sandbox" {
    pause_sandbox "$id"
    ledger_clear
    assert_one_sentence 6 e2b-inspect ps "$id"
    assert_no_data_plane "$id"
    assert_only_reads
    assert_one_sentence 3 e2b-inspect ps i0000000000000000000z
}
