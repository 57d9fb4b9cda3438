/* SPDX-License-Identifier: MIT */
/*
 * remote: paths inside a sandbox, as people type them.
 *
 * Threads: one.  Ownership: results are the caller's.
 */
#ifndef CLI_REMOTE_H
#define CLI_REMOTE_H

#include "cli/target.h"

#include <e2b/file.h>

/*
 * The absolute, normalised path that `arg` means: relative ones count from the directory that
 * a path inside a mount named; without one they are the user's mistake (-EINVAL).
 */
int remote_path(struct cli *cli, const struct target *target, const char *arg, char **out,
                struct e2b_err *err);

/*
 * What is at `path`, links followed.  *real is its path without links, also where only the
 * last component is missing: then *entry is all zero (mode 0) and nothing is an error.
 */
int remote_find(const struct target *target, const char *path, char **real,
                struct e2b_entry *entry, struct e2b_err *err);

/* The same for something to be read: fails unless it is a regular file that can be read
 * (EISDIR, ENOENT, EOPNOTSUPP). */
int remote_find_file(struct cli *cli, const struct target *target, const char *path,
                     char **real, struct e2b_entry *entry, struct e2b_err *err);

#endif
