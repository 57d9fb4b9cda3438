/* SPDX-License-Identifier: MIT */
#include "cmd.h"

#include "box_row.h"
#include "prefix.h"
#include "target.h"

static const struct out_col info_cols[] = {
    BOX_COLUMNS,
    { "disk_mb", "DISK MB", OUT_RIGHT, 0 },
    { "envd_version", "ENVD", 0, 0 },
    { "on_timeout", "ON TIMEOUT", 0, 0 },
    { "auto_resume", "AUTO RESUME", 0, 0 },
    { NULL, NULL, 0, 0 },
};

static int info_one(struct cli *cli, const char *name, struct e2b_err *err)
{
    struct e2b_sandbox box = { 0 };
    struct target target = { 0 };
    int r;

    r = target_resolve(cli, name, PREFIX_MIN, &target, err);
    if (r == 0)
        r = e2b_wait(e2b_sandbox_get(target.account->client, target.id, e2b_sandbox_keep, &box),
                     err);
    if (r == 0) {
        box_row(cli->out, &box, box_now(target.account->client));
        out_int(cli->out, box.disk_mb);
        out_str(cli->out, box.envd_version && *box.envd_version ? box.envd_version : NULL);
        out_str(cli->out, box.pauses_on_timeout ? "pause" : "kill");
        out_bool(cli->out, box.auto_resume);
        out_end_row(cli->out);
    }
    e2b_sandbox_clear(&box);
    target_clear(&target);
    return r;
}

static int info_run(struct cli *cli, const void *opts, const struct opt_operands *operands,
                    struct e2b_err *err)
{
    struct target_names names;
    struct cli_tally tally = { 0 };
    bool is_one;
    int r;

    (void)opts;
    r = target_names_read(cli, operands, &names, err);
    if (r < 0)
        return r;
    is_one = names.n == 1;
    out_begin(cli->out, info_cols, OUT_VERTICAL | (is_one ? OUT_ONE : 0));
    for (size_t i = 0; i < names.n; i++) {
        struct e2b_err one = { 0 };

        r = info_one(cli, names.v[i], &one);
        cli_tally_add(&tally, r < 0 ? cli_report(cli, &one, names.v[i]) : 0);
    }
    target_names_free(&names);
    return cli_tally_end(cli, &tally, err);
}

const struct cmd cmd_info = {
    .name = "info",
    .args = "SANDBOX...",
    .summary = "show what the API knows about a sandbox",
    .details = "Reads only: a paused sandbox stays paused. -o json gives one object for one\n"
               "sandbox and an array for several; - reads names from standard input.",
    .min_operands = 1,
    .max_operands = -1,
    .quiet_is_ids = true,
    .run = info_run,
};
