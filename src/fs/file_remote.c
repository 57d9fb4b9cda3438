/* SPDX-License-Identifier: MIT */
/* Regular files inside a sandbox: open, read, write, flush, release. */
#include "fs/caller.h"
#include "fs/notify.h"
#include "fs/permit.h"
#include "fs/remote.h"
#include "util/xalloc.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_FLUSH_MS = 2000 };

static bool is_writable(const struct handle *h)
{
    return (h->flags & O_ACCMODE) != O_RDONLY;
}

/* --- open: (attributes known) -> (permitted) -> (stale pages dropped) -> reply
 * -----------------------------
 */

struct open_op {
    struct fsreq *req; /* NULL: it left while pages were dropped */
    struct fuse_file_info fi;
    struct e2b_call *call;
    struct permit *permit; /* while it is asked for */
};

static void open_interrupted(void *arg)
{
    struct open_op *op = arg;

    if (op->permit)
        permit_cancel(op->permit);
    else
        e2b_call_cancel(op->call);
}

static void open_finish(void *arg)
{
    struct open_op *op = arg;
    struct inode *i;
    struct remote *r;
    struct e2b_err err = { 0 };
    struct handle *h;

    if (!op->req) {
        free(op);
        return;
    }
    i = op->req->inode;
    r = i->remote;
    if (!r->blocks) {
        autofree char *path = remote_path(i);

        r->blocks = blocks_open(i->fs->blocks, i->sandbox, path, r->entry.size, r->entry.mtime);
    }
    if ((op->fi.flags & O_TRUNC) && remote_spool(i, true, &err) < 0) {
        fsreq_reply_err(op->req, &err);
        free(op);
        return;
    }
    h = handle_new(i, &op->fi);
    r->opens++;
    r->has_pages = true;
    if (is_writable(h))
        r->writers++;
    if (r->spool)
        h->failures_seen = spool_failures(r->spool, NULL);
    op->fi.keep_cache = 1; /* we say when pages are stale; else open would wait for readers */
    op->fi.noflush = !is_writable(h);
    handle_reply_open(op->req, h, &op->fi);
    free(op);
}

/* The kernel drops pages when whoever reads them has them: that can't be cancelled. */
static void open_left(void *arg)
{
    struct open_op *op = arg;

    fsreq_reply_errno(op->req, EINTR);
    op->req = NULL;
}

static void open_permitted(void *arg, const struct e2b_err *err)
{
    struct open_op *op = arg;
    struct inode *i = op->req->inode;

    op->permit = NULL;
    if (err) {
        fsreq_reply_err(op->req, err);
        free(op);
        return;
    }
    /* Notifications run in order: when this one is over, so are those under way. */
    if (i->remote->notices > 0) {
        fsreq_on_interrupt(op->req, open_left, op);
        notify_inode(i->fs, i, true, open_finish, op);
        return;
    }
    fsreq_on_interrupt(op->req, NULL, NULL);
    open_finish(op);
}

static int wanted_by(int flags)
{
    int mode = flags & O_ACCMODE;

    return (mode == O_WRONLY ? 0 : R_OK) | (mode == O_RDONLY && !(flags & O_TRUNC) ? 0 : W_OK);
}

static void open_known(void *arg, const struct e2b_err *err)
{
    struct open_op *op = arg;
    struct permit_step step = { .inode = op->req->inode, .want = wanted_by(op->fi.flags) };

    op->call = NULL;
    if (err || permit_known(&step, 1)) {
        open_permitted(op, err);
        return;
    }
    op->permit = permit_want(&step, 1, open_permitted, op);
    fsreq_on_interrupt(op->req, open_interrupted, op);
}

static void file_open(struct fsreq *req, struct inode *i, struct fuse_file_info *fi)
{
    bool for_writing = (fi->flags & O_ACCMODE) != O_RDONLY || (fi->flags & O_TRUNC);
    struct open_op *op;
    struct e2b_call *call;

    if (for_writing && remote_refuses(i->fs)) {
        fsreq_reply_errno(req, remote_refuses(i->fs));
        return;
    }
    op = xcalloc(1, sizeof(*op));
    op->req = req;
    op->fi = *fi;
    call = remote_refresh(i, open_known, op); /* NULL: op is over */
    if (!call)
        return;
    op->call = call;
    fsreq_on_interrupt(req, open_interrupted, op);
}

/* --- read ------------------------------------------------------------------------------------
 */

/*
 * READ: blocks_peek -> reply, or (blocks arrive) -> read_ready -> reply.  While the file is
 * being written its bytes come in pieces from the spool and from the old version; then they are
 * gathered in `buf`.
 *
 * A file that changed since it was listed is asked about again and read as it is now, if that
 * mixes nothing: if this open has served no byte yet, or only bytes before this read, as
 * `tail -f` of a growing log has.  Else the reader gets ESTALE.
 */
enum { READ_RETRIES = 3 };

