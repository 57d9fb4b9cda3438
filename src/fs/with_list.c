/* SPDX-License-Identifier: MIT */
#include "fs/with_list.h"

#include "fs/fs.h"
#include "util/xalloc.h"

struct list_op {
    struct fsreq *req;
    struct fleet_wait *wait;
    with_list_fn *fn;
    char *name; /* owned */
    struct fuse_file_info fi;
};

static void interrupted(void *arg)
{
    struct list_op *op = arg;

    fleet_cancel(op->wait);
}

static void listed(void *arg, const struct e2b_sandbox_list *list, const struct e2b_err *err)
{
    struct list_op *op = arg;
    int64_t left_ms = 0;

    (void)list;
    if (err) {
        fsreq_reply_err(op->req, err);
    } else {
        fleet_peek(op->req->fs->fleet, &left_ms);
        op->fn(op->req, op->name, &op->fi, left_ms);
    }
    free(op->name);
    free(op);
}

void with_list(struct fsreq *req, const char *name, const struct fuse_file_info *fi,
               with_list_fn *fn)
{
    struct fuse_file_info copy = { 0 };
    struct list_op *op;
    int64_t left_ms = 0;

    if (fi)
        copy = *fi;
    if (fleet_peek(req->fs->fleet, &left_ms)) {
        fn(req, name, &copy, left_ms);
        return;
    }
    op = xcalloc(1, sizeof(*op));
    *op = (struct list_op){ .req = req, .fn = fn, .name = xstrdup(name), .fi = copy };
    op->wait = fleet_want(req->fs->fleet, listed, op);
    fsreq_on_interrupt(req, interrupted, op);
}
