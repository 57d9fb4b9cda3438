/* SPDX-License-Identifier: MIT */
/*
 * listen: the listening socket, on loopback and nowhere else.
 *
 * Threads: any.
 */
#ifndef SANDBOXD_LISTEN_H
#define SANDBOXD_LISTEN_H

#include <e2b/error.h>
#include <stddef.h>

/* `where` is HOST:PORT or PORT.  Returns the socket, its address in `bound` as host:port. */
int listen_open(const char *where, char *bound, size_t size, struct e2b_err *err);

#endif
