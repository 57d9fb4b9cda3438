/* SPDX-License-Identifier: MIT */
/*
 * jsonw: JSON text for programs that write it and never read it.
 *
 * It knows nothing of jansson, so that layers which must not see a json_t can use it, and it
 * never fails on content: jansson refuses text that is not UTF-8, but file names and arguments
 * may be any bytes.
 *
 * Threads: any.  Errors: those of buf_append.
 */
#ifndef UTIL_JSONW_H
#define UTIL_JSONW_H

#include "buf.h"

/* Appends `s` as a quoted string; bytes that are not UTF-8 become U+FFFD,
 * and what could act on a terminal is written as \uXXXX. */
int jsonw_string(struct buf *out, const char *s, size_t len);

/* The same for a NUL-terminated string; NULL becomes null. */
int jsonw_str(struct buf *out, const char *s);

/* Appends a number with at most `digits` fractional digits, trailing zeros cut; what JSON
 * cannot say (infinite, not a number) becomes null. */
int jsonw_double(struct buf *out, double v, int digits);

#endif
