/* SPDX-License-Identifier: MIT */
#include "commit.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "cache/commit_priv.h"
#include "util/codec.h"
#include "util/log.h"
#include "util/path.h"
#include "util/xalloc.h"

static void plan(struct commit *c);

/* ---- the end ---- */

static void over(struct commit *c)
{
    struct spool_file *f = c->file;
    struct commit_result result = {
        .err = c->err.errnum ? &c->err : NULL,
        .entry = c->has_entry ? &c->entry : NULL,
        .gen = c->gen,
        .size = c->size,
        .change = c->change,
        .sent = c->sent,
        .is_renamed = c->is_renamed,
        .is_foreign = c->is_foreign,
    };

    f->commit = NULL;
    spool_commit_over(f, &result);
    commit_upload_clear(c);
    e2b_entry_clear(&c->entry);
    free(c->path);
    free(c->temp);
    free(c);
}

static void on_cleaned(void *arg, const struct e2b_entry *entry, const struct e2b_err *err)
{
    struct commit *c = arg;

    (void)entry;
    c->call = NULL;
    if (err && err->errnum != ENOENT)
        log_warning("spool", "left behind: sandbox=%s path=%s error=%s", c->file->sandbox,
                    c->temp ? c->temp : c->path, err->msg);
    else if (!c->temp)
        c->file->is_created = false;
    over(c);
}

/* What an upload left that didn't take effect: the temporary, or a part of the new file.  Not
 * the latter if the name was removed meanwhile: then it may be somebody else's already. */
static const char *litter(const struct commit *c)
{
    if (c->temp)
        return c->temp;
    return c->err.errnum && c->has_made_target && !c->file->is_detached ? c->path : NULL;
}

/* Errors after which another request can't be sent at all (ECANCELED, unless it was us, means
 * that the client is going away) or is not answered any better. */
static bool can_clean(const struct commit *c)
{
    if (c->file->spool->is_stopped)
        return false;
    switch (c->err.errnum) {
    case ECANCELED:
        return c->file->is_detached;
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ECONNREFUSED:
    case EKEYREJECTED:
        return false;
    default:
        return true;
    }
}

static void on_cleaned_behind(void *arg, const struct e2b_entry *entry,
                              const struct e2b_err *err)
{
    (void)arg;
    (void)entry;
    if (err)
        log_warning("spool", "a temporary file was left behind: %s", err->msg);
}

void commit_finish(struct commit *c)
{
    struct e2b_fop_args args = { .path = litter(c), .user = "root" };

    if (!args.path || !can_clean(c)) {
        over(c);
        return;
    }
    if (c->err.errnum != ETIMEDOUT) {
        commit_op(c, E2B_FOP_UNLINK, &args, on_cleaned);
        return;
    }
    /* Nobody should wait for a second time-out.  The name of a temporary is never used again,
     * so it doesn't matter when it goes; the target's is. */
    if (c->temp)
        e2b_file_op(c->file->spool->client, c->file->sandbox, E2B_FOP_UNLINK, &args,
                    on_cleaned_behind, NULL);
    over(c);
}

void commit_fail(struct commit *c, const struct e2b_err *err)
{
    c->err = *err;
    commit_finish(c);
}

static void finish_later(void *arg)
{
    commit_finish(arg);
}

void commit_fail_later(struct commit *c)
{
    loop_post(c->file->spool->loop, finish_later, c);
}

void commit_succeed(struct commit *c, const struct e2b_entry *entry)
{
    if (entry) {
        e2b_entry_copy(&c->entry, entry);
        c->has_entry = true;
        c->is_foreign = entry->size != c->size;
    }
    commit_finish(c);
}

bool commit_step_failed(struct commit *c, const struct e2b_err *err)
{
    c->call = NULL;
    if (!err && !c->file->is_detached)
        return false;
    if (err)
        c->err = *err;
    else
        e2b_fail(&c->err, ECANCELED, "%s was removed", c->path);
    commit_finish(c);
    return true;
}

void commit_op(struct commit *c, enum e2b_fop op, const struct e2b_fop_args *args,
               e2b_entry_fn *fn)
{
    c->call = e2b_file_op(c->file->spool->client, c->file->sandbox, op, args, fn, c);
}

