/* SPDX-License-Identifier: MIT */
/* One file's bytes: what is here, what is the sandbox's, and where it all goes at the end. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cache/commit.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/log.h"
#include "util/path.h"
#include "util/xalloc.h"

/* More intervals than this are not spelled out in the journal. */
enum { RANGES_SHOWN = 256, CHECKED_MAX = 64 };

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void change_merge(struct change *to, const struct change *from)
{
    to->data_from = min64(to->data_from, from->data_from);
    to->cut_to = min64(to->cut_to, from->cut_to);
    to->append_only = to->append_only && from->append_only;
}

void spool_file_check(const struct spool_file *f)
{
    /* Each write ends here: the whole set only where that is cheap. */
    if (f->here.n < CHECKED_MAX)
        ranges_check(&f->here);
    if (f->fetched.n < CHECKED_MAX)
        ranges_check(&f->fetched);
    assert(f->size >= 0 && f->base_limit <= f->size);
    assert(f->here.n == 0 || f->here.v[f->here.n - 1].to <= f->size);
    assert(f->committed_gen <= f->gen);
    assert(f->local.seq != 0 || f->here.n == 0);
    (void)f;
}

bool spool_is_dirty(const struct spool_file *f)
{
    return !f->is_detached && f->gen != f->committed_gen;
}

bool spool_is_committing(const struct spool_file *f)
{
    return f->commit != NULL;
}

bool spool_is_remote(const struct spool_file *f)
{
    return !f->is_detached && (f->is_created || f->commit || f->failures > 0);
}

bool spool_set_mode(struct spool_file *f, mode_t mode)
{
    if (f->is_created || f->commit)
        return false;
    f->mode = mode & 07777;
    return true;
}

int64_t spool_size(const struct spool_file *f)
{
    return f->size;
}

struct timespec spool_mtime(const struct spool_file *f)
{
    return !spool_is_dirty(f) && f->has_entry && !f->is_detached ? f->entry.mtime
                                                                 : f->written_at;
}

int spool_fd(const struct spool_file *f)
{
    return f->local.seq ? f->local.fd : -1;
}

uint32_t spool_failures(const struct spool_file *f, struct e2b_err *last)
{
    if (last)
        *last = f->last_err;
    return f->failures;
}

enum spool_where spool_map(const struct spool_file *f, off_t off, size_t *len)
{
    bool is_here;
    int64_t end;
    enum spool_where where;

    if (off >= f->size)
        return SPOOL_END;
    end = min64(ranges_piece(&f->here, off, &is_here), f->size);
    where = is_here ? SPOOL_LOCAL : off < f->base_limit ? SPOOL_BASE : SPOOL_HOLE;
    if (where == SPOOL_BASE)
        end = min64(end, f->base_limit);
    if ((uint64_t)(end - off) < *len)
        *len = (size_t)(end - off);
    return where;
}

/* ---- what is here ---- */

int spool_file_have(struct spool_file *f, int64_t from, int64_t to, bool is_fetched)
{
    int64_t before = f->here.total;
    int r = ranges_add(&f->here, from, to);

    if (r == 0)
        r = is_fetched ? ranges_add(&f->fetched, from, to)
                       : ranges_remove(&f->fetched, from, to);
    f->spool->held += (uint64_t)(f->here.total - before);
    return r;
}

void spool_file_lose(struct spool_file *f, int64_t from, int64_t to)
{
    int64_t before = f->here.total;

    /* Whole intervals or ends, never a middle: that can't fail. */
    (void)ranges_remove(&f->here, from, to);
    (void)ranges_remove(&f->fetched, from, to);
    f->spool->held -= (uint64_t)(before - f->here.total);
}

void spool_file_yield(struct spool_file *f, int64_t size)
{
    assert(!spool_is_dirty(f) && !f->commit);
    spool_file_lose(f, 0, INT64_MAX);
    if (f->local.seq && (ftruncate(f->local.fd, 0) < 0 || ftruncate(f->local.fd, size) < 0))
        log_warning("spool", "emptying a local copy: %s", strerror(errno));
    f->size = f->base_size = f->base_limit = size;
    f->is_skewed = false;
}

/* "0-10,20-30", or NULL if there are too many. */
static char *ranges_text(const struct ranges *r)
{
    struct buf text = BUF_INIT;

    if (r->n > RANGES_SHOWN)
        return NULL;
    for (size_t i = 0; i < r->n; i++)
        buf_printf(&text, "%s%" PRId64 "-%" PRId64, i ? "," : "", r->v[i].from, r->v[i].to);
    return buf_steal(&text);
}

