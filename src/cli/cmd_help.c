/* SPDX-License-Identifier: MIT */
#include "cmd.h"

#include "help.h"

#include <stdio.h>

static int help_run(struct cli *cli, const void *opts, const struct opt_operands *operands,
                    struct e2b_err *err)
{
    autobuf struct buf text = BUF_INIT;
    const struct cmd *cmd = operands->n ? cmd_find(operands->v[0]) : NULL;

    (void)opts;
    if (cmd)
        help_command(cmd, &text);
    else if (operands->n == 0)
        help_program(&text);
    else if (!help_topic(operands->v[0], &text))
        return cli_usage(cli, err, "no command or topic '%s'", operands->v[0]);
    (void)fputs(buf_str(&text), stdout);
    return 0;
}

const struct cmd cmd_help = {
    .name = "help",
    .args = "[COMMAND|exit-codes]",
    .summary = "explain a command or a topic",
    .max_operands = 1,
    .run = help_run,
};
