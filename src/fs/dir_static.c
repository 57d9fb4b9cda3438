/* SPDX-License-Identifier: MIT */
/*
 * Directories whose names stand in tree.c: .e2b/ and its like, and each sandbox's own.  The
 * two differ in where the table is and in what stat() shows.
 */
#include "fs/dirlist.h"
#include "fs/fs.h"
#include "fs/remote.h"
#include "fs/tree.h"

#include <errno.h>

/* How long the kernel may keep the names of a table. */
enum { NAME_MS = 60 * 1000 };

static const struct node_entry *table_of(const struct inode *dir)
{
    return dir->entry && dir->entry->entries ? dir->entry->entries : tree_sandbox;
}

static struct inode *child_of(struct inode *dir, const struct node_entry *row)
{
    struct inode *i = inode_make(dir, row->name, row->type, row, dir->sandbox);

    if (row->type == &node_remote_dir && !i->remote)
        remote_make_root(i);
    return i;
}

static void static_lookup(struct fsreq *req, struct inode *dir, const char *name)
{
    const struct node_entry *row = tree_find(table_of(dir), name);
    struct inode *i;

    if (dir->is_detached) { /* the sandbox is gone */
        fsreq_reply_errno(req, ENOENT);
        return;
    }
    if (!row) {
        fsreq_reply_negative(req, NAME_MS);
        return;
    }
    i = child_of(dir, row);
    NODE(i, present)(req, i, NAME_MS);
}

static struct inode *static_peek_child(struct inode *dir, const char *name, int64_t *left_ms)
{
    const struct node_entry *row = tree_find(table_of(dir), name);
    struct inode *i;
    struct stat st;

    if (!row || dir->is_detached)
        return NULL;
    *left_ms = NAME_MS;
    i = child_of(dir, row);
    if (i->type->peek_attr(i, &st) >= 0)
        return i;
    inode_drop_unused(i);
    return NULL;
}

static void static_opendir(struct fsreq *req, struct inode *dir, struct fuse_file_info *fi)
{
    struct handle *h;

    if (dir->is_detached) {
        fsreq_reply_errno(req, ENOENT);
        return;
    }
    h = handle_new(dir, fi);
    h->list = dirlist_new();
    for (const struct node_entry *row = table_of(dir); row->name; row++) {
        if (!(row->flags & NODE_HIDDEN))
            dirlist_add(h->list, row->name, row->type->kind);
    }
    handle_reply_open(req, h, fi);
}

static int64_t static_peek_attr(struct inode *i, struct stat *st)
{
    node_stat(i, i->entry->mode, st);
    return NAME_MS;
}

const struct node_type node_static = {
    .name = "static-dir",
    .kind = S_IFDIR,
    .peek_attr = static_peek_attr,
    .peek_child = static_peek_child,
    .lookup = static_lookup,
    .opendir = static_opendir,
};

/* A sandbox's directory: its mtime is when the sandbox started, so that find -mmin works. */
static int64_t sandbox_peek_attr(struct inode *i, struct stat *st)
{
    const struct e2b_sandbox *s = fleet_find(i->fs->fleet, i->sandbox);
    int64_t left_ms = 0;

    node_stat(i, 0555, st);
    if (s)
        st->st_mtim = st->st_ctim = st->st_atim = s->started_at;
    return s && fleet_peek(i->fs->fleet, &left_ms) ? left_ms : 0;
}

const struct node_type node_sandbox = {
    .name = "sandbox",
    .kind = S_IFDIR,
    .peek_attr = sandbox_peek_attr,
    .peek_child = static_peek_child,
    .lookup = static_lookup,
    .opendir = static_opendir,
    .statfs = remote_statfs,
};
