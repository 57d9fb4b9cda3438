/* SPDX-License-Identifier: MIT */
/* The spool as a whole: its ceiling, what is pending, and the end. */
#include "spool.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "cache/spool_priv.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/xalloc.h"

#define DEFAULT_MAX_BYTES (UINT64_C(10) << 30)

/* ---- pending entries ---- */

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Takes the entry; the strings are copied. */
static struct pending *pending_add(struct spool *spool, struct journal_entry *local,
                                   const char *path, const char *reason)
{
    struct pending *p = xcalloc(1, sizeof(*p));
    struct stat st = { 0 };

    (void)fstat(local->fd, &st);
    *p = (struct pending){
        .path = xstrdup(path),
        .reason = xstrdup(reason),
        .file = journal_path(spool->journal, local),
        .bytes = st.st_size,
        .held = min64(st.st_size, (int64_t)st.st_blocks * 512),
        .local = *local,
    };
    *local = (struct journal_entry){ .fd = -1 };
    spool->held += (uint64_t)p->held;
    TAILQ_INSERT_TAIL(&spool->pending, p, next);
    return p;
}

static void pending_free(struct spool *spool, struct pending *p)
{
    TAILQ_REMOVE(&spool->pending, p, next);
    spool->held -= (uint64_t)p->held;
    journal_entry_clear(&p->local);
    free(p->path);
    free(p->reason);
    free(p->file);
    free(p);
}

void spool_keep_pending(struct spool_file *f)
{
    struct spool *spool = f->spool;
    autofree char *reason = NULL;
    struct e2b_err err = { 0 };
    uint64_t number = journal_number(spool->journal);
    struct pending *p;

    if (f->failed_gen == 0) {
        e2b_fail(&f->last_err, ECANCELED, "the mount ended before it was committed");
        f->failed_gen = f->gen;
        f->failed_at = clock_wall();
    }
    if (spool_file_note(f, number, &err) < 0)
        log_warning("spool", "%s", err.msg);
    journal_sync(spool->journal, &f->local);
    reason = spool_file_reason(f);
    spool_file_lose(f, 0, INT64_MAX); /* counted as pending from now on */
    p = pending_add(spool, &f->local, f->path, reason);
    p->number = number;
    p->since = f->failed_at;
    log_warning("spool", "kept as pending: number=%" PRIu64 " sandbox=%s path=%s reason=%s",
                number, p->local.sandbox, p->path, p->reason);
}

static void adopt(void *arg, struct journal_entry *local, const struct journal_note *note)
{
    struct spool *spool = arg;
    struct journal_note kept = *note;
    struct e2b_err err = { 0 };
    struct pending *p;

    if (!kept.reason)
        kept.reason = "ECANCELED: the mount ended before it was committed";
    if (kept.number == 0)
        kept.number = journal_number(spool->journal);
    p = pending_add(spool, local, kept.path, kept.reason);
    p->number = kept.number;
    p->since = kept.since;
    /* An unreadable note is left as it is: somebody may still make sense of it. */
    if (note->number == 0 && strcmp(note->path, "/unknown") != 0 &&
        journal_write(spool->journal, &p->local, &kept, &err) < 0)
        log_warning("spool", "%s", err.msg);
    log_info("spool", "adopted: number=%" PRIu64 " sandbox=%s path=%s reason=%s", p->number,
             p->local.sandbox, p->path, p->reason);
}

void spool_pending_each(const struct spool *spool, spool_pending_fn *fn, void *arg)
{
    struct pending *p;

    TAILQ_FOREACH(p, &spool->pending, next)
    {
        struct spool_pending shown = {
            .number = p->number,
            .sandbox = p->local.sandbox,
            .path = p->path,
            .reason = p->reason,
            .bytes = p->bytes,
            .since = p->since,
            .file = p->file,
        };

        fn(arg, &shown);
    }
}

int spool_pending_drop(struct spool *spool, uint64_t number, struct e2b_err *err)
{
    struct pending *p;

    TAILQ_FOREACH(p, &spool->pending, next)
    {
        if (p->number != number)
            continue;
        journal_remove(spool->journal, &p->local);
        pending_free(spool, p);
        return 0;
    }
    return e2b_fail(err, ENOENT, "no pending entry %" PRIu64, number);
}

/* ---- start, ceiling, end ---- */

struct spool *spool_new(struct loop *loop, struct workers *workers, struct e2b_client *client,
                        const struct spool_config *config, struct e2b_err *err)
{
    struct journal *journal = journal_open(config->dir, workers, err);
    struct spool *spool;

    if (!journal)
        return NULL;
    spool = xcalloc(1, sizeof(*spool));
    spool->loop = loop;
    spool->client = client;
    spool->journal = journal;
    spool->max_bytes = config->max_bytes;
    if (spool->max_bytes == 0) {
        spool->max_bytes = journal_free_bytes(journal) / 2;
        if (spool->max_bytes > DEFAULT_MAX_BYTES)
            spool->max_bytes = DEFAULT_MAX_BYTES;
    }
    TAILQ_INIT(&spool->files);
    TAILQ_INIT(&spool->pending);
    journal_adopt(journal, adopt, spool);
    return spool;
}

