/* SPDX-License-Identifier: MIT */
/*
 * sandboxes: what the other services of this directory need of sandboxes.c.
 *
 * Threads: the loop's.
 */
#ifndef E2B_SANDBOXES_H
#define E2B_SANDBOXES_H

#include "call.h"

#include <e2b/sandbox.h>

/* Starts a call whose first argument is a sandbox's id: 0 and the id as the API writes it
 * (caller's), or EINVAL. */
int sandbox_id(const char *id, char **out, struct e2b_err *err);

#endif
