#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bats file_tags=core
# What goes wrong at the server, as the errno of the table; and the daemon stays well.

load helpers

setup() {
    setup_environment
    start_server
    id=$(make_sandbox)
    head -c 300000 /dev/urandom >"$T/f"
    sandbox_put "$id" /tmp/f <"$T/f"
    mount_fs -o deadline=0.2
    fs=$MNT/$id/fs
    ctl=$MNT/$id/ctl
}

# one_of "ERRNO ERRNO" OPERATION PATH [ARGUMENT]
one_of() {
    local allowed=$1 got
    shift
    got=$(timeout 100 fsop "$@") || true
    [[ " $allowed " == *" $got "* ]] || fail "$* -> $got, not one of $allowed"
}

well_again() {
    fault '[]'
    healthy() { cmp -s "$T/f" "$fs/tmp/f" && ls "$fs/tmp" >/dev/null; }
    wait_until 10 healthy
}

@test "what the API answers to a verb" {
    while read -r status errno; do
        fault "[{\"match\":{\"method\":\"POST\",\"path\":\"/sandboxes/\"},\"kind\":\"status\",\"value\":$status}]"
        errno_is "$errno" ctl "$ctl" 600
        # A sandbox that is gone has nowhere to tell it.
        [ "$status" = 404 ] || assert_match "$(head -n 1 "$MNT/$id/error")" "$errno"
    done <<TABLE
400 EINVAL
401 EKEYREJECTED
403 EACCES
404 ENOENT
409 EBUSY
429 EAGAIN
500 EIO
503 EAGAIN
504 ETIMEDOUT
507 ENOSPC
TABLE
    fault '[]'
    errno_is OK ctl "$ctl" 600
}

@test "the API unreachable, silent, or talking nonsense" {
    metrics=$MNT/$id/metrics.json
    # A failed request for many is not repeated at once for each of them.
    rule() {
        wait_until 10 test -e "$metrics"
        echo refresh >"$ctl"
        fault "[{\"match\":{\"path\":\"/sandboxes/metrics\"},$1}]"
    }
    rule '"kind":"stall"'
    faster_than 6000 errno_is ETIMEDOUT stat "$metrics"
    well_again
    rule '"kind":"refuse"'
    one_of 'EHOSTUNREACH ECONNREFUSED EIO' stat "$metrics"
    well_again
    # Byte 0 of an object inverted is no JSON; a body that ends early is no answer.
    rule '"kind":"garble","value":0'
    errno_is EPROTO stat "$metrics"
    well_again
    rule '"kind":"truncate","value":5'
    one_of 'EPROTO EIO EHOSTUNREACH' stat "$metrics"
    well_again
    rule '"kind":"oversize","value":300000000'
    one_of 'EPROTO EFBIG' stat "$metrics"
    well_again
    peak=$(awk '/^VmHWM/ { print $2 }' "/proc/$FS_PID/status")
    [ "$SLOW" -gt 1 ] || [ "$peak" -le $((300 * 1024)) ] || fail "an answer took $peak KiB"
}

@test "a listing that fails is an error, never an empty directory" {
    while read -r kind value allowed; do
        fault "[{\"match\":{\"plane\":\"data\"},\"kind\":\"$kind\",\"value\":$value}]"
        kill -HUP "$FS_PID"
        # shellcheck disable=SC2154
        one_of "$allowed" readdir "$fs/etc"
        [[ $(fsop stat "$fs/etc/passwd") != ENOENT ]] || fail "$kind $value made a file vanish"
        well_again
    done <<TABLE
status 500 EIO
status 502 EIO EHOSTUNREACH ECONNREFUSED EAGAIN
status 503 EAGAIN EIO
status 429 EAGAIN
status 404 EIO EPROTO EHOSTUNREACH
status 403 EACCES
status 409 EBUSY EAGAIN
status 504 ETIMEDOUT
garble 0 EPROTO EIO
truncate 20 EPROTO EIO EHOSTUNREACH
reset 20 EIO EHOSTUNREACH EPROTO
refuse 0 EHOSTUNREACH ECONNREFUSED EIO
stall 0 ETIMEDOUT
oversize 400000000 EPROTO EFBIG EIO
TABLE
}

