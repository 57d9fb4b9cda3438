#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bats file_tags=core
# The tree: its names, modes, sizes, and what the files say.

load helpers

readonly VIRTUAL_FILES='info.json state metrics metrics.json ctl error'

@test "the root lists one directory per sandbox, and .e2b" {
    a=$(make_sandbox)
    b=$(make_sandbox)
    pause_sandbox "$b"
    mount_fs
    assert_equal "$(ls -A "$MNT")" "$(printf '%s\n' .e2b "$a" "$b" | sort)"
    for dir in "$MNT" "$MNT/$a" "$MNT/$b" "$MNT/.e2b"; do
        assert_equal "$(stat -c '%A' "$dir")" dr-xr-xr-x
    done
}

@test "a sandbox's directory lists what the manual says" {
    id=$(make_sandbox)
    mount_fs
    assert_equal "$(ls -A "$MNT/$id" | xargs)" \
        "ctl error fs home info.json metrics metrics.json state"
    for name in README config ctl error index metrics stats status summary.json version; do
        ls -A "$MNT/.e2b" | grep -qx "$name"
    done
}

@test "modes say what can be done" {
    id=$(make_sandbox)
    mount_fs
    cd "$MNT/$id"
    for file in info.json state metrics metrics.json error; do
        assert_equal "$file $(stat -c %a $file)" "$file 444"
    done
    assert_equal "$(stat -c %a ctl)" 600
    assert_equal "$(stat -c '%F' home)" 'symbolic link'
    assert_equal "$(readlink home)" fs/home/user
    cd /
}

@test "the size of a virtual file is the size of its content" {
    id=$(make_sandbox)
    mount_fs
    for file in $VIRTUAL_FILES; do
        file=$MNT/$id/$file
        assert_equal "$file $(stat -c %s "$file")" "$file $(cat "$file" | wc -c)"
    done
    for file in README version config index metrics summary.json; do
        file=$MNT/.e2b/$file
        assert_equal "$file $(stat -c %s "$file")" "$file $(cat "$file" | wc -c)"
        [ -s "$file" ]
    done
}

# The tools of the measured matrix: each copies by another way, and none may lose a byte.
@test "every way to copy a virtual file copies all of it" {
    id=$(make_sandbox '{"metadata":{"app":"demo"}}')
    mount_fs
    for name in info.json state metrics.json ctl; do
        src=$MNT/$id/$name
        cat "$src" >"$T/expected"
        [ -s "$T/expected" ]
        rm -f "$T"/got*
        cp "$src" "$T/got.cp"
        install -m 600 "$src" "$T/got.install"
        rsync "$src" "$T/got.rsync"
        dd if="$src" of="$T/got.dd" status=none
        tar -C "$MNT/$id" -cf - "$name" | tar -xOf - >"$T/got.tar"
        python3 -c 'import shutil, sys; shutil.copyfile(*sys.argv[1:])' "$src" "$T/got.python"
        tail -c 100000 "$src" >"$T/got.tail"
        wc -c <"$src" >"$T/wc"
        assert_equal "$(xargs <"$T/wc")" "$(stat -c %s "$T/expected")"
        for got in "$T"/got.*; do
            assert_same_content "$T/expected" "$got"
        done
        assert_equal "$(git hash-object "$src")" "$(git hash-object "$T/expected")"
        test -s "$src"
    done
}

@test "info.json is the object of the API without secrets and without a clock" {
    id=$(make_sandbox '{"metadata":{"app":"demo","n":"a b"}}')
    mount_fs
    info=$MNT/$id/info.json
    assert_equal "$(jq -r .sandboxID "$info")" "$id"
    assert_equal "$(jq -c .metadata "$info")" '{"app":"demo","n":"a b"}'
    assert_equal "$(jq -r .state "$info")" running
    expected=$(api GET '/v2/sandboxes' | jq -S ".[0]")
    assert_equal "$(jq -S . "$info")" "$expected"
    assert_equal "$(tail -c 2 "$info" | od -An -tx1 | tr -d ' ')" 7d0a
    run ! grep -iE 'token|uptime|remaining' "$info"
}

