/* SPDX-License-Identifier: MIT */
/*
 * checks: what doctor looks at, one row each in checks.c.
 *
 * A check tells what it found by check_say, once or more; nothing it does changes anything.
 */
#ifndef CLI_CHECKS_H
#define CLI_CHECKS_H

#include "cli/cli.h"

enum check_level { CHECK_OK, CHECK_WARN, CHECK_FAIL };

struct check_run {
    struct cli *cli;
    const char *name;        /* of the running check */
    struct account *account; /* NULL if there is no usable one */
    int n_failed;
};

struct check {
    const char *name;
    void (*run)(struct check_run *run);
};

extern const struct check checks[]; /* name NULL ends it */

/* One line of the result; `todo` says what to do, or NULL. */
void check_say(struct check_run *run, enum check_level level, const char *todo, const char *fmt,
               ...) __attribute__((format(printf, 4, 5)));

/* The checks of this machine's mounts, in checks_mount.c. */
void check_fuse_device(struct check_run *run);
void check_fusermount(struct check_run *run);
void check_mounts(struct check_run *run);

#endif
