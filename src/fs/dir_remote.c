/* SPDX-License-Identifier: MIT */
/* Directories inside a sandbox: looking.  dir_change.c has what changes them. */
#include "fs/dir_change.h"
#include "fs/dirlist.h"
#include "fs/permit.h"
#include "fs/remote.h"
#include "util/path.h"
#include "util/xalloc.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

/* The kernel's own file systems of the sandbox: endless, and a read can hang.  Listed empty. */
static bool is_special(const char *path)
{
    return strcmp(path, "/proc") == 0 || strcmp(path, "/sys") == 0 || strcmp(path, "/dev") == 0;
}

/* Its child that exists only here so far, or is being written. */
static struct inode *local_child(struct inode *dir, const char *name)
{
    struct inode *i = inode_child(dir, name);

    return i && i->remote && (i->remote->is_new || i->remote->writers > 0) ? i : NULL;
}

/* A request that waits: LOOKUP or OPENDIR -> (permission) -> (listing) -> reply. */
struct list_op {
    struct fsreq *req;
    struct permit *permit; /* while it is asked for */
    struct dirs_wait *wait;
    char *name; /* owned; LOOKUP */
    struct fuse_file_info fi;
};

static void list_interrupted(void *arg)
{
    struct list_op *op = arg;

    if (op->permit)
        permit_cancel(op->permit);
    else
        dirs_cancel(op->wait);
}

static struct list_op *list_op_new(struct fsreq *req, const char *name,
                                   const struct fuse_file_info *fi)
{
    struct list_op *op = xcalloc(1, sizeof(*op));

    op->req = req;
    op->name = xstrdup(name);
    if (fi)
        op->fi = *fi;
    return op;
}

static void list_op_list(struct list_op *op, const char *path, dirs_fn *fn)
{
    op->wait = dirs_want(op->req->fs->dirs, op->req->inode->sandbox, path, fn, op);
    fsreq_on_interrupt(op->req, list_interrupted, op);
}

static void list_op_permit(struct list_op *op, const struct permit_step *step, remote_fn *fn)
{
    op->permit = permit_want(step, 1, fn, op);
    fsreq_on_interrupt(op->req, list_interrupted, op);
}

static void list_op_free(struct list_op *op)
{
    free(op->name);
    free(op);
}

static void answer_lookup(struct fsreq *req, const char *name,
                          const struct e2b_entry_list *list, int64_t left_ms)
{
    const struct e2b_entry *e = dirs_find(list, name);
    struct inode *dir = req->inode, *i;

    if (!e) {
        fsreq_reply_negative(req, left_ms < REMOTE_ABSENT_MS ? left_ms : REMOTE_ABSENT_MS);
        return;
    }
    i = remote_child(dir, e, left_ms);
    fsreq_on_interrupt(req, NULL, NULL);
    NODE(i, present)(req, i, left_ms);
}

static void lookup_listed(void *arg, const struct e2b_entry_list *list,
                          const struct e2b_err *err)
{
    struct list_op *op = arg;

    if (err)
        fsreq_reply_err(op->req, err);
    else
        answer_lookup(op->req, op->name, list, REMOTE_TTL_MS);
    list_op_free(op);
}

/* Nothing below could be asked for by its path; a tree without a bottom ends here. */
static bool is_too_deep(const char *path, const char *name)
{
    return strlen(path) + 1 + strlen(name) >= PATH_MAX;
}

/* The directory may be searched. */
static void lookup_permitted(struct fsreq *req, struct inode *dir, const char *name)
{
    autofree char *path = remote_path(dir);
    const struct e2b_entry_list *list;
    struct inode *i;
    int64_t left_ms;

    if (is_too_deep(path, name)) {
        fsreq_reply_errno(req, ENAMETOOLONG);
        return;
    }

    i = local_child(dir, name);
    if (i) {
        fsreq_reply_entry(req, i, 0);
        return;
    }
    if (is_special(path)) {
        fsreq_reply_negative(req, 60 * 1000);
        return;
    }
    if (dir->is_detached) {
        fsreq_reply_errno(req, ENOENT);
        return;
    }
    list = dirs_peek(req->fs->dirs, dir->sandbox, path, &left_ms);
    if (list)
        answer_lookup(req, name, list, left_ms);
    else
        list_op_list(list_op_new(req, name, NULL), path, lookup_listed);
}

static void lookup_permit(void *arg, const struct e2b_err *err)
{
    struct list_op *op = arg;

    fsreq_on_interrupt(op->req, NULL, NULL);
    if (err)
        fsreq_reply_err(op->req, err);
    else
        lookup_permitted(op->req, op->req->inode, op->name);
    list_op_free(op);
}

static void remote_lookup(struct fsreq *req, struct inode *dir, const char *name)
{
    struct permit_step search = { .inode = dir, .want = X_OK };

    if (permit_known(&search, 1))
        lookup_permitted(req, dir, name);
    else
        list_op_permit(list_op_new(req, name, NULL), &search, lookup_permit);
}

