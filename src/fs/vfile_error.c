/* SPDX-License-Identifier: MIT */
/* <id>/error and .e2b/error: the last failures, newest first. */
#include "fs/snapshot.h"

void vfile_error_fill(struct snapshot *snap)
{
    errlog_render(&snap->fs->errlog, snap->sandbox, &snap->out);
    snapshot_finish(snap);
}