char *spool_file_reason(const struct spool_file *f)
{
    autofree char *here = NULL;

    if (ranges_missing(&f->here, 0, f->base_limit) == 0)
        return xasprintf("%s: %s", errno_name(f->last_err.errnum), f->last_err.msg);
    here = ranges_text(&f->here);
    return xasprintf("%s: %s (only what was written is here: bytes %s)",
                     errno_name(f->last_err.errnum), f->last_err.msg,
                     here ? here : "in many pieces");
}

int spool_file_note(struct spool_file *f, uint64_t number, struct e2b_err *err)
{
    autofree char *ranges = f->failed_gen ? ranges_text(&f->here) : NULL;
    autofree char *reason = f->failed_gen ? spool_file_reason(f) : NULL;
    struct journal_note note = {
        .path = f->path,
        .mode = f->mode,
        .is_created = f->is_created,
        .base_size = f->base_size,
        .base_mtime = f->base_mtime,
        .size = f->size,
        .ranges = ranges,
        .reason = reason,
        .number = number,
        .since = f->failed_gen ? f->failed_at : f->written_at,
    };
    int r = journal_write(f->spool->journal, &f->local, &note, err);

    if (r == 0)
        f->is_noted = true;
    return r;
}

/* ---- changes ---- */

/* The local file, and a note that it holds something: both before the first byte. */
static int prepare_change(struct spool_file *f, struct e2b_err *err)
{
    int r;

    loop_assert_here(f->spool->loop);
    if (f->local.seq == 0) {
        r = journal_add(f->spool->journal, f->sandbox, &f->local, err);
        if (r < 0)
            return r;
        if (f->size > 0 && ftruncate(f->local.fd, f->size) < 0) {
            r = e2b_fail(err, errno, "spooling %s: %s", f->path, strerror(errno));
            journal_remove(f->spool->journal, &f->local);
            return r;
        }
    }
    return f->is_noted || f->is_detached ? 0 : spool_file_note(f, 0, err);
}

static void changed(struct spool_file *f, int64_t from, int64_t to)
{
    f->gen++;
    f->written_at = clock_wall();
    if (f->commit)
        commit_touch(f->commit, from, to);
    spool_file_check(f);
}