/* ---- CREATE and FILL ---- */

/* True if others in the sandbox could read a file that is made without asking for a mode. */
static bool is_private(mode_t mode)
{
    return (mode & 0044) != 0044;
}

static void on_chmod(void *arg, const struct e2b_entry *entry, const struct e2b_err *err)
{
    struct commit *c = arg;

    if (!commit_step_failed(c, err))
        commit_succeed(c, entry);
}

static void uploaded_target(struct commit *c)
{
    struct e2b_fop_args args = { .path = c->path, .mode = c->file->mode, .user = "root" };
    /* What exists keeps its mode, except that an upload clears the set-id bits. */
    bool is_right = c->is_made ? (c->file->mode & 06000) == 0 : c->file->mode == 0644;

    if (c->method == COMMIT_CREATE && !is_right)
        commit_op(c, E2B_FOP_CHMOD, &args, on_chmod);
    else
        commit_succeed(c, NULL);
}

/* It exists after all: to be replaced as a whole. */
static void exists_after_all(struct commit *c)
{
    if (!c->has_made_target)
        log_warning("spool", "made by somebody else meanwhile: sandbox=%s path=%s",
                    c->file->sandbox, c->path);
    c->file->is_created = true;
    c->file->base_size = INT64_MAX;
    plan(c);
}

static void on_created(void *arg, const struct e2b_entry *entry, const struct e2b_err *err)
{
    struct commit *c = arg;

    c->call = NULL;
    if (err && err->errnum == EEXIST && !c->file->is_detached) {
        exists_after_all(c);
        return;
    }
    if (commit_step_failed(c, err))
        return;
    if (c->size == 0) {
        commit_succeed(c, entry);
        return;
    }
    c->is_made = c->has_made_target = true;
    commit_upload(c, c->path, NULL, 0, uploaded_target);
}

static void create(struct commit *c)
{
    struct e2b_fop_args args = { .path = c->path, .mode = c->file->mode };

    if (c->size == 0 && c->is_made) { /* it became empty after it was made */
        commit_succeed(c, NULL);
        return;
    }
    if (c->size == 0 || (is_private(c->file->mode) && !c->is_made)) {
        commit_op(c, E2B_FOP_CREATE, &args, on_created);
        return;
    }
    /* After an earlier failure the name may be somebody's: then it isn't ours to remove. */
    c->has_made_target = c->is_made || c->file->failures == 0;
    commit_upload(c, c->path, NULL, 0, uploaded_target);
}

static void fill(struct commit *c)
{
    /* If this is torn, the file is no longer empty when the method is chosen again. */
    if (c->file->attempted < c->size)
        c->file->attempted = c->size;
    commit_upload(c, c->path, c->file->owner, 0, uploaded_target);
}

/* ---- TRUNCATE ---- */

static void on_truncated(void *arg, const struct e2b_entry *entry, const struct e2b_err *err)
{
    struct commit *c = arg;

    if (!commit_step_failed(c, commit_target_gone(c, err)))
        commit_succeed(c, entry);
}

static void truncate_target(struct commit *c)
{
    struct e2b_fop_args args = { .path = c->path, .size = c->size, .user = "root" };

    commit_op(c, E2B_FOP_TRUNCATE, &args, on_truncated);
}

/* ---- REPLACE ---- */

static void on_replaced(void *arg, const struct e2b_entry *entry, const struct e2b_err *err)
{
    struct commit *c = arg;
    struct e2b_err lost = { 0 };

    if (commit_step_failed(c, err))
        return;
    free(steal_ptr(&c->temp)); /* it has become the file */
    if (entry && entry->size < c->size) {
        e2b_fail(&lost, EIO, "%s: the sandbox has %lld bytes of %lld", c->path,
                 (long long)entry->size, (long long)c->size);
        commit_fail(c, &lost);
        return;
    }
    commit_succeed(c, entry);
}

static void uploaded_temp(struct commit *c)
{
    struct e2b_fop_args args = { .path = c->temp, .to = c->path, .user = "root" };

    commit_op(c, E2B_FOP_REPLACE, &args, on_replaced);
}

static void fetched(struct commit *c)
{
    commit_upload_temp(c, 0, uploaded_temp);
}

