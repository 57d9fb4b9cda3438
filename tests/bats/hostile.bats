#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bats file_tags=core
# A sandbox that belongs to an attacker, whose envd answers whatever it likes
# (tests/helpers/hostile.py): the mount lives, its memory stays bounded, nothing of what was
# sent reaches the terminal or local files, and a lie is an error, never half an answer.

load helpers

# The caches' budget (256 MiB), and one listing of the largest size that is accepted (64 MiB) as
# text, as JSON and as entries at once; four times that with a sanitizer's shadow.
RSS_MAX_KIB=$((512 * 1024))

setup() {
    setup_environment
    start_server
    python3 "$HELPERS/hostile.py" "$T/port" 2>"$T/hostile.err" 3>&- &
    HOSTILE_PID=$!
    wait_until 10 test -e "$T/port"
    id=$(make_sandbox)
    E2B_SANDBOX_URL=http://127.0.0.1:$(cat "$T/port") mount_fs -o deadline=10
    fs=$MNT/$id/fs
}

hostile_teardown() {
    [ -z "${HOSTILE_PID-}" ] || kill "$HOSTILE_PID"
}

eval "helpers_$(declare -f teardown)" # that of helpers.bash
teardown() {
    hostile_teardown
    helpers_teardown
}

# Alive, and not larger than it may be.
assert_unharmed() {
    local rss
    timeout 20 test -e "$MNT/.e2b/version" || fail "$1: the mount does not answer"
    rss=$(awk '/^VmHWM/ { print $2 }' "/proc/$FS_PID/status")
    [ "$rss" -le $((RSS_MAX_KIB * (SLOW > 1 ? 4 : 1))) ] || fail "$1: $rss KiB of memory"
}

# What a person may look at has one line per failure and nothing that a terminal obeys.
assert_clean() {
    for name in .e2b/error "$id/error" .e2b/status .e2b/pending/index "$id/ctl"; do
        run grep -anP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80\xae|^forged' "$MNT/$name"
        [ -z "$output" ] || fail "$name:" "$output"
    done
    run grep -anP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80\xae|^forged' "$T/e2bfs.log"
    [ -z "$output" ] || fail 'e2bfs.log:' "$output"
}

# name of the trick | what is done to it | how that ends
tricks=(
    # listings
    'name-slash         | readdir .     | EPROTO'
    'name-absolute      | readdir .     | EPROTO'
    'name-dot           | readdir .     | EPROTO'
    'name-dotdot        | readdir .     | EPROTO'
    'name-empty         | readdir .     | EPROTO'
    'name-nul           | readdir .     | EPROTO'
    'name-long          | readdir .     | EPROTO'
    'name-twice         | readdir .     | EPROTO'
    'name-number        | readdir .     | EPROTO'
    'name-controls      | readdir .     | OK'
    'size-negative      | readdir .     | EPROTO'
    'size-over          | readdir .     | EPROTO'
    'size-text          | readdir .     | EPROTO'
    'size-huge          | stat a        | OK'
    'size-huge          | read a        | E[A-Z]+'
    'mode-odd           | readdir .     | EPROTO'
    'mode-setuid        | stat a        | OK'
    'time-garbage       | readdir .     | EPROTO'
    'time-far           | stat a        | OK'
    'time-far           | stat b        | OK'
    'owner-tricks       | stat a        | OK'
    'list-object        | readdir .     | EPROTO'
    'list-nulls         | readdir .     | EPROTO'
    'list-endless       | readdir .     | E(FBIG|PROTO|MSGSIZE)'
    'list-spaces        | readdir .     | E(FBIG|PROTO|MSGSIZE)'
    'list-nested        | readdir .     | EPROTO'
    'list-surrogate     | readdir .     | EPROTO'
    'list-utf8          | readdir .     | EPROTO'
    'list-redirect      | readdir .     | E[A-Z]+'
    'many               | readdir .     | OK'
    # errors
    'error-escape       | readdir .     | EIO'
    'error-long         | readdir .     | EIO'
    'error-errno        | readdir .     | EIO'
    'make-error         | mkdir x       | EIO'
    # bodies
    'body-long          | read a        | OK|E[A-Z]+'
    'body-short         | read a        | E[A-Z]+'
    'body-other-range   | read a        | E[A-Z]+'
    'body-negative-range| read a        | E[A-Z]+'
    'body-whole         | read a        | E[A-Z]+'
    'body-bomb          | read a        | E[A-Z]+'
    'body-redirect      | read a        | E[A-Z]+'
    'body-headers       | read a        | E[A-Z]+'
    'body-multipart     | read a        | E[A-Z]+'
    'body-chunks        | read a        | E[A-Z]+'
    # links
    'link-long          | readlink l    | E(IO|PROTO)'
    'link-nul           | readlink l    | E(IO|PROTO)'
    'link-empty         | readlink l    | E(IO|PROTO|INVAL)'
    'link-endless       | readlink l    | E[A-Z]+'
    'link-frame         | readlink l    | E[A-Z]+'
    'link-no-end        | readlink l    | E[A-Z]+'
    'link-base64        | readlink l    | E[A-Z]+'
    'link-out           | stat l        | OK|E[A-Z]+'
    # another kind than was made or was there
    'make-dir           | mkdir x       | EPROTO'
    'make-file          | create x      | EPROTO'
    'change-kind        | chmod a       | OK|E[A-Z]+'
    'change-kind        | read a        | OK|E[A-Z]+'
)

@test "every trick ends in an error or in what was said, and does no harm" {
    local row name op file expected got failures=''
    for row in "${tricks[@]}"; do
        IFS='|' read -r name op expected <<<"$row"
        name=${name// /}
        read -r op file <<<"$op"
        got=$(timeout $((20 * SLOW)) fsop "$op" "$fs/tmp/$name/$file") || true
        [[ ${got##* } =~ ^(${expected// /})$ ]] || failures+="$name: $op $file -> $got, not $expected"$'\n'
        assert_unharmed "$name"
    done
    [ -z "$failures" ] || fail "$failures"
    assert_clean
    [ ! -e "$T/port.stolen" ] || fail 'a redirection was followed:' "$(cat "$T/port.stolen")"
}

@test "a directory without a bottom ends" {
    run timeout $((60 * SLOW)) find "$fs/tmp/deep"
    [ "$status" -eq 1 ]
    assert_match "$output" 'File name too long'
    assert_unharmed deep
}

@test "a name that is another kind each time" {
    for _ in {1..30}; do
        timeout 10 ls -la "$fs/tmp/flip" >/dev/null 2>&1 || true
        timeout 10 cat "$fs/tmp/flip/a" >/dev/null 2>&1 || true
        timeout 10 ls "$fs/tmp/flip/a" >/dev/null 2>&1 || true
        timeout 10 readlink "$fs/tmp/flip/a" >/dev/null 2>&1 || true
        kill -HUP "$FS_PID"
    done
    assert_unharmed flip
}

@test "what could not be committed is listed without what a terminal obeys" {
    local dirs=("$fs"/tmp/name-controls/*)
    errno_is ENOSPC write "${dirs[0]}/x" text
    [ "$(wc -l <"$MNT/.e2b/pending/index")" -eq 1 ]
    assert_clean
}

@test "a link in any place leads to nothing of ours" {
    for path in link-out/l link-out/./l; do
        real=$(realpath -m -- "$fs/tmp/$path")
        [[ $real/ == "$fs"/* ]] || fail "$path leads to $real"
    done
}
