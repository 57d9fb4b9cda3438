/* SPDX-License-Identifier: MIT */
/*
 * http_server: HTTP/1.1 over libmicrohttpd, one thread a connection, as requests with a body
 * and exactly one answer.
 *
 * A thread a connection makes what a test server must do simple: a handler may wait for a
 * process, a FIFO, a fault switch or a slow reader, and nobody else notices.  Whoever waits
 * does so through request_wait() or asks request_is_over(), which see a client that left, a
 * sandbox that was paused or killed, and the end of the server.
 *
 *   headers arrive -> router: struct route chosen or answered at once
 *   body arrives   -> collected up to route->body_max, or handed to route->on_body in pieces
 *   body complete  -> route->handle, which answers with one of respond_*()
 *
 * Threads:   a request belongs to its connection's thread.  request_abort() may come from any
 *            thread that knows that the request exists (live.h).
 * Ownership: the server owns requests; handlers keep nothing of them.
 */
#ifndef SANDBOXD_HTTP_SERVER_H
#define SANDBOXD_HTTP_SERVER_H

#include "faults.h"
#include "ledger.h"
#include "query.h"
#include "response.h"
#include "util/buf.h"

#include <e2b/error.h>
#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct MHD_Connection;
struct sandbox;
struct request;

struct route {
    const char *method; /* NULL: any */
    const char *path;   /* segments; "*" is one segment, which goes into request->args */
    void (*handle)(struct request *rq);
    /* For bodies that are not collected: on_begin may answer (the body is then refused). */
    void (*on_begin)(struct request *rq);
    void (*on_body)(struct request *rq, const char *data, size_t len);
    size_t body_max; /* of a collected body; 0: BODY_MAX_DEFAULT */
};

#define BODY_MAX_DEFAULT MIB(64)

enum { REQUEST_ARGS_MAX = 4 };

struct request {
    struct MHD_Connection *conn;
    int fd; /* the connection's socket; borrowed */
    char *method, *target;
    char *path; /* raw, without the query */
    struct query query;
    const struct route *route;
    char *args[REQUEST_ARGS_MAX]; /* owned; what "*" matched, raw */
    int port;                     /* data plane: which port of the sandbox; else 0 */
    struct sandbox *sandbox;      /* owned reference; data plane only */
    struct buf body;
    bool is_body_too_big;
    struct fault fault; /* the switch that applies to this request, if any */
    uint64_t ledger_seq;
    uint64_t bytes_in;
    _Atomic bool is_aborted; /* set by request_abort */
    bool has_begun;
    bool is_answered; /* respond_*() was called */
    bool is_cut;      /* a fault wants the connection to end without an answer */
    int status;
    struct response response;
    void *state; /* the handler's, freed by free_state when the request ends */
    void (*free_state)(void *state);
    bool is_listed;
    LIST_ENTRY(request) live_link; /* live.h */
};

struct http_server;

/* Chooses rq->route or answers. Called once per request, when the headers are there. */
typedef void http_router_fn(struct request *rq);
/* Called when the last byte was sent or the connection broke, before the request is freed. */
typedef void http_done_fn(struct request *rq);

struct http_server *http_server_start(int listen_fd, http_router_fn *router, http_done_fn *done,
                                      struct e2b_err *err);
/* Accepts nothing new and wakes every waiting handler. */
void http_server_quiesce(struct http_server *server);
/* Waits for all threads; what they might wait for must be gone. */
void http_server_stop(struct http_server *server);

const char *request_header(struct request *rq, const char *name); /* NULL if absent */

/* True when nobody wants the answer any more. */
bool request_is_over(struct request *rq);
/* request_is_over() in the shape that channel_call() wants. */
bool request_given_up(void *rq);
/* Sleeps; false if the request was over before. */
bool request_wait(struct request *rq, int64_t ms);
/* Waits until fd is readable: 1, 0 when ms (-1: no limit) passed, -1 if the request was over.
 */
int request_poll(struct request *rq, int fd, int ms);
/* Breaks the connection from another thread. */
void request_abort(struct request *rq);
/* Ends the connection with a TCP reset, now. */
void request_reset(struct request *rq);

/* --- answers: exactly one ----------------------------------------------------------------- */

/* Sends a copy. `type` may be NULL (no Content-Type). */
void respond(struct request *rq, int status, const char *type, const void *data, size_t len);
void respond_text(struct request *rq, int status, const char *text);
/* Takes the value. Compact or spaced at random, since clients must parse, never compare. */
void respond_json(struct request *rq, int status, json_t *value);

/*
 * A body that is produced while it is sent: `read` (response.h) blocks until it has at least
 * one byte, and returns the count, 0 at the end, or -1 to break the connection.
 */
enum { BODY_UNKNOWN_SIZE = -1 };
void respond_stream(struct request *rq, int status, const char *type, int64_t size,
                    body_read_fn *read, void (*free_stream)(void *), void *state);

/* A header for the answer that follows; at most RESPONSE_HEADERS_MAX. Copied. */
void response_header(struct request *rq, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
