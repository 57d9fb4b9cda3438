/* SPDX-License-Identifier: MIT */
/*
 * retry: which failures are worth another try, and when.  The only place that decides it.
 *
 * Threads: any; pure but for the jitter.
 */
#ifndef HTTP_RETRY_H
#define HTTP_RETRY_H

#include "http/request.h"

/* How safe a second try is; a column of e2b/endpoints.c. */
enum retry_class {
    RETRY_NEVER,      /* only if provably no byte was sent */
    RETRY_IDEMPOTENT, /* transport failures, 429, 502, 503, 504 */
    RETRY_REFUSED,    /* not idempotent, but 429 and 503 say that nothing was done */
};

enum { RETRY_MAX_TRIES = 3 };

/*
 * Milliseconds to wait before try number `tries_done + 1`, or -1 for "report it".
 * Exactly one of err (transport) and an answer with status >= 400 is looked at.
 * Retry-After (seconds) is obeyed; without it exponential from 100 ms with jitter.
 * A Retry-After above 60 s is reported at once.  The first ECONNRESET is retried without delay:
 * mostly it was a kept connection that the server had closed.
 * Never retried: a 429 about concurrency limits ("maximum number of concurrent"), and a 502
 * that names a sandbox (the edge's final word, unlike a gateway's fault). ETIMEDOUT is not
 * retried: its deadline was the caller's.
 */
int64_t retry_delay_ms(enum retry_class class, int tries_done, const struct http_response *resp,
                       const struct e2b_err *err);

#endif
