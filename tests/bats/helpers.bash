# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2119,SC2120 # arguments come from the .bats files
# helpers: what every .bats file stands on.
#
# A test gets a directory $T, a server of its own (start_server), a mount point $MNT
# (mount_fs) and an environment in which nothing of the user's is seen.  teardown unmounts,
# ends what was started, and fails the test if a program complained, leaked or would not end.
# Nothing sleeps for a fixed time: wait_until repeats a condition until a deadline.

bats_require_minimum_version 1.5.0

HELPERS=$(cd "$BATS_TEST_DIRNAME/../helpers" && pwd)
[ -d "$BATS_TEST_DIRNAME/../../${E2B_BUILD:-build/release}/bin" ] || {
    echo "nothing is built in ${E2B_BUILD:-build/release}: make test-bins" >&2
    exit 1
}
BUILD_DIR=$(cd "$BATS_TEST_DIRNAME/../.." && cd "${E2B_BUILD:-build/release}" && pwd)
SLOW=${E2B_TEST_SLOW:-1} # how many times slower than a release build things may be

setup() {
    setup_environment
    start_server
}

# Private directories for everything that a program could look for outside.
setup_environment() {
    local name
    T=$(mktemp -d "${TMPDIR:-/tmp}/t.XXXXXX")
    MNT=$T/mnt
    SERVER_PID='' FS_PID='' FAILED=''
    for name in $(compgen -e | grep -iE '^(E2B_(API|SAND|DOM|DEB|VAL|ACC)|.*_proxy$|XDG_)'); do
        unset "$name"
    done
    export HOME=$T/home XDG_CONFIG_HOME=$T/config XDG_STATE_HOME=$T/state XDG_RUNTIME_DIR=$T/run
    export LC_ALL=C.UTF-8 TZ=UTC PATH=$BUILD_DIR/bin:$BUILD_DIR/helpers:$PATH
    mkdir -p "$MNT" "$HOME" "$XDG_CONFIG_HOME" "$XDG_STATE_HOME"
    mkdir -m 700 "$XDG_RUNTIME_DIR"
}

# --- waiting -----------------------------------------------------------------------------------

now_ms() {
    local t=${EPOCHREALTIME/[.,]/}
    echo "${t%???}"
}

# wait_until SECONDS COMMAND...: until it succeeds; fails at the deadline and says for what.
wait_until() {
    local end=$(($(now_ms) + $1 * 1000 * SLOW))
    shift
    until "$@"; do
        if [ "$(now_ms)" -ge $end ]; then
            echo "waited in vain for: $*" >&2
            return 1
        fi
        sleep 0.02
    done
}

# faster_than MS COMMAND...: its status, or 1 with a sentence if it took longer.
faster_than() {
    local limit=$(($1 * SLOW)) start result=0 # not "status", which the command's run sets
    shift
    start=$(now_ms)
    "$@" || result=$?
    local took=$(($(now_ms) - start))
    if [ $took -gt $limit ]; then
        echo "took $took ms, more than $limit: $*" >&2
        return 1
    fi
    return $result
}

process_gone() {
    ! kill -0 "$1" 2>/dev/null
}

# --- the server --------------------------------------------------------------------------------

# start_server [OPTIONS]: answers when this returns; E2B_API_URL and so on are set.
start_server() {
    e2b-sandboxd --listen 127.0.0.1:0 --data "$T/data" "$@" \
        >"$T/server.out" 2>>"$T/server.log" 3>&- &
    SERVER_PID=$!
    wait_until 20 server_is_ready
    # shellcheck disable=SC1091 # written by the server just now
    . "$T/server.out"
}

server_is_ready() {
    if process_gone "$SERVER_PID"; then
        echo "e2b-sandboxd ended at its start: $(tail -n 3 "$T/server.log")" >&2
        exit 1
    fi
    grep -q E2B_SANDBOXD_PID "$T/server.out"
}

stop_server() {
    [ -n "$SERVER_PID" ] || return 0
    kill -TERM "$SERVER_PID" 2>/dev/null || true
    end_process "$SERVER_PID" e2b-sandboxd
    SERVER_PID=
}

