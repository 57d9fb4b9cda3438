/* SPDX-License-Identifier: MIT */
/*
 * client: what the files of this directory share (the public face is <e2b/client.h>).
 *
 * Threads: the loop's.
 */
#ifndef E2B_CLIENT_STATE_H
#define E2B_CLIENT_STATE_H

#include "access.h"
#include "call.h"

#include "http/engine.h"
#include "util/worker.h"

#include <e2b/client.h>

TAILQ_HEAD(call_list, e2b_call);

struct e2b_client {
    struct loop *loop; /* owned if owns_loop */
    bool owns_loop;
    struct http_engine *engine; /* owned */
    struct workers *workers;    /* owned; NULL until a big answer needs one */
    struct e2b_config config;   /* owned copy */
    struct call_list calls;     /* started and not finished */
    struct access *access;      /* by id (uthash); owned, see access.h */
    struct e2b_client_stats stats;
    int64_t clock_offset_ms;
    bool is_closing;       /* e2b_client_free runs */
    bool has_no_v2_list;   /* an old server said so once */
    bool needs_host_label; /* sandbox_url's host is one at which the edge ignores the routing
                              headers (control-plane.md 3.3) */
};

struct workers *client_workers(struct e2b_client *client);

/* Wall clock of the server, in seconds since 1970. */
double client_server_now(const struct e2b_client *client);
/* Learns the server's clock from a Date header. */
void client_learn_date(struct e2b_client *client, const char *date);

/* deadline_scale applied. */
int64_t client_deadline(const struct e2b_client *client, int64_t ms);

/* The account that calls act as: `user`, or the configured one. */
const char *client_user(const struct e2b_client *client, const char *user);

#endif
