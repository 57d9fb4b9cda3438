/* SPDX-License-Identifier: MIT */
#include "fs/dir_change.h"

#include "fs/permit.h"
#include "fs/remote.h"
#include "util/clock.h"
#include "util/path.h"
#include "util/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { COMMIT_ROUNDS = 4 };

bool is_our_temporary(const char *name)
{
    static const char prefix[] = ".e2bfs-";
    size_t n = strlen(prefix);

    return strncmp(name, prefix, n) == 0 && strlen(name) == n + 32 &&
           strspn(name + n, "0123456789abcdef") == 32;
}

/*
 * One change: (permitted) -> (what is written is committed) -> the call -> applied -> reply.
 * `apply` consumes the request; it runs only on success.  Permission is asked for only where
 * the call works as root.
 */
struct change {
    struct fsreq *req;
    struct inode *dir;    /* borrowed: the request holds it */
    struct inode *target; /* the child concerned, if known: held */
    struct inode *to_dir; /* rename: held */
    char *name, *to_name; /* owned */
    char *text;           /* symlink: owned */
    mode_t mode;
    mode_t made; /* the kind of what is made, 0: nothing */
    enum e2b_fop fop;
    bool is_exclusive;   /* rename: RENAME_NOREPLACE */
    bool takes_existing; /* create: without O_EXCL */
    struct fuse_file_info fi;
    struct inode *first;   /* to be committed once it is permitted, or NULL; borrowed */
    int rounds;            /* of waiting for commits */
    struct permit *permit; /* this, `commit` or `call` is what it waits for */
    struct e2b_call *call;
    struct remote_commit *commit;
    void (*start)(struct change *c); /* makes the call, once nothing is left to commit */
    void (*apply)(struct change *c, const struct e2b_entry *entry);
};

static struct change *change_new(struct fsreq *req, struct inode *dir, const char *name)
{
    struct change *c = xcalloc(1, sizeof(*c));

    c->req = req;
    c->dir = dir;
    c->name = xstrdup(name);
    c->target = inode_child(dir, name);
    if (c->target)
        inode_hold(c->target);
    return c;
}

static void change_free(struct change *c)
{
    if (c->target)
        inode_release(c->target);
    if (c->to_dir)
        inode_release(c->to_dir);
    free(c->name);
    free(c->to_name);
    free(c->text);
    free(c);
}

static void change_interrupted(void *arg)
{
    struct change *c = arg;

    if (c->permit) {
        permit_cancel(c->permit);
    } else if (c->commit) {
        remote_commit_forget(c->commit);
        fsreq_reply_errno(c->req, EINTR);
        change_free(c);
    } else {
        e2b_call_cancel(c->call);
    }
}

static void forget_listing(struct inode *dir)
{
    autofree char *path = remote_path(dir);

    dirs_invalidate(dir->fs->dirs, dir->sandbox, path);
}

static void change_done(void *arg, const struct e2b_entry *entry, const struct e2b_err *err)
{
    struct change *c = arg;

    if (err) {
        /* It may have happened all the same: what is known of the directories is not. */
        forget_listing(c->dir);
        if (c->to_dir)
            forget_listing(c->to_dir);
        if (err->errnum == EEXIST && c->takes_existing)
            fsreq_reply_errno(c->req, ESTALE); /* the kernel looks again, and opens it */
        else
            fsreq_reply_err(c->req, err);
    } else if (c->made && (!entry || (entry->mode & S_IFMT) != c->made)) {
        /* The kernel would be told of a node that it then has no use for. */
        struct e2b_err lie = { 0 };

        forget_listing(c->dir);
        e2b_fail(&lie, EPROTO, "%s: the sandbox made something else", c->name);
        fsreq_reply_err(c->req, &lie);
    } else {
        c->dir->remote->known_until_ms = 0; /* its mtime changed */
        c->apply(c, entry);
    }
    change_free(c);
}

static void change_moved(void *arg, const struct e2b_err *err)
{
    change_done(arg, NULL, err);
}

