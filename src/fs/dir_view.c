/* SPDX-License-Identifier: MIT */
/*
 * .e2b/by-*: directories and relative links, so that nothing is listed twice by what doesn't
 * follow links.  All of it comes from the list: looking costs no request of its own.
 *
 * Every inode of a view has the view's row; what it is follows from its name and its parents'.
 */
#include "fs/dirlist.h"
#include "fs/fs.h"
#include "fs/tree.h"
#include "fs/view.h"
#include "fs/with_list.h"
#include "util/xalloc.h"

#include <errno.h>
#include <string.h>

static const struct node_type view_link_type;

/* NULL: there is no such directory any more, or no list. */
static const struct view_dir *dir_of(const struct inode *i)
{
    struct fs *fs = i->fs;
    const struct e2b_sandbox_list *list = fleet_last(fs->fleet, NULL);
    const struct view_dir *parent;

    if (!list)
        return NULL;
    if (i->parent->entry != i->entry)
        return views_top(fs->views, i->entry->view, list, fleet_version(fs->fleet));
    parent = dir_of(i->parent);
    return parent ? view_subdir(parent, i->name) : NULL;
}

static struct inode *child_of(struct inode *dir, const char *name)
{
    const struct view_dir *d = dir_of(dir);

    if (d && view_subdir(d, name))
        return inode_make(dir, name, &node_view, dir->entry, NULL);
    if (d && view_link(d, name))
        return inode_make(dir, name, &view_link_type, dir->entry, NULL);
    return NULL;
}

static int64_t view_peek_attr(struct inode *i, struct stat *st)
{
    node_stat(i, i->entry->mode, st);
    st->st_mtim = st->st_ctim = st->st_atim = fleet_changed_at(i->fs->fleet);
    return 0;
}

static struct inode *view_peek_child(struct inode *dir, const char *name, int64_t *left_ms)
{
    return fleet_peek(dir->fs->fleet, left_ms) ? child_of(dir, name) : NULL;
}

static void lookup_listed(struct fsreq *req, const char *name, struct fuse_file_info *fi,
                          int64_t left_ms)
{
    struct inode *i = child_of(req->inode, name);

    (void)fi;
    if (i)
        fsreq_reply_entry(req, i, left_ms);
    else
        fsreq_reply_errno(req, ENOENT);
}

static void view_lookup(struct fsreq *req, struct inode *dir, const char *name)
{
    (void)dir;
    with_list(req, name, NULL, lookup_listed);
}

static void add_name(void *arg, const char *name, bool is_dir)
{
    dirlist_add(arg, name, is_dir ? S_IFDIR : S_IFLNK);
}

static void opendir_listed(struct fsreq *req, const char *name, struct fuse_file_info *fi,
                           int64_t left_ms)
{
    const struct view_dir *d = dir_of(req->inode);
    struct handle *h;

    (void)name;
    (void)left_ms;
    if (!d) {
        fsreq_reply_errno(req, ENOENT);
        return;
    }
    h = handle_new(req->inode, fi);
    h->list = dirlist_new();
    view_each(d, add_name, h->list);
    handle_reply_open(req, h, fi);
}

static void view_opendir(struct fsreq *req, struct inode *dir, struct fuse_file_info *fi)
{
    (void)dir;
    with_list(req, NULL, fi, opendir_listed);
}

const struct node_type node_view = {
    .name = "view",
    .kind = S_IFDIR,
    .peek_attr = view_peek_attr,
    .peek_child = view_peek_child,
    .lookup = view_lookup,
    .opendir = view_opendir,
};

/* --- links -------------------------------------------------------------------------------- */

/* "../../<id>": to the root, however deep this is.  NULL: the sandbox is gone.  The caller's.
 */
static char *text_of(const struct inode *i)
{
    const struct view_dir *d = dir_of(i->parent);
    const struct e2b_sandbox *s = d ? view_link(d, i->name) : NULL;
    struct buf out = BUF_INIT;

    if (!s)
        return NULL;
    for (const struct inode *dir = i->parent; dir->parent; dir = dir->parent)
        buf_puts(&out, "../");
    buf_append(&out, s->id, strlen(s->id) + 1);
    return buf_steal(&out);
}

static int64_t link_peek_attr(struct inode *i, struct stat *st)
{
    autofree char *text = text_of(i);

    node_stat(i, 0777, st);
    st->st_size = text ? (off_t)strlen(text) : 0;
    return 0;
}

static void link_readlink(struct fsreq *req, struct inode *i)
{
    autofree char *text = text_of(i);

    if (text)
        fsreq_reply_readlink(req, text);
    else
        fsreq_reply_errno(req, ENOENT);
}

static const struct node_type view_link_type = {
    .name = "view-link",
    .kind = S_IFLNK,
    .peek_attr = link_peek_attr,
    .readlink = link_readlink,
};
