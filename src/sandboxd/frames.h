/* SPDX-License-Identifier: MIT */
/*
 * frames: Connect's envelopes: one byte of flags, four of length (big-endian), the message.
 *
 * Threads: any.
 */
#ifndef SANDBOXD_FRAMES_H
#define SANDBOXD_FRAMES_H

#include "util/buf.h"

#include <stdint.h>

enum { FRAME_HEADER = 5, FRAME_COMPRESSED = 0x01, FRAME_END = 0x02 };

/* Appends one envelope. 0, -EFBIG or -ENOMEM. */
int frame_put(struct buf *out, uint8_t flags, const void *data, size_t len);

struct frame {
    uint8_t flags;
    uint32_t len;
    const char *data; /* borrowed; len bytes unless the frame is short */
    size_t have;      /* bytes of the message that are there */
};

/*
 * Looks at the envelope at the start of `data`.  1: complete; 0: more bytes are needed, and
 * `out` holds what is known (len is valid once FRAME_HEADER bytes are there).
 */
int frame_get(const char *data, size_t len, struct frame *out);

#endif
