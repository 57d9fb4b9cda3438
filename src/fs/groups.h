/* SPDX-License-Identifier: MIT */
/*
 * groups: which groups the acting user is in, in each sandbox.
 *
 *   state    names?  waiters?  request?  leaves by
 *   ABSENT   no      no        no        groups_want
 *   LOADING  no      yes       yes       the answer; its last waiter's cancel
 *   READY    yes     no        no        groups_forget
 *
 * One `id -Gn` a sandbox, when it first matters (identity.h); it holds until the sandbox's run
 * ends.  Those who want the same are merged.
 *
 * Threads:   loop only.
 * Memory:    GROUPS_MAX_BYTES a sandbox at most.
 * Errors:    delivered to the waiters; nothing is remembered.
 */
#ifndef FS_GROUPS_H
#define FS_GROUPS_H

#include "fs/identity.h"
#include "util/loop.h"

enum { GROUPS_MAX_BYTES = 16 * 1024 };

struct groups;
struct groups_wait;

struct groups *groups_new(struct loop *loop, struct e2b_client *client, const char *user);
/* All waits must have completed. */
void groups_free(struct groups *groups);

/* NULL: not known, want it.  Borrowed until the next turn of the loop or groups_forget. */
const struct identity_groups *groups_peek(const struct groups *groups, const char *sandbox);

/* Completion, on a later turn: groups_peek succeeds, unless they were forgotten meanwhile (want
 * them again), or an error. */
struct groups_wait *groups_want(struct groups *groups, const char *sandbox, e2b_done_fn *fn,
                                void *arg);
/* Asks; ECANCELED comes.  The request ends with its last waiter. */
void groups_cancel(struct groups_wait *wait);

/* The sandbox began another run, or is gone (NULL: all). */
void groups_forget(struct groups *groups, const char *sandbox);

#endif
