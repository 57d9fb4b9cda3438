#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bats file_tags=core
# Starting: settings from everywhere, places for our own files, service managers, mount(8).

load helpers

@test "the config file's keys are the long options, and the command line wins" {
    a=$(make_sandbox)
    make_sandbox >/dev/null
    mkdir -p "$XDG_CONFIG_HOME/e2bfs"
    printf '# mine\nonly = %s\nmemory = 64M\nro = yes\n' "$a" >"$XDG_CONFIG_HOME/e2bfs/config"
    mount_fs -o rw
    assert_equal "$(ls "$MNT")" "$a"
    grep -qx 'memory 67108864' "$MNT/.e2b/config"
    grep -qx 'ro no' "$MNT/.e2b/config"
}

@test "a mistake in the config file is one sentence with its line" {
    mkdir -p "$XDG_CONFIG_HOME/e2bfs"
    printf '\nmemroy = 64M\n' >"$XDG_CONFIG_HOME/e2bfs/config"
    assert_one_sentence 2 e2bfs "$MNT"
    assert_match "$stderr" "config: line 2.*memroy"
}

@test "a key in an option is refused, and not repeated" {
    for words in --api-key=e2b_5ec1e7 '-o api_key=e2b_5ec1e7' '--api_key e2b_5ec1e7'; do
        # shellcheck disable=SC2086 # two words
        assert_one_sentence 2 e2bfs $words "$MNT"
        [[ $stderr != *5ec1e7* ]]
        assert_match "$stderr" E2B_API_KEY
    done
}

@test "the key may come from a file or from standard input" {
    id=$(make_sandbox)
    key=$E2B_API_KEY
    unset E2B_API_KEY
    (umask 077 && echo "$key" >"$T/key")
    mount_fs -o api_key_file="$T/key"
    assert_equal "$(ls "$MNT")" "$id"
    assert_equal "$(grep '^key_source' "$MNT/.e2b/config")" "key_source $T/key"
    unmount_fs
    echo "$key" | e2bfs --api-key-file=- "$MNT" 3>&-
    assert_equal "$(ls "$MNT")" "$id"
    fusermount3 -u "$MNT"
}

@test "relative paths mean where the command was given" {
    make_sandbox >/dev/null
    cd "$T"
    e2bfs --log log.txt --spool sp mnt 3>&-
    test -e mnt/.e2b/version
    [ -s "$T/log.txt" ]
    assert_equal "$(stat -c %a "$T/log.txt")" 600
    assert_equal "$(stat -c %a "$T/sp")" 700
    fusermount3 -u "$MNT"
}

@test "a spool or a log inside the mount is refused" {
    mkdir "$MNT/inside"
    ln -s "$MNT/inside" "$T/link"
    assert_one_sentence 2 e2bfs --spool "$MNT/inside/sp" "$MNT"
    assert_one_sentence 2 e2bfs --spool "$T/link/sp" "$MNT"
    assert_one_sentence 2 e2bfs --log "$MNT/log" "$MNT"
    rm -rf "${MNT:?}/inside"
}

@test "without a home directory everything works" {
    id=$(make_sandbox)
    [ "$(id -u)" -eq 0 ] || skip 'an ordinary user has one by name'
    unset HOME XDG_STATE_HOME XDG_CONFIG_HOME XDG_RUNTIME_DIR
    unshare --mount --propagation private sh -euc '
        mount -t tmpfs none /var/lib && mount -t tmpfs none /run
        "$1"/e2bfs "$2"
        test "$(ls "$2")" = "$3"
        test -d /var/lib/e2bfs/spool && test -d /run/e2bfs
        fusermount3 -u "$2"' sh "$BUILD_DIR/bin" "$MNT" "$id" 3>&-
}

