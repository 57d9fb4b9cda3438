/* SPDX-License-Identifier: MIT */
#include "fs/req.h"

#include "fs/caller.h"
#include "fs/fs.h"
#include "fs/node.h"
#include "util/error.h"
#include "util/log.h"
#include "util/xalloc.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { CHECK_MS = 50, AGAIN_MS = 100 };

struct fsreq *fsreq_new(struct fs *fs, fuse_req_t fuse, const char *op, struct inode *inode,
                        const char *name)
{
    static uint64_t last_id;
    struct fsreq *req = xcalloc(1, sizeof(*req));

    req->fs = fs;
    req->fuse = fuse;
    req->op = op;
    req->what = xstrdup(name);
    req->inode = inode;
    req->id = ++last_id;
    req->started_ms = loop_now_ms(fs->loop);
    req->pid = fuse_req_ctx(fuse)->pid;
    if (inode)
        inode_hold(inode);
    TAILQ_INSERT_TAIL(&fs->requests, req, link);
    fs->counters.requests++;
    return req;
}

/* Everything but the reply itself; frees req. */
static void fsreq_end(struct fsreq *req, int errnum)
{
    struct fs *fs = req->fs;

    if (log_enabled(LOG_LEVEL_DEBUG)) {
        autofree char *path = req->inode ? inode_path(req->inode) : NULL;

        log_debug("fuse", "%s id=%" PRIu64 " path=%s%s%s pid=%d result=%s ms=%" PRId64, req->op,
                  req->id, path ? path : "", req->what ? "/" : "", req->what ? req->what : "",
                  (int)req->pid, errnum ? errno_name(errnum) : "ok",
                  loop_now_ms(fs->loop) - req->started_ms);
    }
    if (errnum)
        fs->counters.errors++;
    loop_timer_stop(fs->loop, &req->check);
    TAILQ_REMOVE(&fs->requests, req, link);
    if (req->inode)
        inode_release(req->inode);
    free(req->what);
    free(req);
}

static void end_wait(void *arg)
{
    struct fsreq *req = arg;

    if (!req->on_interrupt)
        return;
    req->on_interrupt(req->interrupt_arg);
}

static void check_caller(void *arg)
{
    struct fsreq *req = arg;
    struct fs *fs = req->fs;

    /* Until the request ends: between two steps there may be nobody to ask, and a step that had
     * its result already is followed by the next one. */
    loop_timer_start(fs->loop, &req->check, CHECK_MS, check_caller, req);
    if (!caller_wants_out(req->pid))
        return;
    if (req->wants_out) {
        end_wait(req);
        return;
    }
    req->wants_out = true;
    fs->counters.cancels++;
    fs->ended[fs->n_ended++ % FSREQ_ENDED] = (struct fsreq_ended){
        .pid = req->pid,
        .op = req->op,
        .nodeid = req->inode ? req->inode->nodeid : 0,
        .until_ms = loop_now_ms(fs->loop) + AGAIN_MS,
    };
    end_wait(req);
}

/* Its thread was told to stop a moment ago, and asks again. */
static bool has_just_ended(const struct fsreq *req)
{
    for (size_t k = 0; k < FSREQ_ENDED; k++) {
        const struct fsreq_ended *e = &req->fs->ended[k];

        if (e->pid && e->pid == req->pid && e->op == req->op && req->inode &&
            e->nodeid == req->inode->nodeid && loop_now_ms(req->fs->loop) < e->until_ms)
            return true;
    }
    return false;
}

/* Called by libfuse under the request's lock: it may neither reply nor unregister. */
static void interrupted(fuse_req_t fuse, void *arg)
{
    struct fsreq *req = arg;

    (void)fuse;
    if (req->is_interrupted)
        return;
    req->is_interrupted = true;
    req->fs->counters.interrupts++;
    loop_timer_start(req->fs->loop, &req->check, 0, check_caller, req);
}

void fsreq_on_interrupt(struct fsreq *req, loop_fn *fn, void *arg)
{
    bool is_first = !req->on_interrupt && !req->is_interrupted;

    req->on_interrupt = fn;
    req->interrupt_arg = arg;
    if (!fn || !is_first)
        return;
    fuse_req_interrupt_func(req->fuse, interrupted, req);
    if (has_just_ended(req))
        loop_timer_start(req->fs->loop, &req->check, 0, end_wait, req);
}

/* What a user may want to read about in `error`: not the ordinary answers of a file system. */
static bool is_remarkable(int errnum)
{
    switch (errnum) {
    case ENOENT:
    case EEXIST:
    case ENOTEMPTY:
    case EISDIR:
    case ENOTDIR:
    case EINTR:
    case ENODATA:
        return false;
    default:
        return true;
    }
}

