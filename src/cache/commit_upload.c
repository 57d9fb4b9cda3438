/* SPDX-License-Identifier: MIT */
/*
 * An upload of one version of a file that its writers may be changing.
 *
 * The range is read from the spool while it is sent, so a write into it (commit_touch) tears
 * the version.  A torn upload never takes effect: it is repeated with the file as it is then,
 * from a copy if it is small enough to be made in place.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cache/commit_priv.h"
#include "util/buf.h"
#include "util/log.h"
#include "util/xalloc.h"

enum { REPEATS_MAX = 3 };
#define COPY_MAX ((int64_t)MIB(1))

void commit_upload_clear(struct commit *c)
{
    if (c->copy_fd >= 0)
        close(c->copy_fd);
    c->copy_fd = -1;
}

/* Copies [from, from + len) of the spool to the same offset of an anonymous file; -1 if that
 * fails, then the spool's own file is read once more. */
static int copy_range(int fd, int64_t from, int64_t len)
{
    autofree char *data = xmalloc((size_t)len);
    int copy = memfd_create("e2bfs-upload", MFD_CLOEXEC);

    if (copy < 0)
        return -1;
    if (pread(fd, data, (size_t)len, from) == len &&
        pwrite(copy, data, (size_t)len, from) == len)
        return copy;
    close(copy);
    return -1;
}

static void on_uploaded(void *arg, const struct e2b_err *err)
{
    struct commit *c = arg;
    bool is_torn = c->is_torn && !c->file->is_detached;

    c->is_sending = c->is_torn = false;
    commit_upload_clear(c);
    /* A file that shrank under the upload makes it fail: that is no error either. */
    if (is_torn && (!err || err->errnum != ECANCELED) && c->repeats < REPEATS_MAX) {
        c->call = NULL;
        c->repeats++;
        commit_replan(c);
        return;
    }
    if (commit_step_failed(c, err))
        return;
    if (is_torn)
        log_warning("spool", "changed all the time while it was sent: sandbox=%s path=%s",
                    c->file->sandbox, c->path);
    c->uploaded(c);
}

void commit_upload(struct commit *c, const char *path, const char *owner, int64_t from,
                   commit_step *then)
{
    struct e2b_write write = { .path = path, .owner = owner, .off = from };

    if (c->gen != c->file->gen) {
        commit_replan(c); /* comes here again, in this turn */
        return;
    }
    write.fd = c->file->local.fd;
    write.len = c->size - from;
    assert(write.len >= 0);
    if (c->repeats > 0 && write.len > 0 && write.len <= COPY_MAX)
        c->copy_fd = copy_range(write.fd, from, write.len);
    if (c->copy_fd >= 0)
        write.fd = c->copy_fd;
    c->is_sending = c->copy_fd < 0;
    c->is_torn = false;
    c->sending_from = from;
    c->sending_to = c->size;
    c->uploaded = then;
    c->sent += write.len;
    c->call = e2b_file_write(c->file->spool->client, c->file->sandbox, &write, on_uploaded, c);
}
