/* SPDX-License-Identifier: MIT */
/*
 * codec: base64, hex, SHA-256 and random bytes, thin over nettle and getrandom(2).
 *
 * Threads: any.
 */
#ifndef UTIL_CODEC_H
#define UTIL_CODEC_H

#include "buf.h"

#include <stdint.h>

/* Standard alphabet with padding, appended to `out`. 0, -EFBIG or -ENOMEM. */
int base64_encode(const void *data, size_t len, struct buf *out);

/* Appends the decoded bytes. -EPROTO if `text` is not base64 (padding required). */
int base64_decode(const char *text, size_t len, struct buf *out);

/* n random bytes from the kernel as 2n lower-case hex digits and a NUL. */
void random_hex(char *out, size_t n);

/* First 64 bits of SHA-256 over the NUL-terminated strings (NULL ends the list), each with its
 * NUL, so that ("ab","c") and ("a","bc") differ. Never 0. */
uint64_t hash64(const char *s, ...) __attribute__((sentinel));

enum { SHA256_HEX = 65 };
void sha256_hex(const void *data, size_t len, char out[SHA256_HEX]);
void hmac_sha256_hex(const void *key, size_t key_len, const void *data, size_t len,
                     char out[SHA256_HEX]);

#endif
