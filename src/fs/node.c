/* SPDX-License-Identifier: MIT */
#include "fs/node.h"

#include "fs/dirlist.h"
#include "fs/fs.h"
#include "fs/snapshot.h"
#include "util/xalloc.h"

#include <errno.h>
#include <unistd.h>

/* What virtual nodes answer: they can't be changed by the calls of a file system. */

static int refused(const struct fsreq *req)
{
    return req->fs->options->ro ? EROFS : EPERM;
}

static void default_present(struct fsreq *req, struct inode *i, int64_t timeout_ms)
{
    fsreq_reply_entry(req, i, timeout_ms);
}

static void default_getattr(struct fsreq *req, struct inode *i, struct handle *h)
{
    struct stat st;
    int64_t ms = i->type->peek_attr(i, &st);

    (void)h;
    fsreq_reply_attr(req, &st, ms);
}

static void default_setattr(struct fsreq *req, struct inode *i, struct handle *h,
                            const struct stat *st, int to_set)
{
    (void)i;
    (void)h;
    (void)st;
    (void)to_set;
    fsreq_reply_errno(req, refused(req));
}

static void default_readlink(struct fsreq *req, struct inode *i)
{
    (void)i;
    fsreq_reply_errno(req, EINVAL);
}

static void default_open(struct fsreq *req, struct inode *i, struct fuse_file_info *fi)
{
    fsreq_reply_errno(req, S_ISDIR(i->type->kind) ? EISDIR : EPERM);
    (void)fi;
}

static void default_read(struct fsreq *req, struct handle *h, size_t size, off_t off)
{
    (void)h;
    (void)size;
    (void)off;
    fsreq_reply_errno(req, EBADF);
}

static void default_write(struct fsreq *req, struct handle *h, const char *data, size_t size,
                          off_t off)
{
    (void)h;
    (void)data;
    (void)size;
    (void)off;
    fsreq_reply_errno(req, refused(req));
}

static void default_flush(struct fsreq *req, struct handle *h)
{
    (void)h;
    fsreq_reply_errno(req, 0);
}

static void default_fsync(struct fsreq *req, struct handle *h, bool data_only)
{
    (void)h;
    (void)data_only;
    fsreq_reply_errno(req, 0);
}

static void default_release(struct handle *h)
{
    (void)h;
}

/* No blocks: a plain `df` leaves the root out. */
static void default_statfs(struct fsreq *req, struct inode *i)
{
    struct statvfs st = { .f_bsize = 4096, .f_frsize = 4096, .f_namemax = 255 };

    (void)i;
    fsreq_reply_statfs(req, &st);
}

static void default_lookup(struct fsreq *req, struct inode *dir, const char *name)
{
    (void)dir;
    (void)name;
    fsreq_reply_errno(req, ENOTDIR);
}

static void default_opendir(struct fsreq *req, struct inode *dir, struct fuse_file_info *fi)
{
    (void)dir;
    (void)fi;
    fsreq_reply_errno(req, ENOTDIR);
}

static void default_create(struct fsreq *req, struct inode *dir, const char *name, mode_t mode,
                           struct fuse_file_info *fi)
{
    (void)dir;
    (void)name;
    (void)mode;
    (void)fi;
    fsreq_reply_errno(req, refused(req));
}

static void default_mkdir(struct fsreq *req, struct inode *dir, const char *name, mode_t mode)
{
    (void)dir;
    (void)name;
    (void)mode;
    fsreq_reply_errno(req, refused(req));
}

static void default_remove(struct fsreq *req, struct inode *dir, const char *name)
{
    (void)dir;
    (void)name;
    fsreq_reply_errno(req, refused(req));
}

static void default_symlink(struct fsreq *req, struct inode *dir, const char *name,
                            const char *target)
{
    (void)dir;
    (void)name;
    (void)target;
    fsreq_reply_errno(req, refused(req));
}

static void default_rename(struct fsreq *req, struct inode *dir, const char *name,
                           struct inode *to_dir, const char *to_name, unsigned flags)
{
    (void)dir;
    (void)name;
    (void)to_dir;
    (void)to_name;
    (void)flags;
    fsreq_reply_errno(req, refused(req));
}

static void default_link(struct fsreq *req, struct inode *i, struct inode *dir,
                         const char *name)
{
    (void)i;
    (void)dir;
    (void)name;
    fsreq_reply_errno(req, refused(req));
}

static int default_access(struct inode *i, int mask)
{
    return (mask & W_OK) && i->fs->options->ro ? EROFS : 0;
}

const struct node_type node_default = {
    .name = "default",
    .present = default_present,
    .getattr = default_getattr,
    .setattr = default_setattr,
    .readlink = default_readlink,
    .open = default_open,
    .read = default_read,
    .write = default_write,
    .flush = default_flush,
    .fsync = default_fsync,
    .release = default_release,
    .statfs = default_statfs,
    .access = default_access,
    .lookup = default_lookup,
    .opendir = default_opendir,
    .create = default_create,
    .mkdir = default_mkdir,
    .unlink = default_remove,
    .rmdir = default_remove,
    .symlink = default_symlink,
    .rename = default_rename,
    .link = default_link,
};

void node_stat(const struct inode *i, mode_t perm, struct stat *st)
{
    *st = (struct stat){
        .st_ino = i->st_ino,
        .st_mode = i->type->kind | perm,
        .st_nlink = 1, /* with 2, find would trust it to count subdirectories */
        .st_uid = i->fs->uid,
        .st_gid = i->fs->gid,
        .st_blksize = 4096,
        .st_atim = i->fs->mounted_at,
        .st_mtim = i->fs->mounted_at,
        .st_ctim = i->fs->mounted_at,
    };
}

struct handle *handle_new(struct inode *i, struct fuse_file_info *fi)
{
    struct handle *h = xcalloc(1, sizeof(*h));

    inode_hold(i);
    h->inode = i;
    LIST_INSERT_HEAD(&i->fs->handles, h, link);
    h->flags = fi->flags;
    fi->fh = (uint64_t)(uintptr_t)h;
    return h;
}

void handle_free(struct handle *h)
{
    LIST_REMOVE(h, link);
    NODE(h->inode, release)(h);
    dirlist_free(h->list);
    text_unref(h->text);
    inode_release(h->inode);
    free(h);
}

void handle_reply_open(struct fsreq *req, struct handle *h, struct fuse_file_info *fi)
{
    if (fsreq_reply_open(req, fi) < 0)
        handle_free(h); /* the caller is gone: no RELEASE will come */
}
