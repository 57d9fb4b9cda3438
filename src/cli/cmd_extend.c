/* SPDX-License-Identifier: MIT */
#include "cmd.h"

#include "box_row.h"
#include "life.h"
#include "prefix.h"

#include <errno.h>

/* The API only knows ends from now on: what remains has to be asked for first. */
static int extend_there(struct cli *cli, const struct target *target, int64_t seconds,
                        struct e2b_err *err)
{
    struct e2b_client *client = target->account->client;
    struct e2b_sandbox box = { 0 };
    int64_t left;
    int r = e2b_wait(e2b_sandbox_get(client, target->id, e2b_sandbox_keep, &box), err);

    if (r == 0 && box.state == E2B_STATE_PAUSED)
        r = e2b_fail(err, EHOSTDOWN, "sandbox %s is paused", target->id);
    left = box.end_at.tv_sec - box_now(client);
    e2b_sandbox_clear(&box);
    return r < 0 ? r : life_set_end(cli, target, (left > 0 ? left : 0) + seconds, err);
}

static int extend_run(struct cli *cli, const void *opts, const struct opt_operands *operands,
                      struct e2b_err *err)
{
    struct target target = { 0 };
    int64_t seconds;
    int r = life_seconds(cli, operands->v[1], &seconds, err);

    (void)opts;
    if (r == 0)
        r = target_resolve(cli, operands->v[0], PREFIX_MIN, &target, err);
    if (r == 0)
        r = extend_there(cli, &target, seconds, err);
    target_clear(&target);
    return r;
}

const struct cmd cmd_extend = {
    .name = "extend",
    .args = "SANDBOX TIME",
    .summary = "add TIME to what remains of a running sandbox",
    .details = "TIME is a number of seconds, or a number with s, m or h. Prints when it ends\n"
               "now; the plan may allow less than was asked for.",
    .min_operands = 2,
    .max_operands = 2,
    .run = extend_run,
};
