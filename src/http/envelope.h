/* SPDX-License-Identifier: MIT */
/*
 * envelope: framing of Connect's streams: 1 byte of flags, 4 bytes of big-endian length,
 * payload (envd.md 2.5).  Incremental: feed it any pieces.
 *
 * Limits: a payload above max_payload is EFBIG; flag bits other than 0x02 are EPROTO (we never
 *         negotiate compression).
 * Threads: any; a decoder belongs to one thread at a time.
 */
#ifndef HTTP_ENVELOPE_H
#define HTTP_ENVELOPE_H

#include "util/buf.h"

#include <e2b/error.h>
#include <stdbool.h>
#include <stdint.h>

enum { ENVELOPE_END = 0x02, ENVELOPE_HEAD = 5 };

/* Called for each complete message; `payload` is NUL-terminated and dies on return.
 * A negative return stops the feed and is its result. */
typedef int envelope_fn(void *arg, uint8_t flags, const char *payload, size_t len);

struct envelope_decoder {
    struct buf pending; /* private */
    size_t max_payload;
    bool ended; /* an END message was seen */
};

void envelope_decoder_init(struct envelope_decoder *d, size_t max_payload);
void envelope_decoder_clear(struct envelope_decoder *d);
/* 0, or a negative errno (err filled).  Bytes after an END message are EPROTO. */
int envelope_feed(struct envelope_decoder *d, const char *data, size_t len, envelope_fn *fn,
                  void *arg, struct e2b_err *err);
/* 0 if the stream ended with an END message and nothing is left; else -ECONNRESET. */
int envelope_finish(const struct envelope_decoder *d, struct e2b_err *err);

/* Appends one enveloped message. */
int envelope_append(struct buf *out, uint8_t flags, const void *payload, size_t len);

#endif
