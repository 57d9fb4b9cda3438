/* SPDX-License-Identifier: MIT */
/*
 * life: what the commands about a sandbox's time and state have in common.
 *
 * Each prints a row for what it left behind, as the server shows it then:
 *
 *   sandbox_id state end_at time_remaining_seconds on_timeout
 *
 * Threads: one.
 */
#ifndef CLI_LIFE_H
#define CLI_LIFE_H

#include "cli/pool.h"
#include "cli/targets.h"

#include <e2b/sandbox.h>

extern const struct out_col life_cols[];

/* Nothing with -q, unless it is JSON. */
void life_row(struct cli *cli, const struct account *account, const struct e2b_sandbox *box);

/* "90", "90s", "5m", "1h": whole seconds, at least one; else the user's mistake (-EINVAL). */
int life_seconds(struct cli *cli, const char *text, int64_t *seconds, struct e2b_err *err);

/* Lets a running sandbox end `seconds` from now and prints its row; says so if the plan does
 * not allow that much.  It is set, too, if only the reading back failed: that is a note. */
int life_set_end(struct cli *cli, const struct target *target, int64_t seconds,
                 struct e2b_err *err);

/* A note if it ends clearly before `wanted` (unix seconds, the server's time). */
void life_note_cap(const struct cli *cli, const struct e2b_sandbox *box, int64_t wanted);

/* Starts the operation on one of several sandboxes. */
typedef struct e2b_call *life_start_fn(struct e2b_client *client, const char *id,
                                       int64_t seconds, e2b_sandbox_fn *fn, void *arg);

/* All operands of a command, side by side: rows for what worked, reports for what did not. */
int life_run(struct cli *cli, const struct opt_operands *operands, life_start_fn *start,
             int64_t seconds, struct e2b_err *err);

#endif
