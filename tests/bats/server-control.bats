#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The control plane of e2b-sandboxd: credentials, objects, lists, transitions, time.

load helpers
load server

@test "the four ways in which a key is refused" {
    refused() { curl -sS "$@" "$E2B_API_URL/sandboxes" | jq -r '"\(.code) \(.message)"'; }
    assert_match "$(refused)" '^401 .*missing'
    assert_match "$(refused -H 'X-API-Key: sk_123')" '^401 .*malformed'
    assert_match "$(refused -H 'X-API-Key: e2b_xyz')" '^401 .*Invalid API key format'
    assert_match "$(refused -H 'X-API-Key: e2b_abcd')" '^401 .*Cannot get the team'
    assert_equal "$(http_status "$E2B_API_URL/health")" 200
    assert_equal "$(http_status "$E2B_API_URL/_sandboxd/ledger")" 401
    assert_equal "$(http_status -X PUT --data '[]' "$E2B_API_URL/_sandboxd/faults")" 401
}

@test "what is not there, and what is not allowed" {
    assert_equal "$(api_status GET /nothing) $(message)" \
        "404 validation error: no matching operation was found"
    assert_equal "$(api_status PATCH /sandboxes)" 400
    assert_equal "$(api_status GET /sandboxes/inone) $(message)" \
        "404 Sandbox \"inone\" doesn't exist or you don't have access to it"
    for id in A_b a.b a-b-c ''; do
        assert_match "$id $(api_status GET "/sandboxes/$id")" ' 40[04]$'
    done
}

