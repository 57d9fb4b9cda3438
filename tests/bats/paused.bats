#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bats file_tags=core
# A paused sandbox gets no request at all, whatever one does to its directory.

load helpers

setup() {
    setup_environment
    start_server
    # One that would wake up at the first request.
    id=$(make_sandbox '{"autoPause":true,"autoResume":{"enabled":true}}')
}

pause_and_wait() {
    pause_sandbox "$id"
    wait_until 5 grep -qx paused "$MNT/$id/state"
    ledger_clear
}

assert_still_paused() {
    assert_no_data_plane "$id"
    assert_equal "$(api GET "/sandboxes/$id" | jq -r .state)" paused
    assert_only_reads
}

@test "every operation in fs/ is EHOSTDOWN and asks nobody" {
    mount_fs
    pause_and_wait
    fs=$MNT/$id/fs
    errno_is EHOSTDOWN readdir "$fs"
    errno_is EHOSTDOWN stat "$fs/tmp"
    errno_is EHOSTDOWN read "$fs/etc/passwd"
    errno_is EHOSTDOWN write "$fs/tmp/f"
    errno_is EHOSTDOWN mkdir "$fs/tmp/d"
    errno_is EHOSTDOWN symlink "$fs/l" target
    errno_is EHOSTDOWN unlink "$fs/f"
    errno_is EHOSTDOWN stat "$MNT/$id/home/f"
    assert_still_paused
}

@test "what was known before the pause is not served as if it ran" {
    mount_fs
    fs=$MNT/$id/fs
    ls -lR "$fs/home" >/dev/null
    cat "$fs/etc/passwd" >/dev/null
    pause_and_wait
    errno_is EHOSTDOWN readdir "$fs/home"
    errno_is EHOSTDOWN read "$fs/etc/passwd"
    assert_still_paused
}

@test "a handle that was open before the pause says so" {
    mount_fs
    fs=$MNT/$id/fs
    head -c 3000000 /dev/zero >"$T/f"
    sandbox_put "$id" /tmp/f <"$T/f"
    exec 5<"$fs/tmp/f"
    head -c 10 <&5 >/dev/null
    pause_and_wait
    run python3 -c 'import os; os.pread(5, 100, 2900000)'
    exec 5<&-
    assert_match "$output" 'Host is down'
    assert_still_paused
}

@test "its virtual files still read" {
    mount_fs
    pause_and_wait
    assert_equal "$(jq -r .state "$MNT/$id/info.json")" paused
    assert_equal "$(cat "$MNT/$id/state")" paused
    assert_equal "$(readlink "$MNT/$id/home")" fs/home/user
    cat "$MNT/$id/metrics" "$MNT/$id/ctl" "$MNT/$id/error" >/dev/null
    df "$MNT/$id" >/dev/null
    stat -f "$MNT/$id/fs" >/dev/null
    assert_still_paused
}

@test "the error file says what to do" {
    mount_fs
    pause_and_wait
    errno_is EHOSTDOWN readdir "$MNT/$id/fs"
    assert_match "$(cat "$MNT/$id/error")" 'EHOSTDOWN'
    assert_match "$(cat "$MNT/$id/error")" 'resume'
}

@test "tools that walk find an error, never an empty directory" {
    mount_fs
    pause_and_wait
    mkdir "$T/backup"
    echo precious >"$T/backup/f"
    run rsync -a --delete "$MNT/$id/fs/home/" "$T/backup/"
    [ "$status" -ne 0 ]
    assert_equal "$(cat "$T/backup/f")" precious
    run ls "$MNT/$id/fs"
    [ "$status" -ne 0 ]
    for walk in "ls -lR" "find" "grep -r nothing" "du -s"; do
        run $walk "$MNT/$id"
    done
    run tar -cf /dev/null -C "$MNT" "$id"
    assert_still_paused
}

@test "mounting while it is paused asks it nothing" {
    pause_sandbox "$id"
    ledger_clear
    mount_fs
    ls -l "$MNT" "$MNT/$id" >/dev/null
    unmount_fs
    assert_still_paused
}

@test "after it was resumed by somebody, fs/ works again" {
    mount_fs
    echo kept >"$MNT/$id/fs/tmp/f"
    pause_and_wait
    errno_is EHOSTDOWN read "$MNT/$id/fs/tmp/f"
    api POST "/sandboxes/$id/connect" '{"timeout":300}' >/dev/null
    back() { [ "$(cat "$MNT/$id/fs/tmp/f" 2>/dev/null)" = kept ]; }
    wait_until 5 back
}
