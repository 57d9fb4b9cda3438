/* SPDX-License-Identifier: MIT */
/*
 * The bytes of the old version that nobody wrote here, fetched before a file is replaced as a
 * whole.  What is written meanwhile wins.  All requests are pinned to one version; if that is
 * gone, everything fetched is forgotten and it starts again, once, with the new version.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/commit_priv.h"
#include "util/buf.h"
#include "util/log.h"

/* Gaps closer than this are fetched by one request: bytes are cheaper than a round trip. */
#define FETCH_JOIN ((int64_t)MIB(1))

/* The first bytes at or after `off` that only the sandbox has; false: none. */
static bool find_gap(const struct spool_file *f, int64_t off, int64_t *from, int64_t *to)
{
    bool is_here;

    while (off < f->base_limit) {
        int64_t end = ranges_piece(&f->here, off, &is_here);

        if (!is_here) {
            *from = off;
            *to = end < f->base_limit ? end : f->base_limit;
            return true;
        }
        off = end;
    }
    return false;
}

static int store_piece(struct spool_file *f, const char *data, int64_t from, int64_t to)
{
    int r = spool_make_room(f->spool, to - from, NULL);

    for (int64_t at = from; r == 0 && at < to;) {
        ssize_t n = pwrite(f->local.fd, data + (at - from), (size_t)(to - at), at);

        if (n > 0)
            at += n;
        else if (n < 0 && errno != EINTR)
            r = -errno;
    }
    return r == 0 ? spool_file_have(f, from, to, true) : r;
}

static int on_data(void *arg, const char *data, size_t len)
{
    struct commit *c = arg;
    struct spool_file *f = c->file;
    int64_t start = c->fetch_at, end = start + (int64_t)len;
    int64_t from, to;

    if (f->is_detached)
        return -ECANCELED;
    c->fetch_at = end;
    for (int64_t off = start; find_gap(f, off, &from, &to) && from < end; off = to) {
        int r;

        if (to > end)
            to = end;
        r = store_piece(f, data + (from - start), from, to);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- another version ---- */

/* What reads as a hole must be zeros: the spool's file is uploaded as it is. */
static int erase(int fd, int64_t from, int64_t to)
{
    static const char zeros[4096];

    if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from, to - from) == 0)
        return 0;
    while (from < to) {
        size_t len = to - from < (int64_t)sizeof(zeros) ? (size_t)(to - from) : sizeof(zeros);
        ssize_t n = pwrite(fd, zeros, len, from);

        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0)
            from += n;
    }
    return 0;
}

static int forget_fetched(struct spool_file *f)
{
    struct range first;

    while (f->fetched.n > 0) {
        int r;

        first = f->fetched.v[f->fetched.n - 1];
        r = erase(f->local.fd, first.from, first.to);
        if (r < 0)
            return r;
        if (f->here.n >= RANGES_MAX)
            return -EFBIG;
        spool_file_lose(f, first.from, first.to);
    }
    return 0;
}

static void on_new_version(void *arg, const struct e2b_entry *entry, const struct e2b_err *err)
{
    struct commit *c = arg;
    struct spool_file *f = c->file;
    struct e2b_err e = { 0 };
    int r;

    if (commit_step_failed(c, commit_target_gone(c, err)))
        return;
    if (!S_ISREG(entry->mode)) {
        e2b_fail(&e, ESTALE, "%s is no longer a regular file", c->path);
        commit_fail(c, &e);
        return;
    }
    log_warning("spool", "changed in the sandbox since it was opened: sandbox=%s path=%s",
                f->sandbox, c->path);
    r = forget_fetched(f);
    if (r < 0) {
        e2b_fail(&e, -r, "forgetting the old version of %s: %s", c->path, strerror(-r));
        commit_fail(c, &e);
        return;
    }
    f->base_size = entry->size;
    f->base_mtime = entry->mtime;
    if (f->base_limit > entry->size)
        f->base_limit = entry->size;
    c->is_rebased = true;
    commit_fetch(c, c->fetched);
}

static void rebase(struct commit *c)
{
    struct spool_file *f = c->file;
    struct e2b_err e = { 0 };

    if (c->is_rebased) {
        e2b_fail(&e, ESTALE, "%s keeps changing in the sandbox", c->path);
        commit_fail(c, &e);
        return;
    }
    c->call = e2b_file_stat(f->spool->client, f->sandbox, c->path, on_new_version, c);
}

/* ---- the requests ---- */

static void on_fetched(void *arg, const struct e2b_read_info *info, const struct e2b_err *err)
{
    struct commit *c = arg;
    struct spool_file *f = c->file;
    bool is_other;

    if (err && err->errnum == ESTALE && !f->is_detached) {
        c->call = NULL;
        rebase(c);
        return;
    }
    if (commit_step_failed(c, commit_target_gone(c, err)))
        return;
    /* Changed within the second that a request can be pinned to. */
    is_other =
        info && info->size >= 0 && f->base_size != INT64_MAX && info->size != f->base_size;
    if (is_other || (c->fetch_at < c->fetch_to && c->fetch_at < f->base_limit))
        rebase(c);
    else
        commit_fetch(c, c->fetched);
}

void commit_fetch(struct commit *c, commit_step *then)
{
    struct spool_file *f = c->file;
    int64_t from, to, next_from, next_to;
    struct e2b_read read;

    c->fetched = then;
    if (!find_gap(f, 0, &from, &to)) {
        then(c);
        return;
    }
    /* All of it will be needed: no use in fetching what can't be kept. */
    if (spool_make_room(f->spool, ranges_missing(&f->here, 0, f->base_limit), &c->err) < 0) {
        commit_fail_later(c);
        return;
    }
    while (find_gap(f, to, &next_from, &next_to) && next_from - to <= FETCH_JOIN)
        to = next_to;
    c->fetch_at = from;
    c->fetch_to = to;
    read = (struct e2b_read){
        .path = c->path,
        .off = from,
        .len = to - from,
        .if_mtime = f->base_mtime.tv_sec != 0 ? &f->base_mtime : NULL,
    };
    c->call = e2b_file_read(f->spool->client, f->sandbox, &read, on_data, on_fetched, c);
}
