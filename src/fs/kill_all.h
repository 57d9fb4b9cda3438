/* SPDX-License-Identifier: MIT */
/*
 * kill_all: ends all running sandboxes that the mount shows, if they are as many as expected.
 *
 * They are counted in a list that is asked for now: one that came meanwhile is ERANGE, and
 * nothing is sent.  Paused ones are spared.  What can't be ended stops it; those that were
 * ended are gone from the fleet.
 *
 * Threads:   loop only.
 * Ownership: borrowed, valid until the completion returned.
 */
#ifndef FS_KILL_ALL_H
#define FS_KILL_ALL_H

#include "fs/fs.h"

struct kill_all;

/* fn comes once, on a later turn; `ended` is how many were, whatever err says. */
typedef void kill_all_fn(void *arg, size_t ended, const struct e2b_err *err);
struct kill_all *kill_all_start(struct fs *fs, int64_t expected, kill_all_fn *fn, void *arg);
/* Ends no more of them; the completion comes. */
void kill_all_cancel(struct kill_all *k);

#endif
