/* SPDX-License-Identifier: MIT */
#include "exec.h"

#include "exec_input.h"
#include "exec_output.h"
#include "util/loop.h"
#include "util/xalloc.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* How long after the command's own deadline the server may take to say so. */
enum { GRACE_MS = 10000, TERM_WAIT_MS = 3000, HELPER_OUTPUT_MAX = 4096 };

struct session {
    const struct exec_plan *plan;
    struct e2b_call *call; /* the command's stream; NULL once it has ended */
    uint32_t pid;          /* 0 until it has started */
    struct sink out, err_out;
    struct feeder feeder;

    struct loop_fd signals;
    int signal_fd;
    int n_signals, last_signal;
    int to_send;                  /* a signal that waits for its turn, or 0 */
    struct e2b_call *signal_call; /* in flight, or NULL */
    int signal_sent;              /* by signal_call */

    struct loop_timer deadline, term_wait;
    bool is_over, timed_out, gave_up;
    int exit_code;
    struct e2b_err cause; /* why we ended it ourselves; filled first, it wins */
};

/* --- ending ------------------------------------------------------------------------------ */

static void end_stream(struct session *s)
{
    if (s->call)
        e2b_call_cancel(s->call);
}

static void check_over(struct session *s)
{
    s->is_over =
        !s->call && (s->gave_up || (sink_is_drained(&s->out) && sink_is_drained(&s->err_out)));
}

static void on_deadline(void *arg)
{
    struct session *s = arg;

    s->timed_out = true;
    end_stream(s);
}

/* --- signals ----------------------------------------------------------------------------- */

/*
 * Sends $1 to process $2 and to what descends from it, as a terminal does to a group: a shell
 * that waits for its child acts on a signal only when the child is gone.  The parent comes
 * first, so that it knows when the child dies.  Where the kernel doesn't list children, only
 * the process itself is signalled.
 */
static const char signal_tree[] =
    "walk() { p=\"$p $1\"; for t in /proc/$1/task/*/children; do "
    "if [ -r \"$t\" ]; then for c in $(cat \"$t\"); do walk \"$c\"; done; fi; done; }\n"
    "p=; walk \"$2\"; kill -s \"$1\" $p";

static void send_signal(struct session *s);

static void signal_done(struct session *s)
{
    s->signal_call = NULL;
    if (s->to_send)
        send_signal(s);
    check_over(s);
}

static void on_signal_fallback(void *arg, const struct e2b_err *err)
{
    struct session *s = arg;

    /* A process that has gone needs no signal, and its end is on its way. */
    if (err && err->errnum != ESRCH && err->errnum != ENOENT && err->errnum != ESTALE &&
        err->errnum != ECANCELED && s->call)
        (void)fprintf(stderr, "e2b-inspect: signal %d was not delivered: %s\n", s->signal_sent,
                      err->msg);
    signal_done(s);
}

static void on_signal_helper(void *arg, const struct e2b_exec_result *result,
                             const struct e2b_err *err)
{
    struct session *s = arg;

    if (err && err->errnum != ECANCELED && s->call) {
        s->signal_call = e2b_process_signal(s->plan->client, s->plan->id, s->pid,
                                            s->signal_sent, on_signal_fallback, s);
        return;
    }
    (void)result;
    signal_done(s);
}

static void send_signal(struct session *s)
{
    char pid[16];
    const char *argv[] = { "/bin/sh", "-c", signal_tree, "sh", NULL, pid, NULL };
    struct e2b_process_spec spec = {
        .argv = argv,
        .cwd = "/",
        .user = s->plan->spec.user,
        .timeout_ms = GRACE_MS,
    };

    s->signal_sent = s->to_send;
    s->to_send = 0;
    argv[4] = sigabbrev_np(s->signal_sent);
    (void)snprintf(pid, sizeof(pid), "%" PRIu32, s->pid);
    s->signal_call = e2b_process_exec(s->plan->client, s->plan->id, &spec, HELPER_OUTPUT_MAX,
                                      on_signal_helper, s);
}

static void want_signal(struct session *s, int signum)
{
    s->to_send = signum;
    if (s->pid && s->call && !s->signal_call)
        send_signal(s);
}

static void on_signal(void *arg, uint32_t events)
{
    struct session *s = arg;
    struct signalfd_siginfo info;

    (void)events;
    if (read(s->signal_fd, &info, sizeof(info)) != sizeof(info))
        return;
    s->last_signal = (int)info.ssi_signo;
    s->n_signals++;
    /* With the command over only its output is left: no reason to wait for a stuck reader. */
    if (!s->call || s->n_signals > 2 || (!s->pid && s->n_signals > 1)) {
        s->gave_up = true;
        end_stream(s);
        check_over(s);
    } else {
        want_signal(s, s->n_signals == 1 ? s->last_signal : SIGKILL);
    }
}