static void start_fop(struct change *c)
{
    autofree char *path = remote_child_path(c->dir, c->name);
    struct e2b_fop_args args = { .path = path, .mode = c->mode, .text = c->text };
    autofree char *existing = NULL;

    if (c->fop == E2B_FOP_LINK) {
        existing = remote_path(c->target);
        args = (struct e2b_fop_args){ .path = existing, .to = path };
    }
    c->call = e2b_file_op(c->req->fs->client, c->dir->sandbox, c->fop, &args, change_done, c);
    fsreq_on_interrupt(c->req, change_interrupted, c);
}

static void change_begin(struct change *c, struct inode *i);

static void change_committed(void *arg, const struct e2b_err *err)
{
    struct change *c = arg;

    c->commit = NULL;
    if (err) {
        fsreq_reply_err(c->req, err);
        change_free(c);
        return;
    }
    change_begin(c, c->first);
}

/* What another file's commit came to is told to those who wrote it. */
static void change_waited(void *arg, const struct e2b_err *err)
{
    struct change *c = arg;

    (void)err;
    c->commit = NULL;
    change_begin(c, c->first);
}

static bool is_at_or_below(const struct inode *i, const struct inode *top)
{
    while (i && i != top)
        i = i->parent;
    return i;
}

/* A commit that works on a name which a rename takes: it would bring the old directory back,
 * or put its own content over what was moved there. */
static struct inode *in_the_way(const struct change *c)
{
    struct inode *replaced = c->to_dir ? inode_child(c->to_dir, c->to_name) : NULL;
    struct remote *r;

    LIST_FOREACH(r, &c->req->fs->committing, committing)
    {
        if (c->to_dir && (r->inode == replaced || is_at_or_below(r->inode, c->target)))
            return r->inode;
    }
    return NULL;
}

/* Runs c->start; first brings `i`, if it has anything to commit, to the sandbox, and lets the
 * commits end that would undo the change.  A program that never stops writing is not waited for
 * without end. */
static void change_begin(struct change *c, struct inode *i)
{
    struct remote *r = i ? i->remote : NULL;
    remote_fn *then = change_committed;

    if (!(r && r->spool && (r->is_new || r->commits > 0 || spool_is_dirty(r->spool)))) {
        i = in_the_way(c);
        then = change_waited;
    }
    if (i && c->rounds++ < COMMIT_ROUNDS) {
        c->commit = remote_commit(i, then, c);
        fsreq_on_interrupt(c->req, change_interrupted, c);
        return;
    }
    c->start(c);
}

static bool may_remove(struct fsreq *req, const struct inode *dir, const char *name)
{
    if (remote_may_remove(dir, name))
        return true;
    errlog_note(&req->fs->errlog, dir->sandbox, req->op, name,
                "EPERM: the delete guard protects it; mount with -o rm=all to allow this");
    fsreq_reply_errno(req, EPERM);
    return false;
}

static void change_allowed(struct change *c)
{
    /* A rename takes a name away; what the sandbox itself refuses is told first. */
    if (c->to_dir && !may_remove(c->req, c->dir, c->name))
        change_free(c);
    else
        change_begin(c, c->first);
}

static void change_permitted(void *arg, const struct e2b_err *err)
{
    struct change *c = arg;

    c->permit = NULL;
    fsreq_on_interrupt(c->req, NULL, NULL);
    if (err) {
        fsreq_reply_err(c->req, err);
        change_free(c);
        return;
    }
    change_allowed(c);
}

/* change_begin once every step is permitted. */
static void change_permit(struct change *c, const struct permit_step *steps, size_t n)
{
    if (permit_known(steps, n)) {
        change_allowed(c);
        return;
    }
    c->permit = permit_want(steps, n, change_permitted, c);
    fsreq_on_interrupt(c->req, change_interrupted, c);
}

static bool refuse(struct fsreq *req)
{
    int errnum = remote_refuses(req->fs);

    if (errnum)
        fsreq_reply_errno(req, errnum);
    return errnum != 0;
}

/* --- what makes a name ------------------------------------------------------------------ */

/* What had the name before is gone, though somebody may have it open still. */
static void forget_old(struct inode *dir, const char *name)
{
    struct inode *old = inode_child(dir, name);

    if (old)
        inode_detach(old);
}

