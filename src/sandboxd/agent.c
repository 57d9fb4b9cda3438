/* SPDX-License-Identifier: MIT */
#include "agent.h"

#include "util/xalloc.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* Every operation. Inline ones run on the main thread: they are quick, and children must be
 * started, signalled and collected in one place. */
static const struct op {
    agent_op *run;
    bool is_inline;
} ops[MSG_KIND_END] = {
    [MSG_STAT] = { op_stat, false },
    [MSG_LIST] = { op_list, false },
    [MSG_MKDIR] = { op_mkdir, false },
    [MSG_MOVE] = { op_move, false },
    [MSG_REMOVE] = { op_remove, false },
    [MSG_OPEN_READ] = { op_open_read, false },
    [MSG_OPEN_WRITE] = { op_open_write, false },
    [MSG_COMPOSE] = { op_compose, false },
    [MSG_CONNECT] = { op_connect, false },
    [MSG_WATCH] = { op_watch, false },
    [MSG_METRICS] = { op_metrics, false },
    [MSG_SPAWN] = { op_spawn, true },
    [MSG_SIGNAL] = { op_signal, true },
    [MSG_FREEZE] = { op_freeze, true },
};

bool failf(struct fail *fail, int code, const char *fmt, ...)
{
    va_list ap;

    free(fail->text);
    fail->code = code;
    va_start(ap, fmt);
    fail->text = xvasprintf(fmt, ap);
    va_end(ap);
    return false;
}

const char *go_strerror(int errnum, char buf[64])
{
    const char *text = strerrordesc_np(errnum);

    snprintf(buf, 64, "%s", text ? text : "unknown error");
    buf[0] = (char)tolower((unsigned char)buf[0]);
    return buf;
}

bool agent_one_uid(void)
{
    return geteuid() != 0;
}

/* Runs one request and sends its reply; consumes `in`. */
static void serve(struct msg *in)
{
    automsg struct msg out = MSG_INIT;
    struct fail fail = { 0 };
    const struct op *op = in->kind < MSG_KIND_END ? &ops[in->kind] : NULL;
    bool ok = false;

    out.id = in->id;
    out.kind = MSG_REPLY;
    msg_put_u32(&out, 0);
    msg_put_str(&out, "");
    if (op && op->run)
        ok = op->run(in, &out, &fail);
    else
        failf(&fail, 500, "agent: no operation %u", in->kind);
    if (ok && out.bad)
        ok = failf(&fail, 500, "agent: the answer is too big");
    if (!ok) {
        msg_clear(&out);
        msg_put_u32(&out, fail.code > 0 ? (uint32_t)fail.code : 500);
        msg_put_str(&out, fail.text);
    }
    msg_send(AGENT_SOCKET, &out);
    free(fail.text);
    msg_clear(in);
}

/* --- workers: as many as there are blocked operations, idle ones are reused -------------- */

enum { WORKERS_MAX = 512 };

struct job {
    struct msg in;
    STAILQ_ENTRY(job) link;
};

static STAILQ_HEAD(, job) jobs = STAILQ_HEAD_INITIALIZER(jobs);
static pthread_mutex_t jobs_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t jobs_wake = PTHREAD_COND_INITIALIZER;
static int workers, idle, queued;

static void *worker(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&jobs_lock);
    for (;;) {
        struct job *job;

        idle++;
        while (STAILQ_EMPTY(&jobs))
            pthread_cond_wait(&jobs_wake, &jobs_lock);
        idle--;
        job = STAILQ_FIRST(&jobs);
        STAILQ_REMOVE_HEAD(&jobs, link);
        queued--;
        pthread_mutex_unlock(&jobs_lock);
        serve(&job->in);
        free(job);
        pthread_mutex_lock(&jobs_lock);
    }
    return NULL;
}

static void enqueue(struct msg *in)
{
    struct job *job = xcalloc(1, sizeof(*job));
    pthread_attr_t attr;
    pthread_t thread;

    job->in = *in;
    *in = (struct msg)MSG_INIT;
    pthread_mutex_lock(&jobs_lock);
    STAILQ_INSERT_TAIL(&jobs, job, link);
    queued++;
    if (queued > idle && workers < WORKERS_MAX) {
        pthread_attr_init(&attr);
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        pthread_attr_setstacksize(&attr, KIB(512));
        if (pthread_create(&thread, &attr, worker, NULL) == 0)
            workers++;
        pthread_attr_destroy(&attr);
    }
    pthread_cond_signal(&jobs_wake);
    pthread_mutex_unlock(&jobs_lock);
}

/* False at the end of the conversation. */
static bool receive(struct msg *in)
{
    int r = msg_recv(AGENT_SOCKET, in);

    if (r == -EPROTO)
        return true;
    if (r < 0)
        return false;
    if (in->kind < MSG_KIND_END && ops[in->kind].is_inline)
        serve(in);
    else
        enqueue(in);
    return true;
}

int agent_main(void)
{
    automsg struct msg in = MSG_INIT;
    struct pollfd fds[2];
    sigset_t set;

    fcntl(AGENT_SOCKET, F_SETFD, FD_CLOEXEC);
    close_range(AGENT_SOCKET + 1, ~0U, 0);
    prctl(PR_SET_NAME, "envd");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    umask(022);
    (void)signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    fds[0] = (struct pollfd){ .fd = AGENT_SOCKET, .events = POLLIN };
    fds[1] = (struct pollfd){ .fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
                              .events = POLLIN };
    if (fds[1].fd < 0)
        return 1;

    in.kind = MSG_HELLO;
    if (msg_send(AGENT_SOCKET, &in) < 0)
        return 1;
    for (;;) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return 1;
        if (fds[1].revents) {
            struct signalfd_siginfo info;

            while (read(fds[1].fd, &info, sizeof(info)) > 0)
                ;
            agent_reap(AGENT_SOCKET);
        }
        if (fds[0].revents && !receive(&in))
            return 0;
    }
}