static int catch_signals(struct session *s, sigset_t *before, struct e2b_err *err)
{
    static const int caught[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
    struct sigaction old;
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_LEN(caught); i++) {
        if (sigaction(caught[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaddset(&set, caught[i]);
    }
    sigprocmask(SIG_BLOCK, &set, before);
    s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s->signal_fd < 0)
        return e2b_fail(err, errno, "signalfd: %s", strerror(errno));
    return loop_fd_add(s->plan->loop, &s->signals, s->signal_fd, EPOLLIN, on_signal, s, err);
}

/* --- output and end ---------------------------------------------------------------------- */

/* A sink is drained or broken. */
static void on_sink_change(void *arg)
{
    struct session *s = arg;

    if (s->call && sink_is_drained(&s->out) && sink_is_drained(&s->err_out))
        e2b_process_resume(s->call);
    check_over(s);
}

static void term_waited(void *arg)
{
    end_stream(arg);
}

/* Our reader has gone, as with `exec ID -- yes | head`: the command would run for ever. */
static int reader_gone(struct session *s, int r)
{
    if (!s->cause.errnum) {
        e2b_fail(&s->cause, -r, "standard output: %s", strerror(-r));
        feeder_stop(&s->feeder);
        want_signal(s, SIGTERM);
        loop_timer_start(s->plan->loop, &s->term_wait, TERM_WAIT_MS, term_waited, s);
    }
    return 0;
}

static int on_event(void *arg, const struct e2b_process_event *event)
{
    struct session *s = arg;
    struct sink *sink = event->kind == E2B_PROCESS_STDERR ? &s->err_out : &s->out;
    int r;

    if (event->kind == E2B_PROCESS_START) {
        s->pid = event->pid;
        if (s->plan->spec.has_stdin)
            feeder_start(&s->feeder, s->pid);
        if (s->to_send)
            want_signal(s, s->to_send);
        return 0;
    }
    r = sink_write(sink, event->data, event->len);
    if (r < 0 && sink == &s->out)
        return reader_gone(s, r);
    if (s->call && (!sink_is_drained(&s->out) || !sink_is_drained(&s->err_out)))
        e2b_process_pause(s->call);
    return 0;
}

static void on_input_failed(void *arg, const struct e2b_err *err)
{
    struct session *s = arg;

    if (!s->cause.errnum)
        s->cause = *err;
    want_signal(s, SIGTERM);
    loop_timer_start(s->plan->loop, &s->term_wait, TERM_WAIT_MS, term_waited, s);
}

static void on_end(void *arg, const struct e2b_process_end *end, const struct e2b_err *err)
{
    struct session *s = arg;

    s->call = NULL;
    loop_timer_stop(s->plan->loop, &s->deadline);
    loop_timer_stop(s->plan->loop, &s->term_wait);
    if (err && !s->cause.errnum)
        s->cause = *err;
    else if (!err)
        s->exit_code = end->exit_code;
    sink_finish(&s->out);
    sink_finish(&s->err_out);
    check_over(s);
}

/* --- the whole --------------------------------------------------------------------------- */

static void session_stop(struct session *s)
{
    struct loop *loop = s->plan->loop;

    feeder_stop(&s->feeder);
    s->to_send = 0;
    if (s->signal_call)
        e2b_call_cancel(s->signal_call);
    while (!feeder_is_quiet(&s->feeder) || s->signal_call)
        loop_turn(loop, -1);
    loop_timer_stop(loop, &s->deadline);
    loop_timer_stop(loop, &s->term_wait);
    loop_fd_remove(loop, &s->signals);
    if (s->signal_fd >= 0)
        close(s->signal_fd);
    feeder_clear(&s->feeder);
    sink_clear(&s->out);
    sink_clear(&s->err_out);
}

static int session_result(struct session *s, struct exec_failure *failure, struct e2b_err *err)
{
    int64_t limit = s->plan->spec.timeout_ms;

    if (s->gave_up) {
        failure->gave_up_signal = s->last_signal;
        return e2b_fail(err, EINTR, "gave up after %d signals", s->n_signals);
    }
    if (s->out.error < 0 && s->out.error != -EPIPE && !s->cause.errnum)
        e2b_fail(&s->cause, -s->out.error, "standard output: %s", strerror(-s->out.error));
    failure->reader_gone = s->out.error == -EPIPE;
    if (failure->reader_gone)
        return e2b_fail(err, EPIPE, "standard output: %s", strerror(EPIPE));
    if (s->timed_out || (s->cause.errnum == ETIMEDOUT &&
                         s->cause.code == E2B_CONNECT_DEADLINE_EXCEEDED && limit > 0)) {
        failure->timed_out = true;
        return e2b_fail(err, ETIMEDOUT, "the command was ended after its time-out of %g s",
                        (double)limit / 1000);
    }
    if (s->cause.errnum) {
        *err = s->cause;
        return -s->cause.errnum;
    }
    return s->exit_code & 0xff;
}

int exec_session(const struct exec_plan *plan, struct exec_failure *failure,
                 struct e2b_err *err)
{
    struct session s = { .plan = plan, .signal_fd = -1 };
    sigset_t before;
    int r;

    *failure = (struct exec_failure){ 0 };
    sink_init(&s.out, plan->loop, STDOUT_FILENO, plan->escapes_stdout, on_sink_change, &s);
    sink_init(&s.err_out, plan->loop, STDERR_FILENO, plan->escapes_stderr, on_sink_change, &s);
    feeder_init(&s.feeder, plan->client, plan->loop, plan->id, STDIN_FILENO, on_input_failed,
                &s);
    r = catch_signals(&s, &before, err);
    if (r == 0) {
        s.call = e2b_process_start(plan->client, plan->id, &plan->spec, on_event, on_end, &s);
        if (plan->spec.timeout_ms > 0)
            loop_timer_start(plan->loop, &s.deadline, plan->spec.timeout_ms + GRACE_MS,
                             on_deadline, &s);
        while (!s.is_over)
            loop_turn(plan->loop, -1);
        r = session_result(&s, failure, err);
    }
    session_stop(&s);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return r;
}