struct read_op {
    struct fsreq *req;
    struct handle *handle; /* borrowed: no RELEASE while a READ is out */
    struct inode *inode;   /* borrowed: the request holds it */
    struct blocks_wait *wait;
    struct e2b_call *call; /* asking about a file that changed */
    int retries;
    off_t off;
    size_t len, done;
    char *buf; /* owned; NULL: straight from the blocks */
};

static void read_interrupted(void *arg)
{
    struct read_op *op = arg;

    if (op->call)
        e2b_call_cancel(op->call);
    else
        blocks_cancel(op->wait);
}

static void read_free(struct read_op *op)
{
    free(op->buf);
    free(op);
}

static void read_next(struct read_op *op);

static void read_as_it_is_now(void *arg, const struct e2b_err *err)
{
    struct read_op *op = arg;

    op->call = NULL;
    if (err) {
        fsreq_reply_err(op->req, err);
        read_free(op);
        return;
    }
    read_next(op);
}

static void read_fail(struct read_op *op, const struct e2b_err *err)
{
    struct inode *i = op->inode;
    autofree char *dir = i->is_detached ? NULL : remote_path(i->parent);

    if (err->errnum == ESTALE || err->errnum == ENOENT) {
        /* It changed under us: what is known of it is not true any more. */
        i->remote->known_until_ms = 0;
        if (dir)
            dirs_invalidate(i->fs->dirs, i->sandbox, dir);
    }
    if (err->errnum == ESTALE && dir && !i->remote->spool && op->retries < READ_RETRIES &&
        op->handle->served_size <= op->off) {
        op->retries++;
        op->call = remote_refresh(i, read_as_it_is_now, op);
        return;
    }
    fsreq_reply_err(op->req, err);
    read_free(op);
}

static void read_ready(void *arg, const struct e2b_err *err)
{
    struct read_op *op = arg;

    if (err)
        read_fail(op, err);
    else
        read_next(op);
}

static void read_wait(struct read_op *op, off_t off, size_t len)
{
    op->wait = blocks_want(op->inode->remote->blocks, off, len, read_ready, op);
    fsreq_on_interrupt(op->req, read_interrupted, op);
}

/* Copies from the old version; false: it has to be waited for. */
static bool copy_base(struct read_op *op, off_t off, size_t len)
{
    struct iovec iov[BLOCKS_IOV];
    int n = blocks_peek(op->inode->remote->blocks, off, len, iov);
    size_t copied = 0;

    if (n < 0)
        return false;
    for (int k = 0; k < n; k++) {
        memcpy(op->buf + op->done + copied, iov[k].iov_base, iov[k].iov_len);
        copied += iov[k].iov_len;
    }
    memset(op->buf + op->done + copied, 0, len - copied); /* it was shorter than we were told */
    return true;
}

static void read_fail_local(struct read_op *op, int errnum)
{
    struct e2b_err err = { 0 };

    e2b_fail(&err, errnum, "reading what was written, in the spool: %s", strerror(errnum));
    fsreq_reply_err(op->req, &err);
    read_free(op);
}

static void read_next(struct read_op *op)
{
    struct remote *r = op->inode->remote;
    struct iovec iov[BLOCKS_IOV];

    if (!op->buf) {
        int n = blocks_peek(r->blocks, op->off, op->len, iov);

        if (n < 0) {
            read_wait(op, op->off, op->len);
            return;
        }
        op->handle->served_size = r->entry.size;
        fsreq_reply_iov(op->req, iov, n);
        read_free(op);
        return;
    }
    while (op->done < op->len) {
        off_t off = op->off + (off_t)op->done;
        size_t len = op->len - op->done;
        enum spool_where where = r->spool ? spool_map(r->spool, off, &len) : SPOOL_BASE;
        ssize_t n;

        if (where == SPOOL_END)
            break;
        if (where == SPOOL_HOLE) {
            memset(op->buf + op->done, 0, len);
        } else if (where == SPOOL_LOCAL) {
            n = pread(spool_fd(r->spool), op->buf + op->done, len, off);
            if (n < 0) {
                read_fail_local(op, errno);
                return;
            }
            memset(op->buf + op->done + n, 0, len - (size_t)n);
        } else if (!copy_base(op, off, len)) {
            read_wait(op, off, len);
            return;
        }
        op->done += len;
    }
    fsreq_reply_buf(op->req, op->buf, op->done);
    read_free(op);
}

static void file_read(struct fsreq *req, struct handle *h, size_t size, off_t off)
{
    struct remote *r = h->inode->remote;
    struct iovec iov[BLOCKS_IOV];
    struct read_op *op;
    int n;

    if (!r->spool) {
        n = blocks_peek(r->blocks, off, size, iov);
        if (n >= 0) {
            h->served_size = r->entry.size;
            fsreq_reply_iov(req, iov, n);
            return;
        }
    }
    op = xcalloc(1, sizeof(*op));
    *op =
        (struct read_op){ .req = req, .handle = h, .inode = h->inode, .off = off, .len = size };
    if (r->spool)
        op->buf = xmalloc(size);
    read_next(op);
}