static struct inode *remote_peek_child(struct inode *dir, const char *name, int64_t *left_ms)
{
    autofree char *path = NULL;
    const struct e2b_entry_list *list;
    const struct e2b_entry *e;
    struct inode *i = local_child(dir, name);
    struct permit_step search = { .inode = dir, .want = X_OK };
    struct stat st;

    if (!permit_known(&search, 1)) /* or the kernel would know what a lookup may not tell */
        return NULL;
    if (i) {
        *left_ms = 0;
        return i;
    }
    path = remote_path(dir);
    if (is_too_deep(path, name)) /* a lookup says so */
        return NULL;
    list = dirs_peek(dir->fs->dirs, dir->sandbox, path, left_ms);
    e = list ? dirs_find(list, name) : NULL;
    if (!e || e->size == REMOTE_SIZE_UNKNOWN)
        return NULL;
    i = remote_child(dir, e, *left_ms);
    if (i->type->peek_attr(i, &st) >= 0)
        return i;
    inode_drop_unused(i);
    return NULL;
}

static void answer_opendir(struct fsreq *req, const struct e2b_entry_list *list,
                           struct fuse_file_info *fi)
{
    struct inode *dir = req->inode;
    struct handle *h = handle_new(dir, fi);
    struct remote *r;

    h->list = dirlist_new();
    for (size_t k = 0; list && k < list->n; k++) {
        if (!is_our_temporary(list->v[k].name))
            dirlist_add(h->list, list->v[k].name, list->v[k].mode & S_IFMT);
    }
    LIST_FOREACH(r, &req->fs->created, created)
    {
        struct inode *i = r->inode;

        if (i->parent == dir && !i->is_detached && !(list && dirs_find(list, i->name)))
            dirlist_add(h->list, i->name, S_IFREG);
    }
    handle_reply_open(req, h, fi);
}

static void opendir_listed(void *arg, const struct e2b_entry_list *list,
                           const struct e2b_err *err)
{
    struct list_op *op = arg;

    if (err)
        fsreq_reply_err(op->req, err);
    else
        answer_opendir(op->req, list, &op->fi);
    list_op_free(op);
}

/* The directory may be read. */
static void opendir_permitted(struct fsreq *req, struct inode *dir, struct fuse_file_info *fi)
{
    autofree char *path = remote_path(dir);
    const struct e2b_entry_list *list;
    int64_t left_ms;

    if (is_special(path)) {
        answer_opendir(req, NULL, fi);
        return;
    }
    if (dir->is_detached) {
        fsreq_reply_errno(req, ENOENT);
        return;
    }
    list = dirs_peek(req->fs->dirs, dir->sandbox, path, &left_ms);
    if (list)
        answer_opendir(req, list, fi);
    else
        list_op_list(list_op_new(req, NULL, fi), path, opendir_listed);
}

static void opendir_permit(void *arg, const struct e2b_err *err)
{
    struct list_op *op = arg;

    fsreq_on_interrupt(op->req, NULL, NULL);
    if (err)
        fsreq_reply_err(op->req, err);
    else
        opendir_permitted(op->req, op->req->inode, &op->fi);
    list_op_free(op);
}

static void remote_opendir(struct fsreq *req, struct inode *dir, struct fuse_file_info *fi)
{
    struct permit_step read = { .inode = dir, .want = R_OK };

    if (permit_known(&read, 1))
        opendir_permitted(req, dir, fi);
    else
        list_op_permit(list_op_new(req, NULL, fi), &read, opendir_permit);
}

/* fsync of a directory is a barrier; everything in it was committed by the closes. */
const struct node_type node_remote_dir = {
    .name = "remote-dir",
    .kind = S_IFDIR,
    .peek_attr = remote_peek_attr,
    .present = remote_present,
    .getattr = remote_getattr,
    .setattr = remote_setattr,
    .statfs = remote_statfs,
    .access = remote_access,
    .peek_child = remote_peek_child,
    .lookup = remote_lookup,
    .opendir = remote_opendir,
    .create = change_create,
    .mkdir = change_mkdir,
    .unlink = change_unlink,
    .rmdir = change_rmdir,
    .symlink = change_symlink,
    .rename = change_rename,
    .link = change_link,
};

/* FIFOs, sockets and devices are shown, never opened in the sandbox: an open could hang there.
 */
static void special_open(struct fsreq *req, struct inode *i, struct fuse_file_info *fi)
{
    (void)i;
    (void)fi;
    fsreq_reply_errno(req, EOPNOTSUPP);
}

const struct node_type node_remote_special = {
    .name = "remote-special",
    .kind = 0, /* each has its own; stat shows the entry's */
    .peek_attr = remote_peek_attr,
    .present = remote_present,
    .getattr = remote_getattr,
    .setattr = remote_setattr,
    .open = special_open,
    .statfs = remote_statfs,
    .access = remote_access,
};
