#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Watching directories through e2b-sandboxd's envd: as a stream, and by polling.

load helpers
load server

setup() {
    setup_environment
    start_server
    id=$(make_sandbox)
    sandbox_exec "$id" sh -c 'mkdir -p /tmp/w/sub/deep && ln -s /tmp/w /tmp/link && : >/tmp/file'
}

fs() {
    rpc "$id" "filesystem.Filesystem/$1" "$2"
}

inside() {
    sandbox_exec "$id" sh -c "cd /tmp/w && $1"
}

# create JSON: the watcher's id
create() {
    fs CreateWatcher "$1" | cut -d' ' -f2- | jq -r .watcherId
}

# collect WATCHER: adds what happened to $T/events, as "TYPE name" a line
collect() {
    fs GetWatcherEvents "{\"watcherId\":\"$1\"}" | cut -d' ' -f2- |
        jq -r '.events[]? | "\(.type | ltrimstr("EVENT_TYPE_")) \(.name)"' >>"$T/events"
}

# happened WATCHER LINE
happened() {
    collect "$1"
    grep -qxF -- "$2" "$T/events"
}

@test "polling: what happens to the children of a directory, in order, once" {
    w=$(create '{"path":"/tmp/w"}')
    inside 'echo x >f; chmod 600 f; mv f g; rm g; mkdir d; echo unseen >sub/f; : >last'
    wait_until 10 happened "$w" 'CREATE last'
    assert_equal "$(uniq "$T/events")" 'CREATE f
WRITE f
CHMOD f
RENAME f
CREATE g
REMOVE g
CREATE d
CREATE last'
    : >"$T/events"
    collect "$w"
    assert_equal "$(cat "$T/events")" ''
    assert_equal "$(fs RemoveWatcher "{\"watcherId\":\"$w\"}")" '200 {}'
    for call in GetWatcherEvents RemoveWatcher; do
        assert_equal "$(fs $call "{\"watcher_id\":\"$w\"}")" \
            "404 {\"code\":\"not_found\",\"message\":\"watcher with id $w not found\"}"
    done
}

@test "recursive: trees that are there, that appear and that move; the root itself is a dot" {
    w=$(create '{"path":"/tmp/w","recursive":true}')
    inside 'echo x >sub/deep/f; mkdir -p n1/n2 && echo x >n1/n2/f'
    wait_until 10 happened "$w" 'WRITE sub/deep/f'
    wait_until 10 happened "$w" 'CREATE n1/n2/f'
    inside 'mv sub moved; echo y >moved/deep/g'
    wait_until 10 happened "$w" 'WRITE moved/deep/g'
    grep -qx 'RENAME sub' "$T/events"
    inside 'rm -r /tmp/w/*; rmdir /tmp/w'
    wait_until 10 happened "$w" 'REMOVE .'
}

@test "a stream: start, events with their entries, keep-alive, time limit" {
    watch() { stream "$@" "$id" filesystem.Filesystem/WatchDir '{"path":"/tmp/w","includeEntry":true}'; }
    watch -n 3 >"$T/stream" 3>&- &
    wait_until 10 grep -qs start "$T/stream"
    inside 'printf abc >f'
    wait $!
    assert_equal "$(head -n 1 "$T/stream")" '0 {"start":{}}'
    assert_equal "$(sed -n 2p "$T/stream" | cut -c3- | jq -c '.filesystem | [.name,.type,.entry.path]')" \
        '["f","EVENT_TYPE_CREATE","/tmp/w/f"]'
    assert_equal "$(sed -n 3p "$T/stream" | cut -c3- | jq -c '.filesystem | [.name,.type,.entry.size]')" \
        '["f","EVENT_TYPE_WRITE","3"]'
    assert_equal "$(watch -n 2 -H 'Keepalive-Ping-Interval: 1' | tail -n 1)" '0 {"keepalive":{}}'
    assert_equal "$(watch -H 'Connect-Timeout-Ms: 300')" '0 {"start":{}}
2 {"error":{"code":"deadline_exceeded","message":"context deadline exceeded"}}'
}

@test "a stream that nobody listens to any more is given up inside too" {
    watches() {
        [ "$(sandbox_exec -u root "$id" sh -c 'ls -l /proc/[0-9]*/fd 2>/dev/null | grep -c inotify')" = "$1" ]
    }
    stream -n 1 "$id" filesystem.Filesystem/WatchDir '{"path":"/tmp/w"}' >/dev/null
    wait_until 10 watches 0
    w=$(create '{"path":"/tmp/w"}')
    watches 1
    fs RemoveWatcher "{\"watcherId\":\"$w\"}"
    wait_until 10 watches 0
}

@test "what can't be watched" {
    while IFS='|' read -r request answer; do
        assert_equal "$request: $(fs CreateWatcher "$request")" "$request: $answer"
    done <<'TABLE'
{"path":"/no"}|404 {"code":"not_found","message":"path /no not found: stat /no: no such file or directory"}
{"path":"/tmp/file"}|400 {"code":"invalid_argument","message":"path /tmp/file not a directory: %!w(<nil>)"}
{"path":"/tmp/link","recursive":true}|500 {"code":"internal","message":"error adding path /tmp/link to watcher: fsnotify: not a directory: \"/tmp/link\""}
TABLE
    assert_match "$(stream "$id" filesystem.Filesystem/WatchDir '{"path":"/no"}')" '^2 .*"not_found"'
    assert_match "$(create '{"path":"/tmp/link"}')" '^w'
}

@test "a name that isn't UTF-8 ends the stream, and costs a poller its batch" {
    w=$(create '{"path":"/tmp/w"}')
    stream "$id" filesystem.Filesystem/WatchDir '{"path":"/tmp/w"}' >"$T/stream" 3>&- &
    wait_until 10 grep -qs start "$T/stream"
    inside ": >\$(printf '\\377')"
    wait $!
    assert_match "$(tail -n 1 "$T/stream")" '^2 .*"unknown".*error sending filesystem event'
    assert_match "$(fs GetWatcherEvents "{\"watcherId\":\"$w\"}")" '^500 .*invalid UTF-8'
    inside ': >after'
    wait_until 10 happened "$w" 'CREATE after'
}
