/* SPDX-License-Identifier: MIT */
/*
 * rpc: Connect calls over a request: what is common to envd's two services (envd.md 2).
 *
 * A unary call is one JSON message each way and failures have an HTTP status.  A streaming
 * call is enveloped, and every failure of the call itself is HTTP 200 with one end envelope.
 *
 * Threads: the request's.
 */
#ifndef SANDBOXD_RPC_H
#define SANDBOXD_RPC_H

#include "http_server.h"

#include <e2b/error.h>

enum rpc_kind { RPC_UNARY, RPC_STREAM };

struct rpc {
    struct request *rq;
    enum rpc_kind kind;
    json_t *in;            /* owned: the message, an object */
    char *user;            /* owned */
    struct buf plain;      /* owned: the message, if it came compressed */
    bool is_packed;        /* the request's messages may be gzip */
    bool wants_gzip;       /* of a unary answer */
    int64_t time_limit_ms; /* of Connect-Timeout-Ms; 0: none */
};

/*
 * Checks headers and decodes the message.  False if the request was answered instead.
 * rpc_end() frees in either case.
 */
bool rpc_begin(struct rpc *rpc, struct request *rq, enum rpc_kind kind);
void rpc_end(struct rpc *rpc);
#define autorpc __attribute__((cleanup(rpc_end)))

/* Answers with a failure in the shape of the call's kind. */
void rpc_fail(struct rpc *rpc, enum e2b_connect_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Unary success; takes the message, {} if NULL. */
void rpc_reply(struct rpc *rpc, json_t *message);

/* {"error":{...}} as the end envelope carries it, or {} for E2B_CONNECT_NONE. */
json_t *rpc_end_message(enum e2b_connect_code code, const char *text);
/* Appends a JSON message in an envelope; takes the message. */
int rpc_frame(struct buf *out, uint8_t flags, json_t *message);

/* Members, by lowerCamelCase name; also accepted in snake_case. Borrowed. */
json_t *rpc_get(const json_t *message, const char *name);
/* "" if absent. `*len` may be NULL. */
const char *rpc_string(const json_t *message, const char *name, size_t *len);
bool rpc_bool(const json_t *message, const char *name, bool otherwise);
/* A uint32, `otherwise` if absent; false if it is no such number. */
bool rpc_uint32(const json_t *message, const char *name, uint32_t otherwise, uint32_t *out);
/* Decodes base64 of either alphabet, padded or not; false if it isn't that. */
bool rpc_bytes(const json_t *message, const char *name, struct buf *out);

/* Seconds from Keepalive-Ping-Interval; 90 unless it is a number. */
int64_t rpc_keepalive_s(struct request *rq);

int rpc_http_status(enum e2b_connect_code code);

#endif
