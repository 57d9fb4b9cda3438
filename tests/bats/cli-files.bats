#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bats file_tags=core
# e2b-inspect and the files of a sandbox: files, download, upload, cat.

load helpers

setup() {
    setup_environment
    start_server
    id=$(make_sandbox)
}

# exits STATUS COMMAND...
exits() {
    local expected=$1
    shift
    run --separate-stderr -- "$@"
    [ "$status" -eq "$expected" ] || fail "$* exited with $status, not $expected" "$output" "$stderr"
}

# --- files -------------------------------------------------------------------------------------

make_tree() {
    sandbox_exec "$id" sh -c 'mkdir -p /tmp/t/b/c /tmp/t/b.d && cd /tmp/t &&
        printf 12345 >a && printf 1 >b/c/deep && chmod 640 a && ln -s /usr b/link && ln -s . b/self &&
        mkfifo b/pipe'
}

@test "files lists a directory, with the seed's fields" {
    make_tree
    assert_equal "$(e2b-inspect files "$id" /tmp/t -o json | jq -c '.[] | [.name, .path, .is_dir, .size_bytes]')" \
        '["a","/tmp/t/a",false,5]
["b","/tmp/t/b",true,0]
["b.d","/tmp/t/b.d",true,0]'
    run e2b-inspect files "$id" /tmp/t/
    assert_match "${lines[0]}" '^MODE +OWNER +SIZE +MODIFIED +NAME$'
    assert_match "${lines[1]}" '^-rw-r----- +user +5 .* a$'
    assert_match "${lines[2]}" '^drwx.* 0 .* b$'
    assert_equal "$(e2b-inspect files -q "$id" /tmp/t/a)" /tmp/t/a
    e2b-inspect files "$id" -q | grep -qx /usr
}

@test "files --recursive enters every directory, but no link, and sorts like find" {
    make_tree
    exits 0 e2b-inspect files "$id" /tmp/t --recursive -o id
    assert_equal "$output" '/tmp/t/a
/tmp/t/b
/tmp/t/b/c
/tmp/t/b/c/deep
/tmp/t/b/link
/tmp/t/b/pipe
/tmp/t/b/self
/tmp/t/b.d'
    assert_equal "$(e2b-inspect files -r "$id" /tmp/t -o json | jq -r '.[] | select(.type == "link").size_bytes')" $'4\n1'
}

@test "files of a link are those of the directory that it leads to" {
    make_tree
    sandbox_exec "$id" ln -s /tmp/t/b/c /tmp/there
    assert_equal "$(e2b-inspect files "$id" /tmp/there -o id)" /tmp/t/b/c/deep
}

@test "names that are hostile stay data" {
    sandbox_exec "$id" sh -c 'mkdir /tmp/h && cd /tmp/h && : >"$(printf "\033[31mred")" && : >"a; touch bad" && : >"[bold]" && : >-r'
    assert_equal "$(e2b-inspect files "$id" /tmp/h -o json | jq -c 'map(.name)')" \
        '["\u001b[31mred","-r","[bold]","a; touch bad"]'
    script -qec "e2b-inspect files $id /tmp/h" /dev/null >"$T/shown" </dev/null
    grep -qF '\x1b[31mred' "$T/shown"
    run ! grep -aP '\x1b\[31m' "$T/shown"
    run ! sandbox_exec "$id" test -e /tmp/h/bad -o -e bad
}

@test "what can't be listed is an error, never an empty list" {
    assert_one_sentence 3 e2b-inspect files "$id" /no/such
    assert_one_sentence 3 e2b-inspect files i0000000000000000000z /
    assert_one_sentence 2 e2b-inspect files "$id" relative
    make_tree
    fault '[{"match":{"path":"/filesystem.Filesystem/ListDir"},"kind":"status","value":403}]'
    run --separate-stderr e2b-inspect files "$id" /tmp/t
    [ "$status" -ne 0 ]
    assert_equal "$output" ''
}

