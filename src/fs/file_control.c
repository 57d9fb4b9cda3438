/* SPDX-License-Identifier: MIT */
/*
 * ctl: one write(2) is one batch of lines, carried out inside that write, because shells
 * ignore what close() says.  Offsets, truncation, times and modes are nothing to it, so that
 * `>`,
 * `>>`, touch and vim are harmless.
 *
 * If line k fails, the write returns the bytes before it; the caller's retry, which starts with
 * that line, gets the error without running it a second time.
 */
#include "fs/control_run.h"
#include "fs/file_snapshot.h"
#include "fs/snapshot.h"
#include "util/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* What a handle remembers of a batch that was cut short. */
struct control_state {
    struct buf rest; /* the lines that were not carried out, the failed one first */
    struct e2b_err err;
};

struct batch {
    struct fsreq *req;
    struct handle *handle; /* borrowed: no RELEASE while a WRITE is out */
    char *text;            /* owned */
    size_t len, done;      /* bytes; `done` is what was carried out */
    size_t line_len;
    struct control_job *job;
};

static void batch_free(struct batch *b)
{
    free(b->text);
    free(b);
}

static void batch_fail(struct batch *b, const struct e2b_err *err)
{
    struct control_state *state = b->handle->state;
    struct fsreq *req = b->req;

    if (b->done == 0) {
        fsreq_reply_err(req, err);
    } else {
        autofree char *path = inode_path(req->inode);

        buf_reset(&state->rest);
        buf_append(&state->rest, b->text + b->done, b->len - b->done);
        state->err = *err;
        errlog_add(&req->fs->errlog, req->inode->sandbox, "ctl", path, err);
        fsreq_reply_write(req, b->done);
    }
    batch_free(b);
}

static void batch_next(struct batch *b);

static void line_done(void *arg, const struct e2b_err *err)
{
    struct batch *b = arg;

    b->job = NULL;
    snapshot_expire(b->req->inode);
    if (err) {
        batch_fail(b, err);
        return;
    }
    b->done += b->line_len;
    batch_next(b);
}

static void batch_interrupted(void *arg)
{
    struct batch *b = arg;

    if (b->job)
        control_cancel(b->job);
}

static void batch_next(struct batch *b)
{
    const char *sandbox = b->req->inode->sandbox;
    enum ctl_place place = sandbox ? CTL_SANDBOX : CTL_ACCOUNT;
    struct ctl_line line = { 0 };
    struct e2b_err err = { 0 };
    int n;

    if (b->done == b->len) {
        fsreq_reply_write(b->req, b->len);
        batch_free(b);
        return;
    }
    n = ctl_parse(place, b->text + b->done, b->len - b->done, &line, &err);
    if (n < 0) {
        batch_fail(b, &err);
        return;
    }
    b->line_len = (size_t)n;
    b->job = control_run(b->req->fs, sandbox, &line, line_done, b);
    ctl_line_clear(&line);
}

static void control_write(struct fsreq *req, struct handle *h, const char *data, size_t size,
                          off_t off)
{
    struct control_state *state;
    struct e2b_err err = { 0 };
    struct batch *b;

    (void)off;
    if (!h->state)
        h->state = xcalloc(1, sizeof(struct control_state));
    state = h->state;
    if (size > CTL_MAX) {
        e2b_fail(&err, EMSGSIZE, "a batch of ctl lines is at most %d bytes", CTL_MAX);
        fsreq_reply_err(req, &err);
        return;
    }
    if (state->rest.len > 0) {
        bool is_retry = state->rest.len == size && memcmp(state->rest.data, data, size) == 0;
        int errnum = state->err.errnum;

        buf_clear(&state->rest);
        if (is_retry) {
            fsreq_reply_errno(req, errnum); /* it is in `error` already */
            return;
        }
    }
    b = xcalloc(1, sizeof(*b));
    *b = (struct batch){ .req = req, .handle = h, .text = xmemdup(data, size), .len = size };
    fsreq_on_interrupt(req, batch_interrupted, b);
    batch_next(b);
}

static void control_open(struct fsreq *req, struct inode *i, struct fuse_file_info *fi)
{
    if ((fi->flags & O_ACCMODE) != O_RDONLY && i->fs->options->ro)
        fsreq_reply_errno(req, EROFS);
    else
        snapshot_open(req, i, fi); /* never asks the network */
}

static void control_setattr(struct fsreq *req, struct inode *i, struct handle *h,
                            const struct stat *st, int to_set)
{
    (void)st;
    (void)to_set;
    if (i->fs->options->ro)
        fsreq_reply_errno(req, EROFS);
    else
        snapshot_getattr(req, i, h);
}

static void control_release(struct handle *h)
{
    struct control_state *state = h->state;

    if (state)
        buf_clear(&state->rest);
    free(state);
}

const struct node_type node_control = {
    .name = "control",
    .kind = S_IFREG,
    .peek_attr = snapshot_peek_attr,
    .present = snapshot_present,
    .getattr = snapshot_getattr,
    .setattr = control_setattr,
    .open = control_open,
    .read = snapshot_read,
    .write = control_write,
    .release = control_release,
};
