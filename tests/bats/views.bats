#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bats file_tags=core
# .e2b/by-*: the sandboxes sorted by what the list says of them.

load helpers

views() {
    echo "$MNT/.e2b"
}

@test "every view leads to the sandbox by a relative link" {
    a=$(make_sandbox '{"metadata":{"name":"builder","app":"demo"}}')
    b=$(make_sandbox)
    pause_sandbox "$b"
    mount_fs
    cd "$MNT/.e2b"
    assert_equal "$(readlink by-name/builder)" "../../$a"
    assert_equal "$(readlink "by-state/running/$a")" "../../../$a"
    assert_equal "$(readlink "by-state/paused/$b")" "../../../$b"
    assert_equal "$(readlink "by-metadata/app/demo/$a")" "../../../../$a"
    for link in by-name/* by-template/*/* by-state/*/* by-metadata/*/*/*; do
        assert_equal "$(stat -c '%F %a' "$link")" 'symbolic link 777'
        assert_equal "$link $(stat -c %s "$link")" "$link $(readlink -n "$link" | wc -c)"
        assert_equal "$(realpath "$link")" "$MNT/$(readlink "$link" | grep -o '[^/]*$')"
        [ -s "$link/info.json" ]
    done
    assert_equal "$(ls by-name)" builder
    assert_equal "$(ls by-state | xargs)" 'paused running'
    assert_equal "$(ls by-state/running)" "$a"
    assert_equal "$(ls by-metadata | xargs)" 'app name'
    assert_equal "$(find by-template -type l | wc -l)" 2
    assert_equal "$(jq -r .metadata.app by-metadata/app/demo/*/info.json)" demo
    for dir in by-name by-template by-state by-state/paused by-metadata by-metadata/app/demo; do
        assert_equal "$dir $(stat -c '%A' "$dir")" "$dir dr-xr-xr-x"
    done
    cd /
}

@test "views are empty, not missing, without sandboxes" {
    mount_fs
    for dir in by-name by-template by-metadata by-state/running by-state/paused; do
        assert_equal "$(ls -A "$MNT/.e2b/$dir")" ""
    done
}

@test "two sandboxes of one name are told apart by their ids, and neither has the bare name" {
    a=$(make_sandbox '{"metadata":{"name":"twin"}}')
    b=$(make_sandbox '{"metadata":{"name":"twin"}}')
    mount_fs
    cd "$MNT/.e2b/by-name"
    assert_equal "$(ls)" "$(printf '%s\n' "twin~${a:0:8}" "twin~${b:0:8}" | sort)"
    assert_equal "$(readlink "twin~${b:0:8}")" "../../$b"
    errno_is ENOENT stat twin
    cd /
    kill_sandbox "$a"
    wait_until 5 test -e "$MNT/.e2b/by-name/twin"
    assert_equal "$(readlink "$MNT/.e2b/by-name/twin")" "../../$b"
}

@test "hostile values make no hostile names" {
    id=$(make_sandbox '{"metadata":{"name":"../../../etc","":"empty key","..":"..","a/b":"",
        "esc":"\u001b[31mred\n\u202e",".git":"/","long":"'"$(printf 'x%.0s' {1..400})"'"}}')
    mount_fs
    cd "$MNT/.e2b"
    assert_equal "$(ls -A by-name)" '%2E.%2F..%2F..%2Fetc'
    assert_equal "$(readlink by-name/*)" "../../$id"
    assert_equal "$(LC_ALL=C ls -A by-metadata | xargs)" '% %2E. %2Egit a%2Fb esc long name'
    assert_equal "$(ls -A by-metadata/%2E.)" '%2E.'
    assert_equal "$(ls -A by-metadata/a%2Fb)" '%'
    assert_equal "$(ls -A by-metadata/esc)" '%1B[31mred%0A%E2%80%AE'
    assert_match "$(ls -A by-metadata/long)" '^x{200}~[0-9a-f]{8}$'
    run ! grep -qP '[\x00-\x08\x0b-\x1f\x7f]' <(find . -path './by-*')
    # Every one of them can be entered, by its name as it is listed.
    assert_equal "$(find by-metadata -type l | wc -l)" 7
    assert_equal "$(find by-metadata -type l -exec cat {}/state \; | sort -u)" running
    cd /
}

@test "walking all views costs no request but the list, and sends sandboxes nothing" {
    for n in 1 2 3; do
        id=$(make_sandbox "{\"metadata\":{\"name\":\"n$n\",\"n\":\"$n\"}}")
    done
    pause_sandbox "$id"
    mount_fs
    ledger_clear
    before=$(now_ms)
    find "$(views)"/by-* -ls >/dev/null
    ls -lR "$(views)"/by-* >/dev/null
    tar -cf "$T/tar" -C "$(views)" by-name by-template by-state by-metadata
    seconds=$((($(now_ms) - before) / 1000))
    [ "$(ledger_count true)" -le $((1 + seconds)) ] || fail "$(ledger_list)"
    assert_equal "$(ledger_count '.path != "/v2/sandboxes"')" 0
}

@test "views follow the list" {
    a=$(make_sandbox '{"metadata":{"app":"one"}}')
    mount_fs
    [ -L "$MNT/.e2b/by-state/running/$a" ]
    pause_sandbox "$a"
    wait_until 5 test -L "$MNT/.e2b/by-state/paused/$a"
    errno_is ENOENT readlink "$MNT/.e2b/by-state/running/$a"
    b=$(make_sandbox '{"metadata":{"app":"two"}}')
    wait_until 5 test -e "$MNT/.e2b/by-metadata/app/two/$b"
    kill_sandbox "$b"
    wait_until 5 test ! -e "$MNT/.e2b/by-metadata/app/two"
    assert_equal "$(ls "$MNT/.e2b/by-metadata/app")" one
}

@test "nothing in a view can be made, removed or renamed" {
    id=$(make_sandbox '{"metadata":{"name":"x"}}')
    mount_fs
    cd "$MNT/.e2b"
    errno_is EPERM unlink by-name/x
    errno_is EPERM rename by-name/x by-name/y
    errno_is EPERM mkdir by-metadata/new
    errno_is EPERM create by-name/new
    errno_is EPERM symlink by-name/new target
    errno_is EPERM rmdir by-state/running
    run rm -rf by-name by-state by-metadata
    cd /
    assert_equal "$(api GET "/sandboxes/$id" | jq -r .state)" running
    assert_equal "$(ls "$MNT/.e2b/by-name")" x
}

@test "what can't be listed is an error, not an empty view" {
    make_sandbox >/dev/null
    mount_fs
    fault '[{"match":{"plane":"control"},"kind":"status","value":401}]'
    is_refused() { ! ls "$MNT/.e2b/by-name" >"$T/out" 2>&1; }
    wait_until 5 is_refused
    assert_match "$(cat "$T/out")" 'Key was rejected'
}