@test "a directory that can't be listed is reported, the others are shown, and the exit code is 7" {
    make_tree
    fault '[{"match":{"path":"/filesystem.Filesystem/ListDir"},"kind":"delay","value":0,"times":1},
        {"match":{"path":"/filesystem.Filesystem/ListDir"},"kind":"status","value":403,"times":1}]'
    exits 7 e2b-inspect files -r "$id" /tmp/t -o id
    assert_equal "$(grep -c '^/tmp/t/' <<<"$output")" "$(sort -u <<<"$output" | wc -l)"
    grep -qx /tmp/t/b.d <<<"$output"
    [ -n "$stderr" ]
}

@test "files works by a path inside a mount" {
    make_tree
    mount_fs
    cd "$MNT/$id/fs/tmp/t"
    assert_equal "$(e2b-inspect files . -o id)" $'/tmp/t/a\n/tmp/t/b\n/tmp/t/b.d'
    assert_equal "$(e2b-inspect files . b/c -o id)" /tmp/t/b/c/deep
    assert_equal "$(e2b-inspect files "$MNT/$id" /tmp/t/b/c -o id)" /tmp/t/b/c/deep
    cd /
}

# --- download and cat --------------------------------------------------------------------------

@test "download is byte-exact, to a file, into a directory and to a pipe" {
    random_file "$T/in" 3000001
    sandbox_put "$id" /tmp/in <"$T/in"
    exits 0 e2b-inspect download "$id" /tmp/in "$T/out"
    assert_equal "$output$stderr" ''
    assert_same_content "$T/in" "$T/out"
    mkdir "$T/dir"
    e2b-inspect download "$id" /tmp/../tmp/in "$T/dir"
    assert_same_content "$T/in" "$T/dir/in"
    e2b-inspect download "$id" /tmp/in - | cmp - "$T/in"
    : | sandbox_put "$id" /tmp/empty
    e2b-inspect download "$id" /tmp/empty "$T/dir/"
    assert_same_content "$T/dir/empty" /dev/null
    assert_equal "$(find "$T" -name '*.part')" ''
}

@test "download replaces a file at the end only, and keeps its mode" {
    random_file "$T/in" 2000000
    sandbox_put "$id" /tmp/in <"$T/in"
    echo precious >"$T/out"
    chmod 600 "$T/out"
    fault '[{"match":{"method":"GET","path":"/files"},"kind":"status","value":500}]'
    run ! e2b-inspect download "$id" /tmp/in "$T/out"
    assert_equal "$(cat "$T/out")" precious
    [ ! -e "$T/out.part" ]
    fault '[]'
    e2b-inspect download "$id" /tmp/in "$T/out"
    assert_same_content "$T/in" "$T/out"
    assert_equal "$(stat -c %a "$T/out")" 600
}

@test "a download that breaks off leaves what came as .part, and says so" {
    random_file "$T/in" 2000000
    sandbox_put "$id" /tmp/in <"$T/in"
    fault '[{"match":{"method":"GET","path":"/files"},"kind":"truncate","value":300000,"times":1},
        {"match":{"method":"GET","path":"/files"},"kind":"status","value":403}]'
    run --separate-stderr e2b-inspect download "$id" /tmp/in "$T/out"
    [ "$status" -ne 0 ]
    assert_match "$stderr" "$T/out.part"
    [ ! -e "$T/out" ]
    cmp -n 300000 "$T/out.part" "$T/in"
    fault '[]'
    exits 0 e2b-inspect download "$id" /tmp/in "$T/out"
    assert_same_content "$T/in" "$T/out"
    [ ! -e "$T/out.part" ]
}

