/* SPDX-License-Identifier: MIT */
/*
 * fetch: the bytes of a remote file to a descriptor, as fast as its reader takes them.
 *
 * Threads: loop only; fetch_file turns the loop itself.
 */
#ifndef CLI_FETCH_H
#define CLI_FETCH_H

#include "cli/target.h"

struct fetch {
    struct cli *cli;
    const struct target *target;
    const char *path; /* of a regular file, as remote_find_file gave it */
    int64_t size;     /* as it was then; for the progress only */
    int fd;
    const char *fd_name; /* for messages */
    bool is_escaping;    /* to a terminal: control characters are shown as such */
    int64_t got;         /* result, also after a failure: bytes written */
};

/* 0 when all of it is written.  -EPIPE with cli->is_reader_gone: nobody reads it any more. */
int fetch_file(struct fetch *f, struct e2b_err *err);

/* The same to standard output. */
int fetch_to_stdout(struct cli *cli, const struct target *target, const char *path,
                    struct e2b_err *err);

#endif
