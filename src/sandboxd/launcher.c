/* SPDX-License-Identifier: MIT */
#include "launcher.h"

#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static pthread_t thread;
static struct launch *wanted; /* the one that waits for its fork */
static int result;
static bool is_done, is_ending;

/* Descriptors 3 and 4 are targets: what lies there moves out of the way first. */
static void child(const struct launch *l, int report)
{
    int agent = fcntl(l->fd_agent, F_DUPFD_CLOEXEC, 10);
    int info = fcntl(l->fd_info, F_DUPFD_CLOEXEC, 10);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int r = fcntl(report, F_DUPFD_CLOEXEC, 10);
    sigset_t none;

    setsid();
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(l->fd_stderr, STDERR_FILENO);
    dup2(agent, AGENT_SOCKET);
    dup2(info, 4);
    /* What we inherited ourselves (a ready pipe, a lifeline) is not for containers. */
    close_range(5, ~0U, CLOSE_RANGE_CLOEXEC);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)signal(SIGINT, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvp(l->argv[0], (char *const *)l->argv);
    if (write(r, &errno, sizeof(errno)) < 0)
        _exit(126);
    _exit(127);
}

static int fork_one(struct launch *l)
{
    int report[2], e = 0;
    ssize_t n;

    if (pipe2(report, O_CLOEXEC) < 0)
        return -errno;
    l->pid = fork();
    if (l->pid == 0)
        child(l, report[1]);
    if (l->pid < 0)
        e = errno;
    close(report[1]);
    if (e == 0) {
        do {
            n = read(report[0], &e, sizeof(e));
        } while (n < 0 && errno == EINTR);
        if (n <= 0)
            e = 0;
        else
            waitpid(l->pid, NULL, 0);
    }
    close(report[0]);
    return -e;
}

static void *run(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&lock);
    for (;;) {
        while (!is_ending && (!wanted || is_done))
            pthread_cond_wait(&wake, &lock);
        if (is_ending)
            break;
        result = fork_one(wanted);
        is_done = true;
        pthread_cond_broadcast(&wake);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

int launcher_start(struct e2b_err *err)
{
    int e;

    is_ending = false;
    e = pthread_create(&thread, NULL, run, NULL);
    if (e)
        return e2b_fail(err, e, "starting the launcher thread: %s", strerror(e));
    return 0;
}

void launcher_stop(void)
{
    pthread_mutex_lock(&lock);
    is_ending = true;
    pthread_cond_broadcast(&wake);
    pthread_mutex_unlock(&lock);
    pthread_join(thread, NULL);
}

int launcher_run(struct launch *launch)
{
    int r;

    pthread_mutex_lock(&lock);
    while (wanted)
        pthread_cond_wait(&wake, &lock);
    wanted = launch;
    is_done = false;
    pthread_cond_broadcast(&wake);
    while (!is_done)
        pthread_cond_wait(&wake, &lock);
    r = result;
    wanted = NULL;
    pthread_cond_broadcast(&wake);
    pthread_mutex_unlock(&lock);
    return r;
}
