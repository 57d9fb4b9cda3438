/* SPDX-License-Identifier: MIT */
/* <id>/info.json: the object of the API's list, as it came. */
#include "fs/snapshot.h"

#include <errno.h>
#include <string.h>

void vfile_info_fill(struct snapshot *snap)
{
    const struct e2b_sandbox *s = fleet_find(snap->fs->fleet, snap->sandbox);

    if (!s) {
        snapshot_fail_errno(snap, ENOENT, "no such sandbox any more");
        return;
    }
    if (buf_puts(&snap->out, s->json ? s->json : "null\n") < 0) {
        snapshot_fail_errno(snap, EFBIG, "the sandbox's object is too large to be shown");
        return;
    }
    snapshot_finish(snap);
}

struct timespec vfile_info_mtime(const struct inode *i)
{
    return fleet_sandbox_changed_at(i->fs->fleet, i->sandbox);
}