@test "the service manager is told, and the environment's socket can be abstract" {
    make_sandbox >/dev/null
    for name in "$T/notify" "@e2bfs-test-$$-$RANDOM"; do
        python3 -c '
import socket, sys
name = sys.argv[1]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.settimeout(60)
s.bind("\0" + name[1:] if name[0] == "@" else name)
print("bound", flush=True)
sys.stdout.write(s.recv(1000).decode())' "$name" >"$T/told" 3>&- &
        listener=$!
        wait_until 10 grep -q bound "$T/told"
        NOTIFY_SOCKET=$name e2bfs "$MNT" 3>&-
        wait "$listener"
        grep -qx READY=1 "$T/told"
        grep -qx "MAINPID=$(fs_pids)" "$T/told"
        pid=$(fs_pids)
        fusermount3 -u "$MNT"
        wait_until 10 process_gone "$pid"
    done
}

@test "whoever gives up before it is mounted does not get it mounted" {
    make_sandbox >/dev/null
    fault '[{"match":{"path":"/v2/sandboxes"},"kind":"delay","value":1500,"times":1}]'
    e2bfs "$MNT" 3>&- &
    starter=$!
    two_of_them() { [ "$(fs_pids | wc -l)" -eq 2 ]; }
    wait_until 10 two_of_them
    kill -TERM "$starter"
    wait "$starter" || true
    nobody() { [ -z "$(fs_pids)" ]; }
    wait_until 20 nobody
    run ! is_mounted
}

@test "mount.e2bfs takes what mount(8) passes" {
    id=$(make_sandbox)
    mount.e2bfs e2b "$MNT" -n -o "rw,_netdev,nofail,only=$id" 3>&-
    assert_equal "$(ls "$MNT")" "$id"
    fusermount3 -u "$MNT"
    # mount -f: everything but the mount
    mount.e2bfs e2b "$MNT" -f -o ro 3>&-
    run ! is_mounted
    assert_one_sentence 2 mount.e2bfs "$MNT"
}

@test "two local mounts do not share a directory" {
    e2bfs --local="$T/demo" "$MNT" 3>&-
    mkdir "$T/other"
    assert_one_sentence 6 e2bfs --local="$T/demo" "$T/other"
    assert_match "$stderr" "$T/demo"
    e2bfs --local="$T/demo2" "$T/other" 3>&-
    [ -n "$(ls "$T/other")" ]
    fusermount3 -u "$T/other"
    fusermount3 -u "$MNT"
}

@test "a local server that can't start says why" {
    touch "$T/file"
    assert_one_sentence '[1-6]' e2bfs --local="$T/file/demo" "$MNT"
    # Without the server beside it and in PATH.
    mkdir "$T/bin"
    cp "$BUILD_DIR/bin/e2bfs" "$T/bin/"
    PATH=/usr/bin:/bin assert_one_sentence 3 "$T/bin/e2bfs" --local="$T/demo" "$MNT"
    assert_match "$stderr" e2b-sandboxd
    printf '#!/bin/sh\necho "e2b-sandboxd: the reason" >&2\nexit 1\n' >"$T/bin/e2b-sandboxd"
    chmod 755 "$T/bin/e2b-sandboxd"
    PATH=/usr/bin:/bin assert_one_sentence 1 "$T/bin/e2bfs" --local="$T/demo" "$MNT"
    assert_match "$stderr" 'the reason$'
}

@test "filters show only what matches" {
    a=$(make_sandbox '{"metadata":{"app":"x","n":"1"}}')
    b=$(make_sandbox '{"metadata":{"app":"x","n":"2"}}')
    make_sandbox '{"metadata":{"app":"y"}}' >/dev/null
    mount_fs -m app=x
    assert_equal "$(ls "$MNT")" "$(printf '%s\n' "$a" "$b" | sort)"
    unmount_fs
    mount_fs -m app=x -m n=2
    assert_equal "$(ls "$MNT")" "$b"
    unmount_fs
    pause_sandbox "$a"
    mount_fs --state paused
    assert_equal "$(ls "$MNT")" "$a"
    assert_equal "$(cat "$MNT/$a/state")" paused
}
