/* SPDX-License-Identifier: MIT */
/*
 * helper: a small program that runs in the sandbox and does what envd has no call for.
 *
 * argv is fixed but for whole arguments: no path is ever part of a shell's text.  LC_ALL=C, so
 * that its errors can be read; a PATH without /usr/local, which templates make writable; "/" as
 * directory, since a home may be deleted; no input; 30 s (is_long: 10 minutes).  Costs one
 * request.
 *
 * Source of facts: envd.md 11 and 13.
 * Threads: the loop's.  Ownership: the result dies when the completion returns.
 */
#ifndef E2B_HELPER_H
#define E2B_HELPER_H

#include <e2b/process.h>

struct helper {
    const char *id;
    const char *what;    /* for messages: "mkdir" */
    const char *subject; /* for messages: the path */
    const char *const *argv;
    const char *user;  /* NULL: the client's */
    size_t max_output; /* 0: 64 KiB */
    bool is_strict;    /* text on stderr is a failure even with exit status 0 */
    bool is_long;      /* it copies data: as much as a file may have */
    bool is_lenient;   /* the completion wants the result of a failed run, too */
};

/* err NULL: it exited with 0 (or is_lenient). */
struct e2b_call *helper_run(struct e2b_client *client, const struct helper *helper,
                            e2b_exec_fn *fn, void *arg);

/* The errno that the stderr text of a coreutils program names; EIO if none. */
int helper_errno(const char *text, int exit_code);

#endif
