/* SPDX-License-Identifier: MIT */
/*
 * .e2b/status: is everything all right?  Asks nobody: what it says is what is known.
 * "key value" lines with absolute times, so that it changes only with what it tells.
 */
#include "fs/snapshot.h"
#include "util/clock.h"
#include "util/error.h"

#include <string.h>

static void put_api(const struct fs *fs, struct buf *out)
{
    struct e2b_err err = { 0 };
    struct timespec since = { 0 };
    char time[RFC3339_MAX];
    int r = fleet_last_error(fs->fleet, &since, &err);

    if (r == 0) {
        buf_puts(out, "api ok\n");
        return;
    }
    buf_printf(out, "api %s: %s\nfailing_since %s\n", errno_name(-r), err.msg,
               rfc3339_format(since, 0, time));
    if (e2b_err_hint(&err))
        buf_printf(out, "hint %s\n", e2b_err_hint(&err));
}

static void put_sandboxes(const struct fs *fs, struct buf *out)
{
    const struct e2b_sandbox_list *list = fleet_last(fs->fleet, NULL);
    size_t paused = 0;

    if (!list)
        return;
    for (size_t i = 0; i < list->n; i++)
        paused += list->v[i].state == E2B_STATE_PAUSED;
    buf_printf(out, "sandboxes %zu\nrunning %zu\npaused %zu\n", list->n, list->n - paused,
               paused);
}

void vfile_status_fill(struct snapshot *snap)
{
    const struct fs *fs = snap->fs;
    struct spool_stats spool = { 0 };
    char time[RFC3339_MAX];

    put_api(fs, &snap->out);
    buf_printf(&snap->out, "mounted_at %s\n", rfc3339_format(fs->mounted_at, 0, time));
    put_sandboxes(fs, &snap->out);
    spool_stats(fs->spool, &spool);
    buf_printf(&snap->out, "uncommitted %zu\npending %zu\n", spool.dirty, spool.pending);
    snapshot_finish(snap);
}
