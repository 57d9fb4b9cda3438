/* SPDX-License-Identifier: MIT */
#include "fs/daemon.h"

#include "util/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Longer than everything that the start may wait for (the local server's, a list of many
 * pages): it only ends what hangs in a way that we have not foreseen. */
enum { START_SECONDS = 180 };

struct message {
    int exit_code;
    char text[E2B_ERR_MSG_MAX];
};

static int status_fd = -1; /* to the parent, while it waits */

/* --- the parent --------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Reads the one message. False: the child is gone without one, or took too long. */
static bool receive(int fd, struct message *m, bool *is_late)
{
    int64_t end = now_ms() + START_SECONDS * 1000;
    struct pollfd p = { .fd = fd, .events = POLLIN };

    *is_late = false;
    for (;;) {
        int64_t left = end - now_ms();
        ssize_t n;

        if (left <= 0) {
            *is_late = true;
            return false;
        }
        if (poll(&p, 1, (int)left) <= 0)
            continue;
        n = read(fd, m, sizeof(*m)); /* pipes keep messages of this size whole */
        if (n < 0 && errno == EINTR)
            continue;
        return n == (ssize_t)sizeof(*m);
    }
}

_Noreturn static void wait_for_child(pid_t child, int fd)
{
    struct message m;
    sigset_t none;
    bool is_late;
    int status = 0;

    /* Ctrl-C ends the wait; daemon_ready finds that out. */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (receive(fd, &m, &is_late)) {
        m.text[sizeof(m.text) - 1] = '\0';
        if (m.text[0])
            fprintf(stderr, "e2bfs: %s\n", m.text);
        _exit(m.exit_code);
    }
    if (is_late) {
        kill(child, SIGTERM);
        fprintf(stderr, "e2bfs: the start took longer than %d s\n", START_SECONDS);
        _exit(E2B_EXIT_TEMPORARY);
    }
    waitpid(child, &status, 0); /* its end of the pipe is closed: it is gone or goes */
    if (WIFSIGNALED(status))
        fprintf(stderr, "e2bfs: ended by signal %d (%s) at its start\n", WTERMSIG(status),
                strsignal(WTERMSIG(status)));
    else
        fprintf(stderr, "e2bfs: ended at its start without saying why\n");
    _exit(E2B_EXIT_FAILURE);
}

int daemon_detach(struct e2b_err *err)
{
    int fds[2];
    pid_t pid;

    if (pipe2(fds, O_CLOEXEC) < 0)
        return e2b_fail(err, errno, "pipe: %s", strerror(errno));
    (void)fflush(NULL); /* nothing was printed yet that could be lost */
    pid = fork();
    if (pid < 0) {
        int e = errno;

        close(fds[0]);
        close(fds[1]);
        return e2b_fail(err, e, "fork: %s", strerror(e));
    }
    if (pid > 0) {
        close(fds[1]);
        wait_for_child(pid, fds[0]);
    }
    close(fds[0]);
    status_fd = fds[1];
    setsid();
    if (chdir("/") < 0)
        return e2b_fail(err, errno, "chdir /: %s", strerror(errno));
    return 0;
}

/* --- the child ---------------------------------------------------------------------------- */

/* False if the parent is gone. */
static bool report(int exit_code, const char *text)
{
    struct message m = { .exit_code = exit_code };
    ssize_t n;

    strncpy(m.text, text, sizeof(m.text) - 1);
    do
        n = write(status_fd, &m, sizeof(m)); /* SIGPIPE is blocked */
    while (n < 0 && errno == EINTR);
    close(status_fd);
    status_fd = -1;
    return n == (ssize_t)sizeof(m);
}

/* sd_notify(3) without the library: one datagram. */
static void notify_manager(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    autofree char *text = NULL;
    size_t len = path ? strlen(path) : 0;
    int fd;

    if (len < 2 || len >= sizeof(to.sun_path) || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(to.sun_path, path, len);
    if (path[0] == '@')
        to.sun_path[0] = '\0'; /* the abstract namespace */
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    text = xasprintf("READY=1\nMAINPID=%d\n", (int)getpid());
    sendto(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&to,
           (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
    close(fd);
}

static void leave_terminal(void)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return;
    for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++)
        dup2(fd, i);
    if (fd > STDERR_FILENO)
        close(fd);
}

bool daemon_ready(void)
{
    notify_manager();
    if (status_fd < 0)
        return true;
    leave_terminal();
    return report(E2B_EXIT_OK, "");
}

void daemon_failed(int exit_code, const char *msg)
{
    if (status_fd >= 0)
        report(exit_code, msg);
    else
        fprintf(stderr, "e2bfs: %s\n", msg);
}
