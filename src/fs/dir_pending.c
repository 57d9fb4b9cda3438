/* SPDX-License-Identifier: MIT */
/*
 * .e2b/pending/: what could not be committed, by this daemon or an earlier one, to be copied
 * out; and `index`, which says what each is and why.
 */
#include "fs/dirlist.h"
#include "fs/file_snapshot.h"
#include "fs/fs.h"
#include "fs/snapshot.h"
#include "fs/tree.h"
#include "util/clock.h"
#include "util/path.h"
#include "util/utf8.h"
#include "util/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

static void index_line(void *arg, const struct spool_pending *p)
{
    struct snapshot *snap = arg;
    char time[RFC3339_MAX];

    /* The path and, in part, the reason are the sandbox's words. */
    buf_printf(&snap->out, "%" PRIu64 " %s ", p->number, p->sandbox);
    utf8_escape(&snap->out, p->path, strlen(p->path));
    buf_printf(&snap->out, " %" PRId64 " %s ", p->bytes, rfc3339_format(p->since, 0, time));
    utf8_escape(&snap->out, p->reason, strlen(p->reason));
    buf_putc(&snap->out, '\n');
}

static void index_fill(struct snapshot *snap)
{
    spool_pending_each(snap->fs->spool, index_line, snap);
    snapshot_finish(snap);
}

static const struct node_entry index_row = {
    .name = "index", .type = &node_snapshot, .mode = 0444, .fill = index_fill
};

/* "3-notes.txt": the number is stable, the name is for people. */
static char *entry_name(const struct spool_pending *p)
{
    return xasprintf("%" PRIu64 "-%.200s", p->number, path_base(p->path));
}

struct finding {
    const char *name;
    char *file; /* owned; the local content */
    struct timespec since;
    int64_t bytes;
};

static void match(void *arg, const struct spool_pending *p)
{
    struct finding *f = arg;
    autofree char *name = entry_name(p);

    if (f->file || strcmp(name, f->name) != 0)
        return;
    f->file = xstrdup(p->file);
    f->since = p->since;
    f->bytes = p->bytes;
}

static bool find(const struct inode *dir, const char *name, struct finding *f)
{
    *f = (struct finding){ .name = name };
    spool_pending_each(dir->fs->spool, match, f);
    return f->file;
}

static int64_t file_peek_attr(struct inode *i, struct stat *st)
{
    struct finding f;

    node_stat(i, 0400, st);
    if (find(i->parent, i->name, &f)) {
        st->st_size = f.bytes;
        st->st_blocks = (st->st_size + 511) / 512;
        st->st_mtim = st->st_ctim = st->st_atim = f.since;
    }
    free(f.file);
    return 0;
}

static void file_open(struct fsreq *req, struct inode *i, struct fuse_file_info *fi)
{
    struct finding f;
    struct handle *h;
    int fd;

    if ((fi->flags & O_ACCMODE) != O_RDONLY) {
        fsreq_reply_errno(req, EPERM);
        return;
    }
    fd = find(i->parent, i->name, &f) ? open(f.file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    free(f.file);
    if (fd < 0) {
        fsreq_reply_errno(req, ENOENT);
        return;
    }
    h = handle_new(i, fi);
    h->state = (void *)(intptr_t)fd;
    handle_reply_open(req, h, fi);
}

/* Local disk, through the page cache; the kernel reads at most 1 MiB at a time. */
static void file_read(struct fsreq *req, struct handle *h, size_t size, off_t off)
{
    autofree char *buf = xmalloc(size);
    ssize_t n = pread((int)(intptr_t)h->state, buf, size, off);

    if (n < 0)
        fsreq_reply_errno(req, errno);
    else
        fsreq_reply_buf(req, buf, (size_t)n);
}

static void file_release(struct handle *h)
{
    close((int)(intptr_t)h->state);
}

static const struct node_type pending_file = {
    .name = "pending-file",
    .kind = S_IFREG,
    .peek_attr = file_peek_attr,
    .open = file_open,
    .read = file_read,
    .release = file_release,
};

static void dir_lookup(struct fsreq *req, struct inode *dir, const char *name)
{
    struct finding f;
    struct inode *i;

    if (strcmp(name, index_row.name) == 0) {
        i = inode_make(dir, name, index_row.type, &index_row, NULL);
        NODE(i, present)(req, i, 0);
        return;
    }
    if (!find(dir, name, &f)) {
        fsreq_reply_errno(req, ENOENT);
        return;
    }
    free(f.file);
    fsreq_reply_entry(req, inode_make(dir, name, &pending_file, NULL, NULL), 0);
}

static void list_one(void *arg, const struct spool_pending *p)
{
    autofree char *name = entry_name(p);

    dirlist_add(arg, name, S_IFREG);
}

static void dir_opendir(struct fsreq *req, struct inode *dir, struct fuse_file_info *fi)
{
    struct handle *h = handle_new(dir, fi);

    h->list = dirlist_new();
    dirlist_add(h->list, index_row.name, S_IFREG);
    spool_pending_each(dir->fs->spool, list_one, h->list);
    handle_reply_open(req, h, fi);
}

static int64_t dir_peek_attr(struct inode *i, struct stat *st)
{
    node_stat(i, i->entry->mode & 0555, st);
    return 0;
}

const struct node_type node_pending = {
    .name = "pending-dir",
    .kind = S_IFDIR,
    .peek_attr = dir_peek_attr,
    .lookup = dir_lookup,
    .opendir = dir_opendir,
};
