/* SPDX-License-Identifier: MIT */
#include "fs/remote.h"

#include "fs/notify.h"
#include "fs/permit.h"
#include "util/clock.h"
#include "util/path.h"
#include "util/xalloc.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { NOBODY = 65534 };

static struct remote *remote_new(struct inode *i)
{
    struct remote *r = xcalloc(1, sizeof(*r));

    r->inode = i;
    i->remote = r;
    return r;
}

void remote_make_root(struct inode *i)
{
    remote_new(i)->is_root = true;
}

void remote_free(struct remote *r)
{
    if (!r)
        return;
    if (r->is_new)
        LIST_REMOVE(r, created);
    if (r->commits > 0)
        LIST_REMOVE(r, committing);
    if (r->spool)
        spool_close(r->spool);
    if (r->blocks)
        blocks_close(r->blocks);
    e2b_entry_clear(&r->entry);
    free(r->link_text);
    free(r);
}

char *remote_path(const struct inode *i)
{
    char *path = NULL;

    for (; !i->remote->is_root; i = i->parent) {
        char *longer = path ? xasprintf("/%s%s", i->name, path) : xasprintf("/%s", i->name);

        free(path);
        path = longer;
    }
    return path ? path : xstrdup("/");
}

char *remote_child_path(const struct inode *dir, const char *name)
{
    autofree char *path = remote_path(dir);

    return path_join(path, name);
}

static const struct node_type *type_of(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
        return &node_remote_file;
    case S_IFDIR:
        return &node_remote_dir;
    case S_IFLNK:
        return &node_remote_link;
    default:
        return &node_remote_special;
    }
}

struct inode *remote_child(struct inode *dir, const struct e2b_entry *entry, int64_t left_ms)
{
    const struct node_type *type = type_of(entry->mode);
    struct inode *i = inode_make(dir, entry->name, type, NULL, dir->sandbox);

    if (!i->remote)
        remote_new(i);
    remote_update(i, entry, left_ms, false);
    return i;
}

static void notice_over(void *arg)
{
    struct inode *i = arg;

    i->remote->notices--;
    inode_release(i);
}

/* The kernel's pages are of another version than the file. */
static void drop_pages(struct inode *i)
{
    struct remote *r = i->remote;

    if (!r->has_pages)
        return;
    r->has_pages = false;
    r->notices++;
    inode_hold(i);
    notify_inode(i->fs, i, true, notice_over, i);
}

void remote_update(struct inode *i, const struct e2b_entry *entry, int64_t left_ms, bool is_own)
{
    struct remote *r = i->remote;

    if (entry->size == REMOTE_SIZE_UNKNOWN) {
        if (!r->entry.name)
            e2b_entry_copy(&r->entry, entry);
        r->known_until_ms = 0;
        return;
    }
    if (type_of(entry->mode) != i->type) { /* another file has its name now */
        r->known_until_ms = 0;
        return;
    }
    if (entry != &r->entry) {
        e2b_entry_clear(&r->entry);
        e2b_entry_copy(&r->entry, entry);
    }
    r->told_ms = loop_now_ms(i->fs->loop);
    r->known_until_ms = r->told_ms + left_ms;
    if (r->blocks && !r->spool && blocks_set_version(r->blocks, entry->size, entry->mtime) &&
        !is_own)
        drop_pages(i);
}

void remote_learn(struct inode *i, const struct e2b_entry *entry, bool is_own)
{
    struct e2b_entry named;
    autofree char *dir = NULL;

    remote_update(i, entry, REMOTE_TTL_MS, is_own);
    if (i->is_detached || i->remote->is_root)
        return;
    named = *entry; /* borrowed strings; the name is the one that it has here */
    named.name = (char *)i->name;
    dir = remote_path(i->parent);
    dirs_put(i->fs->dirs, i->sandbox, dir, &named);
}

static bool is_being_written(const struct remote *r)
{
    return r->spool && (r->writers > 0 || r->commits > 0 || spool_is_dirty(r->spool));
}

