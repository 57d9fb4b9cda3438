#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bats file_tags=core
# fs/: writing.  New data never destroys the old before it is complete.

load helpers

setup() {
    setup_environment
    start_server
    id=$(make_sandbox)
    mount_fs
    fs=$MNT/$id/fs
}

# The kernel itself refuses POSIX ACLs, which install and cp -a try to set first, on files that
# belong to somebody else; so an ordinary user needs the files to be shown as his.
mount_as_owner() {
    [ "$(id -u)" -eq 0 ] && return
    unmount_fs
    mount_fs -o idmap=user
}

# copied_in PATH: what the sandbox has there is what $T/f has here.
copied_in() {
    sandbox_get "$id" "$1" >"$T/back"
    assert_same_content "$T/f" "$T/back"
}

@test "files of every odd size copy in with equal checksums" {
    for size in 0 1 4095 4096 4097 131072 131073 1048576; do
        random_file "$T/f" $size
        cp "$T/f" "$fs/tmp/f$size"
        copied_in "/tmp/f$size"
        assert_same_content "$T/f" "$fs/tmp/f$size"
        assert_equal "$(stat -c %s "$fs/tmp/f$size")" $size
    done
}

@test "what close returned is in the sandbox" {
    echo hello >"$fs/tmp/f"
    assert_equal "$(sandbox_get "$id" /tmp/f)" hello
}

@test "new files belong to the sandbox's user" {
    echo hello >"$fs/home/user/f"
    assert_equal "$(sandbox_exec "$id" stat -c %U /home/user/f)" \
        "$(sandbox_exec "$id" id -un)"
    assert_equal "$(sandbox_exec "$id" sh -c 'echo more >>/home/user/f && cat /home/user/f')" \
        $'hello\nmore'
}

@test "the creation mode arrives, less the umask" {
    mount_as_owner
    (umask 077 && echo x >"$fs/tmp/private")
    assert_equal "$(sandbox_exec "$id" stat -c %a /tmp/private)" 600
    install -m 755 /dev/null "$fs/tmp/script"
    assert_equal "$(sandbox_exec "$id" stat -c %a /tmp/script)" 755
}

@test "overwriting keeps the mode" {
    sandbox_exec "$id" sh -c 'echo old >/tmp/f && chmod 751 /tmp/f'
    echo new >"$fs/tmp/f"
    assert_equal "$(sandbox_exec "$id" stat -c %a /tmp/f)" 751
    assert_equal "$(sandbox_get "$id" /tmp/f)" new
}

@test "overwriting keeps the owner" {
    [ "$(id -u)" -eq 0 ] || skip "a server of an ordinary user has one account only"
    sandbox_exec -u root "$id" sh -c 'echo old >/tmp/f && chmod 666 /tmp/f'
    echo new >"$fs/tmp/f"
    assert_equal "$(sandbox_exec "$id" stat -c '%U %a' /tmp/f)" 'root 666'
    assert_equal "$(sandbox_get "$id" /tmp/f)" new
}

@test "overwriting through a hard link keeps the link" {
    sandbox_exec "$id" sh -c 'cd /tmp && echo old >a && ln a b'
    echo new >"$fs/tmp/a"
    assert_equal "$(sandbox_get "$id" /tmp/b)" new
    assert_equal "$(sandbox_exec "$id" stat -c %h /tmp/a)" 2
}

@test "overwriting through a symlink changes the file behind it" {
    sandbox_exec "$id" sh -c 'cd /tmp && echo old >real && ln -s real link'
    echo new >"$fs/tmp/link"
    assert_equal "$(sandbox_exec "$id" sh -c 'readlink /tmp/link; cat /tmp/real')" $'real\nnew'
}

@test "the old content survives a commit that fails, and the program is told" {
    head -c 300000 /dev/urandom >"$T/old"
    sandbox_put "$id" /tmp/f <"$T/old"
    cat "$fs/tmp/f" >/dev/null
    head -c 300000 /dev/urandom >"$T/new"
    for kind in '"kind":"status","value":500' '"kind":"reset_in","value":1000' \
        '"kind":"status","value":507' '"kind":"reset","value":0' '"kind":"refuse"'; do
        fault "[{\"match\":{\"method\":\"POST\",\"path\":\"/file[s]\"},$kind}]"
        run cp "$T/new" "$fs/tmp/f"
        [ "$status" -ne 0 ]
        fault '[]'
        sandbox_get "$id" /tmp/f >"$T/now"
        assert_same_content "$T/old" "$T/now"
        # Nothing half-written lies about in the sandbox.
        assert_equal "$(sandbox_exec "$id" sh -c 'ls -A /tmp | grep -v "^f$" | grep -i e2b' || true)" ""
    done
}

