/* SPDX-License-Identifier: MIT */
#include "cmd.h"

#include "fetch.h"
#include "prefix.h"
#include "remote.h"
#include "util/xalloc.h"

#include <errno.h>

static int cat_run(struct cli *cli, const void *opts, const struct opt_operands *operands,
                   struct e2b_err *err)
{
    struct cli_tally tally = { 0 };
    struct target target = { 0 };
    int r = target_resolve(cli, operands->v[0], PREFIX_MIN, &target, err);

    (void)opts;
    for (size_t i = 1; r == 0 && i < operands->n; i++) {
        autofree char *path = NULL;
        struct e2b_err one = { 0 };

        r = remote_path(cli, &target, operands->v[i], &path, &one);
        if (r == 0)
            r = fetch_to_stdout(cli, &target, path, &one);
        if (r < 0 && cli->is_reader_gone) {
            if (err)
                *err = one;
            break;
        }
        cli_tally_add(&tally, r < 0 ? cli_report(cli, &one, target.id) : 0);
        r = 0;
    }
    target_clear(&target);
    return r < 0 ? r : cli_tally_exit(&tally);
}

const struct cmd cmd_cat = {
    .name = "cat",
    .args = "SANDBOX PATH...",
    .summary = "print files of a sandbox",
    .details = "Bytes are exact in pipes and files; on a terminal control characters are\n"
               "escaped. A path below fs/ of a mount as SANDBOX makes PATH relative to it.",
    .min_operands = 2,
    .max_operands = -1,
    .run = cat_run,
};
