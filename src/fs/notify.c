/* SPDX-License-Identifier: MIT */
#include "fs/notify.h"

#include "fs/fuse_io.h"
#include "util/xalloc.h"

#include <string.h>

struct notice {
    struct fs *fs;
    struct fuse_session *session; /* outlives the notifier thread (fs.c) */
    uint64_t nodeid;
    char *name; /* NULL: the inode itself; owned */
    bool with_pages;
    loop_fn *done;
    void *arg;
};

static void notice_work(void *arg)
{
    struct notice *n = arg;

    /* -ENOENT: the kernel had forgotten it already.  Nothing to do about any other failure. */
    if (n->name)
        fuse_lowlevel_notify_inval_entry(n->session, n->nodeid, n->name, strlen(n->name));
    else
        fuse_lowlevel_notify_inval_inode(n->session, n->nodeid, n->with_pages ? 0 : -1, 0);
}

static void notice_done(void *arg)
{
    struct notice *n = arg;

    n->fs->notices--;
    if (n->done)
        n->done(n->arg);
    free(n->name);
    free(n);
}

static void send(struct fs *fs, const struct notice *what)
{
    struct notice *n = xmemdup(what, sizeof(*what));

    n->fs = fs;
    fs->notices++;
    if (!fs->io || fs->is_stopping) {
        loop_post(fs->loop, notice_done, n);
        return;
    }
    n->session = fuse_io_session(fs->io);
    worker_run(fs->notifier, notice_work, notice_done, n);
}

void notify_entry(struct fs *fs, const struct inode *dir, const char *name)
{
    send(fs, &(struct notice){ .nodeid = dir->nodeid, .name = xstrdup(name) });
}

void notify_inode(struct fs *fs, const struct inode *i, bool with_pages, loop_fn *done,
                  void *arg)
{
    send(fs, &(struct notice){
                 .nodeid = i->nodeid, .with_pages = with_pages, .done = done, .arg = arg });
}