/* The new child, known to its directory's snapshot. */
static struct inode *adopt(struct change *c, const struct e2b_entry *entry)
{
    struct e2b_entry named = *entry; /* borrowed strings */
    struct inode *i;

    forget_old(c->dir, c->name);
    named.name = c->name;
    i = remote_child(c->dir, &named, REMOTE_TTL_MS);
    remote_learn(i, &named, true);
    return i;
}

static void apply_new(struct change *c, const struct e2b_entry *entry)
{
    fsreq_reply_entry(c->req, adopt(c, entry), REMOTE_TTL_MS);
}

static void make(struct fsreq *req, struct inode *dir, const char *name, enum e2b_fop fop,
                 mode_t mode, const char *text, struct inode *existing)
{
    struct change *c;

    if (refuse(req))
        return;
    c = change_new(req, dir, name);
    c->fop = fop;
    c->mode = mode;
    c->text = xstrdup(text);
    c->made = existing               ? existing->remote->entry.mode & S_IFMT
              : fop == E2B_FOP_MKDIR ? S_IFDIR
                                     : S_IFLNK;
    c->start = start_fop;
    c->apply = apply_new;
    if (existing) {
        if (c->target)
            inode_release(c->target);
        inode_hold(existing);
        c->target = existing;
        c->first = existing;
    }
    change_begin(c, existing);
}

void change_mkdir(struct fsreq *req, struct inode *dir, const char *name, mode_t mode)
{
    make(req, dir, name, E2B_FOP_MKDIR, mode & 07777, NULL, NULL);
}

void change_symlink(struct fsreq *req, struct inode *dir, const char *name, const char *target)
{
    make(req, dir, name, E2B_FOP_SYMLINK, 0, target, NULL);
}

void change_link(struct fsreq *req, struct inode *i, struct inode *dir, const char *name)
{
    if (!i->remote || strcmp(i->sandbox, dir->sandbox) != 0)
        fsreq_reply_errno(req, EXDEV);
    else
        make(req, dir, name, E2B_FOP_LINK, 0, NULL, i);
}

/* --- create ---------------------------------------------------------------------------------
 */

static void reply_created(struct fsreq *req, struct inode *i, struct fuse_file_info *fi)
{
    struct handle *h = handle_new(i, fi);
    struct remote *r = i->remote;

    r->opens++;
    r->has_pages = true;
    if ((h->flags & O_ACCMODE) != O_RDONLY)
        r->writers++;
    fi->keep_cache = 1;
    if (fsreq_reply_create(req, i, 0, fi) == 0)
        return;
    if (r->spool && r->is_new) /* the caller is gone before it had it */
        spool_detach(r->spool);
    handle_free(h);
}

static void apply_exclusive(struct change *c, const struct e2b_entry *entry)
{
    struct inode *i = adopt(c, entry);
    autofree char *path = remote_path(i);

    if (!i->remote->blocks)
        i->remote->blocks =
            blocks_open(c->req->fs->blocks, i->sandbox, path, entry->size, entry->mtime);
    reply_created(c->req, i, &c->fi);
}

/* A file that exists only here until its first commit. */
static void create_local(struct fsreq *req, struct inode *dir, const char *name, mode_t mode,
                         struct fuse_file_info *fi)
{
    struct e2b_entry entry = { .name = (char *)name,
                               .mode = S_IFREG | mode,
                               .mtime = clock_wall(),
                               .owner = req->fs->config->user,
                               .group = req->fs->config->user };
    autofree char *path = remote_child_path(dir, name);
    struct e2b_err err = { 0 };
    struct inode *i;
    struct remote *r;

    forget_old(dir, name);
    i = remote_child(dir, &entry, REMOTE_TTL_MS);
    r = i->remote;
    r->is_new = true;
    LIST_INSERT_HEAD(&req->fs->created, r, created);
    r->blocks = blocks_open(req->fs->blocks, i->sandbox, path, 0, entry.mtime);
    if (remote_spool(i, true, &err) < 0) {
        r->is_new = false;
        LIST_REMOVE(r, created);
        inode_detach(i);
        inode_drop_unused(i);
        fsreq_reply_err(req, &err);
        return;
    }
    reply_created(req, i, fi);
}