@test "detail.json is the API's single object, without secrets, and only for who asks" {
    id=$(make_sandbox '{"autoPause":true}')
    paused=$(make_sandbox)
    pause_sandbox "$paused"
    mount_fs
    expected=$(api GET "/sandboxes/$id" | jq -S 'del(.envdAccessToken, .trafficAccessToken)')
    token=$(api GET "/sandboxes/$id" | jq -r .envdAccessToken)
    [ ${#token} -gt 8 ]
    ledger_clear
    detail=$MNT/$id/detail.json
    assert_equal "$(jq -S . "$detail")" "$expected"
    assert_equal "$(stat -c '%a %s' "$detail")" "444 $(wc -c <"$detail")"
    run ! grep -F "$token" "$detail"
    run ! grep -i accesstoken "$detail"
    assert_equal "$(jq -r .state "$MNT/$paused/detail.json")" paused
    assert_only_reads
    assert_equal "$(ledger_count '.plane == "data"')" 0
    # Neither listed nor asked for by whoever walks.
    run ! grep -x detail.json <(ls -A "$MNT/$id")
    asked() { ledger_count ".path == \"/sandboxes/$id\""; }
    n=$(asked)
    ls -l "$MNT/$id" >/dev/null
    find "$MNT/$id" -maxdepth 1 -ls >/dev/null
    assert_equal "$(asked)" "$n"
    kill_sandbox "$id"
    gone() { run fsop stat "$detail"; [ "$output" = ENOENT ]; }
    wait_until 5 gone
}

@test "state follows pause" {
    id=$(make_sandbox)
    mount_fs
    assert_equal "$(cat "$MNT/$id/state")" running
    pause_sandbox "$id"
    wait_until 5 grep -qx paused "$MNT/$id/state"
}

@test "the directory's time is the sandbox's start" {
    id=$(make_sandbox)
    mount_fs
    started=$(api GET "/sandboxes/$id" | jq -r .startedAt)
    assert_equal "$(stat -c %Y "$MNT/$id")" "$(date -d "$started" +%s)"
}

@test "sandboxes come and go within the stated age" {
    a=$(make_sandbox)
    mount_fs
    assert_equal "$(ls "$MNT")" "$a"
    b=$(make_sandbox)
    wait_until 4 test -e "$MNT/$b/info.json"
    kill_sandbox "$a"
    wait_until 4 test ! -e "$MNT/$a"
    assert_equal "$(ls "$MNT")" "$b"
}

@test "what is not there is ENOENT, what can't be asked is not" {
    id=$(make_sandbox)
    mount_fs
    errno_is ENOENT stat "$MNT/i0000000000000000000z"
    errno_is ENOENT stat "$MNT/$id/nothing"
    errno_is ENOENT stat "$MNT/.e2b/nothing"
    errno_is ENOENT stat "$MNT/NOT-AN-ID"
    errno_is ENAMETOOLONG stat "$MNT/$(printf 'a%.0s' {1..300})"
}

@test "nothing virtual can be made, removed or renamed" {
    id=$(make_sandbox)
    other=$(make_sandbox)
    mount_fs
    cd "$MNT"
    errno_is EPERM rmdir "$id"
    errno_is EPERM mkdir new
    errno_is EPERM mkdir "$id/new"
    errno_is EPERM create "$id/new"
    errno_is EPERM create new
    errno_is EPERM symlink "$id/new" target
    errno_is EPERM unlink "$id/home"
    errno_is EPERM rename "$id" renamed
    errno_is EPERM rename "$id/state" "$id/state2"
    errno_is EPERM rename "$id/state" "$other/state"
    errno_is EPERM rmdir "$id/fs"
    errno_is EPERM rmdir .e2b
    for file in $VIRTUAL_FILES; do
        errno_is EPERM unlink "$id/$file"
    done
    errno_is EPERM write "$id/info.json" '{}'
    errno_is EPERM truncate "$id/info.json"
    errno_is EPERM chmod "$id/info.json" 777
    run rm -rf "$MNT/$other/info.json" "$MNT/$other/ctl"
    cd /
    assert_equal "$(ls "$MNT" | sort)" "$(printf '%s\n' "$id" "$other" | sort)"
    assert_equal "$(api GET "/sandboxes/$id" | jq -r .state)" running
}

@test "inode numbers are the same after mounting again" {
    id=$(make_sandbox)
    mount_fs
    numbers() {
        (cd "$MNT" && stat -c '%i %n' . "$id" "$id"/* "$id/fs/etc" "$id/fs/etc/passwd" .e2b/README)
    }
    first=$(numbers)
    unmount_fs
    mount_fs
    assert_equal "$(numbers)" "$first"
    assert_equal "$(cut -d ' ' -f 1 <<<"$first" | sort | uniq -d)" ""
}

@test "the root answers for the names where people and agents look, and does not list them" {
    id=$(make_sandbox)
    mount_fs
    for name in README AGENTS.md CLAUDE.md; do
        assert_same_content "$MNT/.e2b/README" "$MNT/$name"
        assert_equal "$name $(stat -c '%a %s' "$MNT/$name")" \
            "$name 444 $(stat -c %s "$MNT/.e2b/README")"
        errno_is EPERM unlink "$MNT/$name"
        errno_is EPERM write "$MNT/$name" x
    done
    assert_equal "$(ls -A "$MNT" | xargs)" ".e2b $id"
    errno_is ENOENT stat "$MNT/readme"
}

@test "the README says what is dangerous" {
    mount_fs
    for word in kill 'rm -rf' ctl info.json fs; do
        grep -qF -- "$word" "$MNT/.e2b/README"
    done
}

@test "version, status, stats and index are there" {
    a=$(make_sandbox '{"metadata":{"name":"first"}}')
    b=$(make_sandbox)
    mount_fs
    assert_equal "$(cat "$MNT/.e2b/version" | head -n 1 | grep -oE '[0-9]+\.[0-9]+\.[0-9]+')" \
        "$(e2bfs -V | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | head -n 1)"
    assert_equal "$(grep -c . "$MNT/.e2b/index")" 2
    grep -q "^$a"$'\t' "$MNT/.e2b/index"
    grep -q "^$b"$'\t' "$MNT/.e2b/index"
    # Counters are "key value" lines.
    run ! grep -vE '^[a-z0-9_.]+ [0-9]+$' "$MNT/.e2b/stats"
    [ -s "$MNT/.e2b/status" ]
}

@test "df of a sandbox's directory is that sandbox's own disk" {
    id=$(make_sandbox)
    mount_fs
    wait_until 20 grep -q '^disk_total [1-9]' "$MNT/$id/metrics"
    total=$(awk '$1 == "disk_total" { print $2 }' "$MNT/$id/metrics")
    shown=$(df -B1 --output=size "$MNT/$id" | tail -n 1 | xargs)
    # df counts whole blocks.
    assert_between $((shown - total)) -1048576 1048576
    df "$MNT/$id/fs/tmp" >/dev/null
    run df "$MNT"
    assert_equal "$status" 0
}

@test "a fleet of 250 is listed whole" {
    stop_server
    start_server --fleet 250
    mount_fs
    assert_equal "$(ls "$MNT" | wc -l)" 250
    assert_equal "$(ls "$MNT" | sort -u | wc -l)" 250
    assert_equal "$(grep -c . "$MNT/.e2b/index")" 250
}
