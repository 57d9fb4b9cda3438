#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bats file_tags=core
# Mounting: what the command promises when it returns, and how it says that it can't.

load helpers

@test "the command returns once the tree answers, and unmounting ends the program" {
    id=$(make_sandbox)
    e2bfs "$MNT" 3>&-
    assert_equal "$(ls "$MNT")" "$id"
    pid=$(fs_pids)
    [ -n "$pid" ]
    fusermount3 -u "$MNT"
    wait_until 10 process_gone "$pid"
    run ! is_mounted
    assert_equal "$(ls -A "$MNT")" ""
}

@test "unmounting ends no sandbox" {
    id=$(make_sandbox)
    mount_fs
    ls "$MNT/$id" >/dev/null
    unmount_fs
    assert_equal "$(api GET "/sandboxes/$id" | jq -r .state)" running
}

@test "the mount table says what it is and forbids set-uid, devices and execution" {
    mount_fs
    line=$(grep " $MNT " /proc/self/mounts)
    assert_match "$line" "^e2b:127\.0\.0\.1[^ ]* $MNT fuse\.e2bfs "
    for flag in nosuid nodev noexec; do
        assert_match "$line" "[ ,]$flag,"
    done
}

@test "-o exec allows execution and nothing else" {
    mount_fs -o exec
    line=$(grep " $MNT " /proc/self/mounts)
    [[ $line != *noexec* ]]
    assert_match "$line" "nosuid"
    assert_match "$line" "nodev"
}

@test "-o ro makes everything EROFS" {
    id=$(make_sandbox)
    mount_fs -o ro
    errno_is EROFS write "$MNT/$id/fs/tmp/new"
    errno_is EROFS mkdir "$MNT/$id/fs/tmp/new"
    errno_is EROFS ctl "$MNT/$id/ctl" kill
    assert_equal "$(cat "$MNT/$id/state")" running
}

@test "-V and -h answer on stdout with status 0" {
    run --separate-stderr e2bfs -V
    assert_equal "$status" 0
    assert_match "$output" '^e2bfs [0-9]+\.[0-9]+'
    run --separate-stderr e2bfs -h
    assert_equal "$status" 0
    assert_match "$output" 'MOUNTPOINT'
    assert_match "$output" 'local'
}

@test "usage errors are one sentence and exit with 2" {
    assert_one_sentence 2 e2bfs
    assert_one_sentence 2 e2bfs --no-such-option "$MNT"
    assert_match "$stderr" 'no-such-option'
    assert_one_sentence 2 e2bfs -o no_such_option "$MNT"
    assert_match "$stderr" 'no_such_option'
}

@test "a mount point that is missing or no directory is one sentence" {
    assert_one_sentence '[1-6]' e2bfs "$T/missing"
    assert_match "$stderr" "$T/missing"
    touch "$T/file"
    assert_one_sentence '[1-6]' e2bfs "$T/file"
    assert_match "$stderr" "$T/file"
}

@test "a busy mount point is one sentence, and the first mount stays" {
    mount_fs
    assert_one_sentence '[1-6]' e2bfs "$MNT"
    assert_match "$stderr" "$MNT"
    test -e "$MNT/.e2b/version"
}

@test "a rejected key is one sentence and exits with 4" {
    E2B_API_KEY=e2b_0123456789012345678901234567890123456789 assert_one_sentence 4 e2bfs "$MNT"
    [[ $stderr != *0123456789* ]]
    run ! is_mounted
}

@test "no key at all is one sentence that says where to get one from" {
    unset E2B_API_KEY
    assert_one_sentence '[24]' e2bfs "$MNT"
    assert_match "$stderr" 'E2B_API_KEY'
}

@test "an unreachable server is one sentence and exits with 5" {
    stop_server
    assert_one_sentence 5 e2bfs "$MNT"
    run ! is_mounted
}

@test "without a device the sentence names it" {
    [ "$(id -u)" -eq 0 ] || skip "needs root to hide the device"
    # shellcheck disable=SC2016 # expanded inside
    assert_one_sentence '[1-6]' unshare --mount --propagation private sh -c \
        'mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && exec e2bfs "$1"' sh "$MNT"
    assert_match "$stderr" '/dev/fuse'
}

@test "a dead mount of ours on the mount point is recognised and replaced" {
    id=$(make_sandbox)
    e2bfs "$MNT" 3>&-
    pid=$(fs_pids)
    kill -KILL "$pid"
    wait_until 10 process_gone "$pid"
    run ! ls "$MNT"
    e2bfs "$MNT" 3>&-
    assert_equal "$(ls "$MNT")" "$id"
    assert_equal "$(grep -c " $MNT " /proc/self/mounts)" 1
}

@test "two mounts of one account live side by side" {
    id=$(make_sandbox)
    mount_fs
    mkdir "$T/other"
    e2bfs "$T/other" 3>&-
    assert_equal "$(ls "$T/other")" "$id"
    echo hello >"$T/other/$id/fs/tmp/f"
    assert_equal "$(cat "$MNT/$id/fs/tmp/f")" hello
    fusermount3 -u "$T/other"
}

@test "an option may come with -o or by its long name" {
    a=$(make_sandbox)
    make_sandbox >/dev/null
    mount_fs --only "$a"
    assert_equal "$(ls "$MNT")" "$a"
    unmount_fs
    mount_fs -o only="$a"
    assert_equal "$(ls "$MNT")" "$a"
}
