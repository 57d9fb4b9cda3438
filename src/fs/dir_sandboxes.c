/* SPDX-License-Identifier: MIT */
/* The mountpoint: one directory per sandbox, and the rows of tree_root. */
#include "fs/dirlist.h"
#include "fs/fs.h"
#include "fs/tree.h"
#include "fs/with_list.h"

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

static void lookup_listed(struct fsreq *req, const char *name, struct fuse_file_info *fi,
                          int64_t left_ms)
{
    (void)fi;
    if (fleet_find(req->fs->fleet, name))
        fsreq_reply_entry(req, inode_make(req->inode, name, &node_sandbox, NULL, name),
                          left_ms);
    else /* a sandbox may be created any moment: absence isn't kept by the kernel */
        fsreq_reply_errno(req, ENOENT);
}

static void root_lookup(struct fsreq *req, struct inode *dir, const char *name)
{
    const struct node_entry *row = tree_find(tree_root, name);

    if (row) {
        struct inode *i = inode_make(dir, row->name, row->type, row, NULL);

        NODE(i, present)(req, i, NAME_MS);
    } else if (!may_be_id(name)) {
        fsreq_reply_negative(req, NAME_MS);
    } else {
        with_list(req, name, NULL, lookup_listed);
    }
}

static void opendir_listed(struct fsreq *req, const char *name, struct fuse_file_info *fi,
                           int64_t left_ms)
{
    const struct e2b_sandbox_list *list = fleet_last(req->fs->fleet, NULL);
    struct handle *h = handle_new(req->inode, fi);

    (void)name;
    (void)left_ms;
    h->list = dirlist_new();
    for (const struct node_entry *row = tree_root; row->name; row++)
        if (!(row->flags & NODE_HIDDEN))
            dirlist_add(h->list, row->name, row->type->kind);
    for (size_t k = 0; k < list->n; k++)
        dirlist_add(h->list, list->v[k].id, S_IFDIR);
    handle_reply_open(req, h, fi);
}

static void root_opendir(struct fsreq *req, struct inode *dir, struct fuse_file_info *fi)
{
    (void)dir;
    with_list(req, NULL, fi, opendir_listed);
}

const struct node_type node_root = {
    .name = "root",
    .kind = S_IFDIR,
    .peek_attr = root_peek_attr,
    .peek_child = root_peek_child,
    .lookup = root_lookup,
    .opendir = root_opendir,
};
