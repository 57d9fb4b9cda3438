/* SPDX-License-Identifier: MIT */
/*
 * commit: how one file's changes get into the sandbox (the methods of spool.h).
 *
 * Steps of each method, in order; [...] only where needed:
 *
 *   CREATE     [create with its mode] upload [chmod]       empty: create
 *   FILL       upload
 *   TRUNCATE   truncate
 *   TAIL       [ask the size] append or pwrite             large: [create temp] upload splice
 *   REPLACE    [fetch]... [create temp] upload replace
 *
 * After a failure: [unlink the temporary, or the file that this commit created].  An upload
 * whose bytes changed while they were read goes back to the choice of the method.
 *
 * Threads:   loop only.
 * Ownership: the commit belongs to its file (f->commit) and frees itself when it ends, which it
 *            reports through spool_commit_over on a later turn than commit_start.
 */
#ifndef CACHE_COMMIT_H
#define CACHE_COMMIT_H

#include "cache/spool_priv.h"

/* The file is dirty and no commit runs. */
void commit_start(struct spool_file *f);

/* The bytes [from, to) of the file change now. */
void commit_touch(struct commit *c, int64_t from, int64_t to);

/* The file has another name now. */
void commit_renamed(struct commit *c);

/* The remote file is gone: ends soon, as if it had succeeded. */
void commit_cancel(struct commit *c);

#endif