static void replace_target(struct commit *c)
{
    commit_fetch(c, fetched);
}

/* ---- uploads through a temporary sibling ---- */

/* An upload makes whom it names the owner; a number can't be named. */
static bool can_name_owner(const struct spool_file *f)
{
    return f->owner && f->owner[strspn(f->owner, "0123456789")] != '\0';
}

static const char *owner_name(const struct commit *c)
{
    return can_name_owner(c->file) ? c->file->owner : NULL;
}

static void on_temp_made(void *arg, const struct e2b_entry *entry, const struct e2b_err *err)
{
    struct commit *c = arg;

    (void)entry;
    if (commit_step_failed(c, err))
        return;
    c->is_made = true;
    commit_upload(c, c->temp, owner_name(c), c->from, c->uploaded);
}

void commit_upload_temp(struct commit *c, int64_t from, commit_step *then)
{
    if (!c->temp) {
        autofree char *dir = path_dir(c->path);
        autofree char *name = NULL;
        char hex[33];

        random_hex(hex, 16);
        name = xasprintf(".e2bfs-%s", hex);
        c->temp = path_join(dir, name);
        c->is_made = false;
    }
    c->from = from;
    c->uploaded = then;
    if (is_private(c->file->mode) && !c->is_made) {
        struct e2b_fop_args args = { .path = c->temp, .mode = 0600, .user = "root" };

        commit_op(c, E2B_FOP_CREATE, &args, on_temp_made);
        return;
    }
    commit_upload(c, c->temp, owner_name(c), from, then);
}

/* ---- the choice ---- */

typedef void start_fn(struct commit *c);

static start_fn *const starts[] = {
    [COMMIT_CREATE] = create,
    [COMMIT_FILL] = fill,
    [COMMIT_TRUNCATE] = truncate_target,
    [COMMIT_TAIL] = commit_tail,
    [COMMIT_REPLACE] = replace_target,
};

static enum commit_method choose(const struct commit *c)
{
    const struct spool_file *f = c->file;
    const struct change *change = &c->change;
    bool has_data = change->data_from < c->size;
    /* A failed commit may have been done all the same: the remote file has up to that many
     * bytes, and those behind a cut must not show through a hole. */
    int64_t longest = f->attempted > f->base_size ? f->attempted : f->base_size;

    if (!f->is_created)
        return COMMIT_CREATE;
    if (!has_data && (change->cut_to >= longest || change->cut_to >= c->size))
        return COMMIT_TRUNCATE;
    if (!has_data || change->data_from < f->base_size || change->cut_to < longest)
        return COMMIT_REPLACE;
    /* A large tail of an empty file needs no temporary: there is nothing to destroy. */
    if (f->base_size == 0 && c->size > E2B_FOP_DATA_MAX && !change->append_only &&
        can_name_owner(f) && (f->mode & 06000) == 0)
        return COMMIT_FILL;
    return COMMIT_TAIL;
}

static void plan(struct commit *c)
{
    struct spool_file *f = c->file;

    assert(f->local.seq != 0 && !f->is_detached);
    if (f->spool->is_stopped) {
        e2b_fail(&c->err, ECANCELED, "the mount ended before it was committed");
        commit_fail_later(c);
        return;
    }
    change_merge(&c->change, &f->change);
    f->change = CHANGE_NONE;
    c->gen = f->gen;
    c->size = f->size;
    c->method = choose(c);
    starts[c->method](c);
}

void commit_replan(struct commit *c)
{
    plan(c);
}

void commit_start(struct spool_file *f)
{
    struct commit *c = xcalloc(1, sizeof(*c));

    assert(!f->commit && spool_is_dirty(f));
    *c = (struct commit){
        .file = f, .path = xstrdup(f->path), .change = CHANGE_NONE, .copy_fd = -1
    };
    f->commit = c;
    plan(c);
}

void commit_touch(struct commit *c, int64_t from, int64_t to)
{
    if (c->is_sending && from < c->sending_to && to > c->sending_from)
        c->is_torn = true;
}

void commit_renamed(struct commit *c)
{
    c->is_renamed = true;
}

void commit_cancel(struct commit *c)
{
    if (c->call)
        e2b_call_cancel(c->call);
}
