/* SPDX-License-Identifier: MIT */
#include "cmd.h"

#include "box_row.h"
#include "pairs.h"
#include "target.h"

struct list_opts {
    int state; /* place in list_states */
    struct opt_list metadata;
    const char *template_ref;
    int64_t limit;
};

/* In the order of enum e2b_state. */
static const char *const list_states[] = { "all", "running", "paused", NULL };

static const struct opt list_rows[] = {
    { OPT_CHOICE, 's', "state", offsetof(struct list_opts, state), "STATE",
      "only sandboxes in STATE: running or paused", list_states },
    { OPT_PAIR, 'm', "metadata", offsetof(struct list_opts, metadata), "KEY=VALUE",
      "only sandboxes with this metadata (several: all must match)", NULL },
    { OPT_STRING, 't', "template", offsetof(struct list_opts, template_ref), "TEMPLATE",
      "only sandboxes of this template (id or alias)", NULL },
    { OPT_COUNT, 0, "limit", offsetof(struct list_opts, limit), "N", "the newest N only",
      NULL },
    { .kind = OPT_END },
};

static const struct out_col list_cols[] = { BOX_COLUMNS, { NULL, NULL, 0, 0 } };

static int list_run(struct cli *cli, const void *opts, const struct opt_operands *operands,
                    struct e2b_err *err)
{
    const struct list_opts *o = opts;
    struct e2b_pair *metadata = pairs_new(&o->metadata);
    struct e2b_sandbox_query query = {
        .state = (enum e2b_state)o->state,
        .metadata = metadata,
        .n_metadata = o->metadata.n,
        .template_ref = o->template_ref,
        .limit = (size_t)o->limit,
    };
    struct e2b_sandbox_list boxes = { 0 };
    struct account *account;
    int64_t now;
    int r;

    r = operands->n ? target_account(cli, operands->v[0], &account, err)
                    : account_get(cli, NULL, &account, err);
    if (r == 0)
        r = e2b_wait(e2b_sandbox_list(account->client, &query, e2b_sandbox_list_keep, &boxes),
                     err);
    pairs_free(metadata, o->metadata.n);
    if (r < 0)
        return r;

    now = box_now(account->client);
    out_begin(cli->out, list_cols, 0);
    for (size_t i = 0; i < boxes.n; i++) {
        box_row(cli->out, &boxes.v[i], now);
        out_end_row(cli->out);
    }
    if (boxes.n == 0 && cli->stdout_is_terminal)
        cli_note(cli, "no sandboxes");
    e2b_sandbox_list_clear(&boxes);
    return out_end(cli->out, err);
}

const struct cmd cmd_list = {
    .name = "list",
    .args = "[-s STATE] [-m KEY=VALUE]... [MOUNTPOINT]",
    .summary = "list sandboxes, the newest first",
    .details = "With a mountpoint of e2bfs: those of that mount's account.",
    .opts = list_rows,
    .opts_size = sizeof(struct list_opts),
    .max_operands = 1,
    .quiet_is_ids = true,
    .run = list_run,
};
