/* SPDX-License-Identifier: MIT */
/*
 * keep: sandboxes that are still there when the server comes back (--data).
 *
 * What a sandbox is stands in a small file beside its root directory; processes are lost, as
 * after a pause without memory.  Time that passes while no server runs doesn't count: what is
 * kept is the rest of its life.
 *
 * Threads: any; two threads never save the same sandbox at once (each transition has one).
 */
#ifndef SANDBOXD_KEEP_H
#define SANDBOXD_KEEP_H

#include "store.h"

#include <e2b/error.h>

/* Writes it; failures are logged, since nothing else can be done about them. */
void keep_save(const struct sandbox *sb);
void keep_forget(const struct sandbox *sb);

/*
 * Reads what was saved beside `root` into a fresh sandbox; the caller sets what isn't kept
 * (root, tokens, processes, references).  False if there is no usable file.
 */
bool keep_load(const char *root, struct sandbox *sb, bool *is_paused, bool *is_secure,
               bool *has_traffic_token);

#endif