void spool_stop(struct spool *spool)
{
    if (spool)
        spool->is_stopped = true;
}

void spool_free(struct spool *spool)
{
    struct spool_file *f;
    struct pending *p;

    if (!spool)
        return;
    while ((f = TAILQ_FIRST(&spool->files)) != NULL) {
        if (spool_is_dirty(f))
            spool_keep_pending(f);
        spool_file_free(f);
    }
    while ((p = TAILQ_FIRST(&spool->pending)) != NULL)
        pending_free(spool, p);
    journal_close(spool->journal);
    free(spool);
}

int spool_make_room(struct spool *spool, int64_t need, struct e2b_err *err)
{
    struct spool_file *f;

    if (spool->held + (uint64_t)need <= spool->max_bytes)
        return 0;
    /* What the sandbox has too need not be here, if its version is known to readers. */
    TAILQ_FOREACH(f, &spool->files, next)
    {
        if (f->has_entry && !f->is_detached && !f->commit && !spool_is_dirty(f) &&
            f->here.n > 0)
            spool_file_yield(f, f->size);
    }
    if (spool->held + (uint64_t)need <= spool->max_bytes)
        return 0;
    return e2b_fail(err, ENOSPC, "the spool is full (%" PRIu64 " of %" PRIu64 " bytes)",
                    spool->held, spool->max_bytes);
}

void spool_stats(const struct spool *spool, struct spool_stats *out)
{
    const struct spool_file *f;
    const struct pending *p;

    *out = (struct spool_stats){
        .commits = spool->commits,
        .failures = spool->failures,
        .bytes_committed = spool->bytes_committed,
        .bytes_held = spool->held,
    };
    TAILQ_FOREACH(f, &spool->files, next)
    {
        out->dirty += spool_is_dirty(f);
    }
    TAILQ_FOREACH(p, &spool->pending, next)
    {
        out->pending++;
    }
}

/* ---- drain ---- */

struct drain {
    struct loop *loop;
    struct loop_timer timer;
    struct spool_wait **waits; /* one per file; NULL: over */
    size_t n, open, failed;
    spool_drain_fn *fn; /* NULL once called */
    void *arg;
};

struct drain_slot {
    struct drain *drain;
    size_t index;
};

static void drain_end(struct drain *d, size_t left)
{
    spool_drain_fn *fn = d->fn;

    d->fn = NULL;
    loop_timer_stop(d->loop, &d->timer);
    if (fn)
        fn(d->arg, left);
}

static void drain_free(struct drain *d)
{
    free(d->waits);
    free(d);
}

static void drained(void *arg, const struct e2b_entry *entry, const struct e2b_err *err)
{
    struct drain_slot *slot = arg;
    struct drain *d = slot->drain;

    (void)entry;
    d->waits[slot->index] = NULL;
    free(slot);
    d->open--;
    if (err)
        d->failed++;
    if (d->open > 0)
        return;
    drain_end(d, d->failed);
    drain_free(d);
}

/* The bound is reached: tells now, and is freed when the last wait came back. */
static void drain_expired(void *arg)
{
    struct drain *d = arg;

    for (size_t i = 0; i < d->n; i++)
        if (d->waits[i])
            spool_cancel_wait(d->waits[i]);
    drain_end(d, d->failed + d->open);
}

static void drain_empty(void *arg)
{
    struct drain *d = arg;

    drain_end(d, 0);
    drain_free(d);
}

void spool_drain(struct spool *spool, int64_t bound_ms, spool_drain_fn *fn, void *arg)
{
    struct drain *d = xcalloc(1, sizeof(*d));
    struct spool_file *f;

    *d = (struct drain){ .loop = spool->loop, .fn = fn, .arg = arg };
    TAILQ_FOREACH(f, &spool->files, next)
    {
        d->n += spool_is_dirty(f);
    }
    if (d->n == 0) {
        loop_post(spool->loop, drain_empty, d);
        return;
    }
    d->waits = xcalloc(d->n, sizeof(struct spool_wait *));
    loop_timer_start(spool->loop, &d->timer, bound_ms, drain_expired, d);
    TAILQ_FOREACH(f, &spool->files, next)
    {
        struct drain_slot *slot;

        if (!spool_is_dirty(f))
            continue;
        slot = xcalloc(1, sizeof(*slot));
        *slot = (struct drain_slot){ d, d->open };
        d->waits[d->open++] = spool_commit(f, drained, slot);
    }
}
