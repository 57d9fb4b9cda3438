/* SPDX-License-Identifier: MIT */
/*
 * chmod, chown, utimens and truncate of remote nodes, all of which come as one SETATTR:
 * size -> (what is written is committed) -> mode -> times -> reply.
 */
#include "fs/remote.h"
#include "util/clock.h"
#include "util/xalloc.h"

#include <errno.h>

struct setattr_op {
    struct fsreq *req;
    struct inode *inode; /* borrowed: the request holds it */
    struct stat st;
    int left; /* FUSE_SET_ATTR_ bits still to do */
    struct e2b_call *call;
    struct remote_commit *commit;
};

enum {
    TIMES = FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_ATIME_NOW |
            FUSE_SET_ATTR_MTIME_NOW,
    OWNER = FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID,
};

static void setattr_next(struct setattr_op *op);

static void setattr_interrupted(void *arg)
{
    struct setattr_op *op = arg;

    if (op->commit) {
        remote_commit_forget(op->commit);
        fsreq_reply_errno(op->req, EINTR);
        free(op);
    } else {
        e2b_call_cancel(op->call);
    }
}

static void setattr_done(void *arg, const struct e2b_entry *entry, const struct e2b_err *err)
{
    struct setattr_op *op = arg;

    op->call = NULL;
    if (err) {
        op->inode->remote->known_until_ms = 0;
        fsreq_reply_err(op->req, err);
        free(op);
        return;
    }
    if (entry)
        remote_learn(op->inode, entry, op->left & FUSE_SET_ATTR_SIZE ? false : true);
    setattr_next(op);
}

static void setattr_committed(void *arg, const struct e2b_err *err)
{
    struct setattr_op *op = arg;

    op->commit = NULL;
    if (err) {
        fsreq_reply_err(op->req, err);
        free(op);
        return;
    }
    setattr_next(op);
}

static void run(struct setattr_op *op, enum e2b_fop fop, struct e2b_fop_args *args)
{
    autofree char *path = remote_path(op->inode);

    args->path = path;
    op->call =
        e2b_file_op(op->inode->fs->client, op->inode->sandbox, fop, args, setattr_done, op);
    fsreq_on_interrupt(op->req, setattr_interrupted, op);
}

static struct timespec time_of(int to_set, int bit, int now_bit, struct timespec given)
{
    if (to_set & now_bit)
        return (struct timespec){ .tv_nsec = UTIME_NOW };
    if (to_set & bit)
        return given;
    return (struct timespec){ .tv_nsec = UTIME_OMIT };
}

/* Who mounts may "change" the owner to whom the tree shows or to himself: cp -a and tar do. */
static bool owner_is_fine(const struct setattr_op *op)
{
    const struct fs *fs = op->inode->fs;
    struct stat shown = { .st_uid = (uid_t)-1, .st_gid = (gid_t)-1 };

    remote_peek_attr(op->inode, &shown);
    if ((op->left & FUSE_SET_ATTR_UID) && op->st.st_uid != fs->uid &&
        op->st.st_uid != shown.st_uid)
        return false;
    return !(op->left & FUSE_SET_ATTR_GID) || op->st.st_gid == fs->gid ||
           op->st.st_gid == shown.st_gid;
}

static void set_size(struct setattr_op *op)
{
    struct remote *r = op->inode->remote;
    struct e2b_err err = { 0 };

    if (op->inode->is_detached && r->writers == 0) { /* its name is another file's by now */
        fsreq_reply_errno(op->req, ESTALE);
        free(op);
        return;
    }
    op->left &= ~(FUSE_SET_ATTR_SIZE | TIMES); /* a new size brings its own time */
    if (r->writers == 0 && !r->spool) {        /* truncate(2) of a file that nobody writes */
        run(op, E2B_FOP_TRUNCATE, &(struct e2b_fop_args){ .size = op->st.st_size });
        return;
    }
    if (remote_spool(op->inode, false, &err) < 0 ||
        spool_truncate(r->spool, op->st.st_size, &err) < 0) {
        fsreq_reply_err(op->req, &err);
        free(op);
        return;
    }
    r->is_written = true;
    if (r->writers == 0) { /* nobody will flush it */
        op->commit = remote_commit(op->inode, setattr_committed, op);
        fsreq_on_interrupt(op->req, setattr_interrupted, op);
        return;
    }
    setattr_next(op);
}

/* Removed while open: it is changed here only, where its last users look. */
static void set_detached(struct setattr_op *op)
{
    struct e2b_entry *e = &op->inode->remote->entry;

    if (op->left & FUSE_SET_ATTR_MODE)
        e->mode = (e->mode & S_IFMT) | (op->st.st_mode & 07777);
    if (op->left & FUSE_SET_ATTR_MTIME)
        e->mtime = op->st.st_mtim;
    else if (op->left & FUSE_SET_ATTR_MTIME_NOW)
        e->mtime = clock_wall();
    op->left &= ~(FUSE_SET_ATTR_MODE | TIMES);
}

static void setattr_next(struct setattr_op *op)
{
    struct remote *r = op->inode->remote;
    struct timespec atime, mtime;
    int todo = op->left;

    if (todo & FUSE_SET_ATTR_SIZE) {
        set_size(op);
        return;
    }
    if (todo & OWNER) {
        if (!owner_is_fine(op)) {
            fsreq_reply_errno(op->req, EPERM);
            free(op);
            return;
        }
        op->left &= ~OWNER;
        todo = op->left;
    }
    if (op->inode->is_detached) {
        set_detached(op);
        todo = op->left;
    }
    if ((todo & (FUSE_SET_ATTR_MODE | TIMES)) && r->spool &&
        (r->is_new || spool_is_dirty(r->spool))) {
        op->commit = remote_commit(op->inode, setattr_committed, op);
        fsreq_on_interrupt(op->req, setattr_interrupted, op);
        return;
    }
    if (todo & FUSE_SET_ATTR_MODE) {
        op->left &= ~FUSE_SET_ATTR_MODE;
        run(op, E2B_FOP_CHMOD, &(struct e2b_fop_args){ .mode = op->st.st_mode & 07777 });
        return;
    }
    if (todo & TIMES) {
        op->left &= ~TIMES;
        atime = time_of(todo, FUSE_SET_ATTR_ATIME, FUSE_SET_ATTR_ATIME_NOW, op->st.st_atim);
        mtime = time_of(todo, FUSE_SET_ATTR_MTIME, FUSE_SET_ATTR_MTIME_NOW, op->st.st_mtim);
        run(op, E2B_FOP_UTIMENS, &(struct e2b_fop_args){ .atime = atime, .mtime = mtime });
        return;
    }
    fsreq_on_interrupt(op->req, NULL, NULL);
    remote_getattr(op->req, op->inode, NULL);
    free(op);
}

void remote_setattr(struct fsreq *req, struct inode *i, struct handle *h, const struct stat *st,
                    int to_set)
{
    struct setattr_op *op;

    (void)h;
    if (remote_refuses(i->fs)) {
        fsreq_reply_errno(req, remote_refuses(i->fs));
        return;
    }
    if (i->remote->is_root) { /* the sandbox's / itself */
        fsreq_reply_errno(req, EPERM);
        return;
    }
    op = xcalloc(1, sizeof(*op));
    *op = (struct setattr_op){ .req = req, .inode = i, .st = *st, .left = to_set };
    setattr_next(op);
}