@test "a body that is cut, short or reset is an error, never a short file" {
    for kind in '"kind":"reset","value":100000' '"kind":"truncate","value":100000' \
        '"kind":"status","value":500' '"kind":"reset","value":0' '"kind":"truncate","value":0'; do
        ls "$fs/tmp" >/dev/null
        fault "[{\"match\":{\"path\":\"/file[s]\",\"method\":\"GET\"},$kind}]"
        # Going on where it broke off is fine, too, as long as every byte is right.
        if cat "$fs/tmp/f" >"$T/got"; then
            cmp "$T/f" "$T/got"
        fi
        well_again
    done
}

@test "one hiccup of the network in a read is not the program's business" {
    ls "$fs/tmp" >/dev/null
    for kind in '"kind":"reset","value":100000' '"kind":"refuse"' '"kind":"truncate","value":1000'; do
        fault "[{\"match\":{\"path\":\"/file[s]\",\"method\":\"GET\"},$kind,\"times\":1}]"
        cmp "$T/f" "$fs/tmp/f"
        kill -HUP "$FS_PID"
    done
}

@test "a sandbox that is killed under an open file is ESTALE, then gone" {
    exec 5<"$fs/tmp/f"
    kill_sandbox "$id"
    run python3 -c 'import os
try: os.pread(5, 10, 250000)
except OSError as e: print(e.errno == 116, e)'
    exec 5<&-
    assert_match "$output" '^(True|$)'
    gone() { ! stat "$MNT/$id" 2>/dev/null; }
    wait_until 5 gone
    errno_is ENOENT stat "$MNT/$id"
    assert_equal "$(ls "$MNT")" ""
}

@test "a sandbox killed in the middle of a download ends the read" {
    head -c 50000000 /dev/zero >"$T/big"
    sandbox_put "$id" /tmp/big <"$T/big"
    ls "$fs/tmp" >/dev/null
    fault '[{"match":{"path":"/file[s]"},"kind":"bandwidth","value":1000000}]'
    cat "$fs/tmp/big" >/dev/null 2>"$T/cat.err" &
    reader=$!
    reading() { [ "$(ledger_count '.path == "/files"')" -ge 2 ]; }
    wait_until 10 reading
    kill_sandbox "$id"
    wait_until 15 process_gone $reader
    run wait $reader
    [ "$status" -ne 0 ]
}

@test "with the server gone, errors come fast and the daemon lives" {
    ls "$fs/tmp" >/dev/null
    kill -KILL "$SERVER_PID"
    wait "$SERVER_PID" || true
    SERVER_PID=''
    for _ in 1 2 3; do
        run timeout 30 fsop readdir "$fs/etc"
        [ "$status" -eq 1 ]
    done
    # The breaker is open now: as first seen, in under 10 ms (and a process to start).
    faster_than 500 one_of 'EHOSTUNREACH ECONNREFUSED' readdir "$fs/etc"
    # The last good list is still served, and status says how it is.
    told() { [ "$(ls "$MNT")" = "$id" ] && grep -q '^api EHOSTUNREACH: ' "$MNT/.e2b/status"; }
    wait_until 10 told
    grep -q '^failing_since ' "$MNT/.e2b/status"
}

@test "a rejected key on a live mount is EKEYREJECTED" {
    fault '[{"match":{"plane":"control"},"kind":"status","value":401}]'
    errno_is EKEYREJECTED ctl "$ctl" 600
    [[ $(cat "$MNT/$id/error") != *"$E2B_API_KEY"* ]]
    well_again
}

@test "error lines are one line each, without control characters" {
    run fsop ctl "$ctl" $'bad\x1b[31mverb\x07'
    run fsop ctl "$ctl" $'x\ny'
    run ! grep -nP '[\x00-\x08\x0b-\x1f\x7f]' "$MNT/$id/error"
    run ! grep -vE '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z [a-z]+ [^ ]+ E[A-Z]+: .' "$MNT/$id/error"
}
