/* SPDX-License-Identifier: MIT */
/* The mountpoint: one directory per sandbox, and the rows of tree_root. */
#include "fs/dirlist.h"
#include "fs/fs.h"
#include "fs/tree.h"
#include "util/xalloc.h"

#include <errno.h>
#include <string.h>

static int64_t root_peek_attr(struct inode *i, struct stat *st)
{
    node_stat(i, 0555, st);
    st->st_mtim = st->st_ctim = st->st_atim = fleet_changed_at(i->fs->fleet);
    return 0;
}

/* Names that can't be an id (".git", ".Trash-0", "autorun.inf") never cost a request. */
static bool may_be_id(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789");

    return n > 0 && name[n] == '\0';
}

enum { NAME_MS = 60 * 1000 }; /* how long the kernel may keep the names of the table */

static struct inode *root_peek_child(struct inode *dir, const char *name, int64_t *left_ms)
{
    const struct node_entry *row = tree_find(tree_root, name);

    if (row) {
        struct inode *i = inode_make(dir, row->name, row->type, row, NULL);
        struct stat st;

        *left_ms = NAME_MS;
        if (i->type->peek_attr(i, &st) >= 0)
            return i;
        inode_drop_unused(i);
        return NULL;
    }
    if (!fleet_peek(dir->fs->fleet, left_ms) || !fleet_find(dir->fs->fleet, name))
        return NULL;
    return inode_make(dir, name, &node_sandbox, NULL, name);
}

/* A request that waits for the list of sandboxes. */
struct list_op {
    struct fsreq *req;
    struct fleet_wait *wait;
    char *name;               /* lookup: owned */
    struct fuse_file_info fi; /* opendir */
};

static void list_interrupted(void *arg)
{
    struct list_op *op = arg;

    fleet_cancel(op->wait);
}

static void list_op_start(struct fsreq *req, const char *name, const struct fuse_file_info *fi,
                          fleet_fn *fn)
{
    struct list_op *op = xcalloc(1, sizeof(*op));

    op->req = req;
    op->name = xstrdup(name);
    if (fi)
        op->fi = *fi;
    op->wait = fleet_want(req->fs->fleet, fn, op);
    fsreq_on_interrupt(req, list_interrupted, op);
}

static void list_op_free(struct list_op *op)
{
    free(op->name);
    free(op);
}

static void answer_lookup(struct fsreq *req, const char *name, int64_t left_ms)
{
    if (fleet_find(req->fs->fleet, name)) {
        struct inode *i = inode_make(req->inode, name, &node_sandbox, NULL, name);

        fsreq_reply_entry(req, i, left_ms);
    } else {
        /* A sandbox may be created any moment: absence isn't kept by the kernel. */
        fsreq_reply_errno(req, ENOENT);
    }
}

static void lookup_listed(void *arg, const struct e2b_sandbox_list *list,
                          const struct e2b_err *err)
{
    struct list_op *op = arg;
    int64_t left_ms = 0;

    (void)list;
    if (err) {
        fsreq_reply_err(op->req, err);
    } else {
        fleet_peek(op->req->fs->fleet, &left_ms);
        answer_lookup(op->req, op->name, left_ms);
    }
    list_op_free(op);
}

static void root_lookup(struct fsreq *req, struct inode *dir, const char *name)
{
    const struct node_entry *row = tree_find(tree_root, name);
    int64_t left_ms = 0;

    if (row) {
        struct inode *i = inode_make(dir, row->name, row->type, row, NULL);

        NODE(i, present)(req, i, NAME_MS);
    } else if (!may_be_id(name)) {
        fsreq_reply_negative(req, NAME_MS);
    } else if (fleet_peek(req->fs->fleet, &left_ms)) {
        answer_lookup(req, name, left_ms);
    } else {
        list_op_start(req, name, NULL, lookup_listed);
    }
}

static void answer_opendir(struct fsreq *req, const struct e2b_sandbox_list *list,
                           struct fuse_file_info *fi)
{
    struct handle *h = handle_new(req->inode, fi);

    h->list = dirlist_new();
    for (const struct node_entry *row = tree_root; row->name; row++)
        if (!(row->flags & NODE_HIDDEN))
            dirlist_add(h->list, row->name, row->type->kind);
    for (size_t k = 0; k < list->n; k++)
        dirlist_add(h->list, list->v[k].id, S_IFDIR);
    handle_reply_open(req, h, fi);
}

static void opendir_listed(void *arg, const struct e2b_sandbox_list *list,
                           const struct e2b_err *err)
{
    struct list_op *op = arg;

    if (err)
        fsreq_reply_err(op->req, err);
    else
        answer_opendir(op->req, list, &op->fi);
    list_op_free(op);
}

static void root_opendir(struct fsreq *req, struct inode *dir, struct fuse_file_info *fi)
{
    int64_t left_ms;
    const struct e2b_sandbox_list *list = fleet_peek(dir->fs->fleet, &left_ms);

    if (list)
        answer_opendir(req, list, fi);
    else
        list_op_start(req, NULL, fi, opendir_listed);
}

const struct node_type node_root = {
    .name = "root",
    .kind = S_IFDIR,
    .peek_attr = root_peek_attr,
    .peek_child = root_peek_child,
    .lookup = root_lookup,
    .opendir = root_opendir,
};
