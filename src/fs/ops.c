/* SPDX-License-Identifier: MIT */
/* No behaviour here: each operation finds the inode or handle and calls its node type. */
#include "fs/ops.h"

#include "fs/dirlist.h"
#include "fs/fs.h"
#include "fs/fuse_io.h"
#include "fs/node.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

/* The request and its inode; NULL if the kernel named one that we never gave out. */
static struct fsreq *start(fuse_req_t fuse, fuse_ino_t ino, const char *op, const char *name)
{
    struct fs *fs = fuse_req_userdata(fuse);
    struct inode *i = inode_get(fs, ino);

    assert(i);
    if (!i) {
        fuse_reply_err(fuse, ESTALE);
        return NULL;
    }
    return fsreq_new(fs, fuse, op, i, name);
}

/* The same for operations on a name in a directory: names too long never leave this machine. */
static struct fsreq *start_name(fuse_req_t fuse, fuse_ino_t dir, const char *op,
                                const char *name)
{
    struct fsreq *req = start(fuse, dir, op, name);

    if (req && strlen(name) > NAME_MAX) {
        fsreq_reply_errno(req, ENAMETOOLONG);
        return NULL;
    }
    return req;
}

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
    struct fs *fs = userdata;

    fuse_io_init(fs->io, conn);
}

static void op_lookup(fuse_req_t fuse, fuse_ino_t parent, const char *name)
{
    struct fsreq *req = start_name(fuse, parent, "lookup", name);

    if (req)
        NODE(req->inode, lookup)(req, req->inode, name);
}

static void op_forget(fuse_req_t fuse, fuse_ino_t ino, uint64_t n)
{
    struct inode *i = inode_get(fuse_req_userdata(fuse), ino);

    if (i)
        inode_forget(i, n);
    fuse_reply_none(fuse);
}

static void op_forget_multi(fuse_req_t fuse, size_t count, struct fuse_forget_data *forgets)
{
    for (size_t k = 0; k < count; k++) {
        struct inode *i = inode_get(fuse_req_userdata(fuse), forgets[k].ino);

        if (i)
            inode_forget(i, forgets[k].nlookup);
    }
    fuse_reply_none(fuse);
}

static void op_getattr(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct fsreq *req = start(fuse, ino, "getattr", NULL);

    if (req)
        NODE(req->inode, getattr)(req, req->inode, handle_of(fi));
}

static void op_setattr(fuse_req_t fuse, fuse_ino_t ino, struct stat *st, int to_set,
                       struct fuse_file_info *fi)
{
    struct fsreq *req = start(fuse, ino, "setattr", NULL);

    if (req)
        NODE(req->inode, setattr)(req, req->inode, handle_of(fi), st, to_set);
}

static void op_readlink(fuse_req_t fuse, fuse_ino_t ino)
{
    struct fsreq *req = start(fuse, ino, "readlink", NULL);

    if (req)
        NODE(req->inode, readlink)(req, req->inode);
}

static void op_open(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct fsreq *req = start(fuse, ino, "open", NULL);

    if (req)
        NODE(req->inode, open)(req, req->inode, fi);
}

static void op_read(fuse_req_t fuse, fuse_ino_t ino, size_t size, off_t off,
                    struct fuse_file_info *fi)
{
    struct fsreq *req = start(fuse, ino, "read", NULL);

    if (req)
        NODE(req->inode, read)(req, handle_of(fi), size, off);
}

static void op_write(fuse_req_t fuse, fuse_ino_t ino, const char *data, size_t size, off_t off,
                     struct fuse_file_info *fi)
{
    struct fsreq *req = start(fuse, ino, "write", NULL);

    if (req)
        NODE(req->inode, write)(req, handle_of(fi), data, size, off);
}

static void op_flush(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct fsreq *req = start(fuse, ino, "flush", NULL);

    if (req)
        NODE(req->inode, flush)(req, handle_of(fi));
}

