#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bats file_tags=core
# Nothing secret in the tree, logs, arguments, files on disk or error texts.

load helpers

setup() {
    setup_environment
    start_server
    id=$(make_sandbox '{"envVars":{"PASSWORD":"hunter2-in-the-environment"},
        "metadata":{"app":"demo"}}')
    token=$(api GET "/sandboxes/$id" | jq -er .envdAccessToken)
}

# assert_clean WHAT: nothing secret in what comes on stdin.
assert_clean() {
    cat >"$T/seen"
    for secret in "$E2B_API_KEY" "$token" hunter2-in-the-environment; do
        run ! grep -aF -- "$secret" "$T/seen"
    done
    rm "$T/seen"
}

@test "the tree's own files" {
    mount_fs -d
    for file in "$MNT/$id"/{info.json,state,metrics,metrics.json,ctl,error} "$MNT"/.e2b/*; do
        if [ -f "$file" ]; then cat "$file"; fi
    done | assert_clean
    getfattr -d -m - "$MNT" "$MNT/$id" "$MNT/$id/info.json" 2>&1 | assert_clean
}

@test "the log at its most talkative, with failures of every kind" {
    mount_fs -d
    cat "$MNT/$id/fs/etc/passwd" >/dev/null
    echo x >"$MNT/$id/fs/tmp/f"
    for status in 400 401 403 500 502; do
        fault "[{\"kind\":\"status\",\"value\":$status,\"match\":{\"plane\":\"data\"}},
            {\"kind\":\"status\",\"value\":$status,\"match\":{\"plane\":\"control\",\"method\":\"POST\"}}]"
        run ls "$MNT/$id/fs/usr"
        run fsop ctl "$MNT/$id/ctl" 600
        run cp "$T/server.out" "$MNT/$id/fs/tmp/g"
        fault '[]'
    done
    cat "$MNT/$id/error" "$MNT/.e2b/error" "$MNT/.e2b/status" | assert_clean
    kill -USR1 "$FS_PID"
    unmount_fs
    [ -s "$T/e2bfs.log" ]
    assert_clean <"$T/e2bfs.log"
}

@test "arguments of the running program, and its mount" {
    mount_fs
    tr '\0' '\n' <"/proc/$FS_PID/cmdline" | assert_clean
    grep " $MNT " /proc/self/mountinfo | assert_clean
}

@test "what is kept on disk" {
    mount_fs
    echo x >"$MNT/$id/fs/tmp/f"
    # Also of a commit that failed.
    fault '[{"match":{"method":"POST","path":"/file[s]"},"kind":"status","value":507}]'
    run fsop write "$MNT/$id/fs/tmp/g"
    fault '[]'
    find "$HOME" "$XDG_STATE_HOME" "$XDG_CONFIG_HOME" "$XDG_RUNTIME_DIR" -type f -exec cat {} + |
        assert_clean
    runfile=$(find "$XDG_RUNTIME_DIR/e2bfs" -name '*.json')
    assert_equal "$(stat -c %a "$runfile")" 600
    assert_equal "$(stat -c %a "$XDG_RUNTIME_DIR/e2bfs")" 700
    assert_equal "$(stat -c %a "$XDG_STATE_HOME/e2bfs/spool")" 700
}

@test "what start-up failures say" {
    for address in http://127.0.0.1:1 http://127.0.0.1:1/path "$E2B_API_URL/nothing"; do
        E2B_API_URL=$address run e2bfs "$MNT"
        [ "$status" -ne 0 ]
        assert_clean <<<"$output"
    done
    E2B_API_KEY="${E2B_API_KEY}0" run e2bfs "$MNT"
    [ "$status" -ne 0 ]
    assert_clean <<<"$output"
}

@test "what the tool prints" {
    e2b-inspect info "$id" | assert_clean
    e2b-inspect info "$id" -o json | assert_clean
    e2b-inspect list -o json | assert_clean
    e2b-inspect -v list 2>&1 | assert_clean
    e2b-inspect doctor 2>&1 | assert_clean
}

@test "the tool's key in its arguments is overwritten at once" {
    key=$E2B_API_KEY
    unset E2B_API_KEY
    e2b-inspect --api-key "$key" exec "$id" -- sleep 300 >/dev/null 2>&1 3>&- &
    pid=$!
    running() { E2B_API_KEY=$key sandbox_exec "$id" pgrep -x sleep >/dev/null; }
    wait_until 10 running
    export E2B_API_KEY=$key
    tr '\0' '\n' <"/proc/$pid/cmdline" | assert_clean
    kill -TERM $pid
    wait_until 10 process_gone $pid
}

@test "a redirect never takes the key to another host" {
    mount_fs
    python3 - "$T/port" "$T/got" <<'PYTHON' 3>&- &
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with open(sys.argv[2], "a") as f: f.write(self.path + str(self.headers))
        if self.path.startswith("/stolen"):
            self.send_response(200); self.end_headers(); return
        self.send_response(302)
        self.send_header("Location", f"http://localhost:{server.server_port}/stolen")
        self.end_headers()
    def log_message(self, *args): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
with open(sys.argv[1], "w") as f: f.write(str(server.server_port))
server.serve_forever()
PYTHON
    pid=$!
    wait_until 10 test -s "$T/port"
    E2B_API_URL=http://127.0.0.1:$(cat "$T/port") run e2b-inspect list
    kill $pid
    [ "$status" -ne 0 ]
    run ! grep -q '/stolen' "$T/got"
}
