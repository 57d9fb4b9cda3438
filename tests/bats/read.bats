#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bats file_tags=core
# fs/: looking and reading.

load helpers

setup() {
    setup_environment
    start_server
    id=$(make_sandbox)
    mount_fs
    fs=$MNT/$id/fs
}

@test "fs/ is the sandbox's own tree from its root" {
    expected=$(sandbox_exec -u root "$id" sh -c 'ls -A / | LC_ALL=C sort')
    assert_equal "$(ls -A "$fs" | LC_ALL=C sort)" "$expected"
    assert_same_content "$fs/etc/passwd" <(sandbox_get "$id" /etc/passwd)
}

@test "home leads to the default user's home" {
    sandbox_put "$id" /home/user/hello <<<hi
    assert_equal "$(cat "$MNT/$id/home/hello")" hi
    ls "$MNT/$id/home/" | grep -qx hello
}

@test "files of every odd size copy out with equal checksums" {
    sizes='0 1 4095 4096 4097 131071 131072 131073 1048576'
    for size in $sizes; do
        random_file "$T/f$size" "$size"
        sandbox_put "$id" "/tmp/f$size" <"$T/f$size"
    done
    for size in $sizes; do
        assert_equal "$(stat -c %s "$fs/tmp/f$size")" "$size"
        cp "$fs/tmp/f$size" "$T/out"
        assert_same_content "$T/f$size" "$T/out"
    done
}

@test "any range of a file can be read, in any order" {
    random_file "$T/f" 3000001
    sandbox_put "$id" /tmp/f <"$T/f"
    python3 - "$T/f" "$fs/tmp/f" <<'PYTHON'
import os, random, sys
want = open(sys.argv[1], "rb").read()
fd = os.open(sys.argv[2], os.O_RDONLY)
random.seed(4)
spots = [(0, 10), (2999991, 100), (3000001, 5), (4000000, 5), (1048575, 2), (131072, 131072)]
spots += [(random.randrange(len(want)), random.choice([1, 511, 4096, 70000])) for _ in range(60)]
for at, length in spots:
    assert os.pread(fd, length, at) == want[at:at + length], (at, length)
PYTHON
}

@test "tail, head, dd, grep and mmap see the right bytes" {
    seq 1 100000 >"$T/f"
    sandbox_put "$id" /tmp/f <"$T/f"
    assert_equal "$(tail -n 1 "$fs/tmp/f")" 100000
    assert_equal "$(head -n 1 "$fs/tmp/f")" 1
    assert_equal "$(grep -c 999 "$fs/tmp/f")" "$(grep -c 999 "$T/f")"
    assert_equal "$(tail -c +100001 "$fs/tmp/f" | md5sum)" "$(tail -c +100001 "$T/f" | md5sum)"
    python3 - "$T/f" "$fs/tmp/f" <<'PYTHON'
import mmap, sys
want = open(sys.argv[1], "rb").read()
with open(sys.argv[2], "rb") as f:
    assert mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)[:] == want
PYTHON
}

@test "ls -l shows sizes, times and modes as the sandbox has them" {
    sandbox_exec "$id" sh -c 'cd /tmp && printf 12345 >f && chmod 640 f &&
        touch -d "2001-02-03T04:05:06.789Z" f && mkdir -m 750 d && mkfifo p && ln -s f l'
    for name in f d p l; do
        assert_equal "$name $(stat -c '%A %s %.9Y' "$fs/tmp/$name" | sed "$([ $name = f ] || echo 's/ .*//')")" \
            "$name $(sandbox_exec "$id" stat -c '%A %s %.9Y' "/tmp/$name" | sed "$([ $name = f ] || echo 's/ .*//')")"
    done
    assert_equal "$(stat -c %.9Y "$fs/tmp/f")" 981173106.789000000
}

@test "files belong to nobody unless asked, so that git trusts none of them" {
    sandbox_put "$id" /home/user/f <<<x
    assert_equal "$(stat -c %U "$fs/home/user/f")" nobody
    unmount_fs
    mount_fs -o idmap=user
    assert_equal "$(stat -c %u "$fs/home/user/f")" "$(id -u)"
}

@test "odd names are listed and read" {
    sandbox_exec "$id" sh -c 'cd /tmp && mkdir odd && cd odd &&
        for n in "a b" "per%cent" "plus+sign" "semi;colon" "q?uery" "#hash" "amp&ersand" "ünïcödé" \
        "new
line" "-dash" ".hidden" "back\\slash" "quote\"s" "star*"; do printf %s "$n" >"./$n"; done'
    assert_equal "$(ls -A "$fs/tmp/odd" | wc -l)" "$(sandbox_exec "$id" ls -A /tmp/odd | wc -l)"
    python3 - "$fs/tmp/odd" <<'PYTHON'
import os, sys
names = os.listdir(sys.argv[1])
assert len(names) == 14, names
for name in names:
    with open(os.path.join(sys.argv[1], name)) as f:
        assert f.read() == name, name
PYTHON
}

@test "names of 255 bytes work, longer ones are ENAMETOOLONG" {
    name=$(printf 'n%.0s' {1..255})
    sandbox_put "$id" "/tmp/$name" <<<x
    assert_equal "$(cat "$fs/tmp/$name")" x
    errno_is ENAMETOOLONG stat "$fs/tmp/${name}n"
    errno_is ENAMETOOLONG create "$fs/tmp/${name}n"
}

@test "a large directory is listed whole" {
    sandbox_exec "$id" sh -c 'mkdir /tmp/many && cd /tmp/many && seq 1 3000 | xargs touch'
    assert_equal "$(ls "$fs/tmp/many" | wc -l)" 3000
    assert_equal "$(ls -U "$fs/tmp/many" | sort -u | wc -l)" 3000
    # Hostile to offsets: remove while listing.
    python3 - "$fs/tmp/many" <<'PYTHON'
import os, sys
with os.scandir(sys.argv[1]) as it:
    assert len({e.name for e in it}) == 3000
PYTHON
}

