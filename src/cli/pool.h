/* SPDX-License-Identifier: MIT */
/*
 * pool: the same operation on many things, at most POOL_MAX of them under way.
 *
 * Threads: loop only; pool_run turns the loop itself, so it is for straight-line code.
 */
#ifndef CLI_POOL_H
#define CLI_POOL_H

#include <stddef.h>

struct loop;
struct pool;

enum { POOL_MAX = 10 };

/* Starts the operation on thing `i`; its completion must call pool_done(pool), once. */
typedef void pool_start_fn(void *arg, struct pool *pool, size_t i);

/* Members are private. */
struct pool {
    size_t n_running;
};

/* Returns when all n are done. */
void pool_run(struct pool *pool, struct loop *loop, size_t n, pool_start_fn *start, void *arg);
void pool_done(struct pool *pool);

#endif
