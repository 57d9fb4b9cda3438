/* SPDX-License-Identifier: MIT */
/*
 * engine: HTTP requests on the loop: curl_multi driven by curl_multi_socket_action.
 *
 * The async contract of include/e2b/call.h holds: http_start never calls back; the completion
 * comes exactly once, on a later turn; http_cancel only asks.
 *
 * A completion gets err == NULL when an answer arrived whole, whatever its status: what a
 * status means is the caller's business.  Failures of the transport are errors:
 *
 *   EHOSTUNREACH  name not resolved, no route, connection refused
 *   ETIMEDOUT     one of the deadlines; the message says which
 *   ECONNRESET    closed or reset before the answer was complete; body shorter than announced
 *   EPROTO        certificate refused; not HTTP; broken encoding
 *   EFBIG         answer beyond its ceiling
 *   ECANCELED     http_cancel
 *   or what on_head, on_data or pull returned
 *
 * Threads:   loop only.
 * Ownership: a struct http_transfer is valid from http_start until its completion returned.
 */
#ifndef HTTP_ENGINE_H
#define HTTP_ENGINE_H

#include "http/request.h"
#include "util/loop.h"

struct http_engine;
struct http_transfer;

struct http_engine_config {
    const char *user_agent; /* required; see control-plane.md 1.4 for forbidden words */
    const char *ca_file;    /* NULL: SSL_CERT_FILE, CURL_CA_BUNDLE, system */
    const char *proxy;      /* NULL: from the environment; loopback never goes to a proxy */
    long max_connections;   /* 0: 256; for HTTP/1.1 and HTTP/2 each */
    long max_per_host;      /* 0: 64 */
    long max_cached;        /* idle connections kept; 0: 128 */
};

typedef void http_done_fn(void *arg, const struct http_response *resp,
                          const struct e2b_err *err);

/* curl_global_init happens here once; call after any fork. */
struct http_engine *http_engine_new(struct loop *loop, const struct http_engine_config *config,
                                    struct e2b_err *err);
/* Cancels what is left and runs its completions, then frees.  Not from inside a callback. */
void http_engine_free(struct http_engine *engine);

/* `arg` goes to on_head, on_data, pull and done alike. */
struct http_transfer *http_start(struct http_engine *engine, const struct http_request *req,
                                 http_done_fn *done, void *arg);
void http_cancel(struct http_transfer *t);
/* After on_data returned HTTP_PAUSE: go on (on a later turn). */
void http_resume(struct http_transfer *t);
/* After pull returned -EAGAIN: there is something to send now. */
void http_resume_body(struct http_transfer *t);

/* Bytes of the body that have left so far. */
uint64_t http_sent(const struct http_transfer *t);

/* Drops idle connections (after a suspend, or a change of network). */
void http_engine_drop_idle(struct http_engine *engine);

/* Percent-encodes everything but A-Z a-z 0-9 - . _ ~ and appends it. 0 or -ENOMEM, -EFBIG. */
int http_escape(const char *s, size_t len, struct buf *out);

struct http_stats {
    uint64_t started, finished, failed, bytes_sent, bytes_received, connections;
};
void http_engine_stats(const struct http_engine *engine, struct http_stats *out);

#endif
