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
 *   LOADING   maybe old  yes       yes       the answer; the last waiter cancels
 *   READY     yes        no        no        age > ttl_ms, dirs_invalidate, eviction (LRU)
 *
 * Equal requests in flight are merged.  A directory that this mount changed while its listing
 * was in flight gives that listing to its waiters but is not kept (it may predate the change).
 *
 * Threads:   loop only.
 * Memory:    all snapshots together stay under max_bytes; the one just delivered survives its
 *            own delivery.
 * Errors:    delivered to waiters, nothing is remembered.
 * Ownership: lists are borrowed until the next call into this module.
 */
#ifndef CACHE_DIRS_H
#define CACHE_DIRS_H

#include "util/loop.h"

#include <e2b/file.h>

struct dirs;
struct dirs_wait;

struct dirs_config {
    int64_t ttl_ms;   /* how long a snapshot is true without a lease (1,000) */
    size_t max_bytes; /* ceiling of all snapshots together */
};

struct dirs *dirs_new(struct loop *loop, struct e2b_client *client,
                      const struct dirs_config *config);
/* All waits must have completed or been cancelled and completed. */
void dirs_free(struct dirs *dirs);

/* The fresh snapshot of a directory and its remaining life in ms, or NULL. */
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
    uint64_t hits, misses, merged, evicted;
    size_t bytes, snapshots;
};
void dirs_stats(const struct dirs *dirs, struct dirs_stats *out);

#endif
