/* SPDX-License-Identifier: MIT */
/* <id>/state: running or paused, as last listed. */
#include "fs/snapshot.h"

#include <errno.h>

void vfile_state_fill(struct snapshot *snap)
{
    const struct e2b_sandbox *s = fleet_find(snap->fs->fleet, snap->sandbox);

    if (!s) {
        snapshot_fail_errno(snap, ENOENT, "no such sandbox any more");
        return;
    }
    buf_printf(&snap->out, "%s\n", e2b_state_name(s->state));
    snapshot_finish(snap);
}
