#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bats file_tags=big
# A gibibyte in and out, without holding it in memory.

load helpers

@test "1 GiB copies in and out with equal checksums" {
    id=$(make_sandbox)
    mount_fs
    # Not random, so that it is quick to make; not repeating, so that misplaced blocks show.
    openssl enc -aes-128-ctr -K 00112233445566778899aabbccddeeff -iv 0000000000000000 \
        -in /dev/zero 2>/dev/null | head -c 1073741824 >"$T/f"
    sum=$(md5sum <"$T/f")
    cp "$T/f" "$MNT/$id/fs/tmp/f"
    rm "$T/f"
    assert_equal "$(sandbox_exec "$id" md5sum /tmp/f)" "${sum%-}/tmp/f"
    unmount_fs # no cache of the kernel's helps the way back
    mount_fs
    assert_equal "$(md5sum <"$MNT/$id/fs/tmp/f")" "$sum"
    peak=$(awk '/^VmHWM/ { print $2 }' "/proc/$FS_PID/status")
    [ "$peak" -le $((512 * 1024)) ] || fail "e2bfs used $peak KiB of memory"
}
