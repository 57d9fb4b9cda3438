/* SPDX-License-Identifier: MIT */
/* Who waits for a commit, and what its outcome means for the file. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "cache/commit.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/xalloc.h"

/* ---- waiters ---- */

/* Posted, never called directly: a waiter may close the file. */
static void deliver(void *arg)
{
    struct spool_wait *w = arg;

    w->fn(w->arg, w->has_entry ? &w->entry : NULL, w->err.errnum ? &w->err : NULL);
    e2b_entry_clear(&w->entry);
    free(w);
}

static void finish(struct spool_wait *w, const struct e2b_err *err)
{
    struct spool_file *f = w->file;

    if (err) {
        w->err = *err;
    } else if (f->has_entry && !f->is_detached) {
        e2b_entry_copy(&w->entry, &f->entry);
        w->has_entry = true;
    }
    w->file = NULL;
    loop_post(f->spool->loop, deliver, w);
}

struct spool_wait *spool_commit(struct spool_file *f, spool_fn *fn, void *arg)
{
    struct spool_wait *w = xcalloc(1, sizeof(*w));

    loop_assert_here(f->spool->loop);
    *w = (struct spool_wait){ .file = f, .gen = f->gen, .fn = fn, .arg = arg };
    if (!spool_is_dirty(f)) {
        finish(w, NULL);
        return w;
    }
    TAILQ_INSERT_TAIL(&f->waits, w, next);
    if (!f->commit)
        commit_start(f);
    return w;
}

void spool_cancel_wait(struct spool_wait *w)
{
    struct e2b_err err = { 0 };

    if (!w->file)
        return; /* the outcome is on its way */
    loop_assert_here(w->file->spool->loop);
    TAILQ_REMOVE(&w->file->waits, w, next);
    e2b_fail(&err, ECANCELED, "committing %s: no longer waited for", w->file->path);
    finish(w, &err);
}

static void finish_waits(struct spool_file *f, const struct e2b_err *err)
{
    struct spool_wait *w = TAILQ_FIRST(&f->waits), *next;

    for (; w; w = next) {
        next = TAILQ_NEXT(w, next);
        if (!err && !f->is_detached && w->gen > f->committed_gen)
            continue;
        TAILQ_REMOVE(&f->waits, w, next);
        finish(w, err);
    }
}

/* ---- the outcome ---- */

static void set_entry(struct spool_file *f, const struct e2b_entry *entry)
{
    e2b_entry_clear(&f->entry);
    f->has_entry = entry != NULL;
    f->base_mtime = (struct timespec){ 0 };
    if (!entry)
        return;
    e2b_entry_copy(&f->entry, entry);
    f->base_mtime = entry->mtime;
    free(f->owner);
    f->owner = xstrdup(entry->owner);
}

static void succeeded(struct spool_file *f, const struct commit_result *result)
{
    bool had_failed = f->failed_gen != 0;
    struct e2b_err err = { 0 };

    f->spool->commits++;
    f->spool->bytes_committed += (uint64_t)result->sent;
    f->failed_gen = 0;
    f->attempted = f->unsure = 0;
    f->was_appended = false;
    f->is_created = true;
    f->base_size = result->size;
    f->committed_gen = result->gen;
    ranges_clear(&f->fetched); /* no longer another version than the rest */
    set_entry(f, result->entry);
    if (result->is_renamed) {
        /* It went to the old name; what the new one has now is not known. */
        f->gen++;
        f->change.cut_to = 0;
        f->change.data_from = 0;
        f->base_size = INT64_MAX;
    }
    if (result->is_foreign)
        f->is_skewed = true;
    if (spool_is_dirty(f)) {
        if (had_failed && spool_file_note(f, 0, &err) < 0) /* the reason is over */
            log_warning("spool", "%s", err.msg);
        return;
    }
    if (f->is_noted)
        journal_forget(f->spool->journal, &f->local);
    f->is_noted = false;
    if (f->is_skewed && f->has_entry)
        spool_file_yield(f, f->entry.size);
}

static void failed(struct spool_file *f, const struct commit_result *result)
{
    struct e2b_err err = { 0 };

    f->spool->failures++;
    f->failures++;
    f->last_err = *result->err;
    f->failed_gen = result->gen;
    f->failed_at = clock_wall();
    if (f->attempted < result->size)
        f->attempted = result->size;
    change_merge(&f->change, &result->change);
    log_warning("spool", "not committed: sandbox=%s path=%s error=%s", f->sandbox, f->path,
                result->err->msg);
    if (spool_file_note(f, 0, &err) < 0)
        log_warning("spool", "%s", err.msg);
    journal_sync(f->spool->journal, &f->local);
}

void spool_commit_over(struct spool_file *f, const struct commit_result *result)
{
    const struct e2b_err *err = f->is_detached ? NULL : result->err;

    assert(!f->commit);
    if (err)
        failed(f, result);
    else if (!f->is_detached)
        succeeded(f, result);
    spool_file_check(f);
    finish_waits(f, err);
    if (!TAILQ_EMPTY(&f->waits))
        commit_start(f);
    else if (f->is_closing)
        spool_file_close_next(f);
}
