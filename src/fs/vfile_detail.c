/* SPDX-License-Identifier: MIT */
/*
 * <id>/detail.json: the API's single object of the sandbox, with what the list leaves out.  A
 * request for each, so it is not listed: nothing that walks the tree comes here.
 */
#include "fs/snapshot.h"

#include <errno.h>

static void have_sandbox(void *arg, const struct e2b_sandbox *s, const struct e2b_err *err)
{
    struct snapshot *snap = arg;

    if (err)
        snapshot_fail(snap, err);
    else if (buf_puts(&snap->out, s->json ? s->json : "null\n") < 0)
        snapshot_fail_errno(snap, EFBIG, "the sandbox's object is too large to be shown");
    else
        snapshot_finish(snap);
}

static void cancel(void *arg)
{
    e2b_call_cancel(arg);
}

void vfile_detail_fill(struct snapshot *snap)
{
    snapshot_await(snap, cancel,
                   e2b_sandbox_get(snap->client, snap->sandbox, have_sandbox, snap));
}
