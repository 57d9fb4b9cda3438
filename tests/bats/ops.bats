#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bats file_tags=core
# fs/: making, removing, renaming; the sandbox's kernel decides.

load helpers

setup() {
    setup_environment
    start_server
    id=$(make_sandbox)
    mount_fs
    fs=$MNT/$id/fs
}

# in_sandbox EXPECTED SCRIPT
in_sandbox() {
    assert_equal "$(sandbox_exec "$id" sh -c "cd /tmp && { $2; } 2>&1")" "$1"
}

@test "mkdir makes one directory, exclusively, with its mode" {
    errno_is OK mkdir "$fs/tmp/d" 750
    in_sandbox 'directory 750' 'stat -c "%F %a" d'
    errno_is EEXIST mkdir "$fs/tmp/d"
    errno_is ENOENT mkdir "$fs/tmp/no/such"
    touch "$fs/tmp/f"
    errno_is EEXIST mkdir "$fs/tmp/f"
    errno_is ENOTDIR mkdir "$fs/tmp/f/x"
}

@test "mkdir is a lock: one of many wins" {
    # Also against somebody inside, whom no cache here knows of.
    ls "$fs/tmp" >/dev/null
    sandbox_exec "$id" mkdir /tmp/lock
    errno_is EEXIST mkdir "$fs/tmp/lock"
    racers=()
    for n in {1..8}; do
        fsop mkdir "$fs/tmp/race" >"$T/race$n" &
        racers+=($!)
    done
    wait "${racers[@]}" || true
    assert_equal "$(cat "$T"/race? | sort | uniq -c | xargs)" '7 EEXIST 1 OK'
}

@test "O_EXCL asks the sandbox" {
    ls "$fs/tmp" >/dev/null
    sandbox_exec "$id" sh -c 'echo theirs >/tmp/f'
    errno_is EEXIST create "$fs/tmp/f" ours
    in_sandbox theirs 'cat f'
    errno_is OK create "$fs/tmp/g" ours
    in_sandbox ours 'cat g'
}

@test "unlink removes one file and never a directory" {
    sandbox_exec "$id" sh -c 'cd /tmp && touch f && mkdir d && touch d/f && ln -s f l'
    errno_is OK unlink "$fs/tmp/f"
    errno_is ENOENT unlink "$fs/tmp/f"
    errno_is EISDIR unlink "$fs/tmp/d"
    errno_is OK unlink "$fs/tmp/l"
    in_sandbox 'd d/f' 'find d | sort | xargs'
}

@test "rmdir removes an empty directory and nothing else" {
    sandbox_exec "$id" sh -c 'cd /tmp && mkdir -p full/x empty && touch f'
    errno_is ENOTEMPTY rmdir "$fs/tmp/full"
    errno_is OK rmdir "$fs/tmp/empty"
    errno_is ENOENT rmdir "$fs/tmp/empty"
    errno_is ENOTDIR rmdir "$fs/tmp/f"
    in_sandbox 'f full full/x' 'find f full | sort | xargs'
    # A directory that filled behind our back is not emptied.
    ls "$fs/tmp/full/x" >/dev/null
    sandbox_exec "$id" touch /tmp/full/x/precious
    errno_is ENOTEMPTY rmdir "$fs/tmp/full/x"
}

@test "rename replaces like POSIX" {
    sandbox_exec "$id" sh -c 'cd /tmp && echo a >a && echo b >b && mkdir -p d/sub e full/x'
    errno_is OK rename "$fs/tmp/a" "$fs/tmp/b"
    in_sandbox a 'cat b'
    errno_is ENOENT stat "$fs/tmp/a"
    errno_is ENOENT rename "$fs/tmp/a" "$fs/tmp/c"
    errno_is ENOENT rename "$fs/tmp/b" "$fs/tmp/no/such"
    in_sandbox '' 'ls -d no 2>/dev/null || true'
    errno_is EISDIR rename "$fs/tmp/b" "$fs/tmp/d"
    errno_is ENOTDIR rename "$fs/tmp/d" "$fs/tmp/b"
    errno_is EINVAL rename "$fs/tmp/d" "$fs/tmp/d/sub/d"
    errno_is ENOTEMPTY rename "$fs/tmp/d" "$fs/tmp/full"
    errno_is OK rename "$fs/tmp/d" "$fs/tmp/e"
    in_sandbox sub 'ls e'
    errno_is OK rename "$fs/tmp/e" "$fs/home/user/moved"
    in_sandbox sub 'ls /home/user/moved'
    assert_equal "$(ls "$fs/home/user/moved")" sub
}

@test "rename with NOREPLACE replaces nothing" {
    sandbox_exec "$id" sh -c 'cd /tmp && echo a >a && echo b >b'
    errno_is EEXIST rename-noreplace "$fs/tmp/a" "$fs/tmp/b"
    errno_is OK rename-noreplace "$fs/tmp/a" "$fs/tmp/c"
    in_sandbox 'b a' 'cat b c | xargs'
}

