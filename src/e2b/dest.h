/* SPDX-License-Identifier: MIT */
/*
 * dest: where a request goes and with which credentials.
 *
 * The only place that puts secrets into a request.  The API key goes to the control plane and
 * nowhere else; a sandbox's token goes to that sandbox and nowhere else (control-plane.md 3).
 *
 * Threads: the loop's.  Ownership: dest_clear frees and wipes.
 */
#ifndef E2B_DEST_H
#define E2B_DEST_H

#include "call.h"

#include "util/buf.h"

enum { DEST_HEADERS = 16 };

struct dest {
    struct buf url;
    const char *headers[DEST_HEADERS + 1]; /* each owned; NULL-terminated */
    size_t n;
};

int dest_build(struct e2b_client *client, const struct exchange *x, struct dest *t,
               struct e2b_err *err);
void dest_clear(struct dest *t);

/* True if the edge honours routing headers at this base URL's host: localhost, an address, or
 * sandbox.* (control-plane.md 3.3). */
bool dest_routes_by_header(const char *url);

#endif
