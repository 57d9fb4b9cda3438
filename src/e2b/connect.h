/* SPDX-License-Identifier: MIT */
/*
 * connect: calls of envd's services with JSON, unary and server-streaming (envd.md 2.4, 2.5).
 *
 * Threads: the loop's.
 */
#ifndef E2B_CONNECT_H
#define E2B_CONNECT_H

#include "call.h"

#include "http/envelope.h"

/*
 * A unary call.  Takes `message` (jansson returns NULL for text that is not UTF-8: that is
 * EILSEQ in the answer).  req needs endpoint, id and on_answer; decode and the rest are free.
 */
void connect_unary(struct e2b_call *call, struct call_request *req, json_t *message);

/* One message of a stream: 0, or a negative errno to stop. */
typedef int connect_message_fn(struct e2b_call *call, const json_t *message,
                               struct e2b_err *err);
/* The end: err NULL if the server said that all is well. */
typedef void connect_end_fn(struct e2b_call *call, const struct e2b_err *err);

/* A stream in progress; a member of the operation's struct. */
struct connect_stream {
    struct envelope_decoder decoder;
    connect_message_fn *on_message;
    connect_end_fn *on_end;
    struct e2b_err err; /* what the server's last message or on_message said */
    const struct endpoint *ep;
    bool is_paused;
};

struct connect_stream_spec {
    enum endpoint_id endpoint;
    const char *id, *subject, *user;
    int64_t timeout_ms; /* 0: none; else Connect-Timeout-Ms, and a margin for ourselves */
    connect_message_fn *on_message;
    connect_end_fn *on_end;
    bool may_pause; /* connect_pause will be used: forces an HTTP/1.1 connection */
};

/* Starts; takes `message`.  The operation's struct begins with struct connect_call. */
struct connect_call {
    struct e2b_call call;
    struct connect_stream stream;
};
void connect_start(struct connect_call *cc, const struct connect_stream_spec *spec,
                   json_t *message);
/* From the next piece of data on nothing is read, until connect_resume. */
void connect_pause(struct connect_call *cc);
void connect_resume(struct connect_call *cc);
/* Frees what the stream holds; for the operation's end. */
void connect_clear(struct connect_call *cc);

#endif
