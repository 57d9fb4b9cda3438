/* SPDX-License-Identifier: MIT */
#include "fs/local.h"

#include "util/buf.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/path.h"
#include "util/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum {
    READY_MAX = 16 * 1024, /* bytes of ready lines */
    STOP_MS = 10 * 1000,   /* for its orderly end; it has processes to end, too */
    LOOK_MS = 100,         /* how soon Ctrl-C is noticed */
    TAIL_BYTES = 2048,     /* of its log, to find its last words in */
    /* Descriptors in the server.  Any will do that are not 0 to 2. */
    READY_FD = 3,
    LIFELINE_FD = 4,
};

struct local {
    pid_t pid;
    int lifeline;
    int lock; /* of the directory; released by our end, whatever it is */
};

/* The server's name, with the directory of our own binary if it is there. */
static char *find_server(void)
{
    static const char name[] = "e2b-sandboxd";
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (n > 0) {
        autofree char *dir = NULL;
        char *beside;

        self[n] = '\0';
        dir = path_dir(self);
        beside = xasprintf("%s/%s", dir, name);
        if (access(beside, X_OK) == 0)
            return beside;
        free(beside);
    }
    return xstrdup(name);
}

/* Two servers would take each other's sandboxes for their own. */
static int lock_dir(const char *dir, struct e2b_err *err)
{
    autofree char *path = xasprintf("%s/.lock", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return e2b_fail(err, errno, "%s: %s", path, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    close(fd);
    return e2b_fail(err, EBUSY,
                    "another local mount keeps its sandboxes in %s; give this one a "
                    "directory of its own: --local=DIR",
                    dir);
}

/* --- starting ----------------------------------------------------------------------------- */

/* A pipe whose ends are both above the numbers that the server will have: dup2 in the child
 * then never overwrites one that is still needed. */
static int high_pipe(int fds[2], struct e2b_err *err)
{
    int low[2] = { -1, -1 };

    if (pipe2(low, O_CLOEXEC) < 0)
        return e2b_fail(err, errno, "pipe: %s", strerror(errno));
    for (int i = 0; i < 2; i++) {
        fds[i] = fcntl(low[i], F_DUPFD_CLOEXEC, 10);
        close(low[i]);
    }
    if (fds[0] >= 0 && fds[1] >= 0)
        return 0;
    close(fds[0]);
    close(fds[1]);
    return e2b_fail(err, EMFILE, "pipe: %s", strerror(EMFILE));
}

static int spawn(const char *dir, const char *log, int ready_fd, int lifeline_fd, pid_t *pid,
                 struct e2b_err *err)
{
    autofree char *server = find_server();
    autofree char *ready = xasprintf("%d", READY_FD), *lifeline = xasprintf("%d", LIFELINE_FD);
    char *argv[] = { server,
                     (char *)"--listen",
                     (char *)"127.0.0.1:0",
                     (char *)"--data",
                     (char *)dir,
                     (char *)"--sandboxes",
                     (char *)"2",
                     (char *)"--ready-fd",
                     ready,
                     (char *)"--lifeline-fd",
                     lifeline,
                     NULL };
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, all;
    int r;

    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (log)
        posix_spawn_file_actions_addopen(&files, STDERR_FILENO, log,
                                         O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&files, ready_fd, READY_FD);
    posix_spawn_file_actions_adddup2(&files, lifeline_fd, LIFELINE_FD);
    posix_spawnattr_init(&attr);
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attr, &none); /* ours are blocked */
    posix_spawnattr_setsigdefault(&attr, &all);
    /* A session of its own: Ctrl-C on our terminal is for us, who still need the server. */
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                        POSIX_SPAWN_SETSID);
    r = posix_spawnp(pid, server, &files, &attr, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    if (r == ENOENT)
        return e2b_fail(err, ENOENT, "e2b-sandboxd is neither beside e2bfs nor in PATH");
    return r ? e2b_fail(err, r, "starting %s: %s", server, strerror(r)) : 0;
}

/* The last line that it wrote, which is why it ended; "" if there is none. The caller's. */
static char *last_words(const char *log)
{
    char text[TAIL_BYTES + 1];
    int fd = log ? open(log, O_RDONLY | O_CLOEXEC) : -1;
    off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    ssize_t n =
        fd < 0 ? 0 : pread(fd, text, TAIL_BYTES, size > TAIL_BYTES ? size - TAIL_BYTES : 0);
    char *line;

    if (fd >= 0)
        close(fd);
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
        n--;
    text[n > 0 ? n : 0] = '\0';
    line = strrchr(text, '\n');
    line = line ? line + 1 : text;
    if (strncmp(line, "e2b-sandboxd: ", 14) == 0)
        line += 14;
    return xstrdup(line);
}

/* Signals are blocked, so that Ctrl-C has to be looked for. */
static bool is_asked_to_end(void)
{
    sigset_t set;

    sigpending(&set);
    return sigismember(&set, SIGINT) == 1 || sigismember(&set, SIGTERM) == 1;
}

/* Until the last line, or until the server closes its end. */
static int read_ready(int fd, const char *log, struct buf *text, struct e2b_err *err)
{
    int64_t end = clock_boot_ms() + LOCAL_START_S * 1000;
    struct pollfd p = { .fd = fd, .events = POLLIN };

    for (;;) {
        int64_t left = end - clock_boot_ms();
        char part[1024];
        ssize_t n;

        if (left <= 0)
            return e2b_fail(err, ETIMEDOUT, "the local server did not start within %d s",
                            LOCAL_START_S);
        if (is_asked_to_end())
            return e2b_fail(err, EINTR, "interrupted");
        if (poll(&p, 1, left < LOOK_MS ? (int)left : LOOK_MS) <= 0)
            continue;
        n = read(fd, part, sizeof(part));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        if (buf_append(text, part, (size_t)n) < 0)
            return e2b_fail(err, EPROTO, "the local server says too much at its start");
        /* This is its last line: it answers now, whether it closes the pipe or not. */
        if (strstr(buf_str(text), "export E2B_SANDBOXD_PID=") &&
            text->data[text->len - 1] == '\n')
            return 0;
    }
    {
        autofree char *words = last_words(log);

        return e2b_fail(err, EIO, "the local server did not start%s%s", *words ? ": " : "",
                        words);
    }
}

/* The value of `export NAME=value`, or NULL. The caller's. */
static char *ready_value(const char *text, const char *name)
{
    autofree char *prefix = xasprintf("export %s=", name);
    size_t len = strlen(prefix);

    for (const char *line = text; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, prefix, len) == 0) {
            const char *value = line + len;
            size_t n = strcspn(value, "\n");

            /* A shell would take quotes off, too. */
            if (n >= 2 && (*value == '\'' || *value == '"') && value[n - 1] == *value)
                return xstrndup(value + 1, n - 2);
            return xstrndup(value, n);
        }
    }
    return NULL;
}

