#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bats file_tags=core
# A list of tricks: no link in a sandbox may lead the local kernel out of fs/.

load helpers

# name, target; each a link that an attacker leaves at /tmp/t/NAME.
tricks=(
    abs /etc/hostname
    abs-dots /../../../../etc/hostname
    dots ../../../../../../../../etc/hostname
    dots-inside x/../../../../../../../etc/hostname
    slashes ////etc//hostname
    self .
    via-dir dir/../../../../../../etc/hostname
    via-link updir/../../../../etc/hostname
    dotdot ..
    three ../../..
    mount MNT
    proc-root /proc/self/root/etc/hostname
    proc-cwd /proc/self/cwd
    dev-fd /dev/fd/0
    home /root
    dangling /no/such/thing
    loop loop
    empty-ish ./
    many-dots x/.././../../../../../../../../etc/hostname
)

setup() {
    setup_environment
    start_server
    id=$(make_sandbox)
    mount_fs
    fs=$MNT/$id/fs
    script='mkdir -p /tmp/t/x/y /tmp/t/dir && cd /tmp/t && ln -s ../../.. updir && ln -s / top'
    for ((i = 0; i < ${#tricks[@]}; i += 2)); do
        script+=" && ln -s '${tricks[i + 1]/#MNT/$MNT/..}' '${tricks[i]}'"
    done
    sandbox_exec "$id" sh -c "$script"
}

# Where following NAME really leads, as the kernel sees it.
assert_inside() {
    local real
    real=$(realpath -m -- "$1")
    [[ $real/ == "$fs"/* ]] || fail "$1 -> $(readlink "$1") leads to $real"
}

@test "no link text is absolute or has more .. than it is deep" {
    for ((i = 0; i < ${#tricks[@]}; i += 2)); do
        link=$fs/tmp/t/${tricks[i]}
        [ -L "$link" ]
        [[ $(readlink "$link") != /* ]] || fail "$link is absolute: $(readlink "$link")"
        [ "${tricks[i]}" = loop ] || assert_inside "$link"
    done
    assert_inside "$fs/tmp/t/updir"
    assert_inside "$fs/tmp/t/top"
}

@test "links through links stay inside" {
    # A .. that a person types is resolved by the kernel, so none here climbs above fs/.
    for path in updir/updir updir/updir/etc top/top/top top/tmp/t/updir dotdot/dotdot/dotdot \
        dotdot/dotdot/dotdot/dotdot three/three three/tmp/t/three top/tmp/t/top/tmp/.. \
        via-link via-dir dots-inside; do
        run readlink -m -- "$fs/tmp/t/$path"
        [[ $output/ == "$fs"/* ]] || fail "$path leads to $output"
    done
}

@test "an absolute link shows the sandbox's file, not ours" {
    sandbox_exec "$id" sh -c 'echo theirs >/tmp/theirs && ln -s /tmp/theirs /tmp/t/there'
    echo ours >"$T/secret"
    sandbox_exec "$id" ln -s "$T/secret" /tmp/t/secret
    assert_equal "$(cat "$fs/tmp/t/there")" theirs
    run cat "$fs/tmp/t/secret"
    [ "$status" -ne 0 ]
    assert_same_content "$fs/tmp/t/abs" <(sandbox_get "$id" /etc/hostname)
}

@test "writing through a link never reaches local files" {
    echo ours >"$T/victim"
    sandbox_exec "$id" sh -c "ln -s '$T/victim' /tmp/t/victim &&
        ln -s '../../../../../../../../../../..$T/victim' /tmp/t/victim2"
    for name in victim victim2; do
        run fsop write "$fs/tmp/t/$name" pwned
        assert_equal "$(cat "$T/victim")" ours
    done
}

@test "cp -rL of a hostile tree copies nothing of ours" {
    echo ours-and-secret >"$T/secret"
    sandbox_exec "$id" sh -c "mkdir /tmp/h && ln -s '$T' /tmp/h/a && ln -s '$T/secret' /tmp/h/b"
    run timeout 60 cp -rL "$fs/tmp/h" "$T/out"
    run grep -r ours-and-secret "$T/out"
    assert_equal "$output" ""
}

@test "a loop is ELOOP" {
    errno_is ELOOP stat "$fs/tmp/t/loop"
    errno_is OK lstat "$fs/tmp/t/loop"
}

@test "a link that was harmless and is replaced behind our back is still harmless" {
    echo ours >"$T/secret"
    sandbox_exec "$id" sh -c 'mkdir /tmp/t/swap && echo theirs >/tmp/t/swap/secret'
    assert_equal "$(cat "$fs/tmp/t/swap/secret")" theirs
    sandbox_exec "$id" sh -c "rm -r /tmp/t/swap && ln -s '$T' /tmp/t/swap"
    end=$(($(now_ms) + 3000))
    while [ "$(now_ms)" -lt $end ]; do
        run cat "$fs/tmp/t/swap/secret"
        [[ $output != ours ]] || fail 'a replaced directory led out'
    done
}

@test "our own links are shown as they were made, if they stay inside" {
    ln -s ../../etc/hostname "$fs/tmp/t/own"
    assert_equal "$(readlink "$fs/tmp/t/own")" ../../etc/hostname
    ln -s /etc/hostname "$fs/tmp/t/own-abs"
    assert_equal "$(sandbox_exec "$id" readlink /tmp/t/own-abs)" /etc/hostname
    assert_inside "$fs/tmp/t/own-abs"
}
