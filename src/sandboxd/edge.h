/* SPDX-License-Identifier: MIT */
/*
 * edge: the proxy in front of all sandboxes: which one a request means, whether it may pass,
 * and what it says if not (control-plane.md 3.3 and 12).
 *
 * Threads: the request's.
 */
#ifndef SANDBOXD_EDGE_H
#define SANDBOXD_EDGE_H

#include "http_server.h"

struct edge_target {
    bool is_data; /* data plane: routing headers, or a host name <port>-<id>. */
    char id[32];  /* "" if unknown */
    int port;
    int refusal_status; /* the routing itself is wrong: answer this text */
    const char *refusal;
};

void edge_parse(struct request *rq, struct edge_target *out);

/* For the API: the id in the path goes into `out`; returns it, or NULL if there is none. */
const char *edge_path_id(const struct request *rq, char out[32]);

/* True if it is a data-plane request to a paused sandbox. */
bool edge_is_paused(const struct edge_target *target);

/*
 * Binds a data-plane request to its sandbox, if there is one; while that runs, pausing or
 * killing it breaks the connection.
 */
void edge_attach(struct request *rq, const struct edge_target *target);

/*
 * Lets an attached request through; resumes a paused sandbox where that is automatic.  False
 * if the request was answered, or is over.
 */
bool edge_enter(struct request *rq, const struct edge_target *target);
void edge_leave(struct request *rq);

/* {"sandboxId", "message", "port"?, "code"} */
void edge_error(struct request *rq, int status, const char *sandbox, const char *message,
                int port);

#endif
