/* SPDX-License-Identifier: MIT */
#include "cmd.h"

#include "account.h"
#include "box_row.h"
#include "life.h"
#include "pairs.h"

struct create_opts {
    const char *time;
    struct opt_list metadata, envs;
    bool pauses, resumes, has_no_internet;
};

static const struct opt create_rows[] = {
    { OPT_STRING, 't', "timeout", offsetof(struct create_opts, time), "TIME",
      "end TIME from now (default 5m)", NULL },
    { OPT_PAIR, 'm', "metadata", offsetof(struct create_opts, metadata), "KEY=VALUE",
      "what to find it by (may be repeated)", NULL },
    { OPT_PAIR, 'e', "env", offsetof(struct create_opts, envs), "KEY=VALUE",
      "a variable for all its commands (may be repeated)", NULL },
    { OPT_FLAG, 0, "auto-pause", offsetof(struct create_opts, pauses), NULL,
      "at its end pause it instead of ending it", NULL },
    { OPT_FLAG, 0, "auto-resume", offsetof(struct create_opts, resumes), NULL,
      "traffic wakes it when it is paused", NULL },
    { OPT_FLAG, 0, "no-internet", offsetof(struct create_opts, has_no_internet), NULL,
      "it reaches nothing outside", NULL },
    { .kind = OPT_END },
};

static const struct out_col create_cols[] = {
    { "sandbox_id", "ID", OUT_IN_TABLE | OUT_IS_ID, 0 },
    { "template_id", "TEMPLATE", 0, 0 },
    { "alias", "ALIAS", 0, 0 },
    { "envd_version", "ENVD", 0, 0 },
    { NULL, NULL, 0, 0 },
};

/* The plan's cap is silent: only a look shows it, and only who asked for a time cares. */
static void check_cap(const struct cli *cli, struct e2b_client *client, const char *id,
                      int64_t wanted)
{
    struct e2b_sandbox box = { 0 };
    struct e2b_err ignored = { 0 };

    if (e2b_wait(e2b_sandbox_get(client, id, e2b_sandbox_keep, &box), &ignored) == 0)
        life_note_cap(cli, &box, wanted);
    e2b_sandbox_clear(&box);
}

static int print_box(struct cli *cli, const struct e2b_sandbox *box, struct e2b_err *err)
{
    out_begin(cli->out, create_cols, OUT_ONE | OUT_PLAIN);
    out_str(cli->out, box->id);
    out_str(cli->out, box->template_id);
    out_str(cli->out, box->alias && *box->alias ? box->alias : NULL);
    out_str(cli->out, box->envd_version && *box->envd_version ? box->envd_version : NULL);
    out_end_row(cli->out);
    return out_end(cli->out, err);
}

static int create_run(struct cli *cli, const void *opts, const struct opt_operands *operands,
                      struct e2b_err *err)
{
    const struct create_opts *o = opts;
    struct e2b_pair *metadata = NULL, *envs = NULL;
    struct e2b_create create = {
        .template_ref = operands->n ? operands->v[0] : NULL,
        .n_metadata = o->metadata.n,
        .n_envs = o->envs.n,
        .auto_pause = o->pauses,
        .auto_resume = o->resumes,
        .no_internet = o->has_no_internet,
    };
    struct e2b_sandbox box = { 0 };
    struct account *account;
    int64_t wanted;
    int r = o->time ? life_seconds(cli, o->time, &create.timeout_s, err) : 0;

    if (r == 0)
        r = account_get(cli, NULL, &account, err);
    if (r != 0)
        return r;
    create.metadata = metadata = pairs_new(&o->metadata);
    create.envs = envs = pairs_new(&o->envs);
    wanted = box_now(account->client) + create.timeout_s;
    r = e2b_wait(e2b_sandbox_create(account->client, &create, e2b_sandbox_keep, &box), err);
    if (r == 0)
        r = print_box(cli, &box, err);
    if (r == 0 && o->time)
        check_cap(cli, account->client, box.id, wanted);
    e2b_sandbox_clear(&box);
    pairs_free(metadata, o->metadata.n);
    pairs_free(envs, o->envs.n);
    return r;
}

const struct cmd cmd_create = {
    .name = "create",
    .args = "[-t TIME] [-m KEY=VALUE]... [-e KEY=VALUE]... [TEMPLATE]",
    .summary = "make a sandbox and print its id",
    .details = "TEMPLATE is an id or an alias (default: base). Costs money until it ends.",
    .opts = create_rows,
    .opts_size = sizeof(struct create_opts),
    .max_operands = 1,
    .run = create_run,
};
