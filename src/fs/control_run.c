/* SPDX-License-Identifier: MIT */
#include "fs/control_run.h"

#include "fs/kill_all.h"
#include "fs/notify.h"
#include "util/clock.h"
#include "util/xalloc.h"

#include <errno.h>
#include <string.h>

/* A plan's cap is noticed when the end is earlier than asked by more than this. */
enum { CAP_SLACK_S = 5, FLUSH_BOUND_MS = 30 * 1000 };

struct control_job {
    struct fs *fs; /* borrowed */
    char *sandbox; /* owned; NULL: .e2b/ctl */
    enum ctl_verb verb;
    int64_t seconds, count;
    int64_t wanted_end; /* unix seconds, by the server's clock */
    struct e2b_call *call;
    struct kill_all *kill_all;
    bool is_draining; /* flush: there is no call to cancel */
    e2b_done_fn *fn;  /* NULL: nobody waits any more */
    void *arg;
    struct e2b_err err; /* of what could be decided at once */
};

static void job_over(struct control_job *job, const struct e2b_err *err)
{
    if (job->fn)
        job->fn(job->arg, err);
    free(job->sandbox);
    free(job);
}

static int64_t server_now(const struct control_job *job)
{
    return clock_wall().tv_sec + e2b_client_clock_offset_ms(job->fs->client) / 1000;
}

/* What a verb made or found: reads back from ctl, and stands in `error`. */
__attribute__((format(printf, 2, 3))) static void note(const struct control_job *job,
                                                       const char *fmt, ...)
{
    autofree char *path = xasprintf("%s/ctl", job->sandbox ? job->sandbox : ".e2b"),
                  *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = xvasprintf(fmt, ap);
    va_end(ap);
    errlog_note(&job->fs->errlog, job->sandbox, "write", path, "%s", text);
}

/* --- kill --------------------------------------------------------------------------------- */

static void killed(void *arg, const struct e2b_err *err)
{
    struct control_job *job = arg;

    if (!err || err->errnum == ENOENT)
        fleet_forget(job->fs->fleet, job->sandbox); /* the directory goes with it */
    job_over(job, err);
}

static void start_kill(struct control_job *job)
{
    job->call = e2b_sandbox_kill(job->fs->client, job->sandbox, killed, job);
}

static void all_killed(void *arg, size_t ended, const struct e2b_err *err)
{
    struct control_job *job = arg;

    job->kill_all = NULL;
    if (ended > 0)
        note(job, "kill-all: %zu ended", ended);
    job_over(job, err);
}

static void start_kill_all(struct control_job *job)
{
    job->kill_all = kill_all_start(job->fs, job->count, all_killed, job);
}

/* --- timeout and extend: (get) -> set -> get -> compare ----------------------------------- */

static void have_result(void *arg, const struct e2b_sandbox *s, const struct e2b_err *err)
{
    struct control_job *job = arg;
    char time[RFC3339_MAX];

    if (!err) {
        fleet_update(job->fs->fleet, s);
        if (s->end_at.tv_sec + CAP_SLACK_S < job->wanted_end)
            note(job, "timeout capped by the plan: ends %s",
                 rfc3339_format(s->end_at, 0, time));
    }
    job_over(job, NULL); /* it was set; only what became of it may be unknown */
}

static void timeout_set(void *arg, const struct e2b_err *err)
{
    struct control_job *job = arg;

    if (err)
        job_over(job, err);
    else /* the plan's cap is silent: only a GET shows it */
        job->call = e2b_sandbox_get(job->fs->client, job->sandbox, have_result, job);
}

static void set_timeout(struct control_job *job, int64_t seconds)
{
    job->wanted_end = server_now(job) + seconds;
    job->call =
        e2b_sandbox_set_timeout(job->fs->client, job->sandbox, seconds, timeout_set, job);
}

static void start_timeout(struct control_job *job)
{
    set_timeout(job, job->seconds);
}

static void extend_from(struct control_job *job, const struct e2b_sandbox *s)
{
    int64_t left = s->end_at.tv_sec - server_now(job);

    set_timeout(job, (left > 0 ? left : 0) + job->seconds);
}

static void have_end(void *arg, const struct e2b_sandbox *s, const struct e2b_err *err)
{
    struct control_job *job = arg;

    if (err)
        job_over(job, err);
    else
        extend_from(job, s);
}

static void start_extend(struct control_job *job)
{
    const struct e2b_sandbox *s = fleet_find(job->fs->fleet, job->sandbox);
    int64_t left_ms;

    if (s && fleet_peek(job->fs->fleet, &left_ms))
        extend_from(job, s);
    else
        job->call = e2b_sandbox_get(job->fs->client, job->sandbox, have_end, job);
}

