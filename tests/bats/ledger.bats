#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bats file_tags=core
# What looking costs, in requests, and that looking changes nothing.

load helpers

setup() {
    setup_environment
    start_server
    id=$(make_sandbox '{"metadata":{"app":"demo"}}')
    sandbox_exec "$id" sh -c 'cd /home/user && mkdir -p a/b/c && for f in a/1 a/b/2 a/b/c/3; do
        echo hello >$f; done'
    fs=$MNT/$id/fs
}

data_requests() {
    ledger_count '.plane == "data"'
}

# All that a walk could change, as the sandbox and the API see it.
state_of() {
    api GET "/sandboxes/$1" | jq -S 'del(.envdAccessToken)'
    [ "${2-}" = paused ] ||
        sandbox_exec "$1" find /home /etc /tmp -printf '%p %s %m %T@ %C@ %i\n' | LC_ALL=C sort
}

@test "walking over running and paused sandboxes changes nothing, and asks paused ones nothing" {
    paused=$(make_sandbox '{"autoPause":true,"autoResume":{"enabled":true}}')
    pause_sandbox "$paused"
    before=$(state_of "$id"; state_of "$paused" paused)
    mount_fs
    ledger_clear
    # All of the tree but the sandbox's /usr, which is large and no different.
    places=("$MNT/.e2b" "$MNT/$paused" "$fs/home" "$fs/etc" "$fs/tmp")
    for file in "$MNT/$id"/*; do
        [ "$file" = "$fs" ] || places+=("$file")
    done
    run ls -lR "${places[@]}"
    run find "${places[@]}" -ls
    run grep -r nothing "${places[@]}"
    run du -s "${places[@]}"
    run tar -cf "$T/tar" "${places[@]}"
    run cp -r "${places[@]}" "$T/"
    ls -l "$MNT" "$MNT/$id" "$fs" >/dev/null
    assert_no_data_plane "$paused"
    # A link's text can only be read by a process in the sandbox; nothing else is started.
    changing=$(ledger_list '(.method == "GET" or (.plane == "data" and
        (.path | test("^/(filesystem.Filesystem/(Stat|ListDir)|process.Process/Start)$")))) | not')
    assert_equal "$changing" ""
    assert_equal "$(state_of "$id"; state_of "$paused" paused)" "$before"
}

@test "a cold stat costs at most one request a level" {
    mount_fs
    ledger_clear
    stat "$fs/home/user/a" >/dev/null
    [ "$(data_requests)" -le 3 ] || fail "$(ledger_list)"
    # One list, one look at the sandbox for its token.
    [ "$(ledger_count '.plane != "data"')" -le 2 ] || fail "$(ledger_list)"
}

@test "the next level costs one more, and siblings nothing" {
    mount_fs
    stat "$fs/home/user/a" >/dev/null
    ledger_clear
    stat "$fs/home/user/a/b" "$fs/home/user/a/1" >/dev/null
    [ "$(data_requests)" -le 2 ] || fail "$(ledger_list)"
}

@test "what is absent from a listed directory costs nothing" {
    mount_fs
    ls "$fs/home/user/a" >/dev/null
    ledger_clear
    for name in x y .git .hidden package.json; do
        errno_is ENOENT stat "$fs/home/user/a/$name"
    done
    # Five short programs take far less than the second for which the listing is true; allow
    # for one renewal on a slow machine, never one a name.
    [ "$(data_requests)" -le $((SLOW > 1 ? 2 : 0)) ] || fail "$(ledger_list)"
}

@test "ls -l of a directory is one listing, not one stat a file" {
    sandbox_exec "$id" sh -c 'mkdir /tmp/d && cd /tmp/d && seq 1 200 | xargs touch'
    mount_fs
    ls "$fs/tmp" >/dev/null
    ledger_clear
    assert_equal "$(ls -l "$fs/tmp/d" | grep -c ^-)" 200
    [ "$(data_requests)" -le 2 ] || fail "$(ledger_list)"
}

@test "a small file is one request once its directory is known" {
    mount_fs
    ls "$fs/home/user/a" >/dev/null
    ledger_clear
    assert_equal "$(cat "$fs/home/user/a/1")" hello
    [ "$(ledger_count '.path == "/files"')" -eq 1 ] || fail "$(ledger_list)"
    [ "$(data_requests)" -le 2 ] || fail "$(ledger_list)"
}

@test "info.json and state cost nothing while the list is fresh" {
    mount_fs
    ls "$MNT" >/dev/null
    ledger_clear
    cat "$MNT/$id/info.json" "$MNT/$id/state" "$MNT/$id/ctl" "$MNT/$id/error" >/dev/null
    [ "$(ledger_count true)" -le 1 ] || fail "$(ledger_list)"
}

@test "an idle mount sends nothing" {
    mount_fs
    ls -lR "$fs/home" >/dev/null
    cat "$MNT/$id/metrics" >/dev/null
    ledger_clear
    # Longer than every age that could tempt it to look again.
    busy() { [ "$(ledger_count true)" -gt 0 ]; }
    run wait_until 6 busy
    [ "$status" -ne 0 ] || fail "$(ledger_list)"
}

@test "twenty readers of one file share its download" {
    head -c 1000000 /dev/urandom >"$T/f"
    sandbox_put "$id" /tmp/f <"$T/f"
    mount_fs
    ls "$fs/tmp" >/dev/null
    ledger_clear
    readers=()
    for _ in {1..20}; do
        cmp "$T/f" "$fs/tmp/f" &
        readers+=($!)
    done
    for pid in "${readers[@]}"; do wait "$pid"; done
    sent=$(ledger | jq '[.requests[] | select(.path == "/files") | .bytes_out] | add')
    [ "$sent" -le 4000000 ] || fail "$sent bytes for a file of 1000000"
}