static void op_fsync(fuse_req_t fuse, fuse_ino_t ino, int data_only, struct fuse_file_info *fi)
{
    struct fsreq *req = start(fuse, ino, "fsync", NULL);

    if (req)
        NODE(req->inode, fsync)(req, handle_of(fi), data_only);
}

static void op_release(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *fi)
{
    (void)ino;
    handle_free(handle_of(fi));
    fuse_reply_err(fuse, 0);
}

static void op_opendir(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct fsreq *req = start(fuse, ino, "opendir", NULL);

    if (req)
        NODE(req->inode, opendir)(req, req->inode, fi);
}

static void op_readdir(fuse_req_t fuse, fuse_ino_t ino, size_t size, off_t off,
                       struct fuse_file_info *fi)
{
    struct fsreq *req = start(fuse, ino, "readdir", NULL);

    if (req)
        dirlist_reply(req, handle_of(fi), size, off, false);
}

static void op_readdirplus(fuse_req_t fuse, fuse_ino_t ino, size_t size, off_t off,
                           struct fuse_file_info *fi)
{
    struct fsreq *req = start(fuse, ino, "readdirplus", NULL);

    if (req)
        dirlist_reply(req, handle_of(fi), size, off, true);
}

static void op_fsyncdir(fuse_req_t fuse, fuse_ino_t ino, int data_only,
                        struct fuse_file_info *fi)
{
    struct fsreq *req = start(fuse, ino, "fsyncdir", NULL);

    if (req)
        NODE(req->inode, fsync)(req, handle_of(fi), data_only);
}

static void op_create(fuse_req_t fuse, fuse_ino_t parent, const char *name, mode_t mode,
                      struct fuse_file_info *fi)
{
    struct fsreq *req = start_name(fuse, parent, "create", name);

    if (req)
        NODE(req->inode, create)(req, req->inode, name, mode, fi);
}

/* mknod(2) of a regular file; other kinds are not for a mount without devices. */
static void op_mknod(fuse_req_t fuse, fuse_ino_t parent, const char *name, mode_t mode,
                     dev_t rdev)
{
    struct fsreq *req = start_name(fuse, parent, "mknod", name);

    (void)mode;
    (void)rdev;
    if (req)
        fsreq_reply_errno(req, req->fs->options->ro ? EROFS : EPERM);
}

static void op_mkdir(fuse_req_t fuse, fuse_ino_t parent, const char *name, mode_t mode)
{
    struct fsreq *req = start_name(fuse, parent, "mkdir", name);

    if (req)
        NODE(req->inode, mkdir)(req, req->inode, name, mode);
}

static void op_unlink(fuse_req_t fuse, fuse_ino_t parent, const char *name)
{
    struct fsreq *req = start_name(fuse, parent, "unlink", name);

    if (req)
        NODE(req->inode, unlink)(req, req->inode, name);
}

static void op_rmdir(fuse_req_t fuse, fuse_ino_t parent, const char *name)
{
    struct fsreq *req = start_name(fuse, parent, "rmdir", name);

    if (req)
        NODE(req->inode, rmdir)(req, req->inode, name);
}

static void op_symlink(fuse_req_t fuse, const char *target, fuse_ino_t parent, const char *name)
{
    struct fsreq *req = start_name(fuse, parent, "symlink", name);

    if (req)
        NODE(req->inode, symlink)(req, req->inode, name, target);
}

static void op_rename(fuse_req_t fuse, fuse_ino_t parent, const char *name,
                      fuse_ino_t to_parent, const char *to_name, unsigned flags)
{
    struct fsreq *req = start_name(fuse, parent, "rename", name);
    struct inode *to_dir;

    if (!req)
        return;
    to_dir = inode_get(req->fs, to_parent);
    assert(to_dir);
    if (!to_dir || strlen(to_name) > NAME_MAX)
        fsreq_reply_errno(req, to_dir ? ENAMETOOLONG : ESTALE);
    else
        NODE(req->inode, rename)(req, req->inode, name, to_dir, to_name, flags);
}

