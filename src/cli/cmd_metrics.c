/* SPDX-License-Identifier: MIT */
#include "cmd.h"

#include "prefix.h"
#include "target.h"
#include "util/loop.h"
#include "util/xalloc.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum { WATCH_MS = 2000 };

struct metrics_opts {
    bool is_watching;
};

static const struct opt metrics_rows[] = {
    { OPT_FLAG, 0, "watch", offsetof(struct metrics_opts, is_watching), NULL,
      "a new line every 2 s, until the sandbox is gone (exit code 3)", NULL },
    { .kind = OPT_END },
};

static const struct out_col metrics_cols[] = {
    { "sandbox_id", "ID", OUT_IN_TABLE | OUT_IS_ID, SANDBOX_ID_LEN },
    { "cpu_count", "CPUS", OUT_IN_TABLE | OUT_RIGHT, 4 },
    { "cpu_pct", "CPU%", OUT_IN_TABLE | OUT_RIGHT, 5 },
    { "mem_total_mb", "MEM MB", OUT_IN_TABLE | OUT_RIGHT, 7 },
    { "mem_used_mb", "USED", OUT_IN_TABLE | OUT_RIGHT, 7 },
    { "mem_pct", "MEM%", OUT_IN_TABLE | OUT_RIGHT, 5 },
    { "disk_total_mb", "DISK MB", OUT_IN_TABLE | OUT_RIGHT, 8 },
    { "disk_used_mb", "USED", OUT_IN_TABLE | OUT_RIGHT, 8 },
    { "disk_pct", "DISK%", OUT_IN_TABLE | OUT_RIGHT, 5 },
    { "timestamp", "TIME", OUT_IN_TABLE, 20 },
    { NULL, NULL, 0, 0 },
};

static int64_t mib(int64_t bytes)
{
    return bytes / (1024 * 1024);
}

static double percent(int64_t part, int64_t whole)
{
    return whole > 0 ? 100.0 * (double)part / (double)whole : 0;
}

static void metrics_row(struct out *out, const char *id, const struct e2b_metrics *m)
{
    out_str(out, id);
    out_int(out, m->cpu_count);
    out_double(out, m->cpu_used_pct, 1);
    out_int(out, mib(m->mem_total));
    out_int(out, mib(m->mem_used));
    out_double(out, percent(m->mem_used, m->mem_total), 1);
    out_int(out, mib(m->disk_total));
    out_int(out, mib(m->disk_used));
    out_double(out, percent(m->disk_used, m->disk_total), 1);
    out_time(out, (struct timespec){ .tv_sec = m->timestamp_unix });
    out_end_row(out);
}

/* One sandbox that was asked for, and its newest sample if there is one. */
struct item {
    struct target target;
    struct e2b_metrics m;
    bool is_known, was_asked;
};

struct items {
    struct item *v;
    size_t n;
    const struct account *account; /* whose batch is under way */
};

static void keep_samples(void *arg, const struct e2b_metrics_entry *v, size_t n,
                         const struct e2b_err *err)
{
    struct items *items = arg;

    for (size_t i = 0; !err && i < n; i++) {
        for (size_t k = 0; k < items->n; k++) {
            struct item *item = &items->v[k];

            if (item->target.account == items->account &&
                strcmp(item->target.id, v[i].id) == 0) {
                item->m = v[i].m;
                item->is_known = true;
            }
        }
    }
}

static bool has_id(const char *const *ids, size_t n, const char *id)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(ids[i], id) == 0)
            return true;
    }
    return false;
}

/* One request for the first account with open questions, up to the batch's size; 1 if there
 * was something to ask, 0 if not. */
static int ask_batch(struct items *items, struct e2b_err *err)
{
    const char *ids[E2B_METRICS_BATCH_MAX];
    struct account *account = NULL;
    size_t n = 0;
    int r;

    for (size_t i = 0; i < items->n && n < E2B_METRICS_BATCH_MAX; i++) {
        struct item *item = &items->v[i];

        if (item->was_asked || (account && item->target.account != account))
            continue;
        account = item->target.account;
        item->was_asked = true;
        if (!has_id(ids, n, item->target.id))
            ids[n++] = item->target.id;
    }
    if (n == 0)
        return 0;
    items->account = account;
    r = e2b_wait(e2b_sandbox_metrics_batch(account->client, ids, n, keep_samples, items), err);
    return r < 0 ? r : 1;
}

/*
 * For what a batch left out: it has no sample, is gone, or maybe is paused.  The sandbox
 * itself and its history tell which.
 */
static int ask_again(struct item *item, struct e2b_err *err)
{
    struct e2b_client *client = item->target.account->client;
    const char *id = item->target.id;
    struct e2b_metrics_series series = { 0 };
    struct e2b_sandbox box = { 0 };
    int r;

    r = e2b_wait(e2b_sandbox_get(client, id, e2b_sandbox_keep, &box), err);
    e2b_sandbox_clear(&box);
    if (r < 0)
        return r;
    r = e2b_wait(e2b_sandbox_metrics(client, id, 0, 0, e2b_metrics_series_keep, &series), err);
    if (r == 0 && series.n > 0) {
        item->m = series.v[series.n - 1];
        item->is_known = true;
    }
    e2b_metrics_series_clear(&series);
    if (r == 0 && !item->is_known)
        r = e2b_fail(err, EAGAIN, "%s: no sample yet; the first comes after some seconds", id);
    return r;
}

