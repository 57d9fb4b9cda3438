#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bats file_tags=core
# ctl: verbs are written, and work or fail inside write().

load helpers

setup() {
    setup_environment
    start_server
    id=$(make_sandbox)
    mount_fs
    ctl=$MNT/$id/ctl
}

# Nothing was sent that changes anything since the last ledger_clear.
assert_nothing_sent() {
    assert_equal "$(ledger_count '.method != "GET"')" 0
}

@test "echo kill ends the sandbox, and its directory is gone at the next look" {
    echo kill >"$ctl"
    errno_is ENOENT stat "$MNT/$id"
    assert_equal "$(ls "$MNT")" ""
    run ! api GET "/sandboxes/$id"
}

@test "kill ends a paused sandbox too, without waking it" {
    pause_sandbox "$id"
    wait_until 5 grep -qx paused "$MNT/$id/state"
    ledger_clear
    echo kill >"$ctl"
    run ! api GET "/sandboxes/$id"
    assert_no_data_plane "$id"
}

@test "a number is seconds from now" {
    echo 1200 >"$ctl"
    assert_between "$(seconds_left "$id")" 1190 1200
    echo 60 >"$ctl"
    assert_between "$(seconds_left "$id")" 50 60
}

@test "durations have units, and timeout is the long form" {
    echo 20m >"$ctl"
    assert_between "$(seconds_left "$id")" 1190 1200
    echo timeout 90s >>"$ctl"
    assert_between "$(seconds_left "$id")" 80 90
    printf 'timeout 1h' >"$ctl"
    assert_between "$(seconds_left "$id")" 3590 3600
}

@test "extend lengthens what remains" {
    echo 300 >"$ctl"
    echo 'extend 10m' >"$ctl"
    assert_between "$(seconds_left "$id")" 885 900
}

@test "the new end shows in info.json at once" {
    before=$(jq -r .endAt "$MNT/$id/info.json")
    echo 1h >"$ctl"
    [ "$(jq -r .endAt "$MNT/$id/info.json")" != "$before" ]
}

@test "bad verbs and durations are EINVAL, and nothing is sent" {
    ledger_clear
    for line in kil KILL 'kill now' 0 00 -1 +5 1.5 5x 's' 'timeout' 'timeout 0' 'timeout 5 6' \
        'extend' 'extend 0' 'extend x' 99999999999999999999 'refresh x' 'rm -rf /'; do
        errno_is EINVAL ctl "$ctl" "$line"
    done
    assert_nothing_sent
    assert_equal "$(cat "$MNT/$id/state")" running
}

@test "a bad verb fails in bash and in dash alike" {
    for shell in bash dash; do
        run $shell -c "echo kil >'$ctl'"
        [ "$status" -ne 0 ]
        # dash knows no better words than "I/O error".
        [ $shell = dash ] || assert_match "$output" 'Invalid argument'
        run $shell -c "echo kil >>'$ctl'"
        [ "$status" -ne 0 ]
        run $shell -c "printf nonsense >'$ctl'"
        [ "$status" -ne 0 ]
    done
}

@test "comments and empty lines do nothing" {
    ledger_clear
    printf '# kill\n\n#\n\n' >"$ctl"
    assert_nothing_sent
}

@test "a copy of ctl written back is harmless" {
    ledger_clear
    cat "$ctl" >"$T/copy"
    [ -s "$T/copy" ]
    run ! grep -v '^#' "$T/copy"
    cp "$T/copy" "$ctl"
    cat "$T/copy" >"$ctl"
    assert_nothing_sent
}

@test "a batch runs in order, and stops at the line that fails" {
    errno_is EINVAL ctl "$ctl" $'nonsense\n1200'
    left=$(seconds_left "$id")
    [ "$left" -le 600 ]
    printf '300\nextend 300\n' >"$T/batch"
    dd if="$T/batch" of="$ctl" bs=4095 conv=notrunc status=none
    assert_between "$(seconds_left "$id")" 590 600
    # The write returns what was done: the bytes before the bad line.
    run fsop ctl "$ctl" $'1200\nnonsense'
    assert_equal "$output" "5 EIO"
    left=$(seconds_left "$id")
    [ "$left" -ge 1190 ]
}

@test "a shell that retries a short write gets the error, and nothing runs twice" {
    echo 300 >"$ctl"
    ledger_clear
    run dash -c "printf 'extend 100\nnonsense\n' >'$ctl'"
    [ "$status" -ne 0 ]
    assert_equal "$(ledger_count '.path | endswith("/timeout")')" 1
}

@test "more than 4095 bytes are EMSGSIZE" {
    ledger_clear
    long="#$(printf 'x%.0s' {1..4094})"
    errno_is OK ctl "$ctl" "$long"
    errno_is EMSGSIZE ctl "$ctl" "${long}x"
    assert_nothing_sent
}