static void op_link(fuse_req_t fuse, fuse_ino_t ino, fuse_ino_t to_parent, const char *to_name)
{
    struct fsreq *req = start_name(fuse, to_parent, "link", to_name);
    struct inode *i;

    if (!req)
        return;
    i = inode_get(req->fs, ino);
    assert(i);
    if (i)
        NODE(req->inode, link)(req, i, req->inode, to_name);
    else
        fsreq_reply_errno(req, ESTALE);
}

static void op_statfs(fuse_req_t fuse, fuse_ino_t ino)
{
    struct fsreq *req = start(fuse, ino, "statfs", NULL);

    if (req)
        NODE(req->inode, statfs)(req, req->inode);
}

/*
 * Extended attributes never reach the network (the kernel asks for security.capability before
 * every write, `ls -l` for two per file).  There are none.  ENOSYS would end the questions for
 * the life of the mount, but then for those that can be answered later, too.
 */
static void op_getxattr(fuse_req_t fuse, fuse_ino_t ino, const char *name, size_t size)
{
    (void)ino;
    (void)name;
    (void)size;
    fuse_reply_err(fuse, ENODATA);
}

static void op_listxattr(fuse_req_t fuse, fuse_ino_t ino, size_t size)
{
    (void)ino;
    if (size == 0)
        fuse_reply_xattr(fuse, 0);
    else
        fuse_reply_buf(fuse, NULL, 0);
}

static void op_setxattr(fuse_req_t fuse, fuse_ino_t ino, const char *name, const char *value,
                        size_t size, int flags)
{
    (void)ino;
    (void)name;
    (void)value;
    (void)size;
    (void)flags;
    fuse_reply_err(fuse, EOPNOTSUPP);
}

static void op_removexattr(fuse_req_t fuse, fuse_ino_t ino, const char *name)
{
    (void)ino;
    (void)name;
    fuse_reply_err(fuse, ENODATA);
}

/* Costs nothing: where nothing is known the operation itself decides. */
static void op_access(fuse_req_t fuse, fuse_ino_t ino, int mask)
{
    struct inode *i = inode_get(fuse_req_userdata(fuse), ino);

    fuse_reply_err(fuse, i ? NODE(i, access)(i, mask & (R_OK | W_OK | X_OK)) : ESTALE);
}

/* Not through envd.  ENOSYS would make the kernel stop asking for good. */
static void op_fallocate(fuse_req_t fuse, fuse_ino_t ino, int mode, off_t off, off_t len,
                         struct fuse_file_info *fi)
{
    (void)ino;
    (void)mode;
    (void)off;
    (void)len;
    (void)fi;
    fuse_reply_err(fuse, EOPNOTSUPP);
}

const struct fuse_lowlevel_ops fs_ops = {
    .init = op_init,
    .lookup = op_lookup,
    .forget = op_forget,
    .forget_multi = op_forget_multi,
    .getattr = op_getattr,
    .setattr = op_setattr,
    .readlink = op_readlink,
    .open = op_open,
    .read = op_read,
    .write = op_write,
    .flush = op_flush,
    .fsync = op_fsync,
    .release = op_release,
    .opendir = op_opendir,
    .readdir = op_readdir,
    .readdirplus = op_readdirplus,
    .releasedir = op_release,
    .fsyncdir = op_fsyncdir,
    .create = op_create,
    .mknod = op_mknod,
    .mkdir = op_mkdir,
    .unlink = op_unlink,
    .rmdir = op_rmdir,
    .symlink = op_symlink,
    .rename = op_rename,
    .link = op_link,
    .statfs = op_statfs,
    .getxattr = op_getxattr,
    .listxattr = op_listxattr,
    .setxattr = op_setxattr,
    .removexattr = op_removexattr,
    .access = op_access,
    .fallocate = op_fallocate,
};
