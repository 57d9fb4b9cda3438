/* SPDX-License-Identifier: MIT */
/*
 * hosts: how many requests to one host are with libcurl at the same time.  Private to src/http.
 *
 * Only requests that may share an HTTP/2 connection are counted.  Beyond what fits into one
 * connection libcurl would open another for each of them, with a TLS handshake that takes
 * longer than waiting for a place; so the rest is held here, first come first served.
 *
 * Threads:   loop only.
 * Ownership: a host is there while it has transfers, and borrows them.
 */
#ifndef HTTP_HOSTS_H
#define HTTP_HOSTS_H

#include "http/transfer.h"

struct hosts {
    struct http_host *table; /* uthash */
};

/* Counts `t`, or says false: then t->at->held is the list to wait in. */
bool host_admit(struct hosts *hosts, struct http_transfer *t);

/* `t` is over, and in no list of its host any more.  Its place passes on to the one that is
 * returned, which the caller takes out of the list; or NULL. */
struct http_transfer *host_release(struct hosts *hosts, struct http_transfer *t);

#endif
