/* SPDX-License-Identifier: MIT */
/*
 * call: one operation of the client, from start to completion.
 *
 * An operation is a struct that begins with a struct e2b_call.  It waits for one thing at a
 * time; each thing ends in a function of the operation, on a later turn of the loop:
 *
 *   waits for               started by      ends in
 *   a remote operation      call_send       the exchange's on_answer
 *   another operation       call_adopt      that operation's own completion
 *   the next turn           call_end_later  the operation's end
 *
 * call_send does what every remote operation needs: it learns how to reach the sandbox
 * (access.h), builds URL and headers, sends, retries what is safe (http/retry.h), asks the
 * control plane when the edge or a token check refuses, reads the JSON.  Whatever happens,
 * on_answer comes exactly once.
 *
 * `end` tells the user and frees what the operation owns; the struct itself is freed after it.
 *
 * Threads:   the loop's.
 * Ownership: a call owns itself; it dies in call_end.
 */
#ifndef E2B_CALL_STATE_H
#define E2B_CALL_STATE_H

#include "access.h"
#include "answer.h"
#include "endpoints.h"

#include "http/engine.h"
#include "util/json.h"
#include "util/loop.h"

#include <e2b/call.h>
#include <e2b/client.h>
#include <sys/queue.h>

struct answer {
    const struct http_response *resp; /* NULL if nothing came; borrowed */
    json_t *json;              /* of a 2xx answer with a JSON body, else NULL; borrowed */
    const struct e2b_err *err; /* NULL: status < 400 and the body could be read */
    enum answer_kind kind;     /* with err */
    const char *cause; /* err's message without our context (which may have pushed it out) */
    int tries;
};

typedef void call_answer_fn(struct e2b_call *call, const struct answer *answer);
typedef void call_end_fn(struct e2b_call *call, const struct e2b_err *err);

/*
 * Reads the answer's JSON into the operation's own struct.  Runs on a worker when the answer is
 * big: it must touch nothing but the call's result members and its arguments.
 */
typedef int call_decode_fn(struct e2b_call *call, const json_t *json, struct e2b_err *err);

enum { CALL_HEADERS = 4 };

/* What is to be sent.  call_send takes everything that is owned here. */
struct call_request {
    enum endpoint_id endpoint;
    const char *id;      /* sandbox, for {id} and for the data plane; copied */
    const char *subject; /* for messages: a path, say; copied; may be NULL */
    char *query;         /* given; without '?'; may be NULL */
    struct buf body;     /* given; empty: none (but see `fd`) */
    const char *user;    /* whom envd should act as (RPCs); copied; NULL: the client's user */
    bool has_fd;         /* body comes from fd instead */
    int fd;
    int64_t fd_off, fd_len;
    char *headers[CALL_HEADERS]; /* given; "Name: value" */
    int64_t total_ms;            /* 0: the endpoint's */
    call_decode_fn *decode;      /* may be NULL */
    bool is_big; /* the answer may be: decode on a worker; on_answer then sees no resp */
    call_answer_fn *on_answer;
    /* Streamed answers; both run with the call as argument. */
    http_head_fn *on_head;
    http_data_fn *on_data;
    bool may_pause;
};

/* A request on its way, with everything that its further tries need.  Private to call.c. */
struct exchange {
    const struct endpoint *ep;
    char *id, *subject, *user;
    struct call_request req;
    struct http_transfer *transfer;
    struct access_waiter waiter;
    struct loop_timer timer; /* pause before a retry, or the deadline of the access wait */
    int64_t deadline_ms;     /* for the answer's head, all tries together */
    int64_t sent_ms;         /* when the current try left */
    int tries;
    bool has_rechecked; /* the sandbox was re-read because of this exchange */
    bool is_rechecking; /* ... and the answer to that is awaited */
    bool has_streamed;  /* on_data was called: no further try */
    bool is_active;
    struct e2b_err why; /* the answer that made us re-read the sandbox */
    enum answer_kind why_kind;
    struct decode_job *job; /* on a worker */
};

struct call_waiter {
    bool is_done;
    struct e2b_err err;
};

struct e2b_call {
    struct e2b_client *client; /* borrowed */
    TAILQ_ENTRY(e2b_call) link;
    call_end_fn *end;
    struct e2b_call *parent, *child; /* borrowed: the operation that waits, or is waited for */
    struct call_waiter *waiter;      /* borrowed: e2b_wait's */
    struct exchange x;
    bool is_cancelled;
    bool is_ending; /* call_end_later is on its way */
    struct e2b_err err;
};

/* A zeroed operation of `size` bytes, in the client's list. */
void *call_new(struct e2b_client *client, size_t size, call_end_fn *end);

/* Sends; on_answer comes on a later turn. */
void call_send(struct e2b_call *call, struct call_request *req);

/* `child` was just started and its completion will go on with `call`. */
void call_adopt(struct e2b_call *call, struct e2b_call *child);

/* Ends the call now: only from a function that the loop called on behalf of this call. */
void call_end(struct e2b_call *call, const struct e2b_err *err);

/* Ends the call on the next turn, with a copy of `err` (NULL or empty: success). */
struct e2b_call *call_end_later(struct e2b_call *call, const struct e2b_err *err);

/* The transfer in flight, to resume it; NULL if none is. */
struct http_transfer *call_transfer(struct e2b_call *call);

/* Replaces the account's key and the sandbox's token in a text that a server wrote. */
void call_scrub(struct e2b_client *client, const char *id, struct e2b_err *err);

/* Appends "key=value" to a query, both encoded. */
int query_add(struct buf *query, const char *key, const char *value);

#endif
