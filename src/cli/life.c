/* SPDX-License-Identifier: MIT */
#include "life.h"

#include "box_row.h"
#include "prefix.h"
#include "util/clock.h"
#include "util/xalloc.h"

#include <inttypes.h>

enum { CAP_SLACK_S = 5 };

const struct out_col life_cols[] = {
    { "sandbox_id", "ID", OUT_IN_TABLE | OUT_IS_ID, 0 },
    { "state", "STATE", OUT_IN_TABLE, 0 },
    { "end_at", "ENDS", OUT_IN_TABLE, 0 },
    { "time_remaining_seconds", "LEFT", OUT_IN_TABLE | OUT_RIGHT, 0 },
    { "on_timeout", "THEN", OUT_IN_TABLE, 0 },
    { NULL, NULL, 0, 0 },
};

static bool is_silent(const struct cli *cli)
{
    return cli->g.is_quiet && !cli_is_json(cli);
}

void life_row(struct cli *cli, const struct account *account, const struct e2b_sandbox *box)
{
    int64_t left = box->end_at.tv_sec - box_now(account->client);

    if (is_silent(cli))
        return;
    out_str(cli->out, box->id);
    out_str(cli->out, e2b_state_name(box->state));
    out_time(cli->out, box->end_at);
    if (box->state == E2B_STATE_PAUSED)
        out_null(cli->out);
    else
        out_duration(cli->out, left > 0 ? left : 0);
    out_str(cli->out, box->pauses_on_timeout ? "pause" : "kill");
    out_end_row(cli->out);
}

int life_seconds(struct cli *cli, const char *text, int64_t *seconds, struct e2b_err *err)
{
    int64_t ms;

    if (opts_duration(text, &ms) < 0 || ms < 1000 || ms % 1000 != 0)
        return cli_usage(cli, err,
                         "'%s' is not a duration (seconds, or a number with s, m or h)", text);
    *seconds = ms / 1000;
    return 0;
}

void life_note_cap(const struct cli *cli, const struct e2b_sandbox *box, int64_t wanted)
{
    char time[RFC3339_MAX];

    if (box->end_at.tv_sec + CAP_SLACK_S < wanted)
        cli_note(cli, "timeout capped by the plan: %s ends %s", box->id,
                 rfc3339_format(box->end_at, 0, time));
}

int life_set_end(struct cli *cli, const struct target *target, int64_t seconds,
                 struct e2b_err *err)
{
    struct e2b_client *client = target->account->client;
    int64_t wanted = box_now(client) + seconds;
    struct e2b_sandbox box = { 0 };
    struct e2b_err unread = { 0 };
    int r;

    r = e2b_wait(e2b_sandbox_set_timeout(client, target->id, seconds, e2b_done_ignore, NULL),
                 err);
    if (r < 0)
        return r;
    /* The plan's cap is silent: only a look shows it. */
    r = e2b_wait(e2b_sandbox_get(client, target->id, e2b_sandbox_keep, &box), &unread);
    if (r < 0) {
        cli_note(cli, "the timeout was set, but can't be read back: %s", unread.msg);
        return 0;
    }
    life_note_cap(cli, &box, wanted);
    if (!is_silent(cli)) {
        out_begin(cli->out, life_cols, OUT_ONE);
        life_row(cli, target->account, &box);
        r = out_end(cli->out, err);
    }
    e2b_sandbox_clear(&box);
    return r;
}

/* --- several ----------------------------------------------------------------------------- */

struct job {
    struct pool *pool;
    struct e2b_sandbox box; /* what it is afterwards */
    struct e2b_err err;
};

struct batch {
    const struct targets *targets;
    struct job *jobs;
    life_start_fn *start;
    int64_t seconds;
};

static void on_done(void *arg, const struct e2b_sandbox *box, const struct e2b_err *err)
{
    struct job *job = arg;

    if (err)
        job->err = *err;
    else
        e2b_sandbox_copy(&job->box, box);
    pool_done(job->pool);
}

static void start_one(void *arg, struct pool *pool, size_t i)
{
    struct batch *batch = arg;
    const struct target *target = &batch->targets->v[i];

    batch->jobs[i].pool = pool;
    (void)batch->start(target->account->client, target->id, batch->seconds, on_done,
                       &batch->jobs[i]);
}

int life_run(struct cli *cli, const struct opt_operands *operands, life_start_fn *start,
             int64_t seconds, struct e2b_err *err)
{
    struct cli_tally tally = { 0 };
    struct targets targets;
    struct batch batch = { &targets, NULL, start, seconds };
    struct pool pool;
    int r = targets_resolve(cli, operands, PREFIX_MIN, &targets, &tally, err);

    if (r < 0)
        return r;
    batch.jobs = xcalloc(targets.n + 1, sizeof(*batch.jobs));
    out_begin(cli->out, life_cols, 0);
    if (targets.n > 0)
        pool_run(&pool, cli->loop, targets.n, start_one, &batch);
    for (size_t i = 0; i < targets.n; i++) {
        struct job *job = &batch.jobs[i];

        if (job->err.errnum) {
            cli_tally_add(&tally, cli_report(cli, &job->err, targets.v[i].id));
            continue;
        }
        cli_tally_add(&tally, 0);
        life_row(cli, targets.v[i].account, &job->box);
        e2b_sandbox_clear(&job->box);
    }
    free(batch.jobs);
    targets_clear(&targets);
    if (!is_silent(cli))
        return cli_tally_end(cli, &tally, err);
    out_drop(cli->out);
    return cli_tally_exit(&tally);
}
