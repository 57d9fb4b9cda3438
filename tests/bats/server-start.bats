#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Starting and ending e2b-sandboxd, what it leaves, and its fault switches.

load helpers
load server

setup() {
    setup_environment
}

@test "what can't be done at the start is one sentence" {
    assert_one_sentence 2 e2b-sandboxd --nonsense
    assert_one_sentence 2 e2b-sandboxd extra
    assert_one_sentence 2 e2b-sandboxd --sandboxes many
    assert_one_sentence 2 e2b-sandboxd --listen
    assert_one_sentence 2 e2b-sandboxd --listen 0.0.0.0:0
    assert_match "$stderr" loopback
    assert_one_sentence 2 e2b-sandboxd --listen 127.0.0.1:99999
    assert_one_sentence 1 e2b-sandboxd --data /proc/no
    start_server
    assert_one_sentence 1 e2b-sandboxd --data "$T/data"
    assert_match "$stderr" 'in use'
    assert_one_sentence 1 e2b-sandboxd --listen "${E2B_API_URL#http://}"
    assert_match "$stderr" 'in use'
    mkdir "$T/empty"
    server=$(command -v e2b-sandboxd)
    assert_one_sentence 1 env PATH="$T/empty" "$server" --sandboxes 1
    assert_match "$stderr" bubblewrap
    assert_match "$(e2b-sandboxd --help)" '--lifeline-fd N'
    assert_match "$(e2b-sandboxd --version)" '^e2b-sandboxd [0-9.]+$'
}

@test "in the background: ready lines, an answer, and an end without leftovers" {
    export TMPDIR=$T
    eval "$(e2b-sandboxd --background --sandboxes 2 3>&-)"
    assert_equal "$(api GET /v2/sandboxes | jq -c '[.[].metadata.name]')" '["bravo","alpha"]'
    [ "$(find "$T" -maxdepth 1 -name 'e2b-sandboxd.*' | wc -l)" -eq 1 ]
    kill -TERM "$E2B_SANDBOXD_PID"
    wait_until 20 process_gone "$E2B_SANDBOXD_PID"
    assert_equal "$(find "$T" -maxdepth 1 -name 'e2b-sandboxd.*')" ""
}

@test "a server that is killed takes its containers along; the next one cleans up" {
    export TMPDIR=$T
    eval "$(e2b-sandboxd --background --sandboxes 1 3>&-)"
    id=$(api GET /v2/sandboxes | jq -r '.[0].sandboxID')
    start_process "$id" sh -c 'exec -a "marker of $0" sleep 1000 >/dev/null 2>&1 & :' "$T" >/dev/null
    kill -KILL "$E2B_SANDBOXD_PID"
    # Zombies are for the machine's init; what counts is that nothing runs.
    still_running() { pgrep -r R,S,D -f "bwrap.*$T/e2b-sandboxd" || pgrep -r R,S,D -f "marker of $T"; }
    all_dead() { ! still_running >/dev/null; }
    wait_until 20 all_dead
    assert_equal "$(find "$T" -maxdepth 1 -name 'e2b-sandboxd.*' | wc -l)" 1
    eval "$(e2b-sandboxd --background 3>&-)"
    assert_equal "$(find "$T" -maxdepth 1 -name 'e2b-sandboxd.*' | wc -l)" 1
    kill -TERM "$E2B_SANDBOXD_PID"
    wait_until 20 process_gone "$E2B_SANDBOXD_PID"
}

@test "the end of the lifeline is the end of the server" {
    mkfifo "$T/life"
    e2b-sandboxd --lifeline-fd 9 --ready-fd 8 9<"$T/life" 8>"$T/ready" 3>&- &
    pid=$!
    exec 7>"$T/life"
    is_ready() { grep -q PID "$T/ready"; }
    wait_until 20 is_ready
    exec 7>&-
    wait $pid
}

@test "kept sandboxes are there again, with their files, without their processes" {
    start_server --sandboxes 1
    id=$(api GET /v2/sandboxes | jq -r '.[0].sandboxID')
    other=$(make_sandbox '{"metadata":{"k":"v"},"timeout":500}')
    gone=$(make_sandbox)
    kill_sandbox "$gone"
    pause_sandbox "$other"
    echo kept | sandbox_put "$id" /home/user/kept
    stop_server
    start_server --sandboxes 1
    assert_equal "$(api GET /v2/sandboxes | jq -r '[.[] | .sandboxID + .state] | sort | join(" ")')" \
        "$(printf '%s\n' "${id}running" "${other}paused" | sort | paste -sd' ')"
    assert_equal "$(sandbox_get "$id" /home/user/kept)" kept
    assert_equal "$(api GET "/sandboxes/$other" | jq -r .metadata.k)" v
    assert_equal "$(rpc "$id" process.Process/List '{}')" '200 {}'
    api POST "/sandboxes/$other/resume" '{"timeout":100}' >/dev/null
    assert_equal "$(sandbox_exec "$other" echo runs)" runs
}

# --- fault switches ----------------------------------------------------------------------------

started_server() {
    start_server
    id=$(make_sandbox)
    head -c 1000000 /dev/zero | tr '\0' A | sandbox_put "$id" /tmp/f
}

# download: how many bytes arrived, and curl's exit status
download() {
    local status=0
    data "$id" -w '' -o "$T/got" /files?path=/tmp/f 2>/dev/null || status=$?
    echo "$(wc -c <"$T/got") $status"
}

