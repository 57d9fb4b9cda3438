/* SPDX-License-Identifier: MIT */
#include "fs/file_snapshot.h"

#include "fs/snapshot.h"
#include "fs/tree.h"
#include "util/clock.h"
#include "util/xalloc.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

static struct text *text_ref(struct text *t)
{
    t->refs++;
    return t;
}

void text_unref(struct text *t)
{
    if (!t || --t->refs > 0)
        return;
    free(t->data);
    free(t);
}

static bool is_fresh(const struct inode *i)
{
    /* Age 0 means made at each look; what was made in this very turn is that. */
    return i->text && loop_now_ms(i->fs->loop) - i->text->made_ms <= i->entry->age_ms;
}

static void fill_stat(const struct inode *i, const struct text *t, struct stat *st)
{
    node_stat(i, i->entry->mode, st);
    st->st_size = (off_t)t->len;
    st->st_blocks = (blkcnt_t)((t->len + 511) / 512);
    st->st_mtim = st->st_ctim = st->st_atim = i->entry->mtime ? i->entry->mtime(i) : t->mtime;
}

int64_t snapshot_peek_attr(struct inode *i, struct stat *st)
{
    if (!is_fresh(i))
        return -1;
    fill_stat(i, i->text, st);
    return 0;
}

/* A request that waits for a rendering. */
enum waiting { PRESENT, GETATTR, OPEN };

struct snapshot_waiter {
    LIST_ENTRY(snapshot_waiter) link;
    struct snapshot *snap; /* what it waits for */
    enum waiting what;
    struct fsreq *req;
    int64_t timeout_ms;       /* PRESENT */
    struct fuse_file_info fi; /* OPEN */
};

static void answer(struct fsreq *req, struct inode *i, enum waiting what, int64_t timeout_ms,
                   struct fuse_file_info *fi)
{
    struct handle *h;
    struct stat st;

    switch (what) {
    case PRESENT:
        fsreq_reply_entry(req, i, timeout_ms);
        break;
    case GETATTR:
        fill_stat(i, i->text, &st);
        fsreq_reply_attr(req, &st, 0);
        break;
    case OPEN:
        h = handle_new(i, fi);
        h->text = text_ref(i->text);
        fi->direct_io = 1;
        handle_reply_open(req, h, fi);
        break;
    }
}

static void waiter_interrupted(void *arg)
{
    struct snapshot_waiter *w = arg;
    struct snapshot *snap = w->snap;

    /* The last one ends what is awaited (newcomers start afresh); others go on without it. */
    LIST_REMOVE(w, link);
    if (LIST_EMPTY(&snap->waiters) && snap->cancel) {
        snap->inode->making = NULL;
        snap->cancel(snap->cancel_arg);
    }
    fsreq_reply_errno(w->req, EINTR);
    free(w);
}

static void snapshot_over(struct snapshot *snap, const struct e2b_err *err)
{
    struct inode *i = snap->inode;
    struct snapshot_waiter *w;

    assert(!snap->is_over);
    snap->is_over = true;
    if (i->making == snap)
        i->making = NULL;
    while ((w = LIST_FIRST(&snap->waiters))) {
        LIST_REMOVE(w, link);
        if (err)
            fsreq_reply_err(w->req, err);
        else
            answer(w->req, i, w->what, w->timeout_ms, &w->fi);
        free(w);
    }
    buf_clear(&snap->out);
    inode_release(i);
    free(snap);
}

void snapshot_finish(struct snapshot *snap)
{
    struct inode *i = snap->inode;
    struct text *old = i->text, *t = xcalloc(1, sizeof(*t));
    bool is_same;

    t->refs = 1;
    t->len = snap->out.len;
    t->data = buf_steal(&snap->out);
    t->made_ms = loop_now_ms(i->fs->loop);
    is_same = old && old->len == t->len && memcmp(old->data, t->data, t->len) == 0;
    t->mtime = is_same ? old->mtime : clock_wall();
    i->text = t;
    text_unref(old);
    snapshot_over(snap, NULL);
}

void snapshot_fail(struct snapshot *snap, const struct e2b_err *err)
{
    snapshot_over(snap, err);
}

void snapshot_fail_errno(struct snapshot *snap, int errnum, const char *why)
{
    struct e2b_err err = { 0 };

    e2b_fail(&err, errnum, "%s", why);
    snapshot_over(snap, &err);
}

void snapshot_await(struct snapshot *snap, loop_fn *cancel, void *arg)
{
    snap->cancel = cancel;
    snap->cancel_arg = arg;
}

/* Answers from the newest rendering, or waits for one; equal waits share it. */
static void want(struct fsreq *req, struct inode *i, enum waiting what, int64_t timeout_ms,
                 struct fuse_file_info *fi)
{
    struct snapshot *snap = i->making;
    struct snapshot_waiter *w;

    if (is_fresh(i)) {
        answer(req, i, what, timeout_ms, fi);
        return;
    }
    w = xcalloc(1, sizeof(*w));
    *w = (struct snapshot_waiter){ .what = what, .req = req, .timeout_ms = timeout_ms };
    if (fi)
        w->fi = *fi;
    fsreq_on_interrupt(req, waiter_interrupted, w);
    if (snap) {
        w->snap = snap;
        LIST_INSERT_HEAD(&snap->waiters, w, link);
        return;
    }
    snap = xcalloc(1, sizeof(*snap));
    *snap = (struct snapshot){ .fs = i->fs,
                               .client = i->fs->client,
                               .inode = i,
                               .sandbox = i->sandbox,
                               .out = BUF_MAX(SNAPSHOT_MAX) };
    LIST_INIT(&snap->waiters);
    LIST_INSERT_HEAD(&snap->waiters, w, link);
    w->snap = snap;
    inode_hold(i);
    i->making = snap;
    i->entry->fill(snap); /* may be over when it returns */
}

void snapshot_present(struct fsreq *req, struct inode *i, int64_t timeout_ms)
{
    want(req, i, PRESENT, timeout_ms, NULL);
}

void snapshot_getattr(struct fsreq *req, struct inode *i, struct handle *h)
{
    struct stat st;

    if (h && h->text) { /* fstat: the content of this open */
        fill_stat(i, h->text, &st);
        fsreq_reply_attr(req, &st, 0);
        return;
    }
    want(req, i, GETATTR, 0, NULL);
}

void snapshot_open(struct fsreq *req, struct inode *i, struct fuse_file_info *fi)
{
    want(req, i, OPEN, 0, fi);
}

void snapshot_read(struct fsreq *req, struct handle *h, size_t size, off_t off)
{
    const struct text *t = h->text;
    size_t at = (size_t)off;

    if (at >= t->len)
        fsreq_reply_buf(req, NULL, 0);
    else
        fsreq_reply_buf(req, t->data + at, t->len - at < size ? t->len - at : size);
}

void snapshot_expire(struct inode *i)
{
    if (i->text)
        i->text->made_ms = INT64_MIN / 2;
}

static void read_only_open(struct fsreq *req, struct inode *i, struct fuse_file_info *fi)
{
    if ((fi->flags & O_ACCMODE) != O_RDONLY)
        fsreq_reply_errno(req, i->fs->options->ro ? EROFS : EPERM);
    else
        snapshot_open(req, i, fi);
}

const struct node_type node_snapshot = {
    .name = "snapshot",
    .kind = S_IFREG,
    .peek_attr = snapshot_peek_attr,
    .present = snapshot_present,
    .getattr = snapshot_getattr,
    .open = read_only_open,
    .read = snapshot_read,
};