@test "no space is ENOSPC where the program sees it" {
    fault '[{"match":{"method":"POST","path":"/file[s]"},"kind":"status","value":507}]'
    errno_is ENOSPC write "$fs/tmp/new"
}

@test "a failed fsync stays failed until reported, and its content is kept" {
    head -c 100000 /dev/zero >"$fs/tmp/new" # what changes in the middle is uploaded anew
    fault '[{"match":{"method":"POST","path":"/file[s]"},"kind":"status","value":507}]'
    errno_is ENOSPC fsync "$fs/tmp/new" precious
    fault '[]'
    run grep -rl precious "$XDG_STATE_HOME"
    assert_equal "$status" 0
}

@test "parts of a file can be changed in place" {
    random_file "$T/f" 1000000
    cp "$T/f" "$fs/tmp/f"
    for target in "$T/f" "$fs/tmp/f"; do
        printf MIDDLE | dd of="$target" bs=1 seek=500000 conv=notrunc status=none
        printf START | dd of="$target" bs=1 conv=notrunc status=none
        printf END >>"$target"
        truncate -s 1200000 "$target"
        printf HOLE | dd of="$target" bs=1 seek=1300000 conv=notrunc status=none
    done
    copied_in /tmp/f
    assert_same_content "$T/f" "$fs/tmp/f"
}

@test "random reads and writes through one descriptor agree with a local file" {
    python3 - "$T/local" "$fs/tmp/remote" <<'PYTHON'
import os, random, sys
random.seed(7)
fds = [os.open(p, os.O_RDWR | os.O_CREAT, 0o644) for p in sys.argv[1:]]
for step in range(300):
    at, n = random.randrange(400000), random.randrange(1, 5000)
    what = random.random()
    if what < 0.5:
        data = os.urandom(n)
        for fd in fds: os.pwrite(fd, data, at)
    elif what < 0.9:
        a, b = (os.pread(fd, n, at) for fd in fds)
        assert a == b, (step, at, n)
    elif what < 0.95:
        for fd in fds: os.ftruncate(fd, at)
    else:
        for fd in fds: os.fsync(fd)
    assert os.fstat(fds[0]).st_size == os.fstat(fds[1]).st_size
for fd in fds: os.close(fd)
PYTHON
    mv "$T/local" "$T/f"
    copied_in /tmp/remote
}

@test "a program reads back what it has not closed yet, and so does another" {
    python3 - "$fs/tmp/f" <<'PYTHON'
import os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.write(fd, b"hello")
assert os.pread(fd, 100, 0) == b"hello"
assert os.stat(sys.argv[1]).st_size == 5
assert open(sys.argv[1]).read() == "hello"
PYTHON
}

@test "a hundred echos into one redirected file cost at most a hundred small commits" {
    : >"$fs/tmp/log"
    ledger_clear
    for _ in {1..100}; do /bin/echo x; done >"$fs/tmp/log"
    assert_equal "$(sandbox_get "$id" /tmp/log | grep -cx x)" 100
    writes=$(ledger_count '.plane == "data" and .method == "POST" and (.path | test("Stat|ListDir") | not)')
    # Each commit is an upload, a helper process, or both for one that replaces.
    [ "$(ledger_count '.plane == "data" and .path == "/files" and .method == "POST"')" -le 100 ]
    [ "$writes" -le 200 ]
    # Small: the growth, not the file over and over (that would be 10,100 bytes).
    sent=$(ledger | jq '[.requests[] | select(.plane == "data") | .bytes_in] | add')
    [ "$sent" -le 200000 ]
}

@test "appending adds to what the sandbox wrote meanwhile" {
    sandbox_put "$id" /tmp/log <<<one
    cat "$fs/tmp/log" >/dev/null
    sandbox_exec "$id" sh -c 'echo two >>/tmp/log'
    echo three >>"$fs/tmp/log"
    assert_equal "$(sandbox_get "$id" /tmp/log)" $'one\ntwo\nthree'
}