static int show(struct cli *cli, struct items *items, struct cli_tally *tally,
                struct e2b_err *err)
{
    int r;

    while ((r = ask_batch(items, err)) > 0)
        continue;
    if (r < 0)
        return r;
    for (size_t i = 0; i < items->n; i++) {
        struct item *item = &items->v[i];
        struct e2b_err one = { 0 };

        if (!item->is_known && ask_again(item, &one) < 0) {
            cli_tally_add(tally, cli_report(cli, &one, item->target.id));
            continue;
        }
        metrics_row(cli->out, item->target.id, &item->m);
        cli_tally_add(tally, 0);
    }
    return 0;
}

static void stop_waiting(void *arg)
{
    *(bool *)arg = false;
}

static void wait_ms(struct loop *loop, int64_t ms)
{
    struct loop_timer timer = { 0 };
    bool is_waiting = true;

    loop_timer_start(loop, &timer, ms, stop_waiting, &is_waiting);
    while (is_waiting)
        loop_turn(loop, -1);
}

/* One round of --watch.  The sandbox is asked for each time: samples outlive it. */
static int watch_tick(struct cli *cli, const struct target *target, bool *was_paused,
                      struct e2b_err *err)
{
    struct e2b_client *client = target->account->client;
    struct item item = { .target = *target };
    struct items items = { &item, 1, NULL };
    struct e2b_sandbox box = { 0 };
    bool is_paused;
    int r;

    r = e2b_wait(e2b_sandbox_get(client, target->id, e2b_sandbox_keep, &box), err);
    is_paused = box.state == E2B_STATE_PAUSED;
    e2b_sandbox_clear(&box);
    if (r < 0)
        return r;
    if (is_paused && !*was_paused)
        cli_note(cli, "%s is paused", target->id);
    *was_paused = is_paused;
    r = ask_batch(&items, err);
    if (r > 0 && item.is_known)
        metrics_row(cli->out, target->id, &item.m);
    return r < 0 ? r : 0;
}

static int watch(struct cli *cli, const char *name, struct e2b_err *err)
{
    struct target target = { 0 };
    bool was_paused = false;
    int r = target_resolve(cli, name, PREFIX_MIN, &target, err);

    while (r == 0) {
        r = watch_tick(cli, &target, &was_paused, err);
        /* A short trouble is no end: say so and go on. */
        if (r < 0 && e2b_err_exit_code(err) == E2B_EXIT_TEMPORARY) {
            cli_report(cli, err, target.id);
            e2b_err_clear(err);
            r = 0;
        }
        if (r == 0 && ferror(stdout))
            r = out_end(cli->out, err);
        if (r == 0)
            wait_ms(cli->loop, WATCH_MS);
    }
    if (r == -ENOENT)
        e2b_wrap(err, r, "%s is gone", target.id ? target.id : name);
    target_clear(&target);
    return r;
}

static int metrics_run(struct cli *cli, const void *opts, const struct opt_operands *operands,
                       struct e2b_err *err)
{
    const struct metrics_opts *o = opts;
    struct cli_tally tally = { 0 };
    struct target_names names;
    struct items items = { 0 };
    int r;

    if (o->is_watching && operands->n != 1)
        return cli_usage(cli, err, "metrics: --watch takes one sandbox");
    if (o->is_watching) {
        out_begin(cli->out, metrics_cols, OUT_GROWING);
        return watch(cli, operands->v[0], err);
    }
    r = target_names_read(cli, operands, &names, err);
    if (r < 0)
        return r;
    items.v = xcalloc(names.n + 1, sizeof(*items.v));
    for (size_t i = 0; i < names.n; i++) {
        struct e2b_err one = { 0 };
        struct target *target = &items.v[items.n].target;

        if (target_resolve(cli, names.v[i], PREFIX_MIN, target, &one) < 0)
            cli_tally_add(&tally, cli_report(cli, &one, names.v[i]));
        else
            items.n++;
    }
    out_begin(cli->out, metrics_cols, names.n == 1 ? OUT_ONE : 0);
    target_names_free(&names);
    r = show(cli, &items, &tally, err);
    for (size_t i = 0; i < items.n; i++)
        target_clear(&items.v[i].target);
    free(items.v);
    return r < 0 ? r : cli_tally_end(cli, &tally, err);
}

const struct cmd cmd_metrics = {
    .name = "metrics",
    .args = "[--watch] SANDBOX...",
    .summary = "show the newest sample of CPU, memory and disk",
    .details = "MB are MiB. The server samples every 5 s. Reads only: nothing is woken.\n"
               "With --watch, -o json is -o jsonl.",
    .opts = metrics_rows,
    .opts_size = sizeof(struct metrics_opts),
    .min_operands = 1,
    .max_operands = -1,
    .run = metrics_run,
};
