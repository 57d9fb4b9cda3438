/* SPDX-License-Identifier: MIT */
/* ps: every process of a sandbox, not only those that envd started, as its own ps sees them. */
#include "cmd.h"

#include "prefix.h"
#include "target.h"
#include "util/xalloc.h"

#include <e2b/process.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { PS_MS = 30 * 1000 };
static const size_t output_max = 16 * 1024 * 1024;

static const struct out_col ps_cols[] = {
    { "pid", "PID", OUT_IN_TABLE | OUT_IS_ID | OUT_RIGHT, 0 },
    { "ppid", "PPID", OUT_RIGHT, 0 },
    { "user", "USER", OUT_IN_TABLE, 0 },
    { "state", "STATE", OUT_IN_TABLE, 0 },
    { "cpu_pct", "CPU%", OUT_IN_TABLE | OUT_RIGHT, 0 },
    { "mem_pct", "MEM%", OUT_IN_TABLE | OUT_RIGHT, 0 },
    { "rss_kb", "RSS KB", OUT_RIGHT, 0 },
    { "elapsed_seconds", "TIME", OUT_IN_TABLE | OUT_RIGHT, 0 },
    { "command", "COMMAND", OUT_IN_TABLE, 0 },
    { NULL, NULL, 0, 0 },
};

/* The fields of those columns, widest where the sandbox decides on the width. */
static const char format[] = "pid=,ppid=,user:64=,stat:16=,pcpu=,pmem=,rss=,etimes=,args=";

struct process {
    int64_t pid, ppid, rss_kb, elapsed_s;
    char user[65], state[17];
    double cpu_pct, mem_pct;
    const char *command; /* borrowed from the line */
};

static int parse_line(const char *line, struct process *p)
{
    int used = 0;
    int n = sscanf(line, "%" SCNd64 " %" SCNd64 " %64s %16s %lf %lf %" SCNd64 " %" SCNd64 " %n",
                   &p->pid, &p->ppid, p->user, p->state, &p->cpu_pct, &p->mem_pct, &p->rss_kb,
                   &p->elapsed_s, &used);

    if (n != 8 || used == 0 || p->pid <= 0)
        return -EPROTO;
    p->command = line + used;
    return 0;
}

static void put_process(struct out *out, const struct process *p)
{
    out_int(out, p->pid);
    out_int(out, p->ppid);
    out_str(out, p->user);
    out_str(out, p->state);
    out_double(out, p->cpu_pct, 1);
    out_double(out, p->mem_pct, 1);
    out_int(out, p->rss_kb);
    out_duration(out, p->elapsed_s);
    out_str(out, p->command);
    out_end_row(out);
}

struct answer {
    char *text; /* owned */
    size_t len;
    char *complaint; /* owned; the first line that ps wrote on stderr */
    int exit_code;
};

static void keep_answer(void *arg, const struct e2b_exec_result *result,
                        const struct e2b_err *err)
{
    struct answer *a = arg;

    if (err)
        return;
    a->text = xmalloc(result->out_len + 1);
    memcpy(a->text, result->out, result->out_len);
    a->text[result->out_len] = '\0';
    a->len = result->out_len;
    a->complaint = xstrndup(result->err_text, result->err_len);
    a->complaint[strcspn(a->complaint, "\n")] = '\0';
    a->exit_code = result->exit_code;
}

/* Half a list would be a wrong answer: one line that can't be read fails all. */
static int put_all(struct cli *cli, const char *id, char *text, struct e2b_err *err)
{
    autofree struct process *all = NULL;
    char *rest = text, *line;
    size_t n = 0, cap = 0;

    while ((line = strsep(&rest, "\n"))) {
        struct process p = { 0 };

        if (!*line)
            continue;
        if (parse_line(line, &p) < 0)
            return e2b_fail(err, EPROTO, "sandbox %s: ps: unknown output: %.60s", id, line);
        if (strstr(p.command, format)) /* ps itself is no news */
            continue;
        if (n == cap) {
            cap = cap ? 2 * cap : 64;
            all = xreallocarray(all, cap, sizeof(*all));
        }
        all[n++] = p;
    }
    out_begin(cli->out, ps_cols, 0);
    for (size_t i = 0; i < n; i++)
        put_process(cli->out, &all[i]);
    return out_end(cli->out, err);
}

static int ps_there(struct cli *cli, const struct target *target, struct e2b_err *err)
{
    struct e2b_pair env = { (char *)"LC_ALL", (char *)"C" };
    const char *argv[] = { "ps", "-ww", "-e", "-o", format, NULL };
    struct e2b_process_spec spec = {
        .argv = argv, .envs = &env, .n_envs = 1, .cwd = "/", .timeout_ms = PS_MS
    };
    struct answer a = { 0 };
    int r = e2b_wait(e2b_process_exec(target->account->client, target->id, &spec, output_max,
                                      keep_answer, &a),
                     err);

    if (r == 0 && (a.exit_code != 0 || memchr(a.text, '\0', a.len)))
        r = e2b_fail(err, a.exit_code == 127 ? EOPNOTSUPP : EIO, "sandbox %s: ps failed: %s",
                     target->id, a.complaint && *a.complaint ? a.complaint : "unknown output");
    if (r == 0)
        r = put_all(cli, target->id, a.text, err);
    free(a.text);
    free(a.complaint);
    return r;
}

static int ps_run(struct cli *cli, const void *opts, const struct opt_operands *operands,
                  struct e2b_err *err)
{
    struct target target = { 0 };
    int r = target_resolve(cli, operands->v[0], PREFIX_MIN, &target, err);

    (void)opts;
    if (r == 0)
        r = ps_there(cli, &target, err);
    target_clear(&target);
    return r;
}

const struct cmd cmd_ps = {
    .name = "ps",
    .args = "SANDBOX",
    .summary = "list the processes of a sandbox",
    .details = "All that its own ps shows to its default user. -q prints process ids only.",
    .min_operands = 1,
    .max_operands = 1,
    .quiet_is_ids = true,
    .run = ps_run,
};