static int write_local(struct spool_file *f, const char *data, size_t len, off_t off,
                       size_t *done)
{
    for (*done = 0; *done < len;) {
        ssize_t n = pwrite(f->local.fd, data + *done, len - *done, off + (off_t)*done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        *done += (size_t)n;
    }
    return 0;
}

int spool_write(struct spool_file *f, const void *data, size_t len, off_t off, bool is_append,
                struct e2b_err *err)
{
    size_t done;
    int64_t end;
    int r;

    if (is_append)
        off = f->size;
    if (off < 0 || __builtin_add_overflow(off, len, &end))
        return e2b_fail(err, EFBIG, "writing %s: beyond the largest offset", f->path);
    if (len == 0)
        return 0;
    /* Both sets may grow by one interval. */
    if (f->here.n >= RANGES_MAX || f->fetched.n >= RANGES_MAX)
        return e2b_fail(err, ENOSPC, "writing %s: in too many pieces", f->path);
    r = spool_make_room(f->spool, ranges_missing(&f->here, off, end), err);
    /* Again: this very file may have been the one that gave up its bytes. */
    if (r == 0)
        r = spool_make_room(f->spool, ranges_missing(&f->here, off, end), err);
    if (r == 0)
        r = prepare_change(f, err);
    if (r < 0)
        return e2b_wrap(err, r, "writing %s", f->path);

    r = write_local(f, data, len, off, &done);
    if (done > 0) {
        end = off + (int64_t)done;
        (void)spool_file_have(f, off, end, false); /* there is room for one more */
        if (end > f->size)
            f->size = end;
        f->change.data_from = min64(f->change.data_from, off);
        f->change.append_only = f->change.append_only && is_append;
        changed(f, off, end);
    }
    if (r < 0)
        return e2b_fail(err, -r, "writing %s to the spool: %s", f->path, strerror(-r));
    return 0;
}

/* The longest file of an ext4 with blocks of 4 KiB, which is what sandboxes have.  The local
 * file system may allow more (tmpfs does), or less and then says so itself. */
#define FILE_BYTES_MAX ((INT64_C(1) << 44) - 4096)

int spool_truncate(struct spool_file *f, int64_t size, struct e2b_err *err)
{
    int64_t old = f->size;
    int r;

    if (size < 0)
        return e2b_fail(err, EINVAL, "truncating %s: negative size", f->path);
    if (size > FILE_BYTES_MAX)
        return e2b_fail(err, EFBIG, "truncating %s: beyond the largest file", f->path);
    if (size == old)
        return 0;
    r = prepare_change(f, err);
    if (r < 0)
        return e2b_wrap(err, r, "truncating %s", f->path);
    if (ftruncate(f->local.fd, size) < 0)
        return e2b_fail(err, errno, "truncating %s: %s", f->path, strerror(errno));
    f->size = size;
    if (size > old) {
        f->change.append_only = false;
        changed(f, old, size);
        return 0;
    }
    spool_file_lose(f, size, INT64_MAX);
    f->base_limit = min64(f->base_limit, size);
    f->change.cut_to = min64(f->change.cut_to, size);
    if (f->change.data_from >= size)
        f->change.data_from = INT64_MAX;
    changed(f, size, old);
    return 0;
}

/* ---- from open to close ---- */

int spool_open(struct spool *spool, const struct spool_open *how, struct spool_file **out,
               struct e2b_err *err)
{
    const struct e2b_entry *base = how->base;
    struct spool_file *f;
    int r = 0;

    loop_assert_here(spool->loop);
    if (!path_is_normal(how->path) || how->path[1] == '\0')
        return e2b_fail(err, EINVAL, "not a file's path");
    if (base && (!S_ISREG(base->mode) || base->size < 0))
        return e2b_fail(err, EINVAL, "%s is not a regular file", how->path);
    f = xcalloc(1, sizeof(*f));
    TAILQ_INIT(&f->waits);
    f->spool = spool;
    f->sandbox = xstrdup(how->sandbox);
    f->path = xstrdup(how->path);
    f->mode = (base ? base->mode : how->mode) & 07777;
    f->change = CHANGE_NONE;
    f->written_at = clock_wall();
    if (base) {
        f->is_created = f->has_entry = true;
        e2b_entry_copy(&f->entry, base);
        f->base_size = base->size;
        f->base_mtime = base->mtime;
        f->owner = xstrdup(base->owner);
    }
    if (base && !how->truncate)
        f->size = f->base_limit = base->size;
    TAILQ_INSERT_TAIL(&spool->files, f, next);
    if (!base || how->truncate) {
        r = prepare_change(f, err);
        f->change.cut_to = 0;
        f->gen = 1;
    }
    if (r < 0) {
        r = e2b_wrap(err, r, "opening %s", how->path);
        f->is_detached = true; /* nothing of it is to be kept */
        spool_file_free(f);
        return r;
    }
    *out = f;
    return 0;
}

void spool_file_free(struct spool_file *f)
{
    assert(!f->commit && TAILQ_EMPTY(&f->waits));
    if (f->local.seq) {
        spool_file_lose(f, 0, INT64_MAX);
        journal_remove(f->spool->journal, &f->local);
    }
    TAILQ_REMOVE(&f->spool->files, f, next);
    ranges_clear(&f->here);
    ranges_clear(&f->fetched);
    e2b_entry_clear(&f->entry);
    free(f->owner);
    free(f->sandbox);
    free(f->path);
    free(f);
}

void spool_file_close_next(struct spool_file *f)
{
    assert(f->is_closing);
    if (f->commit)
        return; /* it comes here again */
    if (spool_is_dirty(f) && f->failed_gen == 0 && !f->spool->is_stopped) {
        commit_start(f);
        return;
    }
    if (spool_is_dirty(f))
        spool_keep_pending(f);
    spool_file_free(f);
}

void spool_close(struct spool_file *f)
{
    loop_assert_here(f->spool->loop);
    f->is_closing = true;
    spool_file_close_next(f);
}

void spool_rename(struct spool_file *f, const char *path)
{
    struct e2b_err err = { 0 };

    loop_assert_here(f->spool->loop);
    free(f->path);
    f->path = xstrdup(path);
    if (f->commit)
        commit_renamed(f->commit);
    if (f->is_noted && spool_file_note(f, 0, &err) < 0)
        log_warning("spool", "%s", err.msg);
}

void spool_detach(struct spool_file *f)
{
    loop_assert_here(f->spool->loop);
    f->is_detached = true;
    if (f->is_noted)
        journal_forget(f->spool->journal, &f->local);
    f->is_noted = false;
    if (f->commit)
        commit_cancel(f->commit);
}