@test "download writes through no link, and to nothing that is not a file" {
    echo new | sandbox_put "$id" /tmp/in
    echo old >"$T/victim"
    ln -s "$T/victim" "$T/link"
    run ! e2b-inspect download "$id" /tmp/in "$T/link"
    ln -s "$T/victim" "$T/out.part"
    run ! e2b-inspect download "$id" /tmp/in "$T/out"
    rm "$T/out.part"
    ln "$T/victim" "$T/out.part"
    run ! e2b-inspect download "$id" /tmp/in "$T/out"
    assert_equal "$(cat "$T/victim")" old
    [ ! -e "$T/out" ]
    run ! e2b-inspect download "$id" /tmp/in "$T/no/such/dir"
    run ! e2b-inspect download "$id" /tmp/in "$T/new/"
    e2b-inspect download "$id" /tmp/in /dev/null
    assert_one_sentence 8 e2b-inspect download "$id" /tmp/in /dev/full
    assert_match "$stderr" /dev/full
    mkfifo "$T/fifo"
    e2b-inspect download "$id" /tmp/in "$T/fifo" 3>&- &
    assert_equal "$(cat "$T/fifo")" new
    wait $!
}

@test "download follows a link of the sandbox, and is called as it was asked for" {
    sandbox_exec "$id" sh -c 'mkdir /tmp/d && echo deep >/tmp/d/file && ln -s d/../d/file /tmp/here && ln -s nowhere /tmp/dangling'
    mkdir "$T/out"
    e2b-inspect download "$id" /tmp/here "$T/out"
    assert_equal "$(cat "$T/out/here")" deep
    assert_one_sentence 3 e2b-inspect download "$id" /tmp/dangling "$T/out"
}

@test "what is no regular file is refused, not waited for and not empty" {
    sandbox_exec "$id" mkfifo /tmp/fifo
    faster_than 5000 assert_one_sentence 1 e2b-inspect cat "$id" /tmp/fifo
    assert_one_sentence 1 e2b-inspect cat "$id" /tmp
    assert_one_sentence 1 e2b-inspect cat "$id" /proc/self/status
    assert_match "$stderr" exec
    assert_one_sentence 3 e2b-inspect cat "$id" /tmp/none
    assert_one_sentence 3 e2b-inspect download "$id" /tmp/none "$T/out"
    assert_equal "$(e2b-inspect cat "$id" /tmp/none -o json 2>&1 | jq -r .code)" ENOENT
    [ ! -e "$T/out" ] && [ ! -e "$T/out.part" ]
}

@test "cat prints several files, says which are missing and exits with 7" {
    echo one | sandbox_put "$id" /tmp/1
    printf 'two\0\377' | sandbox_put "$id" /tmp/2
    assert_equal "$(e2b-inspect cat "$id" /tmp/1 /tmp/1)" $'one\none'
    e2b-inspect cat "$id" /tmp/2 /tmp/1 | cmp - <(printf 'two\0\377one\n')
    exits 7 e2b-inspect cat "$id" /tmp/none /tmp/1
    assert_equal "$output" one
    assert_match "$stderr" /tmp/none
}

@test "cat escapes for a terminal, and ends quietly when its reader goes" {
    printf '\033[31mred\007\n' | sandbox_put "$id" /tmp/evil
    script -qec "e2b-inspect cat $id /tmp/evil" /dev/null >"$T/shown" </dev/null
    grep -qF '\x1b[31mred\x07' "$T/shown"
    random_file "$T/in" 20000000
    sandbox_put "$id" /tmp/big <"$T/in"
    run bash -c "e2b-inspect cat '$id' /tmp/big 2>&1 | head -c 4 | wc -c"
    assert_equal "$output" 4
    e2b-inspect cat "$id" /tmp/big | cmp - "$T/in"
}

@test "cat and download by a path inside a mount" {
    sandbox_exec "$id" sh -c 'mkdir /tmp/d && echo in d >/tmp/d/f'
    mount_fs
    cd "$MNT/$id/fs/tmp/d"
    assert_equal "$(e2b-inspect cat . f)" 'in d'
    e2b-inspect download . f "$T/got"
    cd /
    assert_equal "$(cat "$T/got")" 'in d'
}

