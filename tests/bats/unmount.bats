#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bats file_tags=core
# The end of a mount: at once when idle, refused when busy, and nothing is lost.

load helpers

setup() {
    setup_environment
    start_server
    id=$(make_sandbox)
    mount_fs
    fs=$MNT/$id/fs
}

# kept PATH TEXT: it is in the sandbox, or in the spool of the mount that ended.
kept() {
    [ "$(sandbox_get "$id" "$1" 2>/dev/null)" = "$2" ] || grep -rqaF -- "$2" "$XDG_STATE_HOME"
}

@test "an idle mount goes at once, and its program with it" {
    ls -lR "$fs/home" >/dev/null
    faster_than 1000 fusermount3 -u "$MNT"
    faster_than 2000 fs_ends
}

@test "an idle mount goes at once with the server gone" {
    ls -lR "$fs/home" >/dev/null
    kill -KILL "$SERVER_PID"
    wait "$SERVER_PID" || true
    SERVER_PID=''
    run timeout 60 ls "$fs/tmp"
    faster_than 1000 fusermount3 -u "$MNT"
    faster_than 3000 fs_ends
}

@test "an idle mount goes at once with the server stalled" {
    ls "$fs/home" >/dev/null
    fault '[{"kind":"stall"}]' || true
    faster_than 1000 fusermount3 -u "$MNT"
    faster_than 3000 fs_ends
}

@test "a busy mount says so and goes on; -uz detaches it" {
    exec 5<"$fs/etc/passwd"
    run fusermount3 -u "$MNT"
    [ "$status" -ne 0 ]
    assert_match "$output" busy
    test -e "$MNT/$id/state"
    fusermount3 -uz "$MNT"
    run ! is_mounted
    # What is open still works until it is closed.
    head -n 1 <&5 >/dev/null
    exec 5<&-
    fs_ends
}

@test "SIGTERM unmounts a busy mount, and what was written is kept" {
    exec 5>"$fs/tmp/f"
    echo precious-data >&5
    kill -TERM "$FS_PID"
    fs_ends
    exec 5>&- || true
    run ! is_mounted
    kept /tmp/f precious-data
}

@test "SIGTERM during a commit lets it finish" {
    head -c 20000000 /dev/urandom >"$T/f"
    fault '[{"match":{"method":"POST","path":"/file[s]"},"kind":"delay","value":1000}]'
    cp "$T/f" "$fs/tmp/f" &
    copier=$!
    sending() { [ "$(ledger_count '.path == "/files"')" -ge 1 ]; }
    wait_until 10 sending
    kill -TERM "$FS_PID"
    fs_ends
    wait $copier || true
    run ! is_mounted
    fault '[]'
    if ! sandbox_get "$id" /tmp/f | cmp - "$T/f"; then
        spooled=$(find "$XDG_STATE_HOME" -type f -size +19M)
        [ -n "$spooled" ]
        assert_same_content "$T/f" "$spooled"
    fi
}

@test "SIGTERM with a stalled server ends within a bound and keeps the data in the spool" {
    exec 5>"$fs/tmp/f"
    echo precious-data >&5
    fault '[{"match":{"plane":"data"},"kind":"stall"}]'
    kill -TERM "$FS_PID"
    wait_until 60 process_gone "$FS_PID"
    fs_ends
    exec 5>&- || true
    run ! is_mounted
    fault '[]'
    kept /tmp/f precious-data
}

@test "a dirty mapping survives unmounting" {
    head -c 10000 /dev/zero >"$fs/tmp/f"
    errno_is OK mmap-write "$fs/tmp/f" mapped-data
    unmount_fs
    assert_equal "$(sandbox_get "$id" /tmp/f | head -c 11)" mapped-data
}

@test "a dirty mapping survives SIGTERM" {
    head -c 10000 /dev/zero >"$fs/tmp/f"
    errno_is OK mmap-write "$fs/tmp/f" mapped-data
    kill -TERM "$FS_PID"
    fs_ends
    kept /tmp/f mapped-data || assert_equal "$(sandbox_get "$id" /tmp/f | head -c 11)" mapped-data
}

@test "SIGINT ends the program in the foreground" {
    # A background job of a script ignores SIGINT; a program started by a person does not.
    unmount_fs
    python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp("e2bfs", ["e2bfs", "-f", sys.argv[1]])' "$MNT" 3>&- >>"$T/e2bfs.log" 2>&1 &
    FS_PID=$!
    wait_until 20 fs_is_ready
    kill -INT "$FS_PID"
    fs_ends
    run ! is_mounted
    [ -z "$FAILED" ]
}

@test "nothing stays behind in the run-time directory" {
    assert_equal "$(find "$XDG_RUNTIME_DIR/e2bfs" -name '*.json' | wc -l)" 1
    unmount_fs
    assert_equal "$(find "$XDG_RUNTIME_DIR/e2bfs" -name '*.json' | wc -l)" 0
}

@test "a walk that is under way ends with an error, not with a hang" {
    find "$fs/usr" >/dev/null 2>&1 &
    walker=$!
    asked() { [ "$(ledger_count '.plane == "data"')" -ge 5 ]; }
    wait_until 10 asked
    kill -TERM "$FS_PID"
    fs_ends
    wait_until 10 process_gone $walker
    run ! is_mounted
}