static void fill_stat(struct inode *i, struct stat *st)
{
    const struct remote *r = i->remote;
    const struct e2b_entry *e = &r->entry;
    const struct options *o = i->fs->options;
    bool is_mine =
        o->idmap == IDMAP_USER && e->owner && strcmp(e->owner, i->fs->config->user) == 0;

    node_stat(i, e->mode & 07777, st);
    st->st_uid = is_mine ? i->fs->uid : NOBODY;
    st->st_gid = is_mine ? i->fs->gid : NOBODY;
    st->st_mode = (e->mode & ~(mode_t)(S_ISUID | S_ISGID)) & (S_IFMT | 07777);
    st->st_size = e->size;
    st->st_mtim = st->st_ctim = st->st_atim = e->mtime;
    if (is_being_written(r)) {
        st->st_size = spool_size(r->spool);
        st->st_mtim = st->st_ctim = spool_mtime(r->spool);
    }
    st->st_blocks = st->st_size / 512 + (st->st_size % 512 != 0);
    st->st_blksize = BLOCK_SIZE;
}

int64_t remote_peek_attr(struct inode *i, struct stat *st)
{
    struct remote *r = i->remote;
    const struct e2b_entry_list *list;
    const struct e2b_entry *e;
    int64_t left_ms;

    if (r->is_root) { /* a paused sandbox has one, too, and nothing may be asked about it */
        const struct e2b_sandbox *s = fleet_find(i->fs->fleet, i->sandbox);

        node_stat(i, 0755, st);
        if (s)
            st->st_mtim = st->st_ctim = st->st_atim = s->started_at;
        return REMOTE_TTL_MS;
    }
    if (r->is_new || is_being_written(r) || i->is_detached) {
        fill_stat(i, st);
        return 0;
    }
    left_ms = r->known_until_ms - loop_now_ms(i->fs->loop);
    if (left_ms <= 0) {
        autofree char *dir = remote_path(i->parent);

        list = dirs_peek(i->fs->dirs, i->sandbox, dir, &left_ms);
        e = list ? dirs_find(list, i->name) : NULL;
        if (!e || e->size == REMOTE_SIZE_UNKNOWN || type_of(e->mode) != i->type)
            return -1;
        remote_update(i, e, left_ms, false);
    }
    fill_stat(i, st);
    return left_ms;
}

/* --- asking ----------------------------------------------------------------------------- */

struct refresh_op {
    struct inode *inode; /* held */
    remote_fn *fn;
    void *arg;
};

static void refreshed(void *arg, const struct e2b_entry *entry, const struct e2b_err *err)
{
    struct refresh_op *op = arg;
    struct inode *i = op->inode;

    if (!err && type_of(entry->mode) != i->type) {
        /* Another kind of thing has its name: the next lookup finds that. */
        struct e2b_err stale = { 0 };
        autofree char *dir = remote_path(i->parent);

        e2b_fail(&stale, ESTALE, "%s was replaced in the sandbox", i->name);
        dirs_invalidate(i->fs->dirs, i->sandbox, dir);
        notify_entry(i->fs, i->parent, i->name);
        inode_detach(i);
        op->fn(op->arg, &stale);
    } else {
        if (!err)
            remote_learn(i, entry, false);
        op->fn(op->arg, err);
    }
    inode_release(i);
    free(op);
}

struct e2b_call *remote_refresh(struct inode *i, remote_fn *fn, void *arg)
{
    struct refresh_op *op;
    autofree char *path = NULL;
    struct stat st;

    if (remote_peek_attr(i, &st) >= 0) {
        fn(arg, NULL);
        return NULL;
    }
    op = xcalloc(1, sizeof(*op));
    *op = (struct refresh_op){ .inode = i, .fn = fn, .arg = arg };
    inode_hold(i);
    path = remote_path(i);
    return e2b_file_stat(i->fs->client, i->sandbox, path, refreshed, op);
}

struct attr_op {
    struct fsreq *req;
    struct e2b_call *call;
};

static void attr_interrupted(void *arg)
{
    struct attr_op *op = arg;

    e2b_call_cancel(op->call);
}

static void attr_known(void *arg, const struct e2b_err *err)
{
    struct attr_op *op = arg;
    struct inode *i = op->req->inode;
    struct stat st;
    int64_t ms;

    if (err)
        fsreq_reply_err(op->req, err);
    else {
        ms = remote_peek_attr(i, &st);
        fsreq_reply_attr(op->req, &st, ms);
    }
    free(op);
}

void remote_getattr(struct fsreq *req, struct inode *i, struct handle *h)
{
    struct attr_op *op;
    struct stat st;
    int64_t ms = remote_peek_attr(i, &st);

    (void)h;
    if (ms >= 0) {
        fsreq_reply_attr(req, &st, ms);
        return;
    }
    op = xcalloc(1, sizeof(*op));
    op->req = req;
    op->call = remote_refresh(i, attr_known, op);
    fsreq_on_interrupt(req, attr_interrupted, op);
}

