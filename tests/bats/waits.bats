#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bats file_tags=core,timing
# Waits in which no request of one's own is out: they obey signals, too.

load helpers

setup() {
    setup_environment
    start_server
    id=$(make_sandbox)
    mount_fs -d
    fs=$MNT/$id/fs
    users=()
}

end_users() {
    fault '[]'
    [ ${#users[@]} -eq 0 ] || kill -KILL "${users[@]}" 2>/dev/null || true
}

waits_for() { # OPERATION: a request of that kind is unanswered
    : >"$T/e2bfs.log"
    kill -USR1 "$FS_PID"
    sleep 0.05
    grep -q "waiting op=$1" "$T/e2bfs.log"
}

@test "a flush that waits for somebody's commit can be killed" {
    python3 -c "
import time
f = open('$fs/tmp/f', 'w'); f.write('x'); f.flush()
open('$T/written', 'w'); time.sleep(60)" &
    users+=($!)
    wait_until 10 test -e "$T/written"
    fault '[{"match":{"plane":"data"},"kind":"stall"}]'
    python3 "$HELPERS/signalled.py" KILL $((100 * SLOW)) fsop ctl "$MNT/$id/ctl" flush
    python3 "$HELPERS/signalled.py" INT $((100 * SLOW)) fsop ctl "$MNT/$id/ctl" flush
    end_users
}

@test "an open that waits for pages of another version can be killed" {
    sandbox_exec "$id" sh -c 'head -c 300000 /dev/zero >/tmp/f'
    ls -l "$fs/tmp" >/dev/null
    fault '[{"match":{"path":"/file[s]"},"kind":"stall"}]'
    cat "$fs/tmp/f" >/dev/null &
    users+=($!)
    wait_until 10 waits_for read
    sandbox_exec "$id" sh -c 'head -c 400000 /dev/zero >/tmp/f'
    changed() { [ "$(stat -c %s "$fs/tmp/f")" = 400000 ]; }
    wait_until 10 changed
    python3 "$HELPERS/signalled.py" KILL $((100 * SLOW)) fsop open "$fs/tmp/f"
    python3 "$HELPERS/signalled.py" INT $((100 * SLOW)) fsop open "$fs/tmp/f"
    end_users
}
