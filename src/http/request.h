/* SPDX-License-Identifier: MIT */
/*
 * request: one HTTP request and its answer as plain data.
 *
 * Ownership: a struct http_request and everything it points to is borrowed by http_start and
 *            copied there, except `body`'s data and `fd`, which must live until the completion.
 *            A struct http_response belongs to the engine and dies when the completion returns.
 */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include "util/buf.h"

#include <e2b/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Where a request's body comes from.  HTTP_BODY_FD reads `len` bytes at `off` with pread, so
 * the descriptor's own position is neither used nor changed; a file that is shorter than
 * promised fails the request with EIO.  HTTP_BODY_PULL asks `pull` whenever the connection
 * can take more; the body is sent chunked.  It ends when the answer begins: who has answered
 * does not read on.
 */
enum http_body_kind { HTTP_BODY_NONE, HTTP_BODY_BYTES, HTTP_BODY_FD, HTTP_BODY_PULL };

/* pull: returns the number of bytes put into `out` (<= len), 0 at the end, -EAGAIN for "not
 * now" (http_resume_body continues), another negative errno to fail the request. */
typedef ssize_t http_pull_fn(void *arg, char *out, size_t len);

struct http_body {
    enum http_body_kind kind;
    const void *data; /* BYTES: borrowed until the completion */
    int fd;           /* FD: borrowed until the completion */
    off_t off;
    uint64_t len; /* BYTES and FD */
    http_pull_fn *pull;
};

/* The answer's status line and headers, known before the first byte of its body. */
struct http_head {
    int status;
    int64_t content_length;     /* -1: not announced */
    const char *const *headers; /* "Name: value" lines, NULL-terminated; borrowed */
};

/* Value of the header `name` (any case), or NULL; borrowed from the head. */
const char *http_header(const struct http_head *head, const char *name);

/*
 * Streams the answer instead of collecting it.  on_head comes once, then on_data any number
 * of times.  Both return 0 to go on, HTTP_PAUSE (on_data only; the same bytes come again after
 * http_resume) or a negative errno, which ends the transfer with that error.  Answers with a
 * status >= 400 are collected, not streamed: the completion sees their text in body.
 */
enum { HTTP_PAUSE = 1 };
typedef int http_head_fn(void *arg, const struct http_head *head);
typedef int http_data_fn(void *arg, const char *data, size_t len);

struct http_limits {
    /* Milliseconds; 0 means the engine's default (design 11). */
    int64_t connect_ms; /* 3,000 */
    /* From start, or from the last byte of a long body, to the answer's head; 10,000.
     * Negative: only the stall limit. */
    int64_t first_byte_ms;
    int64_t stall_ms; /* no byte either way; 30,000.  A paused transfer does not stall */
    int64_t total_ms; /* 0: none; for requests with bounded answers */
    size_t max_body;  /* collected body; 0: 4 MiB.  More is EFBIG */
};

struct http_request {
    const char *method;         /* "GET" */
    const char *url;            /* absolute */
    const char *const *headers; /* "Name: value" lines, NULL-terminated; may be NULL */
    struct http_body body;
    http_head_fn *on_head; /* may be NULL */
    http_data_fn *on_data; /* NULL: the body is collected */
    struct http_limits limits;
    bool may_pause;    /* on_data may return HTTP_PAUSE: forces an HTTP/1.1 connection */
    bool accept_gzip;  /* announce gzip and decode it (the ceiling holds for decoded bytes) */
    const char *label; /* for the log: what this is, without secrets; static storage */
};

struct http_response {
    struct http_head head;  /* status 0 if no answer came */
    const struct buf *body; /* collected body (or error text); borrowed, never NULL */
    uint64_t bytes_sent, bytes_received; /* of bodies */
    bool sent_any; /* request bytes left this machine: not provably undone */
    int64_t elapsed_ms;
};

#endif
