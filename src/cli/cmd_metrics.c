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

/* The newest sample of one sandbox, and whether there is one. */
struct sample {
    const char *id;
    struct e2b_metrics m;
    bool is_known;
};

static void keep_sample(void *arg, const struct e2b_metrics_entry *v, size_t n,
                        const struct e2b_err *err)
{
    struct sample *sample = arg;

    for (size_t i = 0; !err && i < n; i++) {
        if (strcmp(v[i].id, sample->id) == 0) {
            sample->m = v[i].m;
            sample->is_known = true;
        }
    }
}

/*
 * The batch call gives the newest sample; it leaves out what has none, what is gone, and maybe
 * what is paused.  Then the sandbox itself and its history tell which.
 */
static int newest_sample(struct e2b_client *client, struct sample *sample, struct e2b_err *err)
{
    struct e2b_metrics_series series = { 0 };
    struct e2b_sandbox box = { 0 };
    int r;

    r = e2b_wait(e2b_sandbox_metrics_batch(client, &sample->id, 1, keep_sample, sample), err);
    if (r < 0 || sample->is_known)
        return r;
    r = e2b_wait(e2b_sandbox_get(client, sample->id, e2b_sandbox_keep, &box), err);
    e2b_sandbox_clear(&box);
    if (r < 0)
        return r;
    r = e2b_wait(
        e2b_sandbox_metrics(client, sample->id, 0, 0, e2b_metrics_series_keep, &series), err);
    if (r == 0 && series.n > 0) {
        sample->m = series.v[series.n - 1];
        sample->is_known = true;
    }
    e2b_metrics_series_clear(&series);
    return r;
}

static int metrics_one(struct cli *cli, const char *name, struct e2b_err *err)
{
    struct target target = { 0 };
    struct sample sample = { 0 };
    int r;

    r = target_resolve(cli, name, PREFIX_MIN, &target, err);
    sample.id = target.id;
    if (r == 0)
        r = newest_sample(target.account->client, &sample, err);
    if (r == 0 && !sample.is_known)
        r = e2b_fail(err, EAGAIN, "%s: no sample yet; the first comes after some seconds",
                     target.id);
    if (r == 0)
        metrics_row(cli->out, target.id, &sample.m);
    target_clear(&target);
    return r;
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
    struct sample sample = { .id = target->id };
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
    r = newest_sample(client, &sample, err);
    if (r == 0 && sample.is_known)
        metrics_row(cli->out, target->id, &sample.m);
    return r;
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
    out_begin(cli->out, metrics_cols, names.n == 1 ? OUT_ONE : 0);
    for (size_t i = 0; i < names.n; i++) {
        struct e2b_err one = { 0 };

        r = metrics_one(cli, names.v[i], &one);
        cli_tally_add(&tally, r < 0 ? cli_report(cli, &one, names.v[i]) : 0);
    }
    target_names_free(&names);
    r = out_end(cli->out, err);
    return r < 0 ? r : cli_tally_exit(&tally);
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
