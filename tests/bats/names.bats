#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bats file_tags=core
# A name and the file that it meant when it was opened: renames, removals and replacements
# around open files, not yet committed ones and links.

load helpers

setup() {
    setup_environment
    start_server
    id=$(make_sandbox)
    mount_fs
    fs=$MNT/$id/fs
}

# python SCRIPT: with the working directory in the sandbox's /tmp.
in_tmp() {
    (cd "$fs/tmp" && timeout 60 python3 -c "import os, sys
$1")
}

@test "what is written to a removed file does not bring it back" {
    echo old >"$fs/tmp/f"
    in_tmp 'fd = os.open("f", os.O_RDWR); os.unlink("f"); os.write(fd, b"x" * 9); os.close(fd)'
    run ! sandbox_exec "$id" test -e /tmp/f
    assert_equal "$(ls "$fs/tmp")" ""
    assert_equal "$(ls -A "$MNT/.e2b/pending")" index
}

@test "what is written to a removed file does not change its successor" {
    echo old >"$fs/tmp/f"
    in_tmp '
fd = os.open("f", os.O_RDWR)
os.unlink("f")
open("f", "w").write("successor")
os.write(fd, b"x" * 20); os.fsync(fd); os.fchmod(fd, 0o600); os.ftruncate(fd, 3); os.utime(fd, (1, 1))
assert os.fstat(fd).st_size == 3
os.close(fd)'
    assert_equal "$(sandbox_get "$id" /tmp/f)" successor
    assert_equal "$(sandbox_exec "$id" stat -c %a /tmp/f)" 644
}

@test "what is written to a replaced file does not change what replaced it" {
    echo old >"$fs/tmp/f"
    in_tmp '
fd = os.open("f", os.O_RDWR)
open("new", "w").write("successor")
os.rename("new", "f")
os.write(fd, b"x" * 20); os.fchmod(fd, 0o600)
os.close(fd)'
    assert_equal "$(sandbox_get "$id" /tmp/f)" successor
    assert_equal "$(sandbox_exec "$id" stat -c %a /tmp/f)" 644
}

@test "two files that exist never have one number" {
    echo one >"$fs/tmp/a"
    mv "$fs/tmp/a" "$fs/tmp/b"
    echo two >"$fs/tmp/a"
    [ "$(stat -c %i "$fs/tmp/a")" != "$(stat -c %i "$fs/tmp/b")" ]
    run cmp "$fs/tmp/a" "$fs/tmp/b" # takes equal numbers for equal files
    [ "$status" -eq 1 ]
    cp "$fs/tmp/a" "$fs/tmp/b"
    in_tmp '
fd = os.open("a", os.O_RDONLY)
os.unlink("a")
open("a", "w").write("three")
assert os.fstat(fd).st_ino != os.stat("a").st_ino'
}

@test "a rename keeps the number of a file, for who has it open" {
    echo one >"$fs/tmp/a"
    in_tmp '
fd = os.open("a", os.O_RDONLY)
before = os.fstat(fd).st_ino
os.rename("a", "b")
assert os.fstat(fd).st_ino == os.stat("b").st_ino == before'
}

@test "a directory with a file that is only here so far is not empty" {
    in_tmp '
os.mkdir("d")
fd = os.open("d/f", os.O_CREAT | os.O_WRONLY)
os.write(fd, b"precious")
try: os.rmdir("d"); sys.exit("rmdir succeeded")
except OSError as e: assert e.errno == 39, e
os.close(fd)'
    assert_equal "$(sandbox_get "$id" /tmp/d/f)" precious
}

@test "a directory that is renamed takes what is not committed along" {
    in_tmp '
os.makedirs("d/sub")
fd = os.open("d/sub/f", os.O_CREAT | os.O_WRONLY)
os.write(fd, b"precious")
os.rename("d", "e")
os.write(fd, b" goods")
os.close(fd)'
    assert_equal "$(sandbox_get "$id" /tmp/e/sub/f)" 'precious goods'
    run ! sandbox_exec "$id" test -e /tmp/d
}

@test "a directory is renamed while a file in it is being committed" {
    mkdir "$fs/tmp/d"
    echo first >"$fs/tmp/d/f"
    fault '[{"match":{"path":"/file[s]","method":"POST"},"kind":"delay","value":700}]'
    echo second-and-longer >"$fs/tmp/d/f" &
    local writer=$!
    wait_until 5 committing
    mv "$fs/tmp/d" "$fs/tmp/e"
    wait $writer
    fault '[]'
    assert_equal "$(sandbox_exec "$id" sh -c 'cd /tmp && find . -type f -o -name d')" ./e/f
    assert_equal "$(sandbox_get "$id" /tmp/e/f)" second-and-longer
}

# The first request of a commit has arrived.
committing() {
    [ "$(api GET /_sandboxd/ledger | jq '[.requests[] | select(.path == "/files" and .method == "POST")] | length')" -ge 2 ] ||
        [ "$(grep -c "uncommitted [1-9]" "$MNT/.e2b/status")" -ge 1 ]
}

@test "a file is replaced by a rename while it is being committed" {
    echo first >"$fs/tmp/f"
    echo winner >"$fs/tmp/new"
    fault '[{"match":{"path":"/process.Process/Start"},"kind":"delay","value":700}]'
    echo loser-that-is-longer >"$fs/tmp/f" &
    local writer=$!
    wait_until 5 committing
    mv "$fs/tmp/new" "$fs/tmp/f"
    wait $writer || true
    fault '[]'
    assert_equal "$(sandbox_get "$id" /tmp/f)" winner
    assert_equal "$(sandbox_exec "$id" sh -c 'cd /tmp && ls -A')" f
}

@test "a symlink in a directory that moved up is still contained" {
    sandbox_exec "$id" sh -c 'mkdir -p /tmp/1/2/3/4/5/6 && cd /tmp/1/2/3/4/5/6 &&
        ln -s ../../../../../../../etc/hostname l'
    assert_equal "$(readlink "$fs/tmp/1/2/3/4/5/6/l")" ../../../../../../../etc/hostname
    mv "$fs/tmp/1/2/3/4/5/6" "$fs/tmp/6"
    real=$(realpath -m -- "$fs/tmp/6/l")
    [[ $real == "$fs"/* ]] || fail "leads to $real"
    assert_equal "$real" "$fs/etc/hostname"
}

@test "a file that the sandbox removed and we make anew is another one" {
    echo 'old content' >"$fs/tmp/f"
    in_tmp '
fd = os.open("f", os.O_RDONLY)
assert os.pread(fd, 100, 0) == b"old content\n"
os.system("python3 '"'$HELPERS/envd.py' exec '$id'"' rm /tmp/f")
import time
end = time.time() + 5
while os.path.exists("f") and time.time() < end: time.sleep(0.02)
w = open("f", "w"); w.write("new"); w.close()
assert os.fstat(fd).st_ino != os.stat("f").st_ino
assert os.pread(fd, 100, 0) != b"new"'
    assert_equal "$(sandbox_get "$id" /tmp/f)" new
}


@test "who appends to a file that the sandbox just made appends, and touch empties nothing" {
    for how in append touch; do
        run stat "$fs/tmp/$how" # its absence is known now
        [ "$status" -ne 0 ]
        sandbox_exec "$id" sh -c 'echo theirs >"/tmp/$1"' sh $how
        case $how in
        append) echo ours >>"$fs/tmp/$how" ;;
        touch) touch "$fs/tmp/$how" ;;
        esac
    done
    assert_equal "$(sandbox_exec "$id" cat /tmp/append)" $'theirs\nours'
    assert_equal "$(sandbox_exec "$id" cat /tmp/touch)" theirs
}
