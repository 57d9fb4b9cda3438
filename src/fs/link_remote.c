/* SPDX-License-Identifier: MIT */
/* Symlinks inside a sandbox: their text, made safe. */
#include "fs/contain.h"
#include "fs/remote.h"
#include "util/xalloc.h"

#include <errno.h>
#include <string.h>

struct readlink_op {
    struct fsreq *req;
    struct e2b_call *call;
};

static void readlink_interrupted(void *arg)
{
    struct readlink_op *op = arg;

    e2b_call_cancel(op->call);
}

/*
 * A text that can't be shown is an I/O error of the link.  What is contained depends on where
 * the link is, and its directory may be moved: so it is done anew for each reply.
 */
static void show(struct fsreq *req, struct inode *i, const char *text, size_t len)
{
    autofree char *dir = remote_path(i->parent);
    autofree char *shown = contain_link(dir, text, len);
    struct e2b_err err = { 0 };

    if (!shown) {
        e2b_fail(&err, EIO, "the text of this symlink is empty or too long");
        fsreq_reply_err(req, &err);
        return;
    }
    fsreq_reply_readlink(req, shown);
}

static void keep(struct remote *r, const char *text, size_t len)
{
    free(r->link_text);
    r->link_text = xstrndup(text, len);
    r->link_version = r->entry.mtime;
}

static void have_text(void *arg, const char *text, size_t len, const struct e2b_err *err)
{
    struct readlink_op *op = arg;

    if (err) {
        fsreq_reply_err(op->req, err);
    } else {
        keep(op->req->inode->remote, text, len);
        show(op->req, op->req->inode, text, len);
    }
    free(op);
}

static void remote_readlink(struct fsreq *req, struct inode *i)
{
    struct remote *r = i->remote;
    struct readlink_op *op;
    autofree char *path = NULL;
    struct stat st;

    if (remote_peek_attr(i, &st) > 0) {
        if (r->link_text && r->link_version.tv_sec == r->entry.mtime.tv_sec &&
            r->link_version.tv_nsec == r->entry.mtime.tv_nsec) {
            show(req, i, r->link_text, strlen(r->link_text));
            return;
        }
        if (r->entry.is_rich && r->entry.link_text) { /* the listing brought it */
            show(req, i, r->entry.link_text, strlen(r->entry.link_text));
            return;
        }
    }
    op = xcalloc(1, sizeof(*op));
    op->req = req;
    path = remote_path(i);
    op->call = e2b_file_readlink(i->fs->client, i->sandbox, path, have_text, op);
    fsreq_on_interrupt(req, readlink_interrupted, op);
}

const struct node_type node_remote_link = {
    .name = "remote-link",
    .kind = S_IFLNK,
    .peek_attr = remote_peek_attr,
    .present = remote_present,
    .getattr = remote_getattr,
    .setattr = remote_setattr,
    .readlink = remote_readlink,
    .statfs = remote_statfs,
    .access = remote_access,
};
