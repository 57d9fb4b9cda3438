/* SPDX-License-Identifier: MIT */
/*
 * kv: a small flat JSON object of strings and integers, for files of our own.
 *
 * Layers that never see JSON keep their notes on disk through this.  Strings may be any bytes
 * but NUL: what is not UTF-8 is stored in base64 under "<key>.base64".  Members of other types
 * and members that nobody asks for are ignored, so that a newer program may add some.
 *
 * Threads:   none of its own; a kv belongs to one thread at a time.
 * Ownership: kv_get's result is borrowed until the next kv_set or kv_free.
 */
#ifndef UTIL_KV_H
#define UTIL_KV_H

#include "buf.h"

#include <e2b/error.h>
#include <stdint.h>

struct kv;

struct kv *kv_new(void);
void kv_free(struct kv *kv);

/* Sets or replaces; both copy.  A NULL value is left out. */
void kv_set(struct kv *kv, const char *key, const char *value);
void kv_set_int(struct kv *kv, const char *key, int64_t value);

/* NULL if the key is absent or no string. */
const char *kv_get(const struct kv *kv, const char *key);
/* `otherwise` if the key is absent or no integer. */
int64_t kv_get_int(const struct kv *kv, const char *key, int64_t otherwise);

/* Appends the object as indented text with a final newline. */
int kv_print(const struct kv *kv, struct buf *out);
/* -EPROTO for what is not one JSON object; *out is then untouched. */
int kv_parse(const char *text, size_t len, struct kv **out, struct e2b_err *err);

static inline void autokv_cleanup(struct kv **kv)
{
    kv_free(*kv);
}
#define autokv __attribute__((cleanup(autokv_cleanup)))

#endif
