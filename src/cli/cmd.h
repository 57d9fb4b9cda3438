/* SPDX-License-Identifier: MIT */
/*
 * cmd: what a command is.  One file cmd_<name>.c each, one row in cmds.c each.
 *
 * run() gets its parsed options (a zeroed struct of opts_size, after set_defaults) and its
 * operands, NULL-terminated.  It returns
 *
 *    0         done
 *   -errno     failed, err says why; main prints it and picks the exit code
 *   > 0        exit with this code; everything has been said
 *
 * No command prints an error or exits by itself; cli_report is for one of several sandboxes.
 */
#ifndef CLI_CMD_H
#define CLI_CMD_H

#include "cli/cli.h"
#include "cli/opts.h"

struct cmd {
    const char *name;
    const char *args;    /* of the usage line */
    const char *summary; /* one line, lower case */
    const char *details; /* more lines for COMMAND --help, or NULL */
    const struct opt *opts;
    size_t opts_size;
    void (*set_defaults)(void *opts);
    int min_operands, max_operands; /* -1: any number */
    bool takes_remote_argv; /* the second operand and what follows are a remote command */
    bool quiet_is_ids;      /* -q prints ids only */
    bool passes_exit_code;  /* our own failures are E2B_EXIT_OURS */
    int (*run)(struct cli *cli, const void *opts, const struct opt_operands *operands,
               struct e2b_err *err);
};

/* All commands in the order of the help, NULL-terminated. */
extern const struct cmd *const cmds[];

/* NULL if there is none. */
const struct cmd *cmd_find(const char *name);

#endif