static void start_local(struct change *c)
{
    create_local(c->req, c->dir, c->name, c->mode, &c->fi);
    change_free(c);
}

void change_create(struct fsreq *req, struct inode *dir, const char *name, mode_t mode,
                   struct fuse_file_info *fi)
{
    struct permit_step in_dir = { .inode = dir, .want = W_OK | X_OK };
    struct change *c;

    if (refuse(req))
        return;
    c = change_new(req, dir, name);
    c->mode = mode & 07777;
    c->fi = *fi;
    c->takes_existing = !(fi->flags & O_EXCL);
    /* Its absence may be half a second old.  Who truncates loses nothing by that; who appends,
     * or creates exclusively, has to hear it from the sandbox. */
    if (c->takes_existing && (fi->flags & O_TRUNC)) {
        c->start = start_local;
        change_permit(c, &in_dir, 1);
        return;
    }
    c->fop = E2B_FOP_CREATE;
    c->made = S_IFREG;
    c->start = start_fop;
    c->apply = apply_exclusive;
    change_begin(c, NULL);
}

/* --- what takes a name away -----------------------------------------------------------------
 */

static void drop_name(struct inode *dir, const char *name, struct inode *target)
{
    autofree char *path = remote_path(dir);

    dirs_drop(dir->fs->dirs, dir->sandbox, path, name);
    if (target) {
        if (target->remote && target->remote->spool)
            spool_detach(target->remote->spool);
        inode_detach(target);
    }
}

static void apply_removed(struct change *c, const struct e2b_entry *entry)
{
    (void)entry;
    drop_name(c->dir, c->name, c->target);
    fsreq_reply_errno(c->req, 0);
}

static void take_away(struct fsreq *req, struct inode *dir, const char *name, enum e2b_fop fop)
{
    struct change *c;
    struct remote *r;

    if (refuse(req) || !may_remove(req, dir, name))
        return;
    c = change_new(req, dir, name);
    c->fop = fop;
    c->start = start_fop;
    c->apply = apply_removed;
    r = c->target ? c->target->remote : NULL;
    if (r && r->is_new && r->commits == 0) { /* the sandbox never heard of it */
        apply_removed(c, NULL);
        change_free(c);
        return;
    }
    /* A commit under way would bring the file back. */
    if (r && r->commits > 0)
        c->first = c->target;
    change_begin(c, c->first);
}

void change_unlink(struct fsreq *req, struct inode *dir, const char *name)
{
    take_away(req, dir, name, E2B_FOP_UNLINK);
}

void change_rmdir(struct fsreq *req, struct inode *dir, const char *name)
{
    struct inode *target = inode_child(dir, name);
    struct remote *r;

    LIST_FOREACH(r, &req->fs->created, created)
    {
        if (target && r->inode->parent == target && !r->inode->is_detached) {
            fsreq_reply_errno(req, ENOTEMPTY); /* the sandbox can't know of these */
            return;
        }
    }
    take_away(req, dir, name, E2B_FOP_RMDIR);
}

/* --- rename ------------------------------------------------------------------------------ */

static void renamed_exclusively(void *arg, const struct e2b_entry *entry,
                                const struct e2b_err *err)
{
    struct change *c = arg;

    /* What a kernel says where there is no exclusive rename: callers have a fallback. */
    if (err && (err->errnum == EPERM || err->errnum == EOPNOTSUPP || err->errnum == EMLINK)) {
        fsreq_reply_errno(c->req, EINVAL);
        change_free(c);
        return;
    }
    change_done(c, entry, err);
}

