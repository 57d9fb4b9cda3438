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

@test "files works by a path inside a mount" {
    make_tree
    mount_fs
    cd "$MNT/$id/fs/tmp/t"
    assert_equal "$(e2b-inspect files . -o id)" $'/tmp/t/a\n/tmp/t/b\n/tmp/t/b.d'
    assert_equal "$(e2b-inspect files . b/c -o id)" /tmp/t/b/c/deep
    assert_equal "$(e2b-inspect files "$MNT/$id" /tmp/t/b/c -o id)" /tmp/t/b/c/deep
    cd /
}
