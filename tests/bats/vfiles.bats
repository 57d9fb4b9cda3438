#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bats file_tags=core
# What the generated files say, and what they say when something is wrong.

load helpers

@test "status says that all is well, and since when it isn't" {
    id=$(make_sandbox)
    pause_sandbox "$(make_sandbox)"
    mount_fs
    status=$(cat "$MNT/.e2b/status")
    assert_match "$status" '^api ok'
    for line in 'sandboxes 2' 'running 1' 'paused 1' 'uncommitted 0' 'pending 0'; do
        grep -qx "$line" <<<"$status"
    done
    stop_server
    ls_fails_or_is_old() { ls "$MNT" >/dev/null 2>&1; ! grep -qx 'api ok' "$MNT/.e2b/status"; }
    wait_until 20 ls_fails_or_is_old
    grep -qE '^api (EHOSTUNREACH|ECONNREFUSED|ETIMEDOUT): ' "$MNT/.e2b/status"
    grep -qE '^failing_since 20[0-9-]+T[0-9:]+Z$' "$MNT/.e2b/status"
    # What is known is still served.
    assert_equal "$(cat "$MNT/$id/state")" running
    assert_equal "$(jq -r .sandboxID "$MNT/$id/info.json")" "$id"
}

@test "index is one line per sandbox whatever their names are" {
    a=$(make_sandbox '{"metadata":{"name":"a\tb\nc\\d\u001b[31m\u202eä"}}')
    b=$(make_sandbox)
    mount_fs
    assert_equal "$(wc -l <"$MNT/.e2b/index")" 2
    assert_equal "$(awk -F '\t' 'NF != 6' "$MNT/.e2b/index")" ""
    run ! grep -qP '[\x00-\x08\x0b-\x1f]|\xe2\x80\xae' "$MNT/.e2b/index"
    line=$(grep "^$a" "$MNT/.e2b/index")
    assert_equal "$(cut -f 6 <<<"$line")" 'a\tb\nc\\d\x1b[31m\xe2\x80\xaeä'
    assert_equal "$(grep "^$b" "$MNT/.e2b/index" | cut -f 2,6)" $'running\t-'
    started=$(api GET "/sandboxes/$a" | jq -r .startedAt)
    assert_equal "$(date -d "$(cut -f 3 <<<"$line")" +%s)" "$(date -d "$started" +%s)"
}

@test "summary.json adds up the list, and asks for nothing else" {
    mount_fs
    assert_equal "$(jq -c . "$MNT/.e2b/summary.json")" '{"sandboxes":0,"running":0,"paused":0,"cpuCount":0,"memoryMB":0,"diskSizeMB":0,"oldest":null,"newest":null}'
    a=$(make_sandbox)
    b=$(make_sandbox)
    pause_sandbox "$(make_sandbox)"
    unmount_fs
    mount_fs
    ledger_clear
    summary=$(cat "$MNT/.e2b/summary.json")
    [ "$(ledger_count true)" -le 1 ] || fail "$(ledger_list)"
    assert_equal "$(jq -c '[.sandboxes, .running, .paused]' <<<"$summary")" '[3,2,1]'
    expected=$(api GET '/v2/sandboxes?state=running' | jq -c '[map(.cpuCount), map(.memoryMB),
        map(.diskSizeMB)] | map(add)')
    assert_equal "$(jq -c '[.cpuCount, .memoryMB, .diskSizeMB]' <<<"$summary")" "$expected"
    first=$(api GET /v2/sandboxes | jq -r 'sort_by(.startedAt, .sandboxID) | .[0].sandboxID')
    assert_equal "$(jq -r .oldest.sandboxID <<<"$summary")" "$first"
    newest=$(jq -r .newest.sandboxID <<<"$summary")
    assert_equal "$(date -d "$(jq -r .newest.startedAt <<<"$summary")" +%s)" \
        "$(date -d "$(api GET "/sandboxes/$newest" | jq -r .startedAt)" +%s)"
}

