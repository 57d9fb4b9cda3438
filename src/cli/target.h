/* SPDX-License-Identifier: MIT */
/*
 * target: which sandbox an operand names, and in which account.
 *
 * An operand is an id, a unique prefix of one, or a path inside a mount (it has a '/' or is "."
 * or ".."; ids never do).  The mount is recognised by the kernel's table and its account by its
 * run-time file; nothing is read from the tree.
 *
 * Threads:   one.
 * Ownership: the account is borrowed from the cli.
 */
#ifndef CLI_TARGET_H
#define CLI_TARGET_H

#include "cli/account.h"

struct target {
    char *id;
    struct account *account;
    char *dir; /* a path below fs/ named this directory in the sandbox; else NULL */
};

void target_clear(struct target *t);

/*
 * `least`: how short a prefix may be.  -ENOENT: no such sandbox, or the path is in no mount of
 * ours; -EINVAL: not an id, too short or ambiguous (cli->is_usage_error is set).
 */
int target_resolve(struct cli *cli, const char *operand, size_t least, struct target *out,
                   struct e2b_err *err);

/* The account of the mount that `path` lies in. -ENOENT: it is in no mount of ours. */
int target_account(struct cli *cli, const char *path, struct account **out,
                   struct e2b_err *err);

/* Splits a path inside a mount ("/ID/fs/home") into the id and the sandbox's path ("/home";
 * NULL outside fs/).  -ENOENT if it names no sandbox. */
int target_split(const char *inside, char **id, char **remote);

/*
 * The names of several operands; "-" stands for the lines of standard input.  The result is
 * the caller's (target_names_free).
 */
struct target_names {
    char **v;
    size_t n;
};
int target_names_read(struct cli *cli, const struct opt_operands *operands,
                      struct target_names *out, struct e2b_err *err);
void target_names_free(struct target_names *names);

#endif
