/* SPDX-License-Identifier: MIT */
/*
 * gzip_stored: a valid gzip stream without compression (stored blocks).
 *
 * The server must answer `Accept-Encoding: gzip` as the real one does, headers and all; how
 * well it compresses matters to nobody here, and a library less is a library less.
 *
 * Threads: one stream belongs to one thread at a time.
 */
#ifndef SANDBOXD_GZIP_STORED_H
#define SANDBOXD_GZIP_STORED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct gzip_stored {
    bool has_begun, is_finished;
    uint32_t crc, size;
};

enum { GZIP_STORED_MIN = 64 };

/*
 * Reads from fd and writes the next piece of the stream to out (max >= GZIP_STORED_MIN).
 * Returns its length, 0 after the end.  A read error ends the stream properly.
 */
ssize_t gzip_stored_read(struct gzip_stored *z, int fd, char *out, size_t max);

#endif
