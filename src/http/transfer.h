/* SPDX-License-Identifier: MIT */
/*
 * transfer: one easy handle, from request to outcome.  Private to src/http.
 *
 * A transfer is in one state:
 *
 *   state     in multi?  timer?  leaves by
 *   WAITING   no         no      the next turn (it was started inside a callback of libcurl's)
 *   RUNNING   yes        yes     libcurl is done, a deadline, http_cancel
 *   FINISHED  no         no      its completion, on a later turn
 *
 * The engine owns the lists and the multi handles; this module owns the easy handle, its
 * callbacks, the deadlines and the meaning of libcurl's errors.
 *
 * Threads: loop only.
 */
#ifndef HTTP_TRANSFER_H
#define HTTP_TRANSFER_H

#include "http/engine.h"

#include <curl/curl.h>
#include <sys/queue.h>

enum transfer_state { TRANSFER_WAITING, TRANSFER_RUNNING, TRANSFER_FINISHED };

struct http_pool;

struct http_transfer {
    TAILQ_ENTRY(http_transfer) link; /* in the engine's list for `state` */
    TAILQ_ENTRY(http_transfer) ask_link;
    bool asks; /* is in the engine's list of those that want a change */
    enum transfer_state state;
    struct http_engine *engine; /* borrowed */
    struct http_pool *pool;     /* borrowed; NULL unless RUNNING */
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

/* Never fails: what is wrong with the request becomes t->err, and easy may then be NULL. */
struct http_transfer *transfer_new(struct http_engine *engine, const struct http_request *req,
                                   http_done_fn *done, void *arg);
void transfer_free(struct http_transfer *t);

/* Turns libcurl's result into t->err (unless a cause is known already) and fills t->resp. */
void transfer_finish(struct http_transfer *t, CURLcode result);

/* Starts the clock of the deadlines; when one passes, engine_abort is called. */
void transfer_watch_deadlines(struct http_transfer *t);

/* What engine.c offers to transfer.c. */
struct loop *engine_loop(const struct http_engine *engine);
const struct http_engine_config *engine_config(const struct http_engine *engine);
CURLSH *engine_share(const struct http_engine *engine);
uint64_t engine_next_id(struct http_engine *engine);
/* Has want_resume and want_resume_body looked at on a later turn. */
void engine_ask(struct http_transfer *t);
/* Ends a transfer whose t->err is filled.  Not from inside libcurl's callbacks. */
void engine_abort(struct http_transfer *t);

#endif