static int errno_for_kernel(int errnum)
{
    switch (errnum) {
    case ECANCELED:
        return EINTR;
    case ENOSYS: /* the kernel would never ask again, for the life of the mount */
        return EOPNOTSUPP;
    case ECONNRESET: /* a transfer that broke: no reason of the file's */
        return EIO;
    case 0:
        return EIO;
    default:
        return errnum;
    }
}

void fsreq_reply_err(struct fsreq *req, const struct e2b_err *err)
{
    int errnum = errno_for_kernel(err->errnum);

    if (is_remarkable(errnum)) {
        autofree char *path = req->inode ? inode_path(req->inode) : xstrdup("");
        autofree char *full = req->what ? xasprintf("%s/%s", path, req->what) : xstrdup(path);
        struct e2b_err shown = *err;

        shown.errnum = errnum;
        errlog_add(&req->fs->errlog, req->inode ? req->inode->sandbox : NULL, req->op, full,
                   &shown);
        log_warning("fuse", "%s path=%s error=%s: %s", req->op, full, errno_name(errnum),
                    err->msg);
    }
    fsreq_reply_errno(req, errnum);
}

void fsreq_reply_errno(struct fsreq *req, int errnum)
{
    fuse_reply_err(req->fuse, errnum);
    fsreq_end(req, errnum);
}

/* The entry for `inode`; its attributes hold as long as peek_attr says. */
static bool fill_entry(struct inode *inode, int64_t timeout_ms, struct fuse_entry_param *e)
{
    int64_t attr_ms;

    *e = (struct fuse_entry_param){ .ino = inode->nodeid };
    attr_ms = inode->type->peek_attr(inode, &e->attr);
    e->attr_timeout = attr_ms > 0 ? (double)attr_ms / 1000 : 0;
    e->entry_timeout = timeout_ms > 0 ? (double)timeout_ms / 1000 : 0;
    return attr_ms >= 0;
}

void fsreq_reply_entry(struct fsreq *req, struct inode *inode, int64_t timeout_ms)
{
    struct fuse_entry_param e;

    if (!fill_entry(inode, timeout_ms, &e)) /* changed once more: the kernel looks again */
        fuse_reply_err(req->fuse, ESTALE);
    else if (fuse_reply_entry(req->fuse, &e) == 0)
        inode_lookup_given(inode);
    inode_hold(inode); /* the end of the request may free what nothing else holds */
    fsreq_end(req, 0);
    inode_release(inode);
}

int fsreq_reply_create(struct fsreq *req, struct inode *inode, int64_t timeout_ms,
                       const struct fuse_file_info *fi)
{
    struct fuse_entry_param e;
    int r;

    fill_entry(inode, timeout_ms, &e);
    r = fuse_reply_create(req->fuse, &e, fi);
    if (r == 0)
        inode_lookup_given(inode);
    fsreq_end(req, 0);
    return r;
}

void fsreq_reply_negative(struct fsreq *req, int64_t timeout_ms)
{
    struct fuse_entry_param e = { .ino = 0, .entry_timeout = (double)timeout_ms / 1000 };

    if (timeout_ms > 0)
        fuse_reply_entry(req->fuse, &e);
    else
        fuse_reply_err(req->fuse, ENOENT);
    fsreq_end(req, ENOENT);
}

void fsreq_reply_attr(struct fsreq *req, const struct stat *st, int64_t timeout_ms)
{
    fuse_reply_attr(req->fuse, st, timeout_ms > 0 ? (double)timeout_ms / 1000 : 0);
    fsreq_end(req, 0);
}

int fsreq_reply_open(struct fsreq *req, const struct fuse_file_info *fi)
{
    int r = fuse_reply_open(req->fuse, fi);

    fsreq_end(req, 0);
    return r;
}

void fsreq_reply_write(struct fsreq *req, size_t count)
{
    fuse_reply_write(req->fuse, count);
    fsreq_end(req, 0);
}

void fsreq_reply_buf(struct fsreq *req, const void *data, size_t len)
{
    fuse_reply_buf(req->fuse, data, len);
    fsreq_end(req, 0);
}

void fsreq_reply_iov(struct fsreq *req, const struct iovec *iov, int n)
{
    fuse_reply_iov(req->fuse, iov, n);
    fsreq_end(req, 0);
}

void fsreq_reply_readlink(struct fsreq *req, const char *text)
{
    fuse_reply_readlink(req->fuse, text);
    fsreq_end(req, 0);
}

void fsreq_reply_statfs(struct fsreq *req, const struct statvfs *st)
{
    fuse_reply_statfs(req->fuse, st);
    fsreq_end(req, 0);
}

void fsreq_reply_xattr(struct fsreq *req, size_t size)
{
    fuse_reply_xattr(req->fuse, size);
    fsreq_end(req, 0);
}

void fsreq_replied(struct fsreq *req)
{
    fsreq_end(req, 0);
}