@test "metrics of the account are one line per sandbox and one request" {
    a=$(make_sandbox)
    b=$(make_sandbox)
    mount_fs
    wait_until 20 grep -q . "$MNT/$a/metrics"
    wait_until 20 grep -q . "$MNT/$b/metrics"
    wait_until 20 grep -q . "$MNT/.e2b/metrics"
    ledger_clear
    all=$(cat "$MNT/.e2b/metrics")
    [ "$(ledger_count true)" -le 2 ] || fail "$(ledger_list)"
    [ "$(ledger_count '.path | startswith("/sandboxes/metrics")')" -le 1 ]
    assert_equal "$(ledger_count '.plane == "data"')" 0
    assert_equal "$(cut -f 1 <<<"$all")" "$(cut -f 1 "$MNT/.e2b/index")"
    assert_equal "$(awk -F '\t' 'NF != 9' <<<"$all")" ""
    assert_equal "$(grep "^$a" <<<"$all" | cut -f 3)" \
        "$(awk '$1 == "cpu_count" { print $2 }' "$MNT/$a/metrics")"
    run ! grep -vE "^[a-z0-9]+(\s([0-9.]+|-)){8}$" <<<"$all"
}

@test "metrics of more than a hundred are two requests" {
    for _ in {1..103}; do
        make_sandbox >/dev/null
    done
    mount_fs
    ledger_clear
    assert_equal "$(wc -l <"$MNT/.e2b/metrics")" 103
    # Once more where a slow machine lets samples grow old between stat and open.
    asked=$(ledger_count '.path | startswith("/sandboxes/metrics")')
    [ "$asked" -le $((2 * SLOW)) ] || fail "$(ledger_list)"
    assert_equal "$(cut -f 1 "$MNT/.e2b/metrics")" "$(cut -f 1 "$MNT/.e2b/index")"
}

@test "metrics of the account fail when they can't be had, and never pretend" {
    make_sandbox >/dev/null
    mount_fs
    fault '[{"match":{"path":"/sandboxes/metrics*"},"kind":"status","value":400}]'
    ls "$MNT" >/dev/null
    run cat "$MNT/.e2b/metrics"
    [ "$status" -ne 0 ]
}

@test "ctl reads back the state and the verbs, as comments" {
    id=$(make_sandbox)
    mount_fs
    end=$(date -u -d "$(jq -r .endAt "$MNT/$id/info.json")" +%Y-%m-%dT%H:%M:%SZ)
    assert_equal "$(head -n 1 "$MNT/$id/ctl")" "# running until $end"
    for verb in kill timeout extend refresh flush; do
        grep -q "^#   $verb " "$MNT/$id/ctl"
    done
    pause_sandbox "$id"
    wait_until 5 grep -qx paused "$MNT/$id/state"
    assert_match "$(head -n 1 "$MNT/$id/ctl")" '^# paused since 20'
    unmount_fs
    mount_fs -o nokill
    run ! grep -q '^#   kill' "$MNT/$id/ctl"
}

@test "config says whose account it is and never with which key" {
    mount_fs -o memory=32M
    assert_equal "$(awk '$1 == "api_url" { print $2 }' "$MNT/.e2b/config")" "$E2B_API_URL"
    grep -qx 'key_source E2B_API_KEY' "$MNT/.e2b/config"
    grep -qx 'memory 33554432' "$MNT/.e2b/config"
    run ! grep -rqF "${E2B_API_KEY#e2b_}" "$MNT/.e2b"
}

@test "what is generated changes only with what it tells" {
    id=$(make_sandbox)
    mount_fs
    watched() { (cd "$MNT" && stat -c '%n %s %y' "$id"/{info.json,state,ctl,error} \
        .e2b/{README,version,config,status,error,index}); }
    first=$(watched)
    age=$(($(now_ms) + 2500))
    is_later() { [ "$(now_ms)" -gt $age ]; }
    wait_until 10 is_later # beyond the age of the list
    ls "$MNT" >/dev/null
    assert_equal "$(watched)" "$first"
}

@test "looking at the generated files asks the sandboxes nothing" {
    make_sandbox >/dev/null
    make_sandbox >/dev/null
    mount_fs
    ls "$MNT" >/dev/null
    ledger_clear
    cat "$MNT"/*/{info.json,state,ctl,error} "$MNT"/.e2b/{README,version,config,status,stats,error} \
        >/dev/null
    assert_equal "$(ledger_count '.plane == "data"')" 0
    [ "$(ledger_count true)" -le 1 ]
    cat "$MNT"/*/metrics "$MNT"/*/metrics.json >/dev/null
    assert_equal "$(ledger_count '.plane == "data"')" 0
    assert_equal "$(ledger_count '.path | startswith("/sandboxes/metrics")')" 1
}
