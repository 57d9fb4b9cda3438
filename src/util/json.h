/* SPDX-License-Identifier: MIT */
/*
 * json: typed getters over jansson that name the failing field.
 *
 * Input comes from an untrusted peer.  jparse has a depth limit (jansson's own) and refuses
 * trailing garbage; getters accept a missing or null member only in their _opt form, and
 * report "field 'x': expected string" otherwise, as -EPROTO.
 *
 * Threads:   any; a json_t belongs to one thread at a time.
 * Ownership: char ** results are the caller's.  json_t ** results of jget_* are borrowed from
 *            the parent.  Out parameters are untouched on failure and when an _opt is absent.
 */
#ifndef UTIL_JSON_H
#define UTIL_JSON_H

#include "buf.h"

#include <e2b/error.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Parses exactly one value.  On success *out is a new reference. */
int jparse(const char *text, size_t len, json_t **out, struct e2b_err *err);

int jget_string(const json_t *obj, const char *key, char **out, struct e2b_err *err);
int jget_string_opt(const json_t *obj, const char *key, char **out, struct e2b_err *err);
/* Integers: also accept a decimal string, which is how protojson writes int64. */
int jget_int64(const json_t *obj, const char *key, int64_t *out, struct e2b_err *err);
int jget_int64_opt(const json_t *obj, const char *key, int64_t *out, struct e2b_err *err);
int jget_double_opt(const json_t *obj, const char *key, double *out, struct e2b_err *err);
int jget_bool_opt(const json_t *obj, const char *key, bool *out, struct e2b_err *err);
int jget_time_opt(const json_t *obj, const char *key, struct timespec *out,
                  struct e2b_err *err);
int jget_array(const json_t *obj, const char *key, json_t **out, struct e2b_err *err);
int jget_object_opt(const json_t *obj, const char *key, json_t **out, struct e2b_err *err);

/* Appends compact text (jdump) or indented text with a final newline (jdump_pretty). */
int jdump(const json_t *v, struct buf *out);
int jdump_pretty(const json_t *v, struct buf *out);

/* Makes jansson allocate through xalloc and seeds its hash; call once, before any thread. */
void json_setup(void);

static inline void autojson_cleanup(json_t **v)
{
    json_decref(*v);
}
#define autojson __attribute__((cleanup(autojson_cleanup)))

#endif