@test "faults: status and times, by plane, method, path and sandbox" {
    started_server
    fault '[{"kind":"status","value":429,"times":2,"match":{"plane":"control","method":"GET","path":"/sandboxes/"}}]'
    for want in 429 429 200; do
        assert_equal "$(api_status GET "/sandboxes/$id")" $want
    done
    fault "[{\"kind\":\"status\",\"value\":503,\"match\":{\"path\":\"/sandboxes/*/pause\"}}]"
    assert_equal "$(api_status POST "/sandboxes/$id/pause")" 503
    fault "[{\"kind\":\"status\",\"value\":502,\"match\":{\"sandbox\":\"$id\",\"plane\":\"data\"}}]"
    assert_match "$(rpc "$id" filesystem.Filesystem/Stat '{}')" "^502 .*\"sandboxId\":\"$id\""
    assert_equal "$(api_status PUT /_sandboxd/faults '[{"kind":"nonsense"}]')" 400
    assert_equal "$(api GET /_sandboxd/faults | jq length)" 1
}

@test "faults: bodies that are cut, reset, garbled, endless, slow" {
    started_server
    with() { fault "[{\"kind\":\"$1\",\"value\":$2,\"match\":{\"path\":\"/files\",\"method\":\"GET\"}}]"; }
    with truncate 5000
    assert_equal "$(download)" "5000 18"
    with reset 5000
    assert_equal "$(download)" "5000 56"
    rm "$T/got" && : >"$T/got"
    with reset 0
    assert_equal "$(download)" "0 56"
    with refuse 0
    assert_equal "$(download)" "0 56"
    with garble 2
    assert_equal "$(download) $(head -c 4 "$T/got" | od -An -tx1 | tr -d ' ')" "1000000 0 4141be41"
    with oversize 3000000
    assert_equal "$(download)" "3000000 0"
    with bandwidth 2000000
    start=$(now_ms)
    assert_equal "$(download)" "1000000 0"
    assert_between $(($(now_ms) - start)) 400 $((5000 * SLOW))
    fault '[{"kind":"reset_in","value":3000,"match":{"path":"/files","method":"POST"}}]'
    assert_equal "$(head -c 100000 /dev/zero | python3 "$HELPERS/wire.py" raw -i "$id" \
        -H 'Content-Type: application/octet-stream' POST /files?path=/tmp/g)" reset
    fault '[]'
    assert_equal "$(sandbox_get "$id" /tmp/g | wc -c)" 3000
}

@test "faults: a stalled request waits for nobody else, and ends with switch, client or sandbox" {
    started_server
    fault '[{"kind":"stall","match":{"path":"/filesystem"}}]'
    stall() {
        rpc "$id" filesystem.Filesystem/Stat '{"path":"/"}' >"$T/stalled.$1" 2>/dev/null 3>&- &
        eval "stalled$1=$!"
    }
    waiting() { [ "$(ledger_count '.status == 0 and .plane == "data"')" -eq "$1" ]; }
    stall 1
    stall 2
    wait_until 10 waiting 2
    faster_than 1000 api GET "/sandboxes/$id" >/dev/null
    # shellcheck disable=SC2154
    kill "$stalled1"
    fault '[]'
    # shellcheck disable=SC2154
    wait "$stalled2"
    assert_match "$(cat "$T/stalled.2")" '^200 '
    fault '[{"kind":"stall","match":{"path":"/filesystem"}}]'
    ledger_clear
    stall 3
    wait_until 10 waiting 1
    kill_sandbox "$id"
    # shellcheck disable=SC2154
    run wait "$stalled3"
    wait_until 5 process_gone "$stalled3"
    assert_equal "$(cat "$T/stalled.3")" ""
}

@test "faults: delays delay" {
    started_server
    fault '[{"kind":"delay","value":500,"match":{"plane":"control"}}]'
    start=$(now_ms)
    api GET "/sandboxes/$id" >/dev/null
    assert_between $(($(now_ms) - start)) 500 $((2000 * SLOW))
}

@test "the ledger: order, bytes, and what it leaves out" {
    started_server
    ledger_clear
    api GET "/sandboxes/$id" >/dev/null
    data "$id" '/files?path=/tmp/f' >/dev/null
    printf 12345 | sandbox_put "$id" /tmp/g
    assert_equal "$(ledger | jq -c '.requests[] | [.plane, .method, .path, .status, .bytes_in]')" \
        "[\"control\",\"GET\",\"/sandboxes/$id\",200,0]
[\"control\",\"GET\",\"/sandboxes/$id\",200,0]
[\"data\",\"GET\",\"/files\",200,0]
[\"control\",\"GET\",\"/sandboxes/$id\",200,0]
[\"data\",\"POST\",\"/files\",200,5]"
    assert_equal "$(ledger | jq '.requests[2].bytes_out')" 1000000
    assert_equal "$(ledger | jq -r '.requests[2].sandbox, .requests[2].query')" "$id
path=/tmp/f"
    ledger_clear
    assert_equal "$(ledger | jq -c .requests)" '[]'
}

@test "a thousand connections at once" {
    start_server --fleet 100
    python3 - "$E2B_API_URL" <<'PY'
import socket, sys
host, port = sys.argv[1][7:].split(":")
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
conns = [socket.create_connection((host, int(port)), 30) for _ in range(1000)]
for c in conns:
    c.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
assert all(c.recv(4096).startswith(b"HTTP/1.1 200") for c in conns)
PY
}
