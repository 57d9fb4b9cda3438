#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bats file_tags=core
# What the sandbox's user may do below fs/: envd works as root, so the mount judges by owner,
# groups and modes.  Each answer is compared with what the sandbox's own kernel says.

load helpers

setup() {
    [ "$(id -u)" -eq 0 ] || skip "a server of an ordinary user has one account only"
    setup_environment
    start_server
    id=$(make_sandbox)
    fs=$MNT/$id/fs
}

as_root() {
    sandbox_exec -u root "$id" sh -c "cd /tmp && $1"
}

groups_asked() {
    ledger_count '.path == "/process.Process/Start"'
}

@test "open is judged by owner, group and mode, as inside" {
    # shellcheck disable=SC2016 # for the shell in the sandbox
    as_root 'mkdir -m 755 j && cd j && for own in user:user user:staff root:user root:sudo root:staff; do
        for mode in 000 400 600 040 060 004 006 604 640 466; do
            f=$(echo $own.$mode | tr : .); echo x >$f; chown $own $f; chmod $mode $f; done; done'
    # shellcheck disable=SC2016 # for the shell in the sandbox
    expected=$(sandbox_exec "$id" sh -c 'cd /tmp/j && for f in *; do
        r=EACCES w=EACCES
        true <$f && r=OK
        true >>$f && w=OK
        echo "$f r=$r w=$w"
    done 2>/dev/null')
    mount_fs
    got=$(cd "$fs/tmp/j" && for f in *; do
        read=$(fsop read "$f") && read=OK
        echo "$f r=$read w=$(fsop append "$f" y)"
    done) || true
    assert_equal "$got" "$expected"
}

@test "truncating open needs the right to write" {
    as_root 'echo x >f && chmod 644 f'
    mount_fs
    run python3 -c 'import os, sys; os.open(sys.argv[1], os.O_RDONLY | os.O_TRUNC)' "$fs/tmp/f"
    assert_match "$output" PermissionError
    assert_equal "$(as_root 'cat f')" x
}

@test "a directory is listed with r, entered with x" {
    as_root 'mkdir d r x n && for d in d r x n; do echo inner >$d/f; done
        chmod 755 d; chmod 744 r; chmod 711 x; chmod 700 n'
    mount_fs
    assert_equal "$(ls "$fs/tmp/d")" f
    assert_equal "$(cat "$fs/tmp/d/f")" inner
    assert_equal "$(ls "$fs/tmp/r")" f
    # ls -l told the kernel nothing that a lookup may not tell.
    ls -l "$fs/tmp/r" >/dev/null 2>&1 || true
    errno_is EACCES stat "$fs/tmp/r/f"
    errno_is EACCES readdir "$fs/tmp/x"
    assert_equal "$(cat "$fs/tmp/x/f")" inner
    errno_is ENOENT stat "$fs/tmp/x/none"
    errno_is EACCES readdir "$fs/tmp/n"
    errno_is EACCES stat "$fs/tmp/n/f"
    errno_is EACCES stat "$fs/tmp/n/none"
    errno_is EACCES create "$fs/tmp/n/new"
    errno_is EACCES write "$fs/tmp/n/new"
}

@test "cd and test -r -w -x say what would be refused" {
    as_root 'mkdir -m 700 n && echo >r && chmod 644 r && echo >s && chmod 600 s'
    mount_fs
    ls -l "$fs/tmp" >/dev/null
    run cd "$fs/tmp/n"
    [ "$status" -ne 0 ]
    test -r "$fs/tmp/r"
    run test -w "$fs/tmp/r"
    [ "$status" -eq 1 ]
    run test -r "$fs/tmp/s"
    [ "$status" -eq 1 ]
    cd "$fs/tmp"
    cd /
}

@test "a file is made only where the user may write" {
    as_root 'mkdir -m 755 ro && mkdir -m 777 rw && mkdir -m 775 team && chgrp sudo team &&
        mkdir -m 775 other && chgrp staff other'
    mount_fs
    errno_is EACCES write "$fs/tmp/ro/f" text
    errno_is OK write "$fs/tmp/rw/f" text
    errno_is OK write "$fs/tmp/team/f" text
    errno_is EACCES write "$fs/tmp/other/f" text
    errno_is EACCES write "$fs/newfile" text
    assert_equal "$(as_root 'find ro rw team other -type f | sort | xargs')" "rw/f team/f"
    as_root 'test ! -e /newfile'
}

@test "rename needs both directories, and its own names in a sticky one" {
    as_root 'mkdir -m 755 ro && mkdir -m 777 rw && mkdir -m 1777 st &&
        for d in ro rw st; do echo $d >$d/f; mkdir $d/d; done'
    sandbox_exec "$id" sh -c 'cd /tmp && echo mine >mine && echo mine >st/mine && mkdir mydir'
    mount_fs
    cd "$fs/tmp"
    for how in rename rename-noreplace; do
        errno_is EACCES $how ro/f rw/f2
        errno_is EACCES $how mine ro/mine
        errno_is EPERM $how st/f rw/f2
        errno_is EPERM $how st/f st/f2
        errno_is OK $how mine st/moved
        errno_is OK $how st/moved mine
        # Not the user's, but in a directory that is.
        errno_is OK $how rw/f mydir/f
        errno_is OK $how mydir/f rw/f
        # A directory that gets another parent is written.
        errno_is EACCES $how rw/d mydir/d
        errno_is OK $how rw/d rw/e
        errno_is OK $how rw/e rw/d
    done
    errno_is EPERM rename mine st/f
    errno_is OK rename mine st/mine
    cd /
    assert_equal "$(as_root 'cat ro/f rw/f st/f st/mine | xargs')" 'ro rw st mine'
}

@test "groups are asked for when they matter, once" {
    as_root 'mkdir g && for f in a b c; do echo $f >g/$f; chgrp sudo g/$f; chmod 640 g/$f; done
        echo x >g/plain; chmod 644 g/plain; echo x >g/mine; chown user:user g/mine; chmod 600 g/mine'
    mount_fs
    ls -l "$fs/tmp/g" >/dev/null
    ledger_clear
    cat "$fs/tmp/g/plain" "$fs/tmp/g/mine" >/dev/null
    errno_is EACCES write "$fs/tmp/g/a"
    assert_equal "$(groups_asked)" 0
    fault '[{"match":{"path":"/process.Process/Start"},"kind":"delay","value":500}]'
    readers=()
    for f in a b c; do
        cat "$fs/tmp/g/$f" >>"$T/read" &
        readers+=($!)
    done
    for pid in "${readers[@]}"; do wait "$pid"; done
    fault '[]'
    assert_equal "$(sort "$T/read" | xargs)" 'a b c'
    cat "$fs/tmp/g/b" >/dev/null
    assert_equal "$(groups_asked)" 1
}

@test "who waits for the groups can be killed, and the next one asks again" {
    as_root 'mkdir g && echo text >g/f && chgrp sudo g/f && chmod 640 g/f'
    mount_fs
    ls -l "$fs/tmp/g" >/dev/null
    fault '[{"match":{"path":"/process.Process/Start"},"kind":"stall","value":0}]'
    ledger_clear
    cat "$fs/tmp/g/f" >/dev/null 3>&- &
    reader=$!
    asked() { [ "$(groups_asked)" -ge 1 ]; }
    wait_until 10 asked
    kill -KILL $reader
    faster_than 500 wait_until 5 process_gone $reader
    wait $reader || true
    fault '[]'
    assert_equal "$(cat "$fs/tmp/g/f")" text
}

@test "what can't be known is an error, not a yes or no" {
    as_root 'mkdir g && echo text >g/f && chgrp sudo g/f && chmod 640 g/f'
    mount_fs
    ls -l "$fs/tmp/g" >/dev/null
    fault '[{"match":{"path":"/process.Process/Start"},"kind":"status","value":500}]'
    run fsop read "$fs/tmp/g/f"
    [[ $output != EACCES && $output != OK* && $output != text ]] || fail "$output"
    fault '[]'
    assert_equal "$(cat "$fs/tmp/g/f")" text
}

@test "a refusal is never older than the attributes" {
    as_root 'mkdir -m 700 d && echo text >d/f'
    mount_fs
    errno_is EACCES read "$fs/tmp/d/f"
    as_root 'chmod 755 d'
    readable() { [ "$(fsop stat "$fs/tmp/d/f")" != EACCES ]; }
    wait_until 5 readable
    assert_equal "$(cat "$fs/tmp/d/f")" text
}

@test "root may do everything" {
    as_root 'mkdir -m 700 n && echo text >n/f && chmod 0 n/f && mkdir -m 1777 st && echo x >st/f'
    sandbox_exec "$id" sh -c 'mkdir -m 700 /tmp/u && echo u >/tmp/u/f && chmod 0 /tmp/u/f'
    mount_fs -o user=root
    assert_equal "$(cat "$fs/tmp/n/f" "$fs/tmp/u/f" | xargs)" 'text u'
    errno_is OK write "$fs/tmp/n/new" y
    errno_is OK rename "$fs/tmp/st/f" "$fs/tmp/u/g"
}
