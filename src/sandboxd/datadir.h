/* SPDX-License-Identifier: MIT */
/*
 * datadir: the directory with everything a server keeps on disk, locked while it is in use.
 *
 *   DIR/lock              held by the server
 *   DIR/agent             a copy of the binary, for containers
 *   DIR/sandboxes/<id>/   a sandbox's "/", and <id>.json beside it: what keep.h writes
 *
 * Threads: main's.
 */
#ifndef SANDBOXD_DATADIR_H
#define SANDBOXD_DATADIR_H

#include <e2b/error.h>
#include <stdbool.h>

struct datadir {
    char *path; /* absolute; owned */
    int lock_fd;
    bool is_temporary;
};

/* NULL: a temporary one; those that killed servers left behind are removed then. */
int datadir_open(struct datadir *d, const char *path, struct e2b_err *err);
/* Removes a temporary one. */
void datadir_close(struct datadir *d);

#endif
