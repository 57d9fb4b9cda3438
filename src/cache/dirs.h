/* SPDX-License-Identifier: MIT */
/*
 * dirs: directory snapshots, the unit of metadata caching.
 *
 * A snapshot is the complete, sorted listing of one directory of one sandbox with attributes.
 * While it is fresh it answers lookups, absence and attributes for nothing; a lookup in an
 * unknown directory lists it, which costs the same as a stat and answers the siblings too.
 *
 *   state     has list?  waiters?  request?  leaves by
 *   ABSENT    no         no        no        dirs_want
 *   LOADING   maybe old  yes       yes       the answer; the last waiter cancels; an own change
 *   READY     yes        no        no        age >= ttl_ms, dirs_invalidate, eviction (LRU)
 *
 * Equal requests in flight are merged.  A directory that this mount changed (or forgot) while
 * its listing was in flight gives that listing to those who waited for it, but it may predate
 * the change: it is not kept, and whoever asks after the change does not join it.
 *
 * Threads:   loop only.
 * Memory:    all snapshots together stay under max_bytes, always.  A listing that is larger
 * than that, or for which there is no memory, is delivered and not kept: use the list that the
 * completion gets, do not count on dirs_peek finding it. Errors:    delivered to waiters,
 * nothing is remembered. Ownership: lists are borrowed until the next call into this module or
 * the next callback.
 */
#ifndef CACHE_DIRS_H
#define CACHE_DIRS_H

#include "cache/source.h"
#include "util/loop.h"

#include <e2b/file.h>

struct dirs;
struct dirs_wait;

struct dirs_config {
    int64_t ttl_ms;   /* how long a snapshot is true without a lease (1,000); 0: never */
    size_t max_bytes; /* ceiling of all snapshots together */
};

struct dirs *dirs_new(struct loop *loop, struct e2b_client *client,
                      const struct dirs_config *config);
/* All waits must have completed or been cancelled and completed.  Not from a completion. */
void dirs_free(struct dirs *dirs);

/* For tests: asks `source` (borrowed) instead of libe2b. */
void dirs_use_source(struct dirs *dirs, const struct file_source *source);

/* The fresh snapshot of a directory and its remaining life in ms (may be NULL), or NULL. */
const struct e2b_entry_list *dirs_peek(struct dirs *dirs, const char *sandbox, const char *path,
                                       int64_t *left_ms);
/* bsearch by name; NULL if absent. */
const struct e2b_entry *dirs_find(const struct e2b_entry_list *list, const char *name);

/* The completion comes exactly once, on a later turn, even if the snapshot is fresh. */
typedef void dirs_fn(void *arg, const struct e2b_entry_list *list, const struct e2b_err *err);
struct dirs_wait *dirs_want(struct dirs *dirs, const char *sandbox, const char *path,
                            dirs_fn *fn, void *arg);
/* Asks; the completion still comes (ECANCELED).  The request ends with its last waiter. */
void dirs_cancel(struct dirs_wait *wait);

/*
 * What this mount did itself, applied to a snapshot if there is one (its age is unchanged).
 * dirs_put inserts or replaces; dirs_drop removes a name and forgets every snapshot at and
 * below it.
 */
void dirs_put(struct dirs *dirs, const char *sandbox, const char *dir,
              const struct e2b_entry *entry);
void dirs_drop(struct dirs *dirs, const char *sandbox, const char *dir, const char *name);
/* Forgets one snapshot: the next look asks again. */
void dirs_invalidate(struct dirs *dirs, const char *sandbox, const char *path);
/* Forgets everything of a sandbox (NULL: of all). */
void dirs_invalidate_all(struct dirs *dirs, const char *sandbox);

struct dirs_stats {
    uint64_t hits;    /* answered by a fresh snapshot */
    uint64_t misses;  /* asked the sandbox */
    uint64_t merged;  /* joined a request in flight */
    uint64_t evicted; /* snapshots that made room for others */
    size_t bytes, snapshots;
};
void dirs_stats(const struct dirs *dirs, struct dirs_stats *out);

/* Asserts everything that must hold between calls (slow: reads every entry). */
void dirs_check(const struct dirs *dirs);

#endif
