/* SPDX-License-Identifier: MIT */
#include "cmd.h"

#include "box_row.h"
#include "target.h"

static const struct out_col summary_cols[] = {
    { "running_count", "RUNNING", OUT_IN_TABLE, 0 },
    { "paused_count", "PAUSED", OUT_IN_TABLE, 0 },
    { "total_count", "TOTAL", OUT_IN_TABLE, 0 },
    { "total_cpu", "CPUS", OUT_IN_TABLE, 0 },
    { "total_memory_mb", "MEMORY MB", OUT_IN_TABLE, 0 },
    { "oldest_sandbox_id", "OLDEST", OUT_IN_TABLE, 0 },
    { "oldest_uptime_seconds", "  UP", OUT_IN_TABLE, 0 },
    { "newest_sandbox_id", "NEWEST", OUT_IN_TABLE, 0 },
    { "newest_uptime_seconds", "  UP", OUT_IN_TABLE, 0 },
    { NULL, NULL, 0, 0 },
};

static bool is_before(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec < b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

static void put_box(struct out *out, const struct e2b_sandbox *box, int64_t now)
{
    if (!box) {
        out_null(out);
        out_null(out);
        return;
    }
    out_str(out, box->id);
    out_duration(out, box_uptime(box, now));
}

static int summary_run(struct cli *cli, const void *opts, const struct opt_operands *operands,
                       struct e2b_err *err)
{
    const struct e2b_sandbox *oldest = NULL, *newest = NULL;
    int64_t n_running = 0, n_paused = 0, cpus = 0, memory_mb = 0, now;
    const struct e2b_sandbox_list *boxes;
    struct account *account;
    int r;

    (void)opts;
    r = operands->n ? target_account(cli, operands->v[0], &account, err)
                    : account_get(cli, NULL, &account, err);
    if (r == 0)
        r = account_list(account, &boxes, err);
    if (r != 0)
        return r;

    for (size_t i = 0; i < boxes->n; i++) {
        const struct e2b_sandbox *box = &boxes->v[i];

        n_running += box->state == E2B_STATE_RUNNING;
        n_paused += box->state == E2B_STATE_PAUSED;
        cpus += box->cpu_count;
        memory_mb += box->memory_mb;
        if (!oldest || is_before(&box->started_at, &oldest->started_at))
            oldest = box;
        if (!newest || is_before(&newest->started_at, &box->started_at))
            newest = box;
    }
    now = box_now(account->client);
    out_begin(cli->out, summary_cols, OUT_ONE | OUT_VERTICAL);
    out_int(cli->out, n_running);
    out_int(cli->out, n_paused);
    out_int(cli->out, (int64_t)boxes->n);
    out_int(cli->out, cpus);
    out_int(cli->out, memory_mb);
    put_box(cli->out, oldest, now);
    put_box(cli->out, newest, now);
    out_end_row(cli->out);
    return out_end(cli->out, err);
}

const struct cmd cmd_summary = {
    .name = "summary",
    .args = "[MOUNTPOINT]",
    .summary = "count sandboxes, their CPUs and memory; the oldest and the newest",
    .details =
        "With a mountpoint of e2bfs: those of that mount's account. CPUs and memory are\n"
        "what running and paused ones were given, in sum; MB are MiB.",
    .max_operands = 1,
    .run = summary_run,
};
