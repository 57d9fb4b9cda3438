/* SPDX-License-Identifier: MIT */
#include "cmd.h"

#include "life.h"

static struct e2b_call *start_pause(struct e2b_client *client, const char *id, int64_t seconds,
                                    e2b_sandbox_fn *fn, void *arg)
{
    (void)seconds;
    return e2b_sandbox_pause(client, id, fn, arg);
}

static int pause_run(struct cli *cli, const void *opts, const struct opt_operands *operands,
                     struct e2b_err *err)
{
    (void)opts;
    return life_run(cli, operands, start_pause, 0, err);
}

const struct cmd cmd_pause = {
    .name = "pause",
    .args = "SANDBOX...",
    .summary = "stop sandboxes and keep their memory and files",
    .details = "Takes seconds to a minute. One that is paused already stays so, which is no\n"
               "error. - reads names from standard input.",
    .min_operands = 1,
    .max_operands = -1,
    .run = pause_run,
};