# end_process PID NAME: waits for it and looks at its status; SIGKILL and FAILED if it hangs.
end_process() {
    local status=0
    if ! wait_until 20 process_gone "$1"; then
        where_it_hangs "$1" >>"$T/hang.log" 2>&1
        kill -KILL "$1"
        FAILED+="$2 would not end. "
    fi
    wait "$1" || status=$?
    # 127: not our child (any more); 143: ended by the SIGTERM before it could handle it.
    case $status in 0 | 127 | 143) ;; *) FAILED+="$2 ended with status $status. " ;; esac
}

where_it_hangs() {
    ! command -v gdb >/dev/null || gdb -p "$1" -batch -ex 'thread apply all backtrace 16' </dev/null |
        grep -E '^(#|Thread)'
}

# api METHOD PATH [BODY]: the answer's body; fails on an HTTP error.
api() {
    local method=$1 path=$2
    shift 2
    curl -sS --fail-with-body --noproxy '*' --max-time 30 -X "$method" \
        -H "X-API-Key: $E2B_API_KEY" ${1+-H "Content-Type: application/json" --data-binary "$1"} \
        "$E2B_API_URL$path"
}

# make_sandbox [JSON]: prints the id of a new secured sandbox; JSON is merged into the body.
make_sandbox() {
    local body='{"templateID":"base","timeout":600,"secure":true}'
    body=$(jq -c ". + (${1:-"{}"})" <<<"$body")
    api POST /sandboxes "$body" | jq -er .sandboxID
}

pause_sandbox() {
    api POST "/sandboxes/$1/pause" '{}'
}

kill_sandbox() {
    api DELETE "/sandboxes/$1"
}

# seconds_left ID: of a sandbox's life, as the server sees it.
seconds_left() {
    local end
    end=$(api GET "/sandboxes/$1" | jq -r .endAt)
    echo $(($(date -d "$end" +%s) - $(date +%s)))
}

# sandbox_exec [-u USER] ID COMMAND...  sandbox_put ID PATH <data  sandbox_get ID PATH >data
# Past the programs under test.
sandbox_exec() {
    local user=user
    [ "$1" = -u ] && { user=$2; shift 2; }
    python3 "$HELPERS/envd.py" exec -u "$user" "$1" -- "${@:2}"
}

sandbox_put() {
    python3 "$HELPERS/envd.py" put "$@"
}

sandbox_get() {
    python3 "$HELPERS/envd.py" get "$@"
}

# --- ledger and faults -------------------------------------------------------------------------

ledger() {
    api GET /_sandboxd/ledger
}

ledger_clear() {
    api DELETE /_sandboxd/ledger >/dev/null
}

# ledger_count JQ: how many requests it is true for, as in '.method == "POST"'.
ledger_count() {
    ledger | jq "[.requests[] | select(.path | startswith(\"/_sandboxd\") | not) | select($1)] | length"
}

# ledger_list [JQ]: one line each, for people who read a failed test.
ledger_list() {
    ledger | jq -r ".requests[] | select(${1:-true}) | [.plane, .method, .path, .status] | @tsv"
}

# Nothing at all went to the data plane of this sandbox.
assert_no_data_plane() {
    local lines
    lines=$(ledger_list ".sandbox == \"$1\" and .plane == \"data\"")
    [ -z "$lines" ] || fail "requests reached the data plane of $1:" "$lines"
}

# Nothing was sent that changes anything: only GETs, and reading RPCs.
assert_only_reads() {
    local lines
    lines=$(ledger_list '(.method == "GET" or .method == "HEAD" or
        (.method == "POST" and (.path | test("^/filesystem.Filesystem/(Stat|ListDir)$")))) | not')
    [ -z "$lines" ] || fail "requests that change something:" "$lines"
}

# fault JSON: replaces all fault rows; '[]' clears them.
fault() {
    api PUT /_sandboxd/faults "$1" >/dev/null
}

# --- the mount ---------------------------------------------------------------------------------

is_mounted() {
    grep -q " ${1:-$MNT} fuse" /proc/self/mounts
}

# mount_fs [OPTIONS]: in the foreground mode of e2bfs, so that its end can be watched.
mount_fs() {
    e2bfs -f "$@" "$MNT" >>"$T/e2bfs.log" 2>&1 3>&- &
    FS_PID=$!
    wait_until 20 fs_is_ready
}

