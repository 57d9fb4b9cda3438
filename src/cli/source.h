/* SPDX-License-Identifier: MIT */
/*
 * source: a local file to be sent, of known length and readable at any place.
 *
 * What has no length (standard input, pipes, files of /proc) is copied to an unnamed temporary
 * file under $TMPDIR first, however long that takes.
 *
 * Threads: any.  Ownership: source_close.
 */
#ifndef CLI_SOURCE_H
#define CLI_SOURCE_H

#include <e2b/error.h>
#include <stdbool.h>
#include <stdint.h>

struct source {
    int fd;
    bool is_borrowed; /* standard input itself */
    int64_t off, len;
    bool is_executable;
};

/* "-" is standard input.  EISDIR for directories. */
int source_open(const char *path, struct source *out, struct e2b_err *err);
void source_close(struct source *source);

#endif
