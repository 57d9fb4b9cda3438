/* SPDX-License-Identifier: MIT */
/*
 * targets: several sandboxes that one command acts on, each once.
 *
 * Threads: one.  Ownership: the caller's; targets_clear.
 */
#ifndef CLI_TARGETS_H
#define CLI_TARGETS_H

#include "cli/target.h"

struct targets {
    struct target *v;
    size_t n;
};

/*
 * Finds out what the operands mean ("-": lines of standard input), before anything is done to
 * any of them.  What can't be found is reported and counted in `tally`; only unreadable input
 * fails.
 */
int targets_resolve(struct cli *cli, const struct opt_operands *operands, size_t least,
                    struct targets *out, struct cli_tally *tally, struct e2b_err *err);
void targets_clear(struct targets *targets);

#endif
