#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Processes through e2b-sandboxd's envd.

load helpers
load server

setup() {
    setup_environment
    start_server
    id=$(make_sandbox '{"envVars":{"GLOBAL":"g","BOTH":"global"}}')
}

process() {
    rpc "$id" "process.Process/$1" "$2"
}

# without_pid: process numbers differ from run to run
without_pid() {
    sed 's/"pid":[0-9]*/"pid":N/'
}

@test "a whole stream: start, output, end, and the end of the stream" {
    assert_equal "$(start_process "$id" sh -c 'echo out; sleep 0.2; echo err >&2; exit 3' | without_pid)" \
        '0 {"event":{"start":{"pid":N}}}
0 {"event":{"data":{"stdout":"out\n"}}}
0 {"event":{"data":{"stderr":"err\n"}}}
0 {"event":{"end":{"error":"exit status 3","exitCode":3,"exited":true,"status":"exit status 3"}}}
2 {}'
    assert_equal "$(start_process "$id" true | tail -n 2)" \
        '0 {"event":{"end":{"exited":true,"status":"exit status 0"}}}
2 {}'
    assert_has "$(start_process "$id" sh -c 'kill -9 $$')" \
        '"end":{"error":"signal: killed","exitCode":-1,"status":"signal: killed"}'
}

@test "what can't be started, as an exit status or as an error of the stream" {
    assert_match "$(start_process "$id" nothing)" 'No such file or directory.*"exitCode":127'
    assert_match "$(start_process "$id" /etc/hostname)" 'Permission denied.*"exitCode":126'
    start() { stream "$id" process.Process/Start "$1"; }
    assert_equal "$(start '{"process":{"cmd":"true","cwd":"/no"}}')" \
        "2 {\"error\":{\"code\":\"invalid_argument\",\"message\":\"cwd '/no' does not exist\"}}"
    assert_match "$(start '{"process":{"cmd":"true","cwd":"/etc/hostname"}}')" \
        '^2 .*fork/exec /bin/sh: not a directory'
    assert_match "$(stream -u bob "$id" process.Process/Start '{"process":{"cmd":"true"}}')" \
        '^2 .*"unauthenticated".*invalid username'
    assert_match "$(start '{')" '^2 .*invalid_argument'
    big=$(head -c 200000 /dev/zero | tr '\0' x)
    printf '{"process":{"cmd":"true","args":["%s"]}}' "$big" >"$T/big"
    assert_match "$(python3 - "$HELPERS/wire.py" "$id" <<PY
import subprocess, sys
sys.argv = [sys.argv[1], "stream", sys.argv[2], "process.Process/Start", open("$T/big").read()]
exec(compile(open(sys.argv[0]).read(), sys.argv[0], "exec"))
PY
)" '^2 .*argument list too long'
}

@test "who it runs as, where, and with what around it" {
    out() { python3 "$HELPERS/envd.py" exec -u "$1" "$id" -- "${@:2}"; }
    # shellcheck disable=SC2016 # expanded inside
    assert_equal "$(stream "$id" process.Process/Start '{"process":{"cmd":"sh",
        "args":["-c","echo $GLOBAL $BOTH $HOME $USER $E2B_SANDBOX $PWD"],"envs":{"BOTH":"own"}}}' |
        sed -n 2p)" '0 {"event":{"data":{"stdout":"g own /home/user user true /home/user\n"}}}'
    assert_equal "$(out user cat /proc/self/oom_score_adj)" 100
    if [ "$(id -u)" -eq 0 ]; then
        assert_equal "$(out user id -un) $(out root id -un)" "user root"
        run out user cat /root
        assert_match "$output" 'Permission denied'
    fi
    # Signals are as a fresh process expects them, and the server's descriptors are not there.
    # (32 and 33 are libc's own: whoever started us may ignore them, and nobody can reset them.)
    assert_match "$(out user grep -E '^Sig(Blk|Ign)' /proc/self/status | tr -d '\n\t')" \
        '^SigBlk:0{16}SigIgn:0{7}[01][08]0{7}$'
}

