/* SPDX-License-Identifier: MIT */
/*
 * permit: may the acting user do this?  What envd does as root is asked for here first; what a
 * helper program does as the user is the sandbox's kernel's to judge.
 *
 * Attributes and groups that aren't known are fetched, one after the other.  A refusal is based
 * on attributes that still hold, so it costs a request if they don't; a permission may be up
 * to PERMIT_AGE_MS old, since a shell that sits in a directory would else ask once a second.
 *
 * Threads:   loop only.
 * Errors:    EACCES; EPERM (somebody else's name in a sticky directory); what asking gave.
 */
#ifndef FS_PERMIT_H
#define FS_PERMIT_H

#include "fs/remote.h"

enum { PERMIT_AGE_MS = 30 * 1000, PERMIT_STEPS = 3 };

struct permit;
struct permit_step {
    struct inode *inode; /* whose permission bits decide */
    int want;            /* R_OK, W_OK, X_OK, or'ed */
    struct inode *taken; /* a name in the directory `inode` that will go, or NULL */
};

/* True: every step is permitted, as is known without asking. */
bool permit_known(const struct permit_step *steps, size_t n);
/* True: `want` is refused, as is known without asking. */
bool permit_refused(struct inode *i, int want);

/* fn(arg, err) exactly once, on a later turn: NULL if every step is permitted.  Holds the
 * inodes meanwhile; at most PERMIT_STEPS steps, copied. */
struct permit *permit_want(const struct permit_step *steps, size_t n, remote_fn *fn, void *arg);
/* Asks; ECANCELED comes (or the answer, if it won). */
void permit_cancel(struct permit *p);

#endif
