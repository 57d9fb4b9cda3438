/* SPDX-License-Identifier: MIT */
/*
 * transfer: one easy handle, from request to outcome.  Private to src/http.
 *
 * A transfer is in one state:
 *
 *   state     in multi?  timer?  leaves by
 *   WAITING   no         no      the next turn
 *   HELD      no         yes     a place at its host (hosts.h), a deadline, http_cancel
 *   RUNNING   yes        yes     libcurl is done, a deadline, http_cancel
 *   FINISHED  no         no      its completion, on a later turn
 *
 * engine.c owns the lists, pool.c the multi handles; the files transfer*.c own the easy handle,
 * its callbacks, the deadlines and the meaning of libcurl's errors.
 *
 * Threads: loop only.
 */
#ifndef HTTP_TRANSFER_H
#define HTTP_TRANSFER_H

#include "http/engine.h"

#include <curl/curl.h>
#include <sys/queue.h>
#include <uthash.h>

enum transfer_state { TRANSFER_WAITING, TRANSFER_HELD, TRANSFER_RUNNING, TRANSFER_FINISHED };

TAILQ_HEAD(transfer_list, http_transfer);

struct http_pool;

struct http_host {
    UT_hash_handle hh;
    char *name;                /* owned; "host" or "host:port" */
    size_t admitted;           /* of those that share a connection: with libcurl now */
    struct transfer_list held; /* those for which there was no place */
};

struct http_transfer {
    TAILQ_ENTRY(http_transfer) link; /* in the engine's list for `state` */
    TAILQ_ENTRY(http_transfer) ask_link;
    bool asks; /* is in the engine's list of those that want a change */
    enum transfer_state state;
    struct http_engine *engine; /* borrowed */
    struct http_pool *pool;     /* borrowed; NULL unless RUNNING */
    struct http_host *at;       /* borrowed; NULL unless it was counted or held there */
    bool admitted;              /* counted in at->admitted */
    bool shares_connection;     /* may be one of several on an HTTP/2 connection */
    CURL *easy;                 /* owned */
    struct curl_slist *request_headers;
    uint64_t id; /* for the log */

    /* From the request. */
    char *method;
    char *host; /* for messages: "host" or "host:port", nothing that could be secret */
    const char *label;
    struct http_body body;
    http_head_fn *on_head;
    http_data_fn *on_data;
    http_done_fn *done;
    void *arg;
    struct http_limits limits; /* with the defaults filled in */

    /* Progress. */
    struct loop_timer deadline;
    int64_t started_ms, active_ms;
    int64_t body_sent_ms; /* when the last byte of the body went; -1: not yet */
    bool end_body;        /* an answer came before the end of what is pulled */
    uint64_t body_read;   /* bytes of the body that libcurl took */
    int64_t last_sent;    /* what sent_bytes() said when it was last looked at */
    curl_socket_t socket; /* the connection in use, as far as known */
    unsigned attempts;    /* of sending: libcurl may want to repeat a request by itself */
    bool recv_paused, send_paused, want_resume, want_resume_body;

    /* The answer. */
    struct buf lines;           /* header lines, each with its NUL */
    const char **line_pointers; /* owned, into `lines`; made when the head is complete */
    bool head_done;
    struct buf collected;
    struct http_response resp;
    char curl_message[CURL_ERROR_SIZE];
    struct e2b_err err; /* first cause of failure, if any; then nothing more is delivered */
};

/* Bodies that go out with the head: their deadlines count from the start. */
enum { TRANSFER_SMALL_BODY = 64 << 10 };

/* Never fails: what is wrong with the request becomes t->err, and easy may then be NULL. */
struct http_transfer *transfer_new(struct http_engine *engine, const struct http_request *req,
                                   http_done_fn *done, void *arg);
void transfer_free(struct http_transfer *t);
int64_t transfer_now_ms(const struct http_transfer *t);

/* transfer_setup.c: makes t->easy and all but its callbacks. */
int transfer_prepare(struct http_transfer *t, const struct http_request *req);

/* transfer_deadline.c: (re)starts the clock; when a deadline passes, calls engine_abort. */
void transfer_watch_deadlines(struct http_transfer *t);

/* transfer_outcome.c: turns libcurl's result into t->err (unless a cause is known already) and
 * fills t->resp. */
void transfer_finish(struct http_transfer *t, CURLcode result);

/* ---- what engine.c offers to the rest of src/http ---- */

struct loop *engine_loop(const struct http_engine *engine);
const struct http_engine_config *engine_config(const struct http_engine *engine);
CURLSH *engine_share(const struct http_engine *engine);
uint64_t engine_next_id(struct http_engine *engine);

/* Around every call that may call back.  Not to be nested. */
void engine_enter_curl(struct http_engine *engine);
void engine_leave_curl(struct http_engine *engine);

/* Has want_resume and want_resume_body looked at on a later turn. */
void engine_ask(struct http_transfer *t);
/* Ends a transfer whose t->err is filled.  Not from inside libcurl's callbacks. */
void engine_abort(struct http_transfer *t);
/* A transfer that is in no pool (any more) is over. */
void engine_done(struct http_transfer *t, CURLcode result);
/* Frees the pools that are empty and replaced. */
void engine_free_old_pools(struct http_engine *engine);

#endif
