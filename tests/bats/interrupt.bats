#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bats file_tags=core,timing
# A program that waits for a stalled server can be killed and interrupted in every operation,
# and a program with an interval timer notices nothing.

load helpers

setup() {
    setup_environment
    start_server
    id=$(make_sandbox)
    # No links in here: their text is read by a process, which some faults below stall.
    sandbox_exec "$id" sh -c 'mkdir -p /tmp/w/empty /tmp/w/d && cd /tmp/w && echo x >d/x &&
        for f in read gone moved trunc mode time over append; do head -c 300000 /dev/zero >$f; done
        ln -s read link'
    w=$MNT/$id/fs/tmp/w
}

# What the server does not answer: everything of the sandbox, all but listings, or the API.
readonly listing_works='{"match":{"path":"/filesystem.Filesystem/ListDir"},"kind":"delay","value":0},
    {"match":{"path":"/filesystem.Filesystem/Stat"},"kind":"delay","value":0}'
fault_on() { # what KIND VALUE
    case $1 in
    sandbox) fault "[{\"match\":{\"plane\":\"data\"},\"kind\":\"$2\",\"value\":$3}]" ;;
    changes) fault "[$listing_works,{\"match\":{\"plane\":\"data\"},\"kind\":\"$2\",\"value\":$3}]" ;;
    api) fault "[{\"match\":{\"plane\":\"control\"},\"kind\":\"$2\",\"value\":$3}]" ;;
    esac
}

# Each operation: what is stalled, and the call.  Every one is tried on a fresh mount.
operations() {
    cat <<TABLE
sandbox stat $w/d/x
sandbox lstat $w/nothing
sandbox readdir $w/d
sandbox open $w/read
changes read $w/read
changes create $w/new text
changes write $w/over text
changes append $w/append text
changes mkdir $w/newdir
changes unlink $w/gone
changes rmdir $w/empty
changes rename $w/moved $w/moved2
changes truncate $w/trunc 10
changes chmod $w/mode 600
changes utimens $w/time 5
changes symlink $w/newlink target
sandbox readlink $w/link
api readdir $MNT
api stat $MNT/i0000000000000000000z
api read $MNT/$id/metrics
api stat $MNT/$id/metrics.json
api statfs $MNT/$id
api ctl $MNT/$id/ctl 600
TABLE
}

# The mount is cold: nothing is cached, here or in the kernel.
fresh_mount() {
    fault '[]'
    [ -z "$FS_PID" ] || unmount_fs
    mount_fs
    # What is known of the account is as old as may be: caches are dropped on SIGHUP.
    kill -HUP "$FS_PID"
}

# each SIGNAL LIMIT_MS [WRAPPER...]: all operations, and only then the verdict on all of them.
each() {
    local signal=$1 limit=$2 what op failures='' output
    shift 2
    while read -r what op; do
        fresh_mount
        # The directory itself is known, so that it is the operation that waits.
        [ "$what" != changes ] || ls "$w" >/dev/null
        fault_on "$what" stall 0
        # shellcheck disable=SC2086 # words of the table
        if ! output=$(python3 "$HELPERS/signalled.py" "$signal" "$limit" "$@" $op 2>&1); then
            failures+="$op: $output"$'\n'
        fi
        echo "$op: $output"
    done < <(operations)
    fault '[]'
    assert_equal "$failures" ''
    # And the daemon is well.
    fresh_mount
    assert_equal "$(cat "$w/d/x")" x
}

@test "kill -9 ends a program within 100 ms in every operation" {
    each KILL 100 fsop
}

@test "Ctrl-C ends a program within 100 ms in every operation" {
    each INT 100 fsop
}

@test "fsync is interrupted too, and the exit after it waits 2 s at most" {
    fresh_mount
    ls "$w" >/dev/null
    fault_on changes stall 0
    python3 "$HELPERS/signalled.py" KILL 2100 fsop fsync "$w/synced" text
}

@test "a 10 Hz interval timer disturbs nothing" {
    failures=''
    while read -r what op; do
        fresh_mount
        [ "$what" != changes ] || ls "$w" >/dev/null
        fault_on "$what" delay 350
        # shellcheck disable=SC2086
        output=$(fsop -t $op) || true
        case "$op:$output" in
        *nothing:ENOENT | *z:ENOENT | *OK) ;;
        *) failures+="$op: $output"$'\n' ;;
        esac
    done < <(operations)
    assert_equal "$failures" ''
}

@test "Python obeys Ctrl-C in the middle of stat, read and write" {
    for code in 'os.stat(p + "/d/x")' 'open(p + "/read").read()' 'open(p + "/new", "w").write("x")' \
        'os.listdir(p + "/d")' 'os.mkdir(p + "/made")'; do
        fresh_mount
        fault_on sandbox stall 0
        python3 "$HELPERS/signalled.py" INT 500 python3 -c "import os, sys; p = sys.argv[1]; $code" "$w"
    done
}

@test "an interactive bash gets its prompt back after Ctrl-C" {
    for command in "cat $w/read" "ls $w/d" "echo x >$w/new" "test -e $w/nothing"; do
        fresh_mount
        fault_on sandbox stall 0
        python3 "$HELPERS/terminal.py" 1 "$command"
    done
    fresh_mount
    fault_on api stall 0
    python3 "$HELPERS/terminal.py" 1 "echo 600 >$MNT/$id/ctl"
    # bash's own cd looks at up to three things in turn and notices a Ctrl-C only after them.
    fresh_mount
    fault_on sandbox stall 0
    python3 "$HELPERS/terminal.py" 4 "cd $w/d"
}

@test "Ctrl-C between two users of one download disturbs only the one" {
    fresh_mount
    ls "$w" >/dev/null
    fault '[{"match":{"path":"/file[s]"},"kind":"delay","value":1500}]'
    cat "$w/read" >"$T/out" &
    other=$!
    run python3 "$HELPERS/signalled.py" INT 100 cat "$w/read"
    assert_equal "$status" 0
    wait $other
    assert_equal "$(stat -c %s "$T/out")" 300000
}

@test "a stalled lookup does not block another one in its directory" {
    fresh_mount
    fault '[{"match":{"path":"/sandboxes/metrics"},"kind":"stall"}]'
    ledger_clear
    stat "$MNT/$id/metrics" >/dev/null 2>&1 &
    stalled=$!
    asked() { [ "$(ledger_count '.path | startswith("/sandboxes/metrics")')" -ge 1 ]; }
    wait_until 5 asked
    # Names that the kernel has not seen on this mount.
    faster_than 500 stat "$MNT/$id/state" "$MNT/$id/info.json" >/dev/null
    kill -0 $stalled
    fault '[]'
    wait $stalled
}

@test "a stalled listing does not block other directories" {
    other=$(make_sandbox)
    fresh_mount
    fault "[{\"match\":{\"plane\":\"data\",\"sandbox\":\"$id\"},\"kind\":\"stall\"}]"
    ls "$w" >/dev/null 2>&1 &
    stalled=$!
    faster_than 2000 ls "$MNT/$other/fs/tmp"
    faster_than 500 cat "$MNT/$id/info.json"
    kill -0 $stalled
    fault '[]'
    wait $stalled
}

@test "a request does not outlive its deadline" {
    fault '[]'
    mount_fs -o deadline=0.1
    ls "$MNT" >/dev/null
    fault_on sandbox stall 0
    faster_than 4000 errno_is ETIMEDOUT stat "$w/d/x"
    fault '[]'
    recovered() { [ "$(cat "$w/d/x" 2>/dev/null)" = x ]; }
    wait_until 10 recovered
}
