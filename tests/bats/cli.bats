#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bats file_tags=core
# e2b-inspect: list info metrics exec kill env doctor.

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

@test "list shows what there is, in every format" {
    paused=$(make_sandbox)
    pause_sandbox "$paused"
    assert_equal "$(e2b-inspect list -o id | sort)" "$(printf '%s\n' "$id" "$paused" | sort)"
    assert_equal "$(e2b-inspect list --state running -o id)" "$id"
    assert_equal "$(e2b-inspect list --state paused -o id)" "$paused"
    assert_equal "$(e2b-inspect list -o json | jq -r '.[].sandbox_id' | sort)" \
        "$(printf '%s\n' "$id" "$paused" | sort)"
    assert_equal "$(e2b-inspect list --format json | jq -r '.[] | select(.state == "running") | .sandbox_id')" "$id"
    assert_equal "$(e2b-inspect list -o jsonl | jq -r .state | sort | xargs)" 'paused running'
    assert_equal "$(e2b-inspect list -o csv | wc -l)" 3
    assert_match "$(e2b-inspect list)" "$id"
    assert_equal "$(e2b-inspect list | wc -l)" 3
}

@test "json keys are stable and times are RFC 3339 in UTC" {
    e2b-inspect list -o json >"$T/list"
    for key in sandbox_id template_id state; do
        jq -e ".[0] | has(\"$key\")" "$T/list"
    done
    run ! jq -e '.. | strings | select(test("^[0-9]{4}-[0-9]{2}-")) | select(test("Z$") | not)' "$T/list"
}

@test "an empty account is an empty list, not an error" {
    kill_sandbox "$id"
    assert_equal "$(e2b-inspect list -o json)" '[]'
    exits 0 e2b-inspect list
    assert_equal "$(e2b-inspect list -o id)" ''
}

@test "info names one sandbox by its id or a unique prefix" {
    assert_equal "$(e2b-inspect info "$id" -o json | jq -r .sandbox_id)" "$id"
    assert_equal "$(e2b-inspect info "${id:0:10}" -o json | jq -r .sandbox_id)" "$id"
    assert_match "$(e2b-inspect info "$id")" demo
}

@test "metrics of one sandbox" {
    sampled() { [ "$(e2b-inspect metrics "$id" -o json | jq -r '.. | .mem_used_mb? // empty' | head -n 1)" ]; }
    wait_until 20 sampled
    e2b-inspect metrics "$id" | grep -qi cpu
}

@test "exec passes the exit code" {
    exits 7 e2b-inspect exec "$id" -- sh -c 'exit 7'
    exits 0 e2b-inspect exec "$id" -- true
    exits 127 e2b-inspect exec "$id" -- no-such-program
    exits 143 e2b-inspect exec "$id" -- sh -c 'kill -TERM $$'
}

@test "exec passes arguments untouched" {
    assert_equal "$(e2b-inspect exec "$id" -- printf '[%s]' 'a b' '' '$HOME' '*' $'new\nline' "it's" -x)" \
        "[a b][][\$HOME][*][new
line][it's][-x]"
}

@test "one operand is a shell line" {
    assert_equal "$(e2b-inspect exec "$id" 'echo one && echo two | tr o 0')" $'one\ntw0'
}

@test "3 MB of stdin through cat come back byte for byte" {
    random_file "$T/in" 3000000
    e2b-inspect exec "$id" -- cat <"$T/in" >"$T/out"
    assert_same_content "$T/in" "$T/out"
}

@test "stdout and stderr stay apart and byte-exact" {
    e2b-inspect exec "$id" -- sh -c 'printf "out\0\377\n"; printf "err\1" >&2' >"$T/out" 2>"$T/err"
    assert_same_content "$T/out" <(printf 'out\0\377\n')
    assert_same_content "$T/err" <(printf 'err\1')
}

@test "exec's end of input reaches the program, also when it is empty" {
    assert_equal "$(e2b-inspect exec "$id" -- wc -c </dev/null)" 0
    assert_equal "$(printf abc | e2b-inspect exec "$id" -- wc -c)" 3
}

@test "exec takes environment, directory and user" {
    assert_equal "$(e2b-inspect exec -e A=b -e 'C=d e' -w /tmp "$id" 'echo $A $C; pwd')" $'b d e\n/tmp'
    assert_equal "$(e2b-inspect exec "$id" -- id -un)" "$(sandbox_exec "$id" id -un)"
    assert_equal "$(e2b-inspect exec -u root "$id" -- id -u)" "$(sandbox_exec -u root "$id" id -u)"
}

@test "exec's time-out is 124 and ends the program" {
    faster_than 8000 exits 124 e2b-inspect exec --timeout 1 "$id" -- sleep 300
    gone() { ! sandbox_exec "$id" pgrep -x sleep; }
    wait_until 10 gone
}

@test "a consumer that closes the pipe ends exec without a complaint" {
    run bash -c "e2b-inspect exec '$id' -- yes 2>&1 | head -n 1"
    assert_equal "$output" y
}

