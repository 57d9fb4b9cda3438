/* SPDX-License-Identifier: MIT */
/*
 * spool: written data, on local disk until the sandbox has it.
 *
 * A struct spool_file is the local side of one remote file being written; its bytes live in
 * <dir>/<sandboxID>/<seq>.data (journal.h).  Nothing is sent while it is written; spool_commit
 * sends it.  Commit methods, chosen per commit from what changed:
 *
 *   CREATE    the file did not exist: POST, then chmod if its mode isn't 0644; an empty one by
 *             a helper.  What a failed POST left is removed
 *   FILL      it exists and is known to be empty: POST onto it
 *   TRUNCATE  nothing but its size changed: a helper
 *   TAIL      only growth at the end since the last commit: that tail alone, appended (if all
 *             of it was written with O_APPEND) or written at its offset by a helper (up to
 *             64 KiB), or POSTed and spliced
 *   REPLACE   anything else: bytes never written are first fetched from the old version;
 *             POST of a temporary sibling ".e2bfs-<32 hex>", then a helper renames it over the
 *             old one and keeps owner and mode.  The old content survives any failure
 *
 * A file that others in the sandbox may not read is never readable for them on the way: its
 * (temporary) name is made with the right mode first, which costs one request more.
 *
 *   state       dirty?  request?  leaves by
 *   CLEAN       no      no        spool_write, spool_truncate
 *   DIRTY       yes     no        spool_commit
 *   COMMITTING  maybe   yes       the outcome; writes meanwhile are allowed and stay dirty
 *   FAILED      yes     no        another spool_commit (which tries again)
 *
 * One version: what is uploaded is read while the program may go on writing.  A write into the
 * range being read makes that upload be repeated before it takes effect (from a copy if it is
 * at most 1 MiB).  A program that never stops gets what was read at the fourth try, with a
 * warning in the log; the file is then still dirty, so the next commit puts it right.
 *
 * If the remote file was changed by somebody else, the last writer wins, with a warning:
 * noticed where that is free (a fetch of old bytes is pinned to their version, a tail's helper
 * reports the size).  A foreign append is kept: the file is then read from the sandbox again.
 *
 * A failed commit keeps the content; when the file is closed then, it becomes a pending entry
 * (spool_pending_each), which survives this daemon; so does what a crashed daemon left.
 *
 * Threads:   loop only.  Local reads and writes are done in place (page cache); fsync on
 *            workers.
 * Disk:      all content together stays under max_bytes; beyond it clean files give up what
 *            the sandbox has too, and then spool_write is -ENOSPC.  Holes cost nothing.
 * Ownership: fs owns a spool_file from spool_open to spool_close.
 * Shutdown:  spool_drain; spool_stop; e2b_client_free (ends commits that still run: their
 *            content becomes pending); spool_close of all files, before or after;
 *            spool_free.
 */
#ifndef CACHE_SPOOL_H
#define CACHE_SPOOL_H

#include "util/loop.h"
#include "util/worker.h"

#include <e2b/file.h>

struct spool;
struct spool_file;

struct spool_config {
    const char *dir;    /* created 0700; refused if others can enter or if it is on our mount */
    uint64_t max_bytes; /* 0: min(10 GiB, half of what is free) */
};
struct spool *spool_new(struct loop *loop, struct workers *workers, struct e2b_client *client,
                        const struct spool_config *config, struct e2b_err *err);
/* From now on nothing is sent: commits fail with ECANCELED, dirty content becomes pending. NULL
 * is fine. */
void spool_stop(struct spool *spool);
/* No commit runs (Shutdown, above).  Files that are still open become pending if dirty. */
void spool_free(struct spool *spool);

/*
 * Starts writing to a file.  base: what the remote file is now (NULL: it does not exist and
 * will be created with `mode`).  If `truncate`, its old bytes are not wanted.  A new or
 * truncated file is dirty at once: even an empty one must be committed.  Otherwise nothing is
 * done on disk before the first write.  EINVAL: not a regular file, or a bad sandbox or path.
 */
struct spool_open {
    const char *sandbox, *path;
    const struct e2b_entry *base;
    mode_t mode;
    bool truncate;
};
int spool_open(struct spool *spool, const struct spool_open *how, struct spool_file **out,
               struct e2b_err *err);
