#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bats file_tags=core
# metrics and metrics.json, and what they cost.

load helpers

@test "metrics has the documented keys, one a line, numbers in bytes" {
    id=$(make_sandbox)
    mount_fs
    wait_until 20 test -s "$MNT/$id/metrics"
    assert_equal "$(cut -d ' ' -f 1 "$MNT/$id/metrics" | xargs)" \
        "timestamp_unix cpu_count cpu_used_pct mem_used mem_total mem_cache disk_used disk_total"
    run ! grep -vE '^[a-z_]+ [0-9]+(\.[0-9]+)?$' "$MNT/$id/metrics"
}

@test "metrics.json is the same sample under the API's names" {
    id=$(make_sandbox)
    mount_fs
    wait_until 20 test -s "$MNT/$id/metrics"
    json=$(cat "$MNT/$id/metrics.json")
    for pair in 'timestamp_unix timestampUnix' 'cpu_count cpuCount' 'mem_total memTotal' \
        'disk_total diskTotal'; do
        read -r key name <<<"$pair"
        assert_equal "$(jq -r ".$name" <<<"$json")" \
            "$(awk -v key="$key" '$1 == key { print $2 }' "$MNT/$id/metrics")"
    done
}

@test "a paused sandbox still shows its metrics, and nobody asks it" {
    id=$(make_sandbox)
    mount_fs
    wait_until 20 test -s "$MNT/$id/metrics"
    pause_sandbox "$id"
    wait_until 5 grep -qx paused "$MNT/$id/state"
    ledger_clear
    cat "$MNT/$id/metrics" "$MNT/$id/metrics.json" >/dev/null
    assert_no_data_plane "$id"
}

@test "metrics of all of a fleet of 250 cost three requests" {
    stop_server
    start_server --fleet 250
    mount_fs
    ls "$MNT" >/dev/null
    ledger_clear
    cat "$MNT"/*/metrics >"$T/all"
    assert_equal "$(grep -c '^cpu_used_pct ' "$T/all")" 250
    assert_equal "$(ledger_count '.path | startswith("/sandboxes/metrics")')" 3
    assert_equal "$(ledger_count '.path | test("^/sandboxes/[^/]+/metrics")')" 0
}
