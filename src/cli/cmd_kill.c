/* SPDX-License-Identifier: MIT */
#include "cmd.h"

#include "prefix.h"
#include "targets.h"
#include "util/buf.h"

struct kill_opts {
    bool is_forced, is_dry_run;
};

static const struct opt kill_rows[] = {
    { OPT_FLAG, 'f', "force", offsetof(struct kill_opts, is_forced), NULL, "don't ask", NULL },
    { OPT_FLAG, 'n', "dry-run", offsetof(struct kill_opts, is_dry_run), NULL,
      "only say what would be ended", NULL },
    { .kind = OPT_END },
};

static const struct out_col kill_cols[] = {
    { "sandbox_id", "ID", OUT_IN_TABLE | OUT_IS_ID, 0 },
    { "result", "RESULT", OUT_IN_TABLE, 0 },
    { NULL, NULL, 0, 0 },
};

static bool confirm(const struct cli *cli, const struct targets *victims)
{
    enum { NAMED_MAX = 5 };
    autobuf struct buf question = BUF_INIT;

    buf_printf(&question, "End %zu sandbox%s for good:", victims->n,
               victims->n == 1 ? "" : "es");
    for (size_t i = 0; i < victims->n && i < NAMED_MAX; i++)
        buf_printf(&question, " %s", victims->v[i].id);
    buf_puts(&question, victims->n > NAMED_MAX ? " ...?" : "?");
    return cli_confirm(cli, buf_str(&question));
}

static int kill_one(struct cli *cli, const struct target *target, bool is_dry_run,
                    struct e2b_err *err)
{
    struct e2b_client *client = target->account->client;
    int r;

    if (is_dry_run) {
        struct e2b_sandbox box = { 0 };

        r = e2b_wait(e2b_sandbox_get(client, target->id, e2b_sandbox_keep, &box), err);
        e2b_sandbox_clear(&box);
    } else {
        r = e2b_wait(e2b_sandbox_kill(client, target->id, e2b_done_ignore, NULL), err);
    }
    if (r < 0 || (cli->g.is_quiet && !cli_is_json(cli)))
        return r;
    out_str(cli->out, target->id);
    out_str(cli->out, is_dry_run ? "would be killed" : "killed");
    out_end_row(cli->out);
    return 0;
}

static int kill_run(struct cli *cli, const void *opts, const struct opt_operands *operands,
                    struct e2b_err *err)
{
    const struct kill_opts *o = opts;
    struct targets victims;
    struct cli_tally tally = { 0 };
    int r;

    if (!o->is_forced && !o->is_dry_run && !cli_may_ask(cli))
        return cli_usage(cli, err, "kill: there is no terminal to ask on: --force is needed");
    r = targets_resolve(cli, operands, PREFIX_MIN_DESTRUCTIVE, &victims, &tally, err);
    if (r < 0)
        return r;

    out_begin(cli->out, kill_cols, OUT_PLAIN);
    if (victims.n > 0 && !o->is_forced && !o->is_dry_run && !confirm(cli, &victims)) {
        cli_note(cli, "nothing was ended");
        cli_tally_add(&tally, E2B_EXIT_FAILURE);
    } else {
        for (size_t i = 0; i < victims.n; i++) {
            struct e2b_err one = { 0 };

            r = kill_one(cli, &victims.v[i], o->is_dry_run, &one);
            cli_tally_add(&tally, r < 0 ? cli_report(cli, &one, victims.v[i].id) : 0);
        }
    }
    targets_clear(&victims);
    return cli_tally_end(cli, &tally, err);
}

const struct cmd cmd_kill = {
    .name = "kill",
    .args = "[-f] [-n] SANDBOX...",
    .summary = "end sandboxes, running or paused, with all that is in them",
    .details = "Asks on a terminal; without one --force is needed. A short id must have 8\n"
               "characters. - reads names from standard input.",
    .opts = kill_rows,
    .opts_size = sizeof(struct kill_opts),
    .min_operands = 1,
    .max_operands = -1,
    .run = kill_run,
};