@test "a long download shows its progress on a terminal, and wipes it" {
    random_file "$T/in" 1500000
    sandbox_put "$id" /tmp/in <"$T/in"
    fault '[{"match":{"method":"GET","path":"/files"},"kind":"bandwidth","value":800000}]'
    script -qec "e2b-inspect download $id /tmp/in $T/out" /dev/null >"$T/shown" </dev/null
    assert_same_content "$T/in" "$T/out"
    tr '\r' '\n' <"$T/shown" | grep -E 'of 1\.4 MiB, [0-9]+ %, [0-9.]+ KiB/s, [0-9]+s left'
    assert_equal "$(tr '\r' '\n' <"$T/shown" | tail -n 1 | tr -d ' ')" ''
    script -qec "e2b-inspect -q download $id /tmp/in $T/out" /dev/null >"$T/shown" </dev/null
    assert_equal "$(cat "$T/shown")" ''
}

# --- upload ------------------------------------------------------------------------------------

assert_remote() { # PATH FILE: the sandbox has this content there
    sandbox_get "$id" "$1" | cmp - "$2"
}

no_temporaries() { # in /tmp of the sandbox
    [ -z "$(sandbox_exec "$id" find /tmp -name '.e2bfs-*')" ]
}

@test "upload is byte-exact, from a file, a pipe and standard input" {
    random_file "$T/in" 3000001
    exits 0 e2b-inspect upload "$id" "$T/in" /tmp/new/dir/out
    assert_equal "$output$stderr" ''
    assert_remote /tmp/new/dir/out "$T/in"
    assert_equal "$(sandbox_exec "$id" stat -c '%U %a' /tmp/new/dir/out)" 'user 644'
    e2b-inspect upload "$id" "$T/in" /tmp/new
    assert_remote /tmp/new/in "$T/in"
    e2b-inspect upload "$id" - /tmp/a <"$T/in"
    assert_remote /tmp/a "$T/in"
    (head -c 1 >/dev/null; e2b-inspect upload "$id" - /tmp/b) < <(cat "$T/in")
    sandbox_get "$id" /tmp/b | tail -c 1000 | cmp - <(tail -c 1000 "$T/in")
    e2b-inspect upload "$id" <(cat "$T/in") /tmp/c
    assert_remote /tmp/c "$T/in"
    e2b-inspect upload "$id" /dev/null /tmp/empty
    assert_remote /tmp/empty /dev/null
    e2b-inspect upload "$id" /proc/version /tmp/version
    assert_remote /tmp/version /proc/version
}

@test "an upload over a file keeps its owner and mode, and reaches it through links" {
    echo new >"$T/in"
    sandbox_exec "$id" sh -c 'cd /tmp && echo old >f && chmod 751 f && echo old >private && chmod 600 private &&
        echo old >hard && ln hard hard2 && ln -s f link'
    before=$(sandbox_exec "$id" stat -c '%U %a' /tmp/f /tmp/private)
    for f in f private hard; do
        e2b-inspect upload "$id" "$T/in" /tmp/$f
        assert_remote /tmp/$f "$T/in"
    done
    assert_equal "$(sandbox_exec "$id" stat -c '%U %a' /tmp/f /tmp/private)" "$before"
    assert_remote /tmp/hard2 "$T/in"
    echo newer >"$T/in"
    e2b-inspect upload "$id" "$T/in" /tmp/link
    assert_remote /tmp/f "$T/in"
    sandbox_exec "$id" test -L /tmp/link
    no_temporaries
}

@test "old content survives an upload that fails" {
    random_file "$T/in" 500000
    echo precious >"$T/old"
    sandbox_put "$id" /tmp/f <"$T/old"
    fault '[{"match":{"method":"POST","path":"/file[s]"},"kind":"status","value":507}]'
    assert_one_sentence 8 e2b-inspect upload "$id" "$T/in" /tmp/f
    no_temporaries
    fault '[{"match":{"method":"POST","path":"/file[s]"},"kind":"reset","value":0}]'
    run ! e2b-inspect upload "$id" "$T/in" /tmp/f
    fault '[]'
    assert_remote /tmp/f "$T/old"
}

