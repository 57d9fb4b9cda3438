# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# server: what the tests of e2b-sandboxd share beyond helpers.bash.

# http_status CURL-ARGUMENTS...: only the status.
http_status() {
    curl -sS --noproxy '*' --max-time 30 -o /dev/null -w '%{http_code}' "$@"
}

# api_status METHOD PATH [BODY]: with the key; the status, the message stays in $T/answer.
api_status() {
    curl -sS --noproxy '*' --max-time 30 -o "$T/answer" -w '%{http_code}' -X "$1" \
        -H "X-API-Key: $E2B_API_KEY" \
        ${3+-H "Content-Type: application/json" --data-binary "$3"} "$E2B_API_URL$2"
}

message() {
    jq -r .message "$T/answer"
}

# token ID
token() {
    api GET "/sandboxes/$1" | jq -r .envdAccessToken
}

# data ID CURL-ARGUMENTS...: the last one is a path; the body, a space, the status.
data() {
    local id=$1
    shift
    curl -sS --noproxy '*' --max-time 30 -w ' %{http_code}' \
        -H "E2b-Sandbox-Id: $id" -H 'E2b-Sandbox-Port: 49983' \
        -H "X-Access-Token: $(token "$id")" "${@:1:$#-1}" "$E2B_API_URL${*: -1}"
}

# assert_has TEXT PART: the part as it stands, no pattern.
assert_has() {
    [[ $1 == *"$2"* ]] || fail "expected to find: $2" "in: $1"
}

# rpc [OPTIONS] ID METHOD JSON   stream [OPTIONS] ID METHOD JSON
rpc() {
    python3 "$HELPERS/wire.py" rpc "$@"
}

stream() {
    python3 "$HELPERS/wire.py" stream "$@"
}

# start_process ID ARGV...: the envelopes of a process without stdin.
start_process() {
    python3 "$HELPERS/wire.py" start "$1" -- "${@:2}"
}

state_is() {
    [ "$(api GET "/sandboxes/$1" 2>/dev/null | jq -r .state)" = "$2" ]
}

sandbox_gone() {
    [ "$(api_status GET "/sandboxes/$1")" = 404 ]
}