/*
 * Ends the caller's ownership.  A commit that runs is left to finish, and content that nobody
 * tried to commit yet is committed, both in the background; what failed becomes pending.
 */
void spool_close(struct spool_file *f);

/*
 * Before a rename or an unlink is sent, let a running commit end (spool_commit): it works on
 * the old name.  Afterwards tell what was done.  spool_rename while a commit runs makes the
 * file dirty as a whole; spool_detach cancels it.
 */
bool spool_is_committing(const struct spool_file *f);
void spool_rename(struct spool_file *f, const char *path);
/* The remote name is gone (unlinked here): nothing is to be committed any more. */
void spool_detach(struct spool_file *f);

/* True if the sandbox has, or may have, a file of this name: else there is nothing to stat,
 * unlink or chmod there yet. */
bool spool_is_remote(const struct spool_file *f);
/* Sets the mode that the file will be created with; false if it is too late for that. */
bool spool_set_mode(struct spool_file *f, mode_t mode);

/*
 * Local, immediate.  -ENOSPC beyond max_bytes, or in more than RANGES_MAX pieces; -EFBIG beyond
 * off_t.  is_append: at the end, whatever `off` says.
 */
int spool_write(struct spool_file *f, const void *data, size_t len, off_t off, bool is_append,
                struct e2b_err *err);
int spool_truncate(struct spool_file *f, int64_t size, struct e2b_err *err);

/* The size that a reader should see. */
int64_t spool_size(const struct spool_file *f);
/* When it was last written here, or the sandbox's own time if that is known and newer. */
struct timespec spool_mtime(const struct spool_file *f);
bool spool_is_dirty(const struct spool_file *f);

/*
 * How the bytes at `off` are to be read: *len is shortened to the piece that has one answer.
 * LOCAL: from spool_fd() at the same offset.  BASE: from the remote version given at open (or
 * committed last).  HOLE: zeros.  END: at or past the end.
 */
enum spool_where { SPOOL_LOCAL, SPOOL_BASE, SPOOL_HOLE, SPOOL_END };
enum spool_where spool_map(const struct spool_file *f, off_t off, size_t *len);
int spool_fd(const struct spool_file *f);

/*
 * Makes the sandbox have what was written before this call.  The completion comes once, on a
 * later turn, with the entry as the sandbox reports it after the commit (NULL: not known, ask)
 * or the error.  Clean: succeeds without a request.  Several waiters share one commit.
 */
typedef void spool_fn(void *arg, const struct e2b_entry *entry, const struct e2b_err *err);
struct spool_wait;
struct spool_wait *spool_commit(struct spool_file *f, spool_fn *fn, void *arg);
/* This waiter gives up (ECANCELED); the commit itself goes on. */
void spool_cancel_wait(struct spool_wait *wait);

/* Counts failed commits of this file: a handle that saw fewer has an error to report. */
uint32_t spool_failures(const struct spool_file *f, struct e2b_err *last);

/* What could not be committed, of this and of earlier daemons. */
struct spool_pending {
    uint64_t number; /* stable name for people: 1, 2, ... */
    const char *sandbox, *path, *reason;
    int64_t bytes;
    struct timespec since;
    const char *file; /* local path of the content, readable; only this daemon changes it */
};
typedef void spool_pending_fn(void *arg, const struct spool_pending *p);
void spool_pending_each(const struct spool *spool, spool_pending_fn *fn, void *arg);
/* Deletes one for good; ENOENT. */
int spool_pending_drop(struct spool *spool, uint64_t number, struct e2b_err *err);

/*
 * For shutdown: commits every dirty file; the completion comes when all are done or failed, or
 * after bound_ms, with how many are left.
 */
typedef void spool_drain_fn(void *arg, size_t left);
void spool_drain(struct spool *spool, int64_t bound_ms, spool_drain_fn *fn, void *arg);

struct spool_stats {
    uint64_t commits, failures, bytes_committed;
    uint64_t bytes_held;
    size_t dirty, pending;
};
void spool_stats(const struct spool *spool, struct spool_stats *out);

#endif
