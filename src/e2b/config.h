/* SPDX-License-Identifier: MIT */
/*
 * config: what <e2b/client.h> does not show of struct e2b_config.
 *
 * Threads: any.
 */
#ifndef E2B_CONFIG_H
#define E2B_CONFIG_H

#include <e2b/client.h>

/* A deep copy into an empty struct. */
void config_copy(struct e2b_config *to, const struct e2b_config *from);

/* Reads a whole small file; ENOENT, EACCES, EFBIG ... with the path in the message. */
struct buf;
int config_slurp(const char *path, struct buf *out, struct e2b_err *err);

/* True for a key as the service makes them: "e2b_" and lower-case hex (control-plane.md 1.3).
 */
bool config_key_ok(const char *key);

#endif
