/* SPDX-License-Identifier: MIT */
/* TAIL: growth at the end, sent alone. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/commit_priv.h"
#include "util/log.h"
#include "util/xalloc.h"

const struct e2b_err *commit_target_gone(struct commit *c, const struct e2b_err *err)
{
    if (!err || err->errnum != ENOENT)
        return err;
    /* Made anew it would have only what was written here; and whoever removed it meant it. */
    e2b_fail(&c->err, ESTALE, "%s was removed in the sandbox", c->path);
    return &c->err;
}

static bool is_append(const struct commit *c)
{
    return c->change.append_only && !c->file->was_appended;
}

/* The helper tells the size that it left: another one means that somebody else wrote, too. */
static void finish_tail(struct commit *c, const struct e2b_entry *entry)
{
    if (entry && entry->size != c->size)
        log_warning("spool",
                    "somebody else wrote, too: sandbox=%s path=%s size=%lld expected=%lld",
                    c->file->sandbox, c->path, (long long)entry->size, (long long)c->size);
    commit_succeed(c, entry);
}

static void on_tail(void *arg, const struct e2b_entry *entry, const struct e2b_err *err)
{
    struct commit *c = arg;

    /* It may have been done all the same; the next try asks first. */
    if (err && err->errnum != ENOENT && is_append(c))
        c->file->unsure = c->size - c->from;
    if (!commit_step_failed(c, commit_target_gone(c, err)))
        finish_tail(c, entry);
}

static void on_spliced(void *arg, const struct e2b_entry *entry, const struct e2b_err *err)
{
    struct commit *c = arg;

    if (!err)
        free(steal_ptr(&c->temp)); /* the helper removed it */
    on_tail(c, entry, err);
}

static void splice(struct commit *c)
{
    struct e2b_fop_args args = {
        .path = c->temp,
        .to = c->path,
        .size = is_append(c) ? -1 : c->from,
        .user = "root",
    };

    commit_op(c, E2B_FOP_SPLICE, &args, on_spliced);
}

static void send_small(struct commit *c)
{
    size_t len = (size_t)(c->size - c->from);
    autofree char *data = xmalloc(len);
    struct e2b_fop_args args = {
        .path = c->path, .size = c->from, .data = data, .len = len, .user = "root"
    };
    ssize_t n = pread(c->file->local.fd, data, len, c->from);

    if (n != (ssize_t)len) {
        int errnum = n < 0 ? errno : EIO;

        e2b_fail(&c->err, errnum, "reading the spool for %s: %s", c->path, strerror(errnum));
        commit_fail_later(c);
        return;
    }
    c->sent += (int64_t)len;
    commit_op(c, is_append(c) ? E2B_FOP_APPEND : E2B_FOP_PWRITE, &args, on_tail);
}

static void send_tail(struct commit *c)
{
    /* What lies between the old end and the first byte written is a hole. */
    c->from = c->change.append_only ? c->file->base_size : c->change.data_from;
    if (c->size - c->from <= E2B_FOP_DATA_MAX)
        send_small(c);
    else
        commit_upload_temp(c, c->from, splice);
}

static void on_asked(void *arg, const struct e2b_entry *entry, const struct e2b_err *err)
{
    struct commit *c = arg;
    struct spool_file *f = c->file;

    if (commit_step_failed(c, commit_target_gone(c, err)))
        return;
    c->has_asked = true;
    if (entry->size == f->base_size + f->unsure)
        f->was_appended = true;
    else if (entry->size != f->base_size)
        log_warning("spool", "may be appended twice: sandbox=%s path=%s", f->sandbox, c->path);
    commit_replan(c); /* writes may have come while we asked */
}

void commit_tail(struct commit *c)
{
    struct spool_file *f = c->file;

    if (f->unsure == 0 || !is_append(c) || c->has_asked) {
        send_tail(c);
        return;
    }
    c->call = e2b_file_stat(f->spool->client, f->sandbox, c->path, on_asked, c);
}
