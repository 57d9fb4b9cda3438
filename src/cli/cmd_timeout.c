/* SPDX-License-Identifier: MIT */
#include "cmd.h"

#include "life.h"
#include "prefix.h"

static int timeout_run(struct cli *cli, const void *opts, const struct opt_operands *operands,
                       struct e2b_err *err)
{
    struct target target = { 0 };
    int64_t seconds;
    int r = life_seconds(cli, operands->v[1], &seconds, err);

    (void)opts;
    if (r == 0)
        r = target_resolve(cli, operands->v[0], PREFIX_MIN, &target, err);
    if (r == 0)
        r = life_set_end(cli, &target, seconds, err);
    target_clear(&target);
    return r;
}

const struct cmd cmd_timeout = {
    .name = "timeout",
    .args = "SANDBOX TIME",
    .summary = "let a running sandbox end TIME from now, sooner or later than before",
    .details = "TIME is a number of seconds, or a number with s, m or h. Prints when it ends\n"
               "now; the plan may allow less than was asked for.",
    .min_operands = 2,
    .max_operands = 2,
    .run = timeout_run,
};
