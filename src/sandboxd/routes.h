/* SPDX-License-Identifier: MIT */
/*
 * routes: the table of everything that is answered, and the way from a request to its row.
 *
 * One port serves three sets of rows: the API (control plane), envd (data plane, behind
 * edge.h) and the server's own /_sandboxd/.
 *
 * Threads: the request's.
 */
#ifndef SANDBOXD_ROUTES_H
#define SANDBOXD_ROUTES_H

#include "http_server.h"

/* `key`: the one API key that is accepted; kept. */
void routes_setup(const char *key);

/* http_router_fn and http_done_fn */
void routes_route(struct request *rq);
void routes_done(struct request *rq);

#endif
