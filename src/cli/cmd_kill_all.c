/* SPDX-License-Identifier: MIT */
#include "cmd.h"

#include "box_row.h"
#include "pool.h"
#include "target.h"
#include "text.h"
#include "util/buf.h"
#include "util/xalloc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct kill_all_opts {
    bool is_forced, is_dry_run;
};

static const struct opt kill_all_rows[] = {
    { OPT_FLAG, 'f', "force", offsetof(struct kill_all_opts, is_forced), NULL, "don't ask",
      NULL },
    { OPT_FLAG, 'n', "dry-run", offsetof(struct kill_all_opts, is_dry_run), NULL,
      "only say what would be ended", NULL },
    { .kind = OPT_END },
};

static const struct out_col kill_all_cols[] = {
    { "sandbox_id", "ID", OUT_IN_TABLE | OUT_IS_ID, 0 },
    { "result", "RESULT", OUT_IN_TABLE, 0 },
    { NULL, NULL, 0, 0 },
};

/* --- the question ------------------------------------------------------------------------ */

/* One line for people: what it is and for how long it runs. */
static void put_line(struct buf *text, const struct e2b_sandbox *box, int64_t now)
{
    const char *name = box_name(box);
    char up[TEXT_DURATION_MAX];

    buf_printf(text, "  %s  up %s  ", box->id, text_duration(box_uptime(box, now), up));
    text_escape(text, box->template_id, strlen(box->template_id), TEXT_CELL);
    if (name) {
        buf_puts(text, "  ");
        text_escape(text, name, strlen(name), TEXT_CELL);
    }
    buf_putc(text, '\n');
}

static bool confirm(const struct cli *cli, const struct e2b_sandbox_list *boxes, int64_t now)
{
    autobuf struct buf text = BUF_INIT;

    for (size_t i = 0; i < boxes->n; i++)
        put_line(&text, &boxes->v[i], now);
    (void)fputs(buf_str(&text), stderr);
    return cli_confirm_number(
        cli,
        "These running sandboxes will be ended for good. To go on, type how many:", boxes->n);
}

/* --- the deed ---------------------------------------------------------------------------- */

struct victim {
    const struct e2b_sandbox *box;
    struct pool *pool;
    struct e2b_err err;
};

struct killing {
    struct e2b_client *client;
    struct victim *victims;
};

static void on_killed(void *arg, const struct e2b_err *err)
{
    struct victim *victim = arg;

    if (err)
        victim->err = *err;
    pool_done(victim->pool);
}

static void start_kill(void *arg, struct pool *pool, size_t i)
{
    struct killing *killing = arg;
    struct victim *victim = &killing->victims[i];

    victim->pool = pool;
    e2b_sandbox_kill(killing->client, victim->box->id, on_killed, victim);
}

static void put_result(struct cli *cli, const char *id, const char *result)
{
    if (cli->g.is_quiet && !cli_is_json(cli))
        return;
    out_str(cli->out, id);
    out_str(cli->out, result);
    out_end_row(cli->out);
}

static void kill_boxes(struct cli *cli, struct e2b_client *client,
                       const struct e2b_sandbox_list *boxes, struct cli_tally *tally)
{
    autofree struct victim *victims = xcalloc(boxes->n + 1, sizeof(*victims));
    struct killing killing = { client, victims };
    struct pool pool;

    for (size_t i = 0; i < boxes->n; i++)
        victims[i].box = &boxes->v[i];
    pool_run(&pool, cli->loop, boxes->n, start_kill, &killing);
    for (size_t i = 0; i < boxes->n; i++) {
        const char *id = boxes->v[i].id;

        /* Its time was up while we asked: that is what was wanted. */
        if (victims[i].err.errnum == 0 || victims[i].err.errnum == ENOENT) {
            put_result(cli, id, victims[i].err.errnum ? "was gone" : "killed");
            cli_tally_add(tally, 0);
        } else {
            cli_tally_add(tally, cli_report(cli, &victims[i].err, id));
        }
    }
}

static int kill_listed(struct cli *cli, const struct kill_all_opts *o, struct account *account,
                       const struct e2b_sandbox_list *boxes, struct e2b_err *err)
{
    struct cli_tally tally = { 0 };

    out_begin(cli->out, kill_all_cols, OUT_PLAIN);
    if (boxes->n == 0)
        cli_note(cli, "no running sandboxes");
    if (o->is_dry_run) {
        for (size_t i = 0; i < boxes->n; i++)
            put_result(cli, boxes->v[i].id, "would be killed");
    } else if (boxes->n > 0 && !o->is_forced &&
               !confirm(cli, boxes, box_now(account->client))) {
        cli_note(cli, "nothing was ended");
        cli_tally_add(&tally, E2B_EXIT_FAILURE);
    } else {
        kill_boxes(cli, account->client, boxes, &tally);
    }
    return cli_tally_end(cli, &tally, err);
}

static int kill_all_run(struct cli *cli, const void *opts, const struct opt_operands *operands,
                        struct e2b_err *err)
{
    const struct kill_all_opts *o = opts;
    struct e2b_sandbox_query query = { .state = E2B_STATE_RUNNING };
    struct e2b_sandbox_list boxes = { 0 };
    struct account *account;
    int r;

    if (!o->is_forced && !o->is_dry_run && !cli_may_ask(cli))
        return cli_usage(cli, err,
                         "kill-all: there is no terminal to ask on: --force is needed");
    r = operands->n ? target_account(cli, operands->v[0], &account, err)
                    : account_get(cli, NULL, &account, err);
    if (r == 0)
        r = e2b_wait(e2b_sandbox_list(account->client, &query, e2b_sandbox_list_keep, &boxes),
                     err);
    if (r == 0)
        r = kill_listed(cli, o, account, &boxes, err);
    e2b_sandbox_list_clear(&boxes);
    return r;
}

const struct cmd cmd_kill_all = {
    .name = "kill-all",
    .args = "[-f] [-n] [MOUNTPOINT]",
    .summary = "end all running sandboxes, with all that is in them",
    .details =
        "Paused ones are left alone. On a terminal it shows which ones, and wants their\n"
        "number typed; without one --force is needed. With a mountpoint of e2bfs: those\n"
        "of that mount's account, whatever the mount shows.",
    .opts = kill_all_rows,
    .opts_size = sizeof(struct kill_all_opts),
    .max_operands = 1,
    .run = kill_all_run,
};