@test "Ctrl-C ends exec and the program in the sandbox" {
    python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])' e2b-inspect exec "$id" -- sleep 300 3>&- &
    pid=$!
    running() { sandbox_exec "$id" pgrep -x sleep >/dev/null; }
    wait_until 10 running
    kill -INT $pid
    wait_until 10 process_gone $pid
    run wait $pid
    assert_equal "$status" 130
    gone() { ! running; }
    wait_until 10 gone
}

@test "exec works by a path inside a mount, in that directory" {
    mount_fs
    mkdir "$MNT/$id/home/app"
    cd "$MNT/$id/home/app"
    env -u E2B_API_KEY true
    assert_equal "$(e2b-inspect exec . -- pwd)" /home/user/app
    cd /
    assert_equal "$(e2b-inspect exec "$MNT/$id/fs/tmp" -- pwd)" /tmp
    assert_equal "$(e2b-inspect info "$MNT/$id" -o json | jq -r .sandbox_id)" "$id"
}

@test "a directory that only looks like a mount is sent no key" {
    mkdir -p "$T/fake/$id/fs/home/user" "$T/fake/.e2b"
    printf '{"sandboxID":"%s"}\n' "$id" >"$T/fake/$id/info.json"
    cp "$T/server.out" "$T/fake/.e2b/config"
    ledger_clear
    run e2b-inspect exec "$T/fake/$id/fs/home" -- pwd
    [ "$status" -ne 0 ]
    assert_equal "$(ledger_count '.plane == "data"')" 0
}

@test "kill ends a sandbox, with --force or after asking" {
    exits 2 e2b-inspect kill "$id" </dev/null
    assert_match "$stderr" '--force'
    assert_equal "$(api GET "/sandboxes/$id" | jq -r .state)" running
    exits 0 e2b-inspect kill --force "$id"
    run ! api GET "/sandboxes/$id"
}

@test "a short prefix destroys nothing" {
    run e2b-inspect kill --force "${id:0:7}"
    [ "$status" -ne 0 ]
    assert_equal "$(api GET "/sandboxes/$id" | jq -r .state)" running
    exits 0 e2b-inspect kill --force "${id:0:8}"
}

@test "kill of several says which failed and exits with 7" {
    other=$(make_sandbox)
    exits 7 e2b-inspect kill --force "$id" i0000000000000000000z
    assert_match "$stderr" i0000000000000000000z
    run ! api GET "/sandboxes/$id"
    assert_equal "$(api GET "/sandboxes/$other" | jq -r .state)" running
}

@test "exit codes say what went wrong, in one sentence" {
    assert_one_sentence 2 e2b-inspect no-such-command
    assert_one_sentence 2 e2b-inspect list --no-such-option
    assert_one_sentence 2 e2b-inspect info
    assert_one_sentence 3 e2b-inspect info i0000000000000000000z
    E2B_API_KEY=e2b_0000000000000000000000000000000000000000 assert_one_sentence 4 e2b-inspect list
    E2B_API_URL=http://127.0.0.1:1 assert_one_sentence 5 e2b-inspect list
    assert_one_sentence 125 e2b-inspect exec i0000000000000000000z -- true
    (unset E2B_API_KEY && assert_one_sentence '[24]' e2b-inspect list)
}

@test "a paused sandbox is not woken by anything" {
    sleeper=$(make_sandbox '{"autoPause":true,"autoResume":{"enabled":true}}')
    pause_sandbox "$sleeper"
    ledger_clear
    e2b-inspect list >/dev/null
    e2b-inspect info "$sleeper" >/dev/null
    run e2b-inspect metrics "$sleeper"
    assert_one_sentence 125 e2b-inspect exec "$sleeper" -- true
    assert_match "$stderr" paused
    assert_no_data_plane "$sleeper"
    assert_only_reads
    assert_equal "$(api GET "/sandboxes/$sleeper" | jq -r .state)" paused
}

@test "env prints what a shell can eval" {
    mount_fs
    run --separate-stderr env -u E2B_API_KEY e2b-inspect env "$MNT"
    assert_equal "$status" 0
    assert_match "$output" "E2B_API_URL=.*${E2B_API_URL##*:}"
}

@test "doctor finds a working account in order, and says what is wrong with another" {
    exits 0 e2b-inspect doctor
    E2B_API_KEY=e2b_0000000000000000000000000000000000000000 run e2b-inspect doctor
    [ "$status" -ne 0 ]
    assert_match "$output" '[Kk]ey'
    E2B_API_URL=http://127.0.0.1:1 run e2b-inspect doctor
    [ "$status" -ne 0 ]
}

@test "help is on stdout, and every command has some" {
    exits 0 e2b-inspect --help
    for command in list info metrics exec kill env doctor; do
        assert_match "$output" "$command"
    done
    for command in list info metrics exec kill env doctor; do
        exits 0 e2b-inspect "$command" --help
        [ -n "$output" ]
    done
}

@test "remote text cannot reach the terminal raw" {
    kill_sandbox "$id"
    make_sandbox '{"metadata":{"name":"\u001b[31mred\u0007"}}' >/dev/null
    # What script(1) shows is what a terminal would get.
    script -qec 'e2b-inspect list -o wide' /dev/null >"$T/shown" </dev/null
    grep -q red "$T/shown"
    run ! grep -aP '\x07|\x1b\[31m' "$T/shown"
}
