/* SPDX-License-Identifier: MIT */
/*
 * answer: from an error answer to a struct e2b_err.
 *
 * Four kinds of server can stand behind one data-plane URL: the service inside the sandbox
 * (Connect errors, or /files errors with a number as code), envd's token check, Go's router
 * and the edge proxy.  Only the first may speak about files: an edge's 404 or 502 taken for
 * ENOENT would make backup tools delete (envd.md 2.6, 4, 11).
 *
 * Threads: any; pure functions over hostile text.
 */
#ifndef E2B_ANSWER_H
#define E2B_ANSWER_H

#include "endpoints.h"

#include <e2b/error.h>
#include <stddef.h>

enum answer_kind {
    ANSWER_SERVICE,     /* the operation itself failed; the errno is final */
    ANSWER_EDGE,        /* the edge speaks about the sandbox: ask the control plane */
    ANSWER_PORT_CLOSED, /* the edge: running, but nothing answers on the port */
    ANSWER_TOKEN,       /* envd refused the access token */
    ANSWER_NO_ROUTE,    /* this server does not know the operation (an older one) */
    ANSWER_OTHER,       /* a proxy, a load balancer, a router: only the status is known */
};

/*
 * Fills *err (which must be empty) for an answer with status >= 400.  The message is the
 * server's, or the status when it sent none; the caller puts the context in front.
 */
enum answer_kind answer_error(const struct endpoint *ep, int status, const char *body,
                              size_t len, struct e2b_err *err);

/*
 * The same for an error object inside a stream's last message or a helper's stderr: errno of a
 * Connect code and its message.
 */
int answer_connect_errno(const struct endpoint *ep, int status, enum e2b_connect_code code,
                         const char *message);

#endif