@test "an open file can be renamed and written on" {
    python3 - "$fs/tmp" <<'PYTHON'
import os, sys
os.chdir(sys.argv[1])
fd = os.open("a", os.O_CREAT | os.O_RDWR)
os.write(fd, b"one ")
os.rename("a", "b")
os.write(fd, b"two")
os.close(fd)
assert open("b").read() == "one two"
PYTHON
    in_sandbox 'one two' 'cat b'
    in_sandbox '' 'ls a 2>/dev/null || true'
}

@test "between sandboxes and out of the mount, mv falls back to copying" {
    other=$(make_sandbox)
    wait_until 4 test -e "$MNT/$other/fs"
    echo x >"$fs/tmp/f"
    errno_is EXDEV rename "$fs/tmp/f" "$MNT/$other/fs/tmp/f"
    mv "$fs/tmp/f" "$MNT/$other/fs/tmp/f"
    assert_equal "$(sandbox_get "$other" /tmp/f)" x
    mv "$MNT/$other/fs/tmp/f" "$T/f"
    assert_equal "$(cat "$T/f")" x
    assert_equal "$(sandbox_exec "$other" ls /tmp)" ""
}

@test "chmod, touch -d and truncate reach the sandbox" {
    echo hello >"$fs/tmp/f"
    chmod 751 "$fs/tmp/f"
    in_sandbox 751 'stat -c %a f'
    touch -d 2001-02-03T04:05:06.789012345Z "$fs/tmp/f"
    in_sandbox 981173106.789012345 'stat -c %.9Y f'
    assert_equal "$(stat -c '%a %.9Y' "$fs/tmp/f")" '751 981173106.789012345'
    truncate -s 3 "$fs/tmp/f"
    in_sandbox hel 'cat f'
    truncate -s 100 "$fs/tmp/f"
    in_sandbox 100 'stat -c %s f'
    assert_equal "$(stat -c %s "$fs/tmp/f")" 100
    mkdir "$fs/tmp/d"
    chmod 700 "$fs/tmp/d"
    in_sandbox 700 'stat -c %a d'
}

@test "symlink and readlink keep the text" {
    for target in f ../etc/passwd 'a b' "it's" no/such; do
        errno_is OK symlink "$fs/tmp/l" "$target"
        in_sandbox "$target" 'readlink l'
        assert_equal "$(readlink "$fs/tmp/l")" "$target"
        rm "$fs/tmp/l"
    done
    touch "$fs/tmp/f"
    errno_is EEXIST symlink "$fs/tmp/f" x
}

@test "odd names can be made, renamed and removed" {
    cd "$fs/tmp"
    for name in 'a b' '-rf' "it's" '$(id)' '`id`' 'x;y' '*' $'new\nline' 'ü' '%2e%2e' '+' '"'; do
        echo x >"./$name"
        assert_equal "$(sandbox_exec "$id" cat "/tmp/$name")" x
        mv -- "./$name" "./$name.moved"
        sandbox_exec "$id" test -e "/tmp/$name.moved"
        rm -- "./$name.moved"
        mkdir -- "./$name"
        rmdir -- "./$name"
    done
    cd /
    in_sandbox '' 'ls -A'
}

@test "deleting is only allowed where the guard says" {
    [ "$(id -u)" -eq 0 ] || skip "needs a sandbox with root's files"
    unmount_fs
    mount_fs -o user=root
    sandbox_exec -u root "$id" sh -c 'mkdir -p /etc/d && touch /etc/f /workspace/f'
    errno_is EPERM unlink "$fs/etc/f"
    errno_is EPERM rmdir "$fs/etc/d"
    errno_is EPERM rename "$fs/etc/f" "$fs/tmp/f"
    errno_is OK unlink "$fs/workspace/f"
    unmount_fs
    mount_fs -o user=root,rm=all
    errno_is OK unlink "$fs/etc/f"
    unmount_fs
    mount_fs -o user=root,rm=none
    touch "$fs/tmp/f"
    errno_is EPERM unlink "$fs/tmp/f"
}

@test "what the sandbox's user may not do is EACCES, as inside" {
    [ "$(id -u)" -eq 0 ] || skip "a server of an ordinary user has one account only"
    errno_is EACCES create "$fs/etc/new"
    errno_is EACCES write "$fs/etc/passwd"
    errno_is EACCES mkdir "$fs/etc/d"
    errno_is EACCES rename "$fs/etc/passwd" "$fs/etc/p2"
    sandbox_exec -u root "$id" sh -c 'test ! -e /etc/new && test -s /etc/passwd'
}

@test "a hard link is one file or not possible, never a copy" {
    echo x >"$fs/tmp/a"
    run fsop link "$fs/tmp/a" "$fs/tmp/b"
    case $output in
    OK) in_sandbox 2 'stat -c %h a' ;;
    *) assert_match "$output" '^(EOPNOTSUPP|EPERM)$' ;;
    esac
}

@test "rm -r removes a tree, and nothing that a link in it leads to" {
    sandbox_exec "$id" sh -c 'cd /home/user && mkdir -p keep tree/a/b && touch keep/f tree/a/b/f &&
        ln -s ../keep tree/link && ln -s /home/user/keep tree/abs'
    rm -r "$fs/home/user/tree"
    in_sandbox 'keep keep/f' 'cd /home/user && find keep tree 2>/dev/null | xargs'
}
