#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The edge of e2b-sandboxd: which sandbox is meant, who may pass, what is said if not.

load helpers
load server

# to ID PORT [CURL-ARGUMENTS] PATH: body and status, without a token.
to() {
    curl -sS --noproxy '*' --max-time 30 -w ' %{http_code}' -H "E2b-Sandbox-Id: $1" \
        -H "E2b-Sandbox-Port: $2" "${@:3:$#-3}" "$E2B_API_URL${*: -1}"
}

compact() {
    jq -c . <<<"${1% *}"
}

@test "routing by headers and by name" {
    id=$(make_sandbox)
    host() { http_status -H "Host: $1" "${@:2}" "$E2B_API_URL/health"; }
    assert_equal "$(host "49983-$id.e2b.app")" 204
    assert_equal "$(host "49983-$id-6532622b.e2b.app")" 204
    assert_equal "$(host sandbox.e2b.app -H "E2b-Sandbox-Id: $id" -H 'E2b-Sandbox-Port: 49983')" 204
    assert_equal "$(host localhost:3000 -H "E2b-Sandbox-Id: $id" -H 'E2b-Sandbox-Port: 49983')" 204
    assert_equal "$(host proxy.lan)" 200 # the API's
    assert_equal "$(to "$id" 49983 -H 'Host: proxy.lan' /health)" "Invalid host 400"
    assert_equal "$(to A_b 49983 /health)" "Invalid sandbox ID 400"
    assert_match "$(to "$id" x /health)" '500$'
    assert_equal "$(curl -sS -H "E2b-Sandbox-Id: $id" "$E2B_API_URL/health")" "missing header"
}

@test "dead, paused, a closed port, an internal path" {
    id=$(make_sandbox)
    answer=$(to inone 49983 /health)
    assert_match "$answer" ' 502$'
    assert_equal "$(compact "$answer")" \
        '{"sandboxId":"inone","message":"The sandbox was not found","code":502}'
    answer=$(to "$id" 8080 /)
    assert_equal "$(compact "$answer")" \
        "{\"sandboxId\":\"$id\",\"message\":\"The sandbox is running but port is not open\",\"port\":8080,\"code\":502}"
    answer=$(to "$id" 49983 /init)
    assert_equal "$(compact "$answer" | jq -c '[.path, .code]')" '["/init",404]'
    pause_sandbox "$id"
    answer=$(to "$id" 49983 /health)
    assert_equal "$(compact "$answer")" \
        "{\"sandboxId\":\"$id\",\"message\":\"The sandbox was not found\",\"code\":502}"
    assert_equal "$(ledger_count '.paused == true')" 1
    assert_match "$(to inone 49983 -A Mozilla/5.0 /health)" '^<!DOCTYPE'
}

@test "a paused sandbox wakes only where that was asked for, and only with its token" {
    id=$(make_sandbox '{"autoResume":{"enabled":true}}')
    secret=$(token "$id")
    pause_sandbox "$id"
    assert_match "$(to "$id" 49983 /health)" ' 403$'
    state_is "$id" paused
    assert_match "$(to "$id" 49983 -H "X-Access-Token: $secret" /health)" ' 204$'
    state_is "$id" running
    assert_between "$(seconds_left "$id")" 280 600
}

@test "the token of a secured sandbox" {
    id=$(make_sandbox)
    secret=$(token "$id")
    refused='{"code":401,"message":"unauthorized access, please provide a valid access token or method signing if supported"}'
    for path in /metrics /envs /files/compose /nothing /process.Process/List; do
        answer=$(to "$id" 49983 -H 'X-Access-Token: wrong' "$path")
        assert_equal "$path $(jq -c . <<<"${answer% *}")" "$path $refused"
    done
    assert_match "$(to "$id" 49983 /health)" '204$'
    assert_match "$(to "$id" 49983 '/files?path=/etc/hostname')" 'missing signature query parameter'
    assert_match "$(to "$id" 49983 -H 'X-Access-Token: wrong' '/files?path=/etc/hostname')" \
        'access token present in header but does not match'
    # v1_ and base64 of SHA-256 of path:operation:user:token[:expiry]
    sign() { printf %s "$1" | openssl dgst -sha256 -binary | base64 -w0 | sed 's/=*$//; s/+/%2B/g; s/\//%2F/g'; }
    later=$(($(date +%s) + 1000))
    with() { to "$id" 49983 "/files?path=/etc/hostname&$1&signature=v1_$(sign "$2")"; }
    assert_match "$(with '' "/etc/hostname:read::$secret")" ' 200$'
    assert_match "$(with username=user "/etc/hostname:read:user:$secret")" ' 200$'
    assert_match "$(with "signature_expiration=$later" "/etc/hostname:read::$secret:$later")" ' 200$'
    assert_match "$(with signature_expiration=5 "/etc/hostname:read::$secret:5")" 'already expired.* 401$'
    assert_match "$(with '' "/etc/hostname:write::$secret")" 'invalid signature.* 401$'
}

@test "an open sandbox needs no token" {
    id=$(api POST /sandboxes '{"templateID":"base","timeout":100}' | jq -r .sandboxID)
    assert_match "$(to "$id" 49983 /envs)" '"E2B_SANDBOX".* 200$'
}

@test "pausing and killing break what is under way" {
    id=$(make_sandbox)
    for verb in pause kill; do
        stream "$id" process.Process/Start '{"process":{"cmd":"sleep","args":["1000"]}}' >"$T/events" 3>&- &
        reader=$!
        started() { grep -q start "$T/events"; }
        wait_until 10 started
        "${verb}_sandbox" "$id"
        wait $reader
        assert_equal "$(tail -n 1 "$T/events")" broken
        : >"$T/events"
        [ $verb = kill ] || api POST "/sandboxes/$id/resume" '{"timeout":100}' >/dev/null
    done
}
