/* SPDX-License-Identifier: MIT */
/*
 * fleet: the account's sandboxes as last listed, and their latest metrics.
 *
 * The list is refreshed only when somebody looks: fleet_peek gives a list of at most ttl_ms
 * (2 s); fleet_want fetches one, merging everybody who wants it.  If that fails, the last good
 * list is served until it is stale_ms (60 s) old, then the error.  More than 100 sandboxes take
 * several serial pages: then the last complete list is served while the new one is fetched.
 *
 * A sandbox that is missing from a new list while it should still be there is confirmed by a
 * GET (listings leave out what is in transition, control-plane.md 6.2): it stays until that
 * says ENOENT.
 *
 * Metrics are fetched for 100 sandboxes at a time, the neighbours in the list with the one that
 * was asked for, so that `cat <mnt>/<star>/metrics` is one request per hundred.
 *
 * Threads:   loop only.
 * Ownership: lists and sandboxes are borrowed until the next turn of the loop, fleet_update or
 *            fleet_forget.
 * Errors:    ENOENT for an unknown id; else the API's.
 */
#ifndef CACHE_FLEET_H
#define CACHE_FLEET_H

#include "util/loop.h"

#include <e2b/sandbox.h>

struct fleet;
struct fleet_wait;

struct fleet_config {
    int64_t ttl_ms;                 /* 2,000 */
    int64_t stale_ms;               /* 60,000 */
    int64_t metrics_ttl_ms;         /* 5,000 */
    struct e2b_sandbox_query query; /* -o state=, template=; copied */
    const char *only;               /* show this id alone; NULL: all */
};

/*
 * Told of what changed since the last list (nothing of the first one) and through fleet_update
 * and fleet_forget, which call it before they return.  A `gone` sandbox is still valid.  It may
 * look into the fleet, not change it.
 */
enum fleet_change { FLEET_CAME, FLEET_GONE, FLEET_STATE, FLEET_RESTARTED };
typedef void fleet_change_fn(void *arg, enum fleet_change change, const struct e2b_sandbox *s);

struct fleet *fleet_new(struct loop *loop, struct e2b_client *client,
                        const struct fleet_config *config, fleet_change_fn *on_change,
                        void *arg);
/* Whoever waits gets ECANCELED before this returns.  Requests in flight are cancelled; they may
 * complete later, but before the client is freed. */
void fleet_free(struct fleet *fleet);

/* The list, sorted by id, if it is fresh; left_ms is its remaining life.  Else NULL. */
const struct e2b_sandbox_list *fleet_peek(const struct fleet *fleet, int64_t *left_ms);
/* The last complete list, however old (NULL: there never was one), and its age. */
const struct e2b_sandbox_list *fleet_last(const struct fleet *fleet, int64_t *age_ms);
/* From the last complete list, however old. */
const struct e2b_sandbox *fleet_find(const struct fleet *fleet, const char *id);
/* What keeps the list from being refreshed: 0 if nothing, else the negative errno of the last
 * attempt, and since when they fail. */
int fleet_last_error(const struct fleet *fleet, struct timespec *since, struct e2b_err *err);
/* When the set of sandboxes last changed (the root's mtime). */
struct timespec fleet_changed_at(const struct fleet *fleet);
/* Another number whenever the list or one of its objects may be another. */
uint64_t fleet_version(const struct fleet *fleet);
/* When a sandbox's object last changed here (its info.json's mtime). */
struct timespec fleet_sandbox_changed_at(const struct fleet *fleet, const char *id);

typedef void fleet_fn(void *arg, const struct e2b_sandbox_list *list,
                      const struct e2b_err *err);
struct fleet_wait *fleet_want(struct fleet *fleet, fleet_fn *fn, void *arg);

/* The latest sample, at most max_age_ms old.  0: *m filled.  1: the server has none (yet).
 * -EAGAIN: not known, want it. */
int fleet_metrics_peek(const struct fleet *fleet, const char *id, int64_t max_age_ms,
                       struct e2b_metrics *m);
/* Completion: peek will succeed (with 0 or 1), or an error. */
struct fleet_wait *fleet_metrics_want(struct fleet *fleet, const char *id, e2b_done_fn *fn,
                                      void *arg);
/* Asks; ECANCELED comes. Shared requests go on for the others. */
void fleet_cancel(struct fleet_wait *wait);

/* What this mount did or learnt: a newer object of one sandbox; its end. */
void fleet_update(struct fleet *fleet, const struct e2b_sandbox *s);
void fleet_forget(struct fleet *fleet, const char *id);
/* Everything is looked up again at the next look. */
void fleet_expire(struct fleet *fleet);

#endif
