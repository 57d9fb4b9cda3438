/* SPDX-License-Identifier: MIT */
/*
 * fops: the table of file operations that are programs in the sandbox (envd.md 13, 7.4).
 *
 * Threads: the loop's.  fops_argv: any.
 */
#ifndef E2B_FOPS_H
#define E2B_FOPS_H

#include "util/buf.h"

#include <e2b/file.h>

enum { FOPS_ARGV = 24 };

/* What the completion learns of the name that an operation leaves. */
enum fop_tells {
    TELLS_NOTHING, /* nothing is left, or nothing has changed */
    TELLS_PATH,
    TELLS_TO,
    TELLS_NEW_PATH, /* as above, and the new name is nothing without its attributes */
    TELLS_NEW_TO,
};

struct fop_row {
    const char *name;
    enum fop_tells tells;
    bool is_strict;              /* see helper.h */
    bool is_long;                /* copies or flushes as much data as a file may have */
    const char *argv[FOPS_ARGV]; /* literal words, or placeholders for one argument each */
};

/* NULL: no such operation. */
const struct fop_row *fops_row(enum e2b_fop op, const struct e2b_fop_args *args);

/* The name that is left (borrowed from args), or NULL. */
const char *fops_target(const struct fop_row *row, const struct e2b_fop_args *args);

/* An expanded command line; fops_argv_clear frees. */
struct fops_argv {
    char *v[FOPS_ARGV + 1];
    size_t n;
};

/* What would be run for these arguments: 0, or EINVAL, ENOENT, EFBIG with the reason. */
int fops_argv(enum e2b_fop op, const struct e2b_fop_args *args, struct fops_argv *out,
              struct e2b_err *err);
void fops_argv_clear(struct fops_argv *argv);

/* mv -f -T as root, like envd's Move: what rename(2) does where Move refuses. */
struct e2b_call *fops_move(struct e2b_client *client, const char *id, const char *from,
                           const char *to, e2b_done_fn *fn, void *arg);

#endif