/* A LOOKUP: the request is about the directory, `i` is the child. */
struct present_op {
    struct fsreq *req;
    struct inode *inode; /* held */
    struct e2b_call *call;
    int64_t timeout_ms;
};

static void present_interrupted(void *arg)
{
    struct present_op *op = arg;

    e2b_call_cancel(op->call);
}

static void present_known(void *arg, const struct e2b_err *err)
{
    struct present_op *op = arg;

    if (err)
        fsreq_reply_err(op->req, err);
    else
        fsreq_reply_entry(op->req, op->inode, op->timeout_ms);
    inode_release(op->inode);
    free(op);
}

void remote_present(struct fsreq *req, struct inode *i, int64_t timeout_ms)
{
    struct present_op *op;
    struct stat st;

    if (remote_peek_attr(i, &st) >= 0) {
        fsreq_reply_entry(req, i, timeout_ms);
        return;
    }
    op = xcalloc(1, sizeof(*op));
    *op = (struct present_op){ .req = req, .inode = i, .timeout_ms = timeout_ms };
    inode_hold(i);
    op->call = remote_refresh(i, present_known, op);
    fsreq_on_interrupt(req, present_interrupted, op);
}

/* --- what this mount refuses ------------------------------------------------------------ */

int remote_refuses(const struct fs *fs)
{
    return fs->options->ro || fs->options->fs_ro ? EROFS : 0;
}

bool remote_may_remove(const struct inode *dir, const char *name)
{
    const struct fs *fs = dir->fs;
    autofree char *path = NULL, *home = NULL;
    const char *roots[3];

    switch (fs->options->rm) {
    case RM_ALL:
        return true;
    case RM_NONE:
        return false;
    case RM_HOME:
        break;
    }
    path = remote_child_path(dir, name);
    home = xasprintf("/%s", fs->home);
    roots[0] = home;
    roots[1] = "/tmp";
    roots[2] = "/workspace";
    for (size_t k = 0; k < ARRAY_LEN(roots); k++) {
        if (path_is_below(path, roots[k]) && strcmp(path, roots[k]) != 0)
            return true;
    }
    return false;
}

int remote_access(struct inode *i, int mask)
{
    if ((mask & W_OK) && remote_refuses(i->fs))
        return remote_refuses(i->fs);
    return permit_refused(i, mask) ? EACCES : 0;
}

/* --- statfs ------------------------------------------------------------------------------ */

static void reply_statfs(struct fsreq *req, const struct e2b_metrics *m)
{
    struct statvfs st = { .f_bsize = 4096, .f_frsize = 4096, .f_namemax = 255 };

    if (m && m->disk_total > 0) {
        int64_t used = m->disk_used < m->disk_total ? m->disk_used : m->disk_total;

        st.f_blocks = (fsblkcnt_t)(m->disk_total / 4096);
        st.f_bfree = st.f_bavail = (fsblkcnt_t)((m->disk_total - used) / 4096);
    }
    fsreq_reply_statfs(req, &st);
}

struct statfs_op {
    struct fsreq *req;
    struct fleet_wait *wait;
};

static void statfs_interrupted(void *arg)
{
    struct statfs_op *op = arg;

    fleet_cancel(op->wait);
}

static void statfs_known(void *arg, const struct e2b_err *err)
{
    struct statfs_op *op = arg;
    struct inode *i = op->req->inode;
    struct e2b_metrics m;
    bool known = !err && fleet_metrics_peek(i->fs->fleet, i->sandbox, INT64_MAX / 2, &m) == 0;

    if (err)
        fsreq_reply_err(op->req, err);
    else
        reply_statfs(op->req, known ? &m : NULL);
    free(op);
}

void remote_statfs(struct fsreq *req, struct inode *i)
{
    const struct e2b_sandbox *s = fleet_find(i->fs->fleet, i->sandbox);
    struct e2b_metrics m;
    struct statfs_op *op;
    int r = fleet_metrics_peek(i->fs->fleet, i->sandbox, REMOTE_STATFS_MS, &m);

    if (r == -EAGAIN && s && s->state == E2B_STATE_RUNNING) {
        op = xcalloc(1, sizeof(*op));
        op->req = req;
        op->wait = fleet_metrics_want(i->fs->fleet, i->sandbox, statfs_known, op);
        fsreq_on_interrupt(req, statfs_interrupted, op);
        return;
    }
    if (r != 0)
        r = fleet_metrics_peek(i->fs->fleet, i->sandbox, INT64_MAX / 2, &m);
    reply_statfs(req, r == 0 ? &m : NULL);
}
