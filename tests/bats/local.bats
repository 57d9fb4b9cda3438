#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bats file_tags=core
# e2bfs --local: a server of its own, which ends with the mount.

load helpers

setup() {
    setup_environment # no server, and no account in the environment
}

local_servers() {
    pgrep -f "e2b-sandboxd.*${T:?}/" || true
}

@test "--local needs no account and has something to look at" {
    e2bfs --local="$T/demo" "$MNT" 3>&-
    id=$(ls "$MNT" | head -n 1)
    [ -n "$id" ]
    assert_equal "$(jq -r .sandboxID "$MNT/$id/info.json")" "$id"
    assert_match "$(cat "$MNT/$id/fs/etc/passwd")" root
    echo hello >"$MNT/$id/fs/tmp/f"
    assert_equal "$(cat "$MNT/$id/fs/tmp/f")" hello
    pid=$(fs_pids)
    fusermount3 -u "$MNT"
    wait_until 15 process_gone "$pid"
}

@test "the server ends with the mount, however that ends" {
    for way in 'fusermount3 -u' TERM KILL; do
        e2bfs --local="$T/demo" "$MNT" 3>&-
        pid=$(fs_pids)
        server=$(local_servers)
        [ -n "$server" ] || fail 'there is no server of its own'
        case $way in
        fuser*) fusermount3 -u "$MNT" ;;
        *) kill "-$way" "$pid" ;;
        esac
        wait_until 15 process_gone "$pid"
        no_server() { [ -z "$(local_servers)" ]; }
        wait_until 15 no_server
        fusermount3 -uqz "$MNT" || true
    done
}

@test "an account in the environment is not touched" {
    start_server
    ledger_clear
    e2bfs --local="$T/demo" "$MNT" 3>&-
    ls "$MNT" >/dev/null
    assert_equal "$(ledger_count true)" 0
    fusermount3 -u "$MNT"
}

@test "e2b-inspect env gives a shell the same account" {
    e2bfs --local="$T/demo" "$MNT" 3>&-
    eval "$(e2b-inspect env "$MNT")"
    [ -n "$E2B_API_KEY" ]
    assert_equal "$(e2b-inspect list -o id | sort)" "$(ls "$MNT" | sort)"
    assert_equal "$(e2b-inspect exec "$(ls "$MNT" | head -n 1)" -- echo hi)" hi
    fusermount3 -u "$MNT"
}

@test "the default directory is below the state directory" {
    e2bfs --local "$MNT" 3>&-
    [ -d "$XDG_STATE_HOME/e2bfs/local" ]
    fusermount3 -u "$MNT"
}

@test "only the owner reads the key of a local mount" {
    e2bfs --local="$T/demo" "$MNT" 3>&-
    runfile=$(find "$XDG_RUNTIME_DIR/e2bfs" -name '*.json')
    assert_equal "$(stat -c %a "$runfile")" 600
    key=$(jq -er .api_key "$runfile")
    for pid in $(fs_pids) $(local_servers); do
        run ! grep -aqF "$key" "/proc/$pid/cmdline"
    done
    fusermount3 -u "$MNT"
}