/* --- write, flush, fsync ----------------------------------------------------------------- */

static void file_write(struct fsreq *req, struct handle *h, const char *data, size_t size,
                       off_t off)
{
    struct inode *i = h->inode;
    struct e2b_err err = { 0 };

    if (remote_spool(i, false, &err) < 0 ||
        spool_write(i->remote->spool, data, size, off, h->flags & O_APPEND, &err) < 0) {
        fsreq_reply_err(req, &err);
        return;
    }
    i->remote->is_written = true;
    fsreq_reply_write(req, size);
}

struct flush_op {
    struct fsreq *req;
    struct handle *handle; /* borrowed: no RELEASE while a FLUSH or FSYNC is out */
    struct remote_commit *commit;
    struct loop_timer exit_timer;
};

static void flush_free(struct flush_op *op)
{
    loop_timer_stop(op->req->fs->loop, &op->exit_timer);
    free(op);
}

static void flush_leave(struct flush_op *op, int errnum)
{
    struct fsreq *req = op->req;

    remote_commit_forget(op->commit); /* it goes on; failures land in pending/ */
    flush_free(op);
    fsreq_reply_errno(req, errnum);
}

static void flush_interrupted(void *arg)
{
    flush_leave(arg, EINTR);
}

static void flush_for_exit(void *arg)
{
    flush_leave(arg, 0);
}

static void flush_committed(void *arg, const struct e2b_err *err)
{
    struct flush_op *op = arg;
    struct fsreq *req = op->req;

    if (op->handle->inode->remote->spool)
        op->handle->failures_seen = spool_failures(op->handle->inode->remote->spool, NULL);
    flush_free(op);
    if (err)
        fsreq_reply_err(req, err);
    else
        fsreq_reply_errno(req, 0);
}

static void commit_and_reply(struct fsreq *req, struct handle *h)
{
    struct remote *r = h->inode->remote;
    struct flush_op *op;
    struct e2b_err last = { 0 };
    uint32_t failures;

    if (!is_writable(h) || !r->spool) {
        fsreq_reply_errno(req, 0);
        return;
    }
    failures = spool_failures(r->spool, &last);
    if (!spool_is_dirty(r->spool) && r->commits == 0) {
        bool is_news = failures > h->failures_seen;

        h->failures_seen = failures;
        if (is_news)
            fsreq_reply_err(req, &last);
        else
            fsreq_reply_errno(req, 0);
        return;
    }
    op = xcalloc(1, sizeof(*op));
    op->req = req;
    op->handle = h;
    op->commit = remote_commit(h->inode, flush_committed, op);
    fsreq_on_interrupt(req, flush_interrupted, op);
    if (caller_is_exiting(req->pid))
        loop_timer_start(req->fs->loop, &op->exit_timer, EXIT_FLUSH_MS, flush_for_exit, op);
}

/*
 * A shell's `> file` closes a duplicate of the descriptor before it writes anything: the file
 * made or emptied by open is then not committed yet, since another FLUSH is sure to come.
 */
static bool is_dup_close(const struct fsreq *req, const struct handle *h)
{
    autofree char *inside = NULL, *path = NULL;

    if (h->inode->remote->is_written || h->inode->is_detached)
        return false;
    inside = inode_path(h->inode);
    path = xasprintf("%s/%s", req->fs->options->mountpoint, inside);
    return caller_has_open(req->pid, path);
}

static void file_flush(struct fsreq *req, struct handle *h)
{
    if (is_writable(h) && h->inode->remote->spool && is_dup_close(req, h))
        fsreq_reply_errno(req, 0);
    else
        commit_and_reply(req, h);
}

static void file_fsync(struct fsreq *req, struct handle *h, bool data_only)
{
    (void)data_only;
    commit_and_reply(req, h);
}

static void file_release(struct handle *h)
{
    struct inode *i = h->inode;
    struct remote *r = i->remote;
    bool has_failed;

    r->opens--;
    if (is_writable(h))
        r->writers--;
    if (!r->spool || r->writers > 0)
        return;
    /* Mapped pages may have come after the last FLUSH.  What failed and was reported is not
     * tried again: it becomes a pending entry. */
    has_failed = spool_failures(r->spool, NULL) > 0 && r->commits == 0;
    if (spool_is_dirty(r->spool) && !has_failed && r->commits == 0)
        remote_commit(i, NULL, NULL);
    remote_settle(i);
}

const struct node_type node_remote_file = {
    .name = "remote-file",
    .kind = S_IFREG,
    .peek_attr = remote_peek_attr,
    .present = remote_present,
    .getattr = remote_getattr,
    .setattr = remote_setattr,
    .open = file_open,
    .read = file_read,
    .write = file_write,
    .flush = file_flush,
    .fsync = file_fsync,
    .release = file_release,
    .statfs = remote_statfs,
    .access = remote_access,
};