static int account(const char *text, const struct e2b_config_flags *given,
                   struct e2b_config *config, struct e2b_err *err)
{
    autofree char *api = ready_value(text, "E2B_API_URL");
    autofree char *sandboxes = ready_value(text, "E2B_SANDBOX_URL");
    autofree char *key = ready_value(text, "E2B_API_KEY");
    struct e2b_config_flags flags = *given;
    int r;

    if (!api || !sandboxes || !key)
        return e2b_fail(err, EPROTO, "the local server did not say where it answers");
    flags.api_key = key;
    flags.api_url = api;
    flags.sandbox_url = sandboxes;
    r = e2b_config_load(&flags, config, err);
    explicit_bzero(key, strlen(key));
    if (r < 0)
        return r;
    free(config->api_key_source);
    config->api_key_source = xstrdup("the local server");
    return 0;
}

int local_start(const char *dir, const struct e2b_config_flags *flags, bool is_debug,
                struct local **out, struct e2b_config *config, struct e2b_err *err)
{
    autofree char *log = is_debug ? NULL : xasprintf("%s/sandboxd.log", dir);
    autobuf struct buf text = BUF_MAX(READY_MAX);
    struct local *local;
    int ready[2] = { -1, -1 }, lifeline[2] = { -1, -1 };
    int lock = lock_dir(dir, err);
    int r;

    if (lock < 0)
        return lock;
    r = high_pipe(ready, err);
    if (r < 0) {
        close(lock);
        return r;
    }
    r = high_pipe(lifeline, err);
    if (r < 0) {
        close(ready[0]);
        close(ready[1]);
        close(lock);
        return r;
    }
    local = xcalloc(1, sizeof(*local));
    local->lock = lock;
    local->lifeline = lifeline[1];
    r = spawn(dir, log, ready[1], lifeline[0], &local->pid, err);
    close(ready[1]);
    close(lifeline[0]);
    if (r < 0) {
        local->pid = 0;
    } else {
        r = read_ready(ready[0], log, &text, err);
        if (r == 0)
            r = account(buf_str(&text), flags, config, err);
    }
    if (text.data)
        explicit_bzero(text.data, text.len);
    close(ready[0]);
    if (r < 0) {
        local_stop(local);
        return r;
    }
    log_info("local", "server started pid=%d dir=%s", (int)local->pid, dir);
    *out = local;
    return 0;
}

/* --- ending ------------------------------------------------------------------------------- */

static bool has_ended(pid_t pid, int64_t within_ms)
{
    int64_t end = clock_boot_ms() + within_ms;
    int status;

    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (clock_boot_ms() >= end)
            return false;
        poll(NULL, 0, 10);
    }
    return true;
}

void local_stop(struct local *local)
{
    if (!local)
        return;
    close(local->lifeline);
    if (local->pid > 0 && !has_ended(local->pid, STOP_MS)) {
        log_warning("local", "the server does not end; killing it pid=%d", (int)local->pid);
        kill(local->pid, SIGKILL);
        has_ended(local->pid, 1000);
    }
    close(local->lock);
    free(local);
}