@test "what changes in the sandbox shows within the stated age" {
    sandbox_put "$id" /tmp/f <<<old
    assert_equal "$(cat "$fs/tmp/f")" old
    sandbox_put "$id" /tmp/f <<<newer
    same() { [ "$(cat "$fs/tmp/f")" = newer ]; }
    wait_until 3 same
    sandbox_exec "$id" rm /tmp/f
    wait_until 3 test ! -e "$fs/tmp/f"
}

@test "one open never mixes two versions of a file" {
    head -c 4000000 /dev/zero | tr '\0' a >"$T/a"
    head -c 4000000 /dev/zero | tr '\0' b >"$T/b"
    sandbox_put "$id" /tmp/f <"$T/a"
    python3 - "$fs/tmp/f" "$HELPERS/envd.py" "$id" "$T/b" <<'PYTHON'
import os, subprocess, sys
path, envd, sandbox, new = sys.argv[1:]
fd = os.open(path, os.O_RDONLY)
got = os.pread(fd, 4096, 0)
with open(new) as f:
    subprocess.run(["python3", envd, "put", sandbox, "/tmp/f"], stdin=f, check=True)
try:
    at = 4096
    while True:
        piece = os.pread(fd, 131072, at)
        if not piece:
            break
        got += piece
        at += len(piece)
except OSError as e:
    print("told:", e)  # an error is fine, a mixture is not
else:
    assert len(set(got)) == 1, "two versions in one open"
PYTHON
}

@test "directories that are none, files that are none" {
    errno_is ENOTDIR stat "$fs/etc/passwd/x"
    errno_is ENOTDIR readdir "$fs/etc/passwd"
    errno_is ENOENT stat "$fs/no/such/thing"
    errno_is ENOENT read "$fs/nothing"
    errno_is EISDIR read "$fs/etc"
}

@test "what the sandbox's user may not read is EACCES" {
    [ "$(id -u)" -eq 0 ] || skip "a server of an ordinary user has one account only"
    sandbox_exec -u root "$id" sh -c 'echo secret >/root/f && chmod 700 /root && chmod 600 /root/f'
    errno_is EACCES read "$fs/root/f"
    unmount_fs
    mount_fs -o user=root
    assert_equal "$(cat "$fs/root/f")" secret
}

@test "proc, sys and dev are listed as empty" {
    for dir in proc sys dev; do
        assert_equal "$(ls -A "$fs/$dir")" ""
    done
}

@test "fifos and sockets are listed and never opened remotely" {
    sandbox_exec "$id" mkfifo /tmp/p
    assert_equal "$(stat -c %F "$fs/tmp/p")" fifo
    ledger_clear
    run timeout 2 dd if="$fs/tmp/p" iflag=nonblock of=/dev/null
    assert_equal "$(ledger_count '.path == "/files"')" 0
}

@test "an attribute that only the operating system asks for never touches the network" {
    sandbox_put "$id" /tmp/f <<<x
    cat "$fs/tmp/f" >/dev/null
    ledger_clear
    errno_is ENODATA getxattr "$fs/tmp/f" security.capability
    assert_equal "$(ledger_count '.plane == "data" and (.path | startswith("/process"))')" 0
}

@test "a log that grows while it is read is read, not refused" {
    # Each append is a second newer than the one before, so that every look finds it changed.
    # What is known of a file may be a second old; a read must never fail for that.
    shows() { last=$(tail -n 1 "$fs/tmp/d/log") || failed=yes; [ "$last" = "$1" ] || [ -n "$failed" ]; }
    failed=
    sandbox_exec "$id" sh -c 'mkdir /tmp/d && printf "line 0\n" >/tmp/d/log'
    for n in 1 2 3 4 5; do
        stat "$fs/tmp/d/log" >/dev/null
        sandbox_exec "$id" sh -c 'echo "line $1" >>/tmp/d/log; touch -d "@$((4000000000 + $1))" /tmp/d/log' sh $n
        wait_until 10 shows "line $n"
    done
    assert_equal "$failed" ''
    # An open descriptor goes on where it was; what it has read is not read again.
    exec 7<"$fs/tmp/d/log"
    assert_equal "$(cat <&7 | wc -l)" 6
    sandbox_exec "$id" sh -c 'echo "line 6" >>/tmp/d/log; touch -d @4000000009 /tmp/d/log'
    grown() { [ "$(stat -L -c %s "/proc/$$/fd/7")" -eq 49 ]; }
    wait_until 10 grown
    assert_equal "$(cat <&7)" "line 6"
    exec 7<&-
}

@test "a file that is replaced under a reader is never a mixture of two" {
    sandbox_exec "$id" sh -c 'head -c 20000000 /dev/zero | tr "\0" a >/tmp/f'
    run python3 - "$fs/tmp/f" "$id" <<'PYTHON'
import subprocess, sys
f = open(sys.argv[1], "rb", buffering=0)
seen = set(f.read(1000))
subprocess.run(["e2b-inspect", "exec", sys.argv[2], "--", "sh", "-c",
    "head -c 20000000 /dev/zero | tr '\\0' b >/tmp/g; touch -d @4000000000 /tmp/g; mv /tmp/g /tmp/f"],
    check=True)
try:
    while True:
        data = f.read(1 << 20)
        if not data:
            break
        seen |= set(data)
except OSError as e:
    print(e.strerror)
print(sorted(map(chr, seen)))
PYTHON
    assert_equal "$status" 0
    [[ $output == *"['a']" ]] || fail "mixed: $output"
}