@test "touch, truncate and an open without a write do nothing" {
    ledger_clear
    touch "$ctl"
    truncate -s 0 "$ctl"
    : >"$ctl"
    : >>"$ctl"
    assert_nothing_sent
    grep -q '^#' "$ctl"
}

@test "sed -i and mv onto ctl fail" {
    run sed -i s/a/b/ "$ctl"
    [ "$status" -ne 0 ]
    echo kill >"$T/file"
    run mv "$T/file" "$ctl"
    [ "$status" -ne 0 ]
    assert_equal "$(cat "$MNT/$id/state")" running
}

@test "python and tee can write it, and see errors" {
    write() { python3 -c 'import sys
with open(sys.argv[1], "w") as f: f.write(sys.argv[2])' "$ctl" "$1"; }
    write 900
    [ "$(seconds_left "$id")" -ge 890 ]
    run write nope
    [ "$status" -ne 0 ]
    echo 1200 | tee "$ctl" >/dev/null
    [ "$(seconds_left "$id")" -ge 1190 ]
    run tee "$ctl" <<<nope
    [ "$status" -ne 0 ]
}

@test "refresh looks again at once" {
    ls "$MNT/$id/fs/tmp" >/dev/null
    ledger_clear
    echo refresh >"$ctl"
    ls "$MNT/$id/fs/tmp" >/dev/null
    [ "$(ledger_count '.plane == "data"')" -ge 1 ]
}

@test "the failures of ctl are told in error, with the reason" {
    run fsop ctl "$ctl" nonsense
    assert_match "$(cat "$MNT/$id/error")" 'ctl.*EINVAL.*nonsense'
    assert_equal "$(stat -c %s "$MNT/$id/error")" "$(cat "$MNT/$id/error" | wc -c)"
}

@test "error keeps the last sixteen failures" {
    for n in {1..20}; do
        run fsop ctl "$ctl" "bad$n"
    done
    assert_equal "$(wc -l <"$MNT/$id/error")" 16
    grep -q bad20 "$MNT/$id/error"
    run ! grep -qw bad4 "$MNT/$id/error"
}

@test "-o nokill refuses kill" {
    unmount_fs
    mount_fs -o nokill
    errno_is EPERM ctl "$ctl" kill
    assert_equal "$(cat "$MNT/$id/state")" running
}

@test "a batch after kill stops with ENOENT or ESTALE" {
    run fsop ctl "$ctl" $'kill\n60'
    assert_equal "$output" "5 EIO"
    run ! api GET "/sandboxes/$id"
}

@test "pause stops a sandbox and resume continues it, both idempotent" {
    echo kept >"$MNT/$id/fs/tmp/f"
    echo pause >"$ctl"
    assert_equal "$(cat "$MNT/$id/state")" paused
    assert_equal "$(api GET "/sandboxes/$id" | jq -r .state)" paused
    echo pause >"$ctl"
    ledger_clear
    run cat "$MNT/$id/fs/tmp/f"
    [ "$status" -ne 0 ]
    assert_match "$output" 'Host is down'
    assert_no_data_plane "$id"
    assert_match "$(head -n 1 "$MNT/$id/error")" "try: echo 'resume 10m' > ctl"
    echo 'resume 10m' >"$ctl"
    assert_equal "$(cat "$MNT/$id/state")" running
    assert_equal "$(cat "$MNT/$id/fs/tmp/f")" kept
    [ "$(seconds_left "$id")" -gt 590 ]
    [ "$(seconds_left "$id")" -le 601 ]
    grep -q '^# resumed until .*Z, then killed$' "$ctl"
    # A running one is prolonged, not shortened; without a duration 300 s are asked for.
    echo resume >"$ctl"
    [ "$(seconds_left "$id")" -gt 580 ]
    assert_equal "$(ledger_count '.method == "POST" and (.path | endswith("/connect"))')" 2
}

# --- .e2b/ctl ------------------------------------------------------------------------------------

@test "kill-all ends the running ones if they are as many as told, and spares paused ones" {
    other=$(make_sandbox)
    paused=$(make_sandbox)
    pause_sandbox "$paused"
    all=$MNT/.e2b/ctl
    ledger_clear
    for n in 1 3 4; do
        errno_is ERANGE ctl "$all" "kill-all $n"
    done
    assert_nothing_sent
    assert_match "$(head -n 1 "$MNT/.e2b/error")" 'ERANGE: 2 running sandboxes are shown here, not 4'
    echo 'kill-all 2' >"$all"
    assert_equal "$(ls "$MNT")" "$paused"
    assert_equal "$(api GET /v2/sandboxes | jq -r '.[].sandboxID')" "$paused"
    assert_equal "$(ledger_count '.method == "DELETE"')" 2
    assert_no_data_plane "$paused"
    grep -qx '# kill-all: 2 ended' "$all"
    errno_is ERANGE ctl "$all" 'kill-all 2'
    errno_is ENOENT stat "$MNT/$other"
}

# One that came since the last look would be ended unseen.
@test "kill-all counts anew, not what was listed last" {
    ls "$MNT" >/dev/null
    late=$(make_sandbox)
    errno_is ERANGE ctl "$MNT/.e2b/ctl" 'kill-all 1'
    assert_equal "$(api GET "/sandboxes/$late" | jq -r .state)" running
    fault '[{"match":{"path":"/v2/sandboxes"},"kind":"status","value":400}]'
    run fsop ctl "$MNT/.e2b/ctl" 'kill-all 2'
    [ "$output" != OK ]
    fault '[]'
    assert_equal "$(api GET "/sandboxes/$late" | jq -r .state)" running
}

@test "kill-all ends only what the mount shows" {
    shown=$(make_sandbox '{"metadata":{"app":"x"}}')
    unmount_fs
    mount_fs -o only="$shown"
    errno_is ERANGE ctl "$MNT/.e2b/ctl" 'kill-all 2'
    echo 'kill-all 1' >"$MNT/.e2b/ctl"
    assert_equal "$(api GET /v2/sandboxes | jq -r '.[].sandboxID')" "$id"
}

@test "what stops kill-all is told, with how far it came" {
    make_sandbox >/dev/null
    fault '[{"match":{"method":"DELETE"},"kind":"status","value":403}]'
    errno_is EACCES ctl "$MNT/.e2b/ctl" 'kill-all 2'
    fault '[]'
    assert_equal "$(api GET /v2/sandboxes | jq length)" 2
    echo 'kill-all 2' >"$MNT/.e2b/ctl"
    assert_equal "$(api GET /v2/sandboxes | jq length)" 0
}

@test "-o nokill refuses kill-all, -o ro everything" {
    unmount_fs
    mount_fs -o nokill
    errno_is EPERM ctl "$MNT/.e2b/ctl" 'kill-all 1'
    run ! grep -q kill "$MNT/.e2b/ctl"
    unmount_fs
    mount_fs -o ro
    errno_is EROFS ctl "$MNT/.e2b/ctl" refresh
    assert_equal "$(api GET "/sandboxes/$id" | jq -r .state)" running
}

@test "the account's ctl reads back harmless help, and has its own verbs only" {
    all=$MNT/.e2b/ctl
    ledger_clear
    run ! grep -v '^#' "$all"
    for verb in kill-all refresh flush drop; do
        grep -q "^#   $verb " "$all"
    done
    assert_equal "$(stat -c '%a %s' "$all")" "600 $(wc -c <"$all")"
    cat "$all" >"$T/copy"
    cat "$T/copy" >"$all"
    for line in kill pause 600 'timeout 60' 'kill-all' 'kill-all 0' 'kill-all x' 'drop' 'drop 0'; do
        errno_is EINVAL ctl "$all" "$line"
    done
    errno_is EINVAL ctl "$ctl" 'kill-all 1'
    assert_nothing_sent
    # The notes of a sandbox are its own.
    echo resume >"$ctl"
    run ! grep -q resumed "$all"
}

@test "refresh and flush of the account" {
    ls "$MNT/$id/fs/tmp" >/dev/null
    ledger_clear
    echo refresh >"$MNT/.e2b/ctl"
    ls "$MNT/$id/fs/tmp" >/dev/null
    [ "$(ledger_count '.plane == "data"')" -ge 1 ]
    exec 8>"$MNT/$id/fs/tmp/open"
    echo text >&8
    echo flush >"$MNT/.e2b/ctl"
    assert_equal "$(sandbox_get "$id" /tmp/open)" text
    exec 8>&-
}

@test "drop deletes one entry of pending for good" {
    pending=$MNT/.e2b/pending
    fault '[{"match":{"path":"/file[s]","method":"POST"},"kind":"status","value":507}]'
    errno_is ENOSPC write "$MNT/$id/fs/tmp/one" one
    errno_is ENOSPC write "$MNT/$id/fs/tmp/two" two
    fault '[]'
    two() { [ "$(ls "$pending" | wc -l)" -eq 3 ]; }
    wait_until 5 two
    number=$(awk '/tmp\/one/ { print $1 }' "$pending/index")
    echo "drop $number" >"$MNT/.e2b/ctl"
    errno_is ENOENT ctl "$MNT/.e2b/ctl" "drop $number"
    assert_equal "$(ls "$pending" | sed 's/^[0-9]*-//' | xargs)" 'two index'
    assert_equal "$(cat "$pending"/*-two)" two
}