/* Both ways work as root (Move always does): that the user may was decided here. */
static void start_move(struct change *c)
{
    autofree char *from = remote_child_path(c->dir, c->name);
    autofree char *to = remote_child_path(c->to_dir, c->to_name);
    struct e2b_fop_args args = { .path = from, .to = to, .user = "root" };

    if (c->is_exclusive)
        c->call = e2b_file_op(c->req->fs->client, c->dir->sandbox, E2B_FOP_RENAME, &args,
                              renamed_exclusively, c);
    else
        c->call = e2b_file_move(c->req->fs->client, c->dir->sandbox, from, to, change_moved, c);
    fsreq_on_interrupt(c->req, change_interrupted, c);
}

/* Open files below a directory that moved go by their new paths. */
static void tell_path(void *arg, struct inode *i)
{
    autofree char *path = NULL;

    (void)arg;
    if (!i->remote || i->is_detached || (!i->remote->blocks && !i->remote->spool))
        return;
    path = remote_path(i);
    if (i->remote->blocks)
        blocks_rename(i->remote->blocks, path);
    if (i->remote->spool)
        spool_rename(i->remote->spool, path);
}

static void apply_renamed(struct change *c, const struct e2b_entry *entry)
{
    struct inode *replaced = inode_child(c->to_dir, c->to_name);
    struct e2b_entry moved = { 0 };

    if (replaced == c->target)
        replaced = NULL; /* two names of one node: nothing to move */
    c->to_dir->remote->known_until_ms = 0;
    drop_name(c->to_dir, c->to_name, replaced);
    if (c->target) {
        autofree char *from = remote_path(c->dir), *to = remote_path(c->to_dir);

        dirs_drop(c->dir->fs->dirs, c->dir->sandbox, from, c->name);
        inode_move(c->target, c->to_dir, c->to_name);
        if (entry && ((entry->mode ^ c->target->remote->entry.mode) & S_IFMT) == 0)
            remote_update(c->target, entry, REMOTE_TTL_MS, false);
        moved = c->target->remote->entry; /* borrowed strings */
        moved.name = c->to_name;
        if (c->target->remote->known_until_ms <= loop_now_ms(c->dir->fs->loop))
            moved.size = REMOTE_SIZE_UNKNOWN;
        dirs_put(c->dir->fs->dirs, c->dir->sandbox, to, &moved);
        if (c->target->type == &node_remote_dir)
            inodes_each(c->dir->fs, c->dir->sandbox, tell_path, NULL);
        else
            tell_path(NULL, c->target);
    } else {
        forget_listing(c->dir);
        forget_listing(c->to_dir);
    }
    fsreq_reply_errno(c->req, 0);
}

void change_rename(struct fsreq *req, struct inode *dir, const char *name, struct inode *to_dir,
                   const char *to_name, unsigned flags)
{
    struct permit_step steps[PERMIT_STEPS];
    struct inode *replaced;
    struct change *c;
    size_t n = 2;

    if (refuse(req))
        return;
    if (!to_dir->remote || strcmp(dir->sandbox, to_dir->sandbox) != 0) {
        fsreq_reply_errno(req, to_dir->remote ? EXDEV : EPERM);
        return;
    }
    if (flags & ~(unsigned)RENAME_NOREPLACE) { /* RENAME_EXCHANGE: callers have a fallback */
        fsreq_reply_errno(req, EINVAL);
        return;
    }
    if (!inode_child(dir, name)) { /* replaced since: the kernel looks again */
        fsreq_reply_errno(req, ESTALE);
        return;
    }
    c = change_new(req, dir, name);
    c->to_dir = to_dir;
    inode_hold(to_dir);
    c->to_name = xstrdup(to_name);
    c->is_exclusive = flags & RENAME_NOREPLACE;
    c->start = start_move;
    c->apply = apply_renamed;
    c->first = c->target;
    replaced = inode_child(to_dir, to_name);
    steps[0] = (struct permit_step){ .inode = dir, .want = W_OK | X_OK, .taken = c->target };
    steps[1] = (struct permit_step){ .inode = to_dir,
                                     .want = W_OK | X_OK,
                                     .taken = replaced == c->target ? NULL : replaced };
    /* A directory that gets another parent is written, too. */
    if (c->target->type == &node_remote_dir && dir != to_dir)
        steps[n++] = (struct permit_step){ .inode = c->target, .want = W_OK };
    change_permit(c, steps, n);
}
