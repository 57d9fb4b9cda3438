/* SPDX-License-Identifier: MIT */
#include "pool.h"

#include "util/loop.h"

#include <assert.h>

void pool_run(struct pool *pool, struct loop *loop, size_t n, pool_start_fn *start, void *arg)
{
    size_t next = 0;

    *pool = (struct pool){ 0 };
    while (next < n || pool->n_running > 0) {
        while (next < n && pool->n_running < POOL_MAX) {
            pool->n_running++;
            start(arg, pool, next++);
        }
        /* Every call has a deadline of its own. */
        loop_turn(loop, -1);
    }
}

void pool_done(struct pool *pool)
{
    assert(pool->n_running > 0);
    pool->n_running--;
}
