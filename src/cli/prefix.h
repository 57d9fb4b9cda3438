/* SPDX-License-Identifier: MIT */
/*
 * prefix: sandbox ids as people type them.
 *
 * Threads: any.
 */
#ifndef CLI_PREFIX_H
#define CLI_PREFIX_H

#include <e2b/error.h>
#include <e2b/sandbox.h>
#include <stdbool.h>
#include <stddef.h>

enum {
    PREFIX_MIN = 3,             /* characters that name a sandbox */
    PREFIX_MIN_DESTRUCTIVE = 8, /* the same for what can't be undone */
    SANDBOX_ID_LEN = 21,        /* "i" and 20 more: nothing shorter needs to be looked up */
};

/* True for [a-z0-9]+ and for the old form id-clientid. */
bool prefix_is_id(const char *text);

/* The id of `text` without an old client id; the caller's. */
char *prefix_strip(const char *text);

/*
 * The one sandbox whose id is `text` or begins with it; an exact match always wins.
 * -EINVAL: shorter than `least`, or several match (the message has the first of them);
 * -ENOENT: none does.
 */
int prefix_find(const struct e2b_sandbox_list *boxes, const char *text, size_t least,
                const struct e2b_sandbox **out, struct e2b_err *err);

#endif