@test "Ctrl-C ends an upload, and nothing of it is left" {
    truncate -s 200M "$T/in"
    echo precious >"$T/old"
    sandbox_put "$id" /tmp/f <"$T/old"
    python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])' e2b-inspect upload "$id" "$T/in" /tmp/f 3>&- &
    pid=$!
    sending() { # SIGINT is caught
        [ "$(cat /proc/$pid/comm)" = e2b-inspect ] && grep -q '^SigBlk:.*[23]$' "/proc/$pid/status"
    }
    wait_until 10 sending
    kill -INT $pid
    faster_than 5000 wait_until 10 process_gone $pid
    run wait $pid
    assert_equal "$status" 130
    assert_remote /tmp/f "$T/old"
    no_temporaries
}

@test "an executable file stays one" {
    printf '#!/bin/sh\necho runs\n' >"$T/script"
    chmod 755 "$T/script"
    e2b-inspect upload "$id" "$T/script" /tmp/script
    assert_equal "$(e2b-inspect exec "$id" -- /tmp/script)" runs
}

@test "uploads that can't be say why and send nothing" {
    echo x >"$T/in"
    sandbox_exec "$id" mkfifo /tmp/fifo
    ledger_clear
    run ! e2b-inspect upload "$id" "$T/none" /tmp/f
    assert_match "$output" "$T/none"
    run ! e2b-inspect upload "$id" "$T" /tmp/f
    assert_one_sentence 1 e2b-inspect upload "$id" - /tmp </dev/null
    assert_one_sentence 3 e2b-inspect upload "$id" "$T/in" /tmp/none/
    assert_one_sentence 1 e2b-inspect upload "$id" "$T/in" /tmp/fifo
    assert_one_sentence 2 e2b-inspect upload "$id" "$T/in" relative
    assert_only_reads
}

@test "upload by a path inside a mount" {
    sandbox_exec "$id" mkdir /tmp/d
    echo there >"$T/in"
    mount_fs
    cd "$MNT/$id/fs/tmp/d"
    e2b-inspect upload . "$T/in" .
    e2b-inspect upload . "$T/in" other
    cd /
    assert_remote /tmp/d/in "$T/in"
    assert_remote /tmp/d/other "$T/in"
}

@test "a long upload shows its progress on a terminal" {
    random_file "$T/in" 1500000
    fault '[{"match":{"method":"POST","path":"/file[s]"},"kind":"delay","value":1500}]'
    script -qec "e2b-inspect upload $id $T/in /tmp/out" /dev/null >"$T/shown" </dev/null
    assert_remote /tmp/out "$T/in"
    tr '\r' '\n' <"$T/shown" | grep -E 'of 1\.4 MiB, [0-9]+ %'
}

# --- all of them -------------------------------------------------------------------------------

@test "a paused sandbox gets no request for its files, and stays paused" {
    sleeper=$(make_sandbox '{"autoPause":true,"autoResume":{"enabled":true}}')
    pause_sandbox "$sleeper"
    echo x >"$T/in"
    ledger_clear
    assert_one_sentence 6 e2b-inspect files "$sleeper" /
    assert_one_sentence 6 e2b-inspect files -r "$sleeper" /
    assert_one_sentence 6 e2b-inspect cat "$sleeper" /etc/passwd
    assert_one_sentence 6 e2b-inspect download "$sleeper" /etc/passwd "$T/out"
    assert_one_sentence 6 e2b-inspect upload "$sleeper" "$T/in" /tmp/in
    assert_match "$stderr" paused
    assert_no_data_plane "$sleeper"
    assert_only_reads
    assert_equal "$(api GET "/sandboxes/$sleeper" | jq -r .state)" paused
}

@test "reading a running sandbox's files never moves its end" {
    echo x | sandbox_put "$id" /tmp/f
    before=$(api GET "/sandboxes/$id" | jq -r .endAt)
    ledger_clear
    e2b-inspect files -r "$id" /etc >/dev/null
    e2b-inspect cat "$id" /tmp/f
    e2b-inspect download "$id" /tmp/f "$T/f"
    assert_only_reads
    assert_equal "$(api GET "/sandboxes/$id" | jq -r .endAt)" "$before"
}