fs_is_ready() {
    if process_gone "$FS_PID"; then
        echo "e2bfs ended at its start: $(tail -n 3 "$T/e2bfs.log")" >&2
        exit 1
    fi
    is_mounted && timeout 10 test -e "$MNT/.e2b/version"
}

# unmount_fs [fusermount3 options]: and waits until the program has ended.
unmount_fs() {
    fusermount3 -u "$@" "$MNT"
    [ -z "$FS_PID" ] || end_process "$FS_PID" e2bfs
    FS_PID=
}

# The program ends by itself, in good order (e2bfs is waited for and forgotten).
fs_ends() {
    local pid=$FS_PID
    FS_PID=
    end_process "$pid" e2bfs
    assert_equal "$FAILED" ''
}

# Every e2bfs on a directory of this test, detached ones too.
fs_pids() {
    pgrep -f "e2bfs .*${T:?}/" || true
}

# --- judging -----------------------------------------------------------------------------------

fail() {
    printf '%s\n' "$@" >&2
    return 1
}

# assert_equal ACTUAL EXPECTED
assert_equal() {
    [ "$1" = "$2" ] || fail "expected: $2" "but got:  $1"
}

assert_match() {
    [[ $1 =~ $2 ]] || fail "expected a match of: $2" "but got: $1"
}

# assert_between NUMBER LOW HIGH
assert_between() {
    if [ "$1" -lt "$2" ] || [ "$1" -gt "$3" ]; then
        fail "$1 is not between $2 and $3"
    fi
}

# assert_same_content FILE FILE
assert_same_content() {
    cmp -- "$1" "$2"
}

# errno_is NAME OPERATION PATH [ARGUMENT]: how one bare system call ends (tests/helpers/fsop.c).
errno_is() {
    local expected=$1 got
    shift
    got=$(timeout 60 fsop "$@") || true
    assert_equal "$* -> $got" "$* -> $expected"
}

# assert_one_sentence STATUS COMMAND...: fails with STATUS (a pattern), nothing on stdout, and
# one line on stderr, which stays in $stderr.
assert_one_sentence() {
    local expected=$1
    shift
    run --separate-stderr -- "$@"
    # shellcheck disable=SC2154 # set by run
    [[ $status =~ ^($expected)$ ]] || fail "status $status, expected $expected: $stderr"
    # shellcheck disable=SC2154
    assert_equal "$output" ""
    # shellcheck disable=SC2154
    assert_equal "${#stderr_lines[@]} line(s): $stderr" "1 line(s): $stderr"
}

# random_file PATH BYTES
random_file() {
    head -c "$2" /dev/urandom >"$1"
}

# --- the end -----------------------------------------------------------------------------------

teardown() {
    local pid
    [ -n "${T-}" ] || return 0 # skipped before anything was made; no pattern may match everybody
    [ -z "$SERVER_PID" ] || fault '[]' 2>/dev/null || true
    if [ -n "$FS_PID" ]; then
        fusermount3 -u "$MNT" 2>/dev/null || fusermount3 -uz "$MNT" 2>/dev/null || true
        end_process "$FS_PID" e2bfs
    fi
    for pid in $(fs_pids); do
        kill -TERM "$pid" 2>/dev/null || true
        wait_until 20 process_gone "$pid" || { kill -KILL "$pid"; FAILED+='e2bfs would not end. '; }
    done
    while is_mounted; do
        fusermount3 -uz "$MNT" || break
    done
    stop_server
    # Sanitizers and asserts speak on stderr, whatever the exit status was.
    if grep -aE 'Sanitizer|runtime error:|Assertion .* failed' "$T"/*.log; then
        FAILED+='a program complained. '
    fi
    if [ -n "$FAILED" ] || [ -z "${BATS_TEST_COMPLETED-}" ]; then
        tail -n 40 "$T"/*.log 2>/dev/null || true
    fi
    chmod -R u+rwX "$T" 2>/dev/null || true
    rm -rf --one-file-system "$T"
    [ -z "$FAILED" ] || fail "$FAILED"
}
