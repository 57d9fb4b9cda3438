#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh BIN: times what users wait for, against the local server, at several delays.
# Prints a table; asserts nothing.
set -eu
bin=$(cd "$1" && pwd)
export PATH=$bin:$PATH
dir=$(mktemp -d)
mkdir "$dir/mnt" "$dir/run"
chmod 700 "$dir/run"
export XDG_STATE_HOME=$dir/state XDG_RUNTIME_DIR=$dir/run
server=''
end() {
    fusermount3 -uq "$dir/mnt" || fusermount3 -uqz "$dir/mnt" || true
    [ -z "$server" ] || { kill "$server"; wait "$server" || true; }
    rm -rf --one-file-system "$dir"
}
trap end EXIT

e2b-sandboxd --data "$dir/data" >"$dir/env" 2>"$dir/log" &
server=$!
until grep -q E2B_SANDBOXD_PID "$dir/env"; do
    kill -0 "$server"
    sleep 0.05
done
# shellcheck disable=SC1091
. "$dir/env"

api() {
    curl -sSf --noproxy '*' -X "$1" -H "X-API-Key: $E2B_API_KEY" -H 'Content-Type: application/json' \
        "$E2B_API_URL$2" --data-binary "$3"
}
id=$(api POST /sandboxes '{"templateID":"base","timeout":3600,"secure":true}' | jq -r .sandboxID)
e2b-inspect exec "$id" 'mkdir -p /tmp/many /tmp/deep/a/b/c/d && cd /tmp/many &&
    for n in $(seq 200); do echo $n >$n; done; head -c 104857600 /dev/urandom >/tmp/big'
fs=$dir/mnt/$id/fs

# seconds COMMAND...
seconds() {
    local start=$EPOCHREALTIME
    "$@" >/dev/null
    awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.3f", b - a }'
}

# row NAME COMMAND...: cold (a fresh mount), then warm (at once again)
row() {
    local name=$1 cold warm
    shift
    e2bfs "$dir/mnt"
    cold=$(seconds "$@")
    warm=$(seconds "$@")
    fusermount3 -u "$dir/mnt"
    printf '%8s  %-36s %9s %9s\n' "$delay" "$name" "$cold" "$warm"
}

printf '%8s  %-36s %9s %9s\n' 'delay ms' what 'cold s' 'warm s'
for delay in 0 5 50 150; do
    api PUT /_sandboxd/faults "[{\"kind\":\"delay\",\"value\":$delay}]" >/dev/null
    row 'ls -l of 200 files' ls -l "$fs/tmp/many"
    row 'stat five levels deep' stat "$fs/tmp/deep/a/b/c/d"
    row 'cat of 20 small files' bash -c 'cat "$1"/1?' - "$fs/tmp/many"
    row 'sequential read of 100 MiB' cat "$fs/tmp/big"
    row 'write of a small file' bash -c 'echo x >"$1"' - "$fs/tmp/new"
    row 'cat info.json' cat "$dir/mnt/$id/info.json"
done
api PUT /_sandboxd/faults '[]' >/dev/null