@test "bodies that create nothing" {
    while IFS='|' read -r status body; do
        assert_equal "$body -> $(api_status POST /sandboxes "$body")" "$body -> $status"
    done <<'TABLE'
400|{}
400|[]
400|{
404|{"templateID":"nothing"}
400|{"templateID":"base","timeout":0}
400|{"templateID":"base","timeout":"5"}
400|{"templateID":"base","timeout":86401}
400|{"templateID":"base","metadata":null}
400|{"templateID":"base","metadata":{"n":1}}
400|{"templateID":"base","envVars":{"n":1}}
400|{"templateID":"base","network":{"allowPublicTraffic":false}}
400|{"templateID":"base","autoPauseMemory":false}
TABLE
    assert_equal "$(http_status -H "X-API-Key: $E2B_API_KEY" --data '{"templateID":"base"}' \
        "$E2B_API_URL/sandboxes")" 400 # no JSON type
    assert_equal "$(api GET /v2/sandboxes)" '[]'
}

@test "a new sandbox, in each of its three objects" {
    body='{"templateID":"team/base:default","timeout":100,"metadata":{"a":"b"},"autoPause":true}'
    id=$(api POST /sandboxes "$body" | tee "$T/created" | jq -r .sandboxID)
    assert_match "$id" '^i[a-z0-9]{20}$'
    assert_equal "$(jq -c 'del(.sandboxID) | keys' "$T/created")" \
        '["alias","clientID","envdVersion","templateID"]'
    api GET /v2/sandboxes | jq '.[0]' >"$T/listed"
    assert_equal "$(jq -c '[.sandboxID, .state, .alias, .metadata, .volumeMounts]' "$T/listed")" \
        "[\"$id\",\"running\",\"base\",{\"a\":\"b\"},[]]"
    assert_equal "$(jq 'has("envdAccessToken")' "$T/listed")" false
    api GET "/sandboxes/$id" >"$T/detail"
    assert_equal "$(jq -c .lifecycle "$T/detail")" '{"autoResume":false,"onTimeout":"pause"}'
    assert_between "$(seconds_left "$id")" 90 100
    # A legacy id is cut; the second kind of creation is always secured and lives longer.
    assert_equal "$(api GET "/sandboxes/$id-6532622b" | jq -r .sandboxID)" "$id"
    second=$(api POST /v2/sandboxes '{"templateID":"base"}')
    assert_match "$(jq -r .envdAccessToken <<<"$second")" '^[0-9a-f]{64}$'
    assert_between "$(seconds_left "$(jq -r .sandboxID <<<"$second")")" 290 300
}

@test "lists: filters, and what they refuse" {
    one=$(make_sandbox '{"metadata":{"app":"x&y","note":"a b","rate":"100%"}}')
    two=$(make_sandbox '{"metadata":{"app":"plain"},"templateID":"desktop"}')
    pause_sandbox "$two"
    ids() { api GET "/v2/sandboxes?$1" | jq -r '[.[].sandboxID] | join(" ")'; }
    assert_equal "$(ids 'metadata=app%3Dx%252526y')" "$one"
    assert_equal "$(ids 'metadata=note%3Da%252520b')" "$one"
    assert_equal "$(ids 'metadata=rate%3D100%252525%26app%3Dx%252526y')" "$one"
    assert_equal "$(ids 'metadata=app%3Dplain%26note%3Dx')" ""
    assert_equal "$(ids 'state=running')" "$one"
    assert_equal "$(ids 'state=paused')" "$two"
    assert_equal "$(ids 'state=running,paused')" "$two $one"
    assert_equal "$(ids 'order=asc')" "$one $two"
    assert_equal "$(ids 'template=desktop')" "$two"
    assert_equal "$(ids 'template=nothing')" ""
    assert_equal "$(ids 'startedAfter=2999-01-01T00:00:00Z')" ""
    assert_equal "$(api GET /sandboxes | jq -r '[.[].sandboxID] | join(" ")')" "$one"
    for query in limit=0 limit=101 limit= state= 'state=running&state=paused' state=dead order=up \
        metadata=app nextToken=x template=base:x startedAfter=now; do
        assert_equal "$query $(api_status GET "/v2/sandboxes?$query")" "$query 400"
    done
    assert_equal "$(api_status GET '/v2/sandboxes?unknown=1')" 200
}

@test "lists: pages of a fleet, in both directions" {
    stop_server
    start_server --fleet 250
    for order in asc desc; do
        next='' pages=0
        : >"$T/ids"
        while :; do
            curl -sS -D "$T/headers" -H "X-API-Key: $E2B_API_KEY" \
                "$E2B_API_URL/v2/sandboxes?limit=60&order=$order${next:+&nextToken=$next}" |
                jq -r '.[] | "\(.startedAt) \(.sandboxID)"' >>"$T/ids"
            pages=$((pages + 1))
            next=$(tr -d '\r' <"$T/headers" | awk 'tolower($1) == "x-next-token:" { print $2 }')
            [ -n "$next" ] || break
        done
        assert_equal "$pages pages, $(sort -u "$T/ids" | wc -l)" "5 pages, 250"
    done
    assert_equal "$(api GET '/v2/sandboxes?state=paused' | jq length)" 25
    other=$(curl -sS -D - -o /dev/null -H "X-API-Key: $E2B_API_KEY" "$E2B_API_URL/v2/sandboxes?limit=1" |
        tr -d '\r' | awk 'tolower($1) == "x-next-token:" { print $2 }')
    assert_equal "$(api_status GET "/v2/sandboxes?order=asc&nextToken=$other") $(message)" \
        "400 Invalid next token"
}

@test "timeouts set, refreshes only extend, both end at the plan" {
    id=$(make_sandbox '{"timeout":100}')
    assert_equal "$(api_status POST "/sandboxes/$id/timeout" '{"timeout":500}')" 204
    assert_between "$(seconds_left "$id")" 490 500
    assert_equal "$(api_status POST "/sandboxes/$id/timeout" '{"timeout":200}')" 204
    assert_between "$(seconds_left "$id")" 190 200
    assert_equal "$(api_status POST "/sandboxes/$id/refreshes" '{"duration":20}')" 204
    assert_between "$(seconds_left "$id")" 185 200
    assert_equal "$(api_status POST "/sandboxes/$id/refreshes" '{"duration":3600}')" 204
    assert_between "$(seconds_left "$id")" 3590 3600
    assert_equal "$(api_status POST "/sandboxes/$id/refreshes" '{"duration":3601}')" 400
    assert_equal "$(api_status POST "/sandboxes/$id/timeout" '{}')" 400
    assert_equal "$(api_status POST "/sandboxes/$id/timeout" '{"timeout":-1}')" 400
    assert_equal "$(api_status POST "/sandboxes/$id/timeout" '{"timeout":9999999}')" 204
    assert_between "$(seconds_left "$id")" 86300 86400
    # No body and no type is an empty form: the end, now.
    assert_equal "$(api_status POST "/sandboxes/$id/timeout")" 204
    wait_until 5 sandbox_gone "$id"
}

@test "time ends a sandbox, or pauses it" {
    killed=$(make_sandbox '{"timeout":1}')
    paused=$(make_sandbox '{"timeout":1,"autoPause":true}')
    wait_until 10 sandbox_gone "$killed"
    wait_until 10 state_is "$paused" paused
}

@test "pausing stops processes, resuming goes on" {
    id=$(make_sandbox)
    start_process "$id" sh -c \
        '(while :; do echo x; sleep 0.02; done) >/tmp/ticks 2>/dev/null & sleep 0.1' >/dev/null
    assert_equal "$(api_status POST "/sandboxes/$id/pause")" 204
    assert_equal "$(api_status POST "/sandboxes/$id/pause" '{"memory":true}') $(message)" \
        "409 Sandbox \"$id\" is already paused"
    api GET "/sandboxes/$id" >"$T/detail"
    assert_equal "$(jq -c '[.state, has("envdAccessToken"), has("volumeMounts")]' "$T/detail")" \
        '["paused",true,false]'
    assert_equal "$(api_status POST "/sandboxes/$id/timeout" '{"timeout":100}')" 404
    assert_equal "$(api_status POST "/sandboxes/$id/resume" '{"timeout":100}')" 201
    assert_equal "$(api_status POST "/sandboxes/$id/resume" '{}')" 409
    before=$(sandbox_get "$id" /tmp/ticks | wc -c)
    grows() { [ "$(sandbox_get "$id" /tmp/ticks | wc -c)" -gt "$before" ]; }
    wait_until 10 grows
    assert_between "$(seconds_left "$id")" 80 100
}

@test "connect extends, resumes, and never shortens" {
    id=$(make_sandbox '{"timeout":500}')
    assert_equal "$(api_status POST "/sandboxes/$id/connect" '{"timeout":10}')" 200
    assert_between "$(seconds_left "$id")" 480 500
    assert_equal "$(api_status POST "/sandboxes/$id/connect" '{}')" 400
    assert_equal "$(api_status POST "/v2/sandboxes/$id/connect")" 200
    pause_sandbox "$id"
    assert_equal "$(api_status POST "/sandboxes/$id/connect" '{"timeout":50}')" 201
    assert_equal "$(jq -r .envdAccessToken "$T/answer")" "$(token "$id")"
    assert_between "$(seconds_left "$id")" 30 50
}

@test "killing works once, paused or not, and takes everything along" {
    one=$(make_sandbox)
    two=$(make_sandbox)
    pause_sandbox "$two"
    # A process that ignores everything that can be ignored.
    start_process "$one" sh -c '(trap "" TERM HUP INT; while :; do sleep 1; done) >/dev/null 2>&1 &' \
        >/dev/null
    for id in "$one" "$two"; do
        assert_equal "$(api_status DELETE "/sandboxes/$id")" 204
        assert_equal "$(api_status DELETE "/sandboxes/$id")" 404
        [ ! -e "$T/data/sandboxes/$id" ]
    done
    run pgrep -P "$SERVER_PID"
    assert_equal "$output" ""
}

@test "metrics of one, of many, of nobody" {
    id=$(make_sandbox)
    api GET "/sandboxes/$id/metrics" >"$T/metrics"
    assert_equal "$(jq -c '.[0] | keys' "$T/metrics")" \
        '["cpuCount","cpuUsedPct","diskTotal","diskUsed","memCache","memTotal","memUsed","timestamp","timestampUnix"]'
    assert_equal "$(api GET "/sandboxes/metrics?sandbox_ids=$id,inone" | jq -r '.sandboxes | keys[]')" "$id"
    assert_equal "$(api GET /sandboxes/inone/metrics)" '[]'
    assert_equal "$(api_status GET "/sandboxes/metrics?sandbox_ids=$id,$id")" 400
    assert_equal "$(api_status GET /sandboxes/metrics)" 400
    many=$(seq -s, 101)
    assert_equal "$(api_status GET "/sandboxes/metrics?sandbox_ids=$many")" 400
    assert_equal "$(api_status GET "/sandboxes/$id/metrics?start=5&end=3")" 400
    assert_equal "$(api GET "/sandboxes/$id/metrics?end=1")" '[]'
}