@test "a tree copies in and out with cp -r" {
    mkdir -p "$T/tree/a/b/c" "$T/tree/empty"
    for n in {1..40}; do random_file "$T/tree/a/f$n" $((n * 777)); done
    random_file "$T/tree/a/b/c/deep" 100000
    ln -s a/f1 "$T/tree/link"
    cp -r "$T/tree" "$fs/tmp/tree"
    cp -r "$fs/tmp/tree" "$T/out"
    diff -r --no-dereference "$T/tree" "$T/out"
    assert_equal "$(sandbox_exec "$id" sh -c 'cd /tmp/tree && find . | sort | xargs ls -d | wc -l')" \
        "$(find "$T/tree" | wc -l)"
}

@test "cp -a, tar and rsync -a succeed" {
    mount_as_owner
    mkdir -p "$T/tree/d"
    random_file "$T/tree/f" 5000
    random_file "$T/tree/d/g" 70000
    touch -d '2010-01-02T03:04:05Z' "$T/tree/f"
    chmod 640 "$T/tree/f"
    cp -a "$T/tree" "$fs/tmp/cp"
    mkdir "$fs/tmp/tar"
    tar -C "$T/tree" -cf - . | tar -C "$fs/tmp/tar" -xf -
    rsync -a "$T/tree/" "$fs/tmp/rsync/"
    for copy in cp tar rsync; do
        diff -r "$T/tree" "$fs/tmp/$copy"
        assert_equal "$(stat -c '%a %Y' "$fs/tmp/$copy/f")" '640 1262401445'
    done
}

@test "sed -i, and an editor's way to save" {
    sandbox_put "$id" /tmp/f <<<hello
    sed -i s/hello/bye/ "$fs/tmp/f"
    assert_equal "$(sandbox_get "$id" /tmp/f)" bye
    # vim: a probe, a backup by renaming, a new file, fsync, chmod, the backup removed.
    python3 - "$fs/tmp" <<'PYTHON'
import os, sys
os.chdir(sys.argv[1])
probe = os.open("4913", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o100644)
os.close(probe); os.unlink("4913")
os.rename("f", "f~")
fd = os.open("f", os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644)
os.write(fd, b"edited\n"); os.fsync(fd); os.close(fd)
os.chmod("f", 0o644); os.unlink("f~")
PYTHON
    assert_equal "$(sandbox_get "$id" /tmp/f)" edited
    assert_equal "$(sandbox_exec "$id" sh -c 'ls /tmp | grep "^f"')" f
}

@test "a file that is removed while open stays usable" {
    python3 - "$fs/tmp/f" <<'PYTHON'
import os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.write(fd, b"hello"); os.fsync(fd)
os.unlink(sys.argv[1])
assert not os.path.exists(sys.argv[1])
os.pwrite(fd, b"J", 0)
assert os.pread(fd, 100, 0) == b"Jello"
os.close(fd)
PYTHON
    run ! sandbox_exec "$id" test -e /tmp/f
}

@test "a shared writable mapping reaches the sandbox" {
    head -c 10000 /dev/zero >"$fs/tmp/f"
    errno_is OK mmap-write "$fs/tmp/f" mapped
    sync -f "$fs/tmp/f" || sync
    changed() { [ "$(sandbox_get "$id" /tmp/f | head -c 6)" = mapped ]; }
    wait_until 10 changed
}

@test "two writers to two files do not disturb each other" {
    local pids=()
    for n in 1 2 3 4; do
        random_file "$T/in$n" 2000000
        cp "$T/in$n" "$fs/tmp/out$n" &
        pids+=($!)
    done
    wait "${pids[@]}" # the server is a child of this shell, too
    for n in 1 2 3 4; do
        sandbox_get "$id" "/tmp/out$n" | cmp - "$T/in$n"
    done
}

@test "the old part of a file reads on after its new end was committed" {
    random_file "$T/f" 3000000
    sandbox_put "$id" /tmp/f <"$T/f"
    sandbox_exec "$id" touch -d 2020-01-01 /tmp/f
    for target in "$T/f" "$fs/tmp/f"; do
        python3 - "$target" >>"$T/sums" <<'PYTHON'
import hashlib, os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
for n in range(3):
    os.pwrite(fd, b"x" * 100, 3000000 + 100 * n)
    os.fsync(fd)
    print(hashlib.sha256(os.pread(fd, 4096, 1000000 * n)).hexdigest())
PYTHON
    done
    assert_equal "$(head -n 3 "$T/sums")" "$(tail -n 3 "$T/sums")"
    copied_in /tmp/f
}
