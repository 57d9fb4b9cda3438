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