/* --- pause and resume --------------------------------------------------------------------- */

static void paused(void *arg, const struct e2b_sandbox *s, const struct e2b_err *err)
{
    struct control_job *job = arg;

    if (!err)
        fleet_update(job->fs->fleet, s);
    job_over(job, err);
}

static void start_pause(struct control_job *job)
{
    job->call = e2b_sandbox_pause(job->fs->client, job->sandbox, paused, job);
}

static void resumed(void *arg, const struct e2b_sandbox *s, const struct e2b_err *err)
{
    struct control_job *job = arg;
    char time[RFC3339_MAX];

    if (!err) {
        fleet_update(job->fs->fleet, s);
        note(job, "resumed until %s, then %s", rfc3339_format(s->end_at, 0, time),
             s->pauses_on_timeout ? "paused" : "killed");
    }
    job_over(job, err);
}

static void start_resume(struct control_job *job)
{
    job->call = e2b_sandbox_resume(job->fs->client, job->sandbox, job->seconds, resumed, job);
}

/* --- refresh and flush -------------------------------------------------------------------- */

static void over_later(void *arg)
{
    struct control_job *job = arg;

    job_over(job, job->err.errnum ? &job->err : NULL);
}

static void start_refresh(struct control_job *job)
{
    fs_refresh(job->fs, job->sandbox);
    loop_post(job->fs->loop, over_later, job);
}

static void flushed(void *arg, size_t left)
{
    struct control_job *job = arg;

    if (left > 0)
        e2b_fail(&job->err, EIO, "%zu files could not be committed: see .e2b/pending", left);
    over_later(job);
}

static void start_flush(struct control_job *job)
{
    job->is_draining = true;
    spool_drain(job->fs->spool, FLUSH_BOUND_MS, flushed, job);
}

static void start_drop(struct control_job *job)
{
    spool_pending_drop(job->fs->spool, (uint64_t)job->count, &job->err);
    loop_post(job->fs->loop, over_later, job);
}

static void start_nothing(struct control_job *job)
{
    loop_post(job->fs->loop, over_later, job);
}

static void start_unsupported(struct control_job *job)
{
    e2b_fail(&job->err, EOPNOTSUPP, "this version of e2bfs can't do that through ctl");
    loop_post(job->fs->loop, over_later, job);
}

static const struct {
    void (*start)(struct control_job *job);
    bool needs_running;
} verbs[] = {
    [CTL_NOTHING] = { start_nothing, false },
    [CTL_KILL] = { start_kill, false },
    [CTL_TIMEOUT] = { start_timeout, true },
    [CTL_EXTEND] = { start_extend, true },
    [CTL_PAUSE] = { start_pause, false },
    [CTL_RESUME] = { start_resume, false },
    [CTL_SNAPSHOT] = { start_unsupported, false },
    [CTL_FORK] = { start_unsupported, false },
    [CTL_NETWORK] = { start_unsupported, false },
    [CTL_REFRESH] = { start_refresh, false },
    [CTL_FLUSH] = { start_flush, false },
    [CTL_KILL_ALL] = { start_kill_all, false },
    [CTL_DROP] = { start_drop, false },
};

struct control_job *control_run(struct fs *fs, const char *sandbox, const struct ctl_line *line,
                                e2b_done_fn *fn, void *arg)
{
    struct control_job *job = xcalloc(1, sizeof(*job));
    const struct e2b_sandbox *s = sandbox ? fleet_find(fs->fleet, sandbox) : NULL;

    *job = (struct control_job){ .fs = fs,
                                 .sandbox = xstrdup(sandbox),
                                 .verb = line->verb,
                                 .seconds = line->seconds,
                                 .count = line->count,
                                 .fn = fn,
                                 .arg = arg };
    if ((line->verb == CTL_KILL || line->verb == CTL_KILL_ALL) && fs->options->nokill)
        e2b_fail(&job->err, EPERM, "kill is refused: the mount has -o nokill");
    else if (verbs[line->verb].needs_running && s && s->state == E2B_STATE_PAUSED)
        e2b_fail(&job->err, EHOSTDOWN, "sandbox is paused");
    if (job->err.errnum)
        loop_post(fs->loop, over_later, job);
    else
        verbs[line->verb].start(job);
    return job;
}

void control_cancel(struct control_job *job)
{
    e2b_done_fn *fn = job->fn;
    struct e2b_err err = { 0 };

    if (job->call)
        e2b_call_cancel(job->call);
    if (job->kill_all)
        kill_all_cancel(job->kill_all);
    if (!job->is_draining || !fn)
        return;
    job->fn = NULL; /* the commits go on */
    e2b_fail(&err, ECANCELED, "no longer waited for");
    fn(job->arg, &err);
}