@test "input, its end, and a second listener" {
    mkfifo "$T/events"
    stream "$id" process.Process/Start '{"process":{"cmd":"cat"},"tag":"it"}' >"$T/out" 3>&- &
    reader=$!
    has() { grep -q "$1" "$T/out"; }
    wait_until 10 has start
    pid=$(grep -o '[0-9]*' "$T/out" | sed -n 2p)
    assert_equal "$(process List '{}')" \
        "200 {\"processes\":[{\"config\":{\"cmd\":\"cat\"},\"pid\":$pid,\"tag\":\"it\"}]}"
    stream "$id" process.Process/Connect "{\"process\":{\"pid\":$pid}}" >"$T/second" 3>&- &
    second=$!
    joined() { grep -q start "$T/second"; }
    wait_until 10 joined
    assert_equal "$(process SendInput "{\"process\":{\"tag\":\"it\"},\"input\":{\"stdin\":\"aGk=\"}}")" '200 {}'
    wait_until 10 has '"hi"'
    assert_match "$(process SendInput "{\"process\":{\"pid\":$pid},\"input\":{\"pty\":\"aGk=\"}}")" '^500 .*tty not assigned'
    assert_match "$(process SendInput "{\"process\":{\"pid\":$pid},\"input\":{}}")" '^501'
    assert_equal "$(process CloseStdin "{\"process\":{\"pid\":$pid}}")" '200 {}'
    wait $reader $second
    assert_equal "$(tail -n 1 "$T/out") $(tail -n 1 "$T/second")" '2 {} 2 {}'
    assert_equal "$(sed -n 2p "$T/second")" '0 {"event":{"data":{"stdout":"hi"}}}'
    # The end is remembered for a while; the process is not listed any more.
    assert_match "$(stream "$id" process.Process/Connect "{\"process\":{\"pid\":$pid}}" | tail -n 2)" \
        '"exited":true'
    assert_equal "$(process List '{}')" '200 {}'
    assert_match "$(process SendInput "{\"process\":{\"pid\":$pid},\"input\":{\"stdin\":\"\"}}")" \
        "^404 .*process with pid $pid not found"
    assert_equal "$(stream "$id" process.Process/Connect '{"process":{"pid":99999}}')" \
        '2 {"error":{"code":"not_found","message":"process with pid 99999 not found"}}'
}

@test "signals, and children that hold the pipes" {
    stream "$id" process.Process/Start \
        '{"process":{"cmd":"sh","args":["-c","sleep 1000 & sleep 1000"]},"stdin":false}' >"$T/out" 3>&- &
    reader=$!
    has() { grep -q "$1" "$T/out"; }
    wait_until 10 has start
    pid=$(grep -o '[0-9]*' "$T/out" | sed -n 2p)
    assert_match "$(process SendInput "{\"process\":{\"pid\":$pid},\"input\":{\"stdin\":\"eA==\"}}")" \
        '^500 .*stdin not enabled or closed'
    assert_match "$(process SendSignal "{\"process\":{\"pid\":$pid},\"signal\":\"SIGNAL_SIGINT\"}")" '^501'
    assert_equal "$(process SendSignal "{\"process\":{\"pid\":$pid},\"signal\":\"SIGNAL_SIGTERM\"}")" '200 {}'
    wait $reader
    assert_match "$(tail -n 2 "$T/out")" '"status":"signal: terminated"'
}

@test "a time limit kills the process and gives no end" {
    assert_equal "$(python3 "$HELPERS/wire.py" start -H 'Connect-Timeout-Ms: 200' "$id" -- sleep 1000 | without_pid)" \
        '0 {"event":{"start":{"pid":N}}}
2 {"error":{"code":"deadline_exceeded","message":"context deadline exceeded"}}'
    nothing_left() { [ "$(process List '{}')" = '200 {}' ]; }
    wait_until 10 nothing_left
}

@test "a client that leaves does not end the process" {
    stream -n 1 "$id" process.Process/Start \
        '{"process":{"cmd":"sh","args":["-c","sleep 0.3; echo lost; echo done >/tmp/done"]}}' >/dev/null
    finished() { sandbox_get "$id" /tmp/done 2>/dev/null | grep -q 'done'; }
    wait_until 10 finished
}

@test "silence is filled with keepalives" {
    assert_equal "$(stream -n 2 -H 'Keepalive-Ping-Interval: 1' "$id" process.Process/Start \
        '{"process":{"cmd":"sleep","args":["5"]}}' | tail -n 1)" '0 {"event":{"keepalive":{}}}'
}

@test "a terminal: size, input, Ctrl-C, exit" {
    stream "$id" process.Process/Start '{"process":{"cmd":"bash","args":["--norc","-i"],
        "envs":{"TERM":"dumb","PS1":"> "}},"pty":{"size":{"cols":91,"rows":33}}}' >"$T/out" 3>&- &
    reader=$!
    has() { grep -q -- "$1" "$T/out"; }
    wait_until 10 has start
    pid=$(grep -o '[0-9]*' "$T/out" | sed -n 2p)
    type() { process SendInput "{\"process\":{\"pid\":$pid},\"input\":{\"pty\":\"$(printf %b "$1" | base64 -w0)\"}}"; }
    assert_equal "$(type 'stty size\r')" '200 {}'
    wait_until 10 has '33 91'
    assert_equal "$(process Update "{\"process\":{\"pid\":$pid},\"pty\":{\"size\":{\"cols\":50,\"rows\":20}}}")" '200 {}'
    type 'stty size; echo begin; sleep 1000\r'
    wait_until 10 has '20 50'
    wait_until 10 has 'begin\\r'
    assert_match "$(process CloseStdin "{\"process\":{\"pid\":$pid}}")" '^500 .*cannot close stdin for PTY'
    type '\0003'
    type 'exit 5\r'
    wait $reader
    assert_match "$(tail -n 2 "$T/out")" '"exitCode":5'
}

@test "much output, byte for byte" {
    sandbox_exec "$id" sh -c 'head -c 5000000 /dev/urandom >/tmp/r'
    sandbox_get "$id" /tmp/r >"$T/want"
    sandbox_exec "$id" cat /tmp/r >"$T/got"
    assert_same_content "$T/want" "$T/got"
}
