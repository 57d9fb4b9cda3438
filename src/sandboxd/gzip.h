/* SPDX-License-Identifier: MIT */
/*
 * gzip: what clients send compressed, and small answers that they want so.  (Files are
 * answered by gzip_stored, which is faster than any compression.)
 *
 * zlib, because the official SDKs compress uploads if their user asks for it, and unpacking
 * can't be had for less.
 *
 * Threads: a stream belongs to one thread at a time.
 */
#ifndef SANDBOXD_GZIP_H
#define SANDBOXD_GZIP_H

#include "util/buf.h"

#include <stdbool.h>

struct gunzip;

struct gunzip *gunzip_new(void);
void gunzip_free(struct gunzip *z); /* NULL is fine */

/* Gets decoded bytes; false stops. */
typedef bool gunzip_fn(void *arg, const char *data, size_t len);

/*
 * Decodes the next piece of the stream; several members in a row are one stream.  0, -EPROTO
 * if it isn't gzip or damaged, -ECANCELED if `fn` stopped it.
 */
int gunzip_push(struct gunzip *z, const void *data, size_t len, gunzip_fn *fn, void *arg);
bool gunzip_has_header(const struct gunzip *z); /* the first member's was right */
bool gunzip_is_complete(const struct gunzip *z);

/* Whole messages, appended to `out`: 0, -EPROTO, or -EFBIG beyond out's ceiling. */
int gunzip_buf(const void *data, size_t len, struct buf *out);
int gzip_buf(const void *data, size_t len, struct buf *out);

#endif
