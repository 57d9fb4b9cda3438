/* SPDX-License-Identifier: MIT */
/*
 * text: remote text on its way to a terminal, and numbers for people.
 *
 * Whatever comes out of a sandbox or of its metadata may be an attack on the terminal: control
 * characters become \xNN, invisible ones \u{NNNN}, so that what is seen is what is there.
 *
 * Threads: any.
 */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include "util/buf.h"

#include <stdbool.h>
#include <stdint.h>

/* What a stream's bytes may hold that a table's cell may not. */
enum text_escape {
    TEXT_CELL,   /* nothing passes: \n, \t, \r are escaped, too */
    TEXT_STREAM, /* \n, \t and \r pass */
};

/* Appends `s` escaped.  Errors: those of buf_append. */
int text_escape(struct buf *out, const char *s, size_t len, enum text_escape how);

/* The same for a stream that may cut characters: `held` (4 bytes at least, *n_held of them
 * used) keeps a character's first bytes for the next call.  `s` NULL: the stream has ended. */
int text_escape_stream(struct buf *out, char held[4], size_t *n_held, const char *s,
                       size_t len);

/* Appends `s` with only what would break a line or a column escaped: \n, \t, \r, \f, \v. */
int text_one_line(struct buf *out, const char *s, size_t len);

/* "12s", "5m", "3h07m", "2d04h". Negative: "0s". */
enum { TEXT_DURATION_MAX = 48 };
char *text_duration(int64_t seconds, char out[TEXT_DURATION_MAX]);

/* "17 B", "1.5 MiB". */
enum { TEXT_BYTES_MAX = 32 };
char *text_bytes(int64_t bytes, char out[TEXT_BYTES_MAX]);

/* Columns that valid text takes on a terminal. */
size_t text_width(const char *s);

/* `s` as one word of a POSIX shell, appended. */
int text_shell_quote(struct buf *out, const char *s);

#endif
