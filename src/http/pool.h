/* SPDX-License-Identifier: MIT */
/*
 * pool: one multi handle of libcurl's with its connections, on the loop.  Private to src/http.
 *
 * There are new pools after http_engine_drop_idle, and an old one goes when its last
 * transfer is done: libcurl cannot close idle connections only.
 *
 * Threads:   loop only; nothing here may be called from inside libcurl's callbacks.
 * Ownership: a pool borrows its transfers from pool_add to pool_remove, which also happens
 *            before engine_done is called.
 */
#ifndef HTTP_POOL_H
#define HTTP_POOL_H

#include "http/transfer.h"

struct http_pool {
    LIST_ENTRY(http_pool) link; /* the engine's */
    struct http_engine *engine; /* borrowed */
    CURLM *multi;
    struct loop_timer timer; /* libcurl's */
    size_t running;          /* transfers */
};

enum { POOL_MAX_STREAMS = 100 }; /* per HTTP/2 connection; servers allow about as many */

struct http_pool *pool_new(struct http_engine *engine); /* NULL: out of memory */
void pool_free(struct http_pool *pool);                 /* has no transfers any more */

CURLMcode pool_add(struct http_pool *pool, struct http_transfer *t);
void pool_remove(struct http_transfer *t);
/* Continues what was paused and is not any more, by the flags of `t`; may deliver data. */
void pool_unpause(struct http_transfer *t);

#endif
