/* SPDX-License-Identifier: MIT */
/*
 * buf: growable bytes with a hard ceiling.
 *
 * A buf never grows beyond `max`: a remote peer cannot choose how much memory is used.
 * Appending beyond it fails with -EFBIG, running out of memory with -ENOMEM; either leaves the
 * contents as they were.  While non-empty the contents are always followed by a NUL that is
 * not counted, so data can be used as a string where it is known to hold none.
 *
 * Threads:   none of its own; a buf belongs to one thread at a time.
 * Ownership: owns `data`.  buf_clear frees and leaves the buf reusable with the same ceiling;
 *            buf_steal hands the bytes out.
 */
#ifndef UTIL_BUF_H
#define UTIL_BUF_H

#include <stdarg.h>
#include <stddef.h>

#define KIB(n) ((size_t)(n) << 10)
#define MIB(n) ((size_t)(n) << 20)

struct buf {
    char *data; /* owned; NULL while nothing was ever appended */
    size_t len;
    size_t cap;
    size_t max; /* 0: BUF_DEFAULT_MAX */
};

#define BUF_DEFAULT_MAX MIB(64)
#define BUF_INIT \
    {            \
        0        \
    }
#define BUF_MAX(n) \
    {              \
        .max = (n) \
    }

void buf_clear(struct buf *b);
void buf_reset(struct buf *b); /* len = 0, memory kept */

int buf_append(struct buf *b, const void *data, size_t len);
int buf_puts(struct buf *b, const char *s);
int buf_putc(struct buf *b, char c);
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int buf_vprintf(struct buf *b, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

/* Room for `len` more bytes at the end; *out points at it.  Commit with b->len += used. */
int buf_reserve(struct buf *b, size_t len, char **out);

/* Removes the first n (<= len) bytes. */
void buf_consume(struct buf *b, size_t n);

/* The contents as a string, "" when empty; borrowed until the next change. */
const char *buf_str(const struct buf *b);

/* Hands out the bytes (NUL-terminated, never NULL); the buf is empty afterwards. */
char *buf_steal(struct buf *b);

#define autobuf __attribute__((cleanup(buf_clear)))

#endif
