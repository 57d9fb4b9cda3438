/* SPDX-License-Identifier: MIT */
/*
 * utf8: one code point at a time from bytes that may be anything.
 *
 * Threads: any.
 */
#ifndef UTIL_UTF8_H
#define UTIL_UTF8_H

#include "buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Length (1 to 4) of the valid sequence at `s`, whose code point goes to *cp; 0 if the bytes
 * are not valid there (overlong forms, surrogates and values above U+10FFFF are not).
 */
size_t utf8_next(const char *s, size_t len, uint32_t *cp);

/* True if `s` begins a sequence that may become valid with more bytes than `len`. */
bool utf8_is_cut(const char *s, size_t len);

/*
 * True for what must not reach a terminal as it is: C0 and C1 controls, DEL, and the invisible
 * characters that reorder or hide text (bidi controls, zero-width ones, separators).
 */
bool utf8_is_unsafe(uint32_t cp);

/* Appends `s` as one field of a line of text: what is unsafe, not UTF-8 or a backslash is
 * escaped as in C (\t \n \\ \xNN). */
void utf8_escape(struct buf *out, const char *s, size_t len);

#endif
