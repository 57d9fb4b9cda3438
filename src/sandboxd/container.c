/* SPDX-License-Identifier: MIT */
#include "container.h"

#include "agent.h"
#include "launcher.h"
#include "rootfs.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct container {
    pid_t bwrap;    /* our child */
    int init_pidfd; /* the container's pid 1 as seen from here: dead means all are dead */
};

enum { START_MS = 15000, STOP_MS = 10000, INFO_FD = 4, BWRAP_ARGS_MAX = 160 };

/* The server's own binary, copied once so that a rebuild can't change it under our feet. */
static char *agent_path;

#define AGENT_INSIDE "/run/envd"

/* What the account root keeps inside; everything else is dropped. */
static const char *const kept_caps[] = { "CAP_CHOWN",  "CAP_DAC_OVERRIDE", "CAP_FOWNER",
                                         "CAP_FSETID", "CAP_SETUID",       "CAP_SETGID",
                                         "CAP_KILL" };

static int copy_self(const char *to, struct e2b_err *err)
{
    int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    ssize_t n = -1;

    if (in >= 0 && out >= 0) {
        do {
            n = copy_file_range(in, NULL, out, NULL, 1 << 30, 0);
        } while (n > 0);
        if (n < 0 && (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP)) {
            char data[KIB(64)];

            while ((n = read(in, data, sizeof(data))) > 0)
                if (write(out, data, (size_t)n) != n) {
                    n = -1;
                    break;
                }
        }
    }
    if (n < 0)
        n = e2b_fail(err, errno, "copying the server's binary to %s: %s", to, strerror(errno));
    if (in >= 0)
        close(in);
    if (out >= 0) {
        fchmod(out, 0755);
        close(out);
    }
    return (int)n;
}

int container_setup(const char *data_dir, struct e2b_err *err)
{
    int r;

    free(agent_path);
    agent_path = xasprintf("%s/agent", data_dir);
    unlink(agent_path);
    r = copy_self(agent_path, err);
    return r < 0 ? r : launcher_start(err);
}

void container_teardown(void)
{
    launcher_stop();
    free(agent_path);
    agent_path = NULL;
}

int container_make_root(const char *root, struct e2b_err *err)
{
    return rootfs_make(root, err);
}

void container_remove_tree(const char *path)
{
    rootfs_remove(path);
}

/* --- the command line --------------------------------------------------------------------- */

struct args {
    const char *v[BWRAP_ARGS_MAX];
    int n;
};

static void add(struct args *a, const char *first, const char *second, const char *third)
{
    if (a->n + 4 > BWRAP_ARGS_MAX)
        return;
    a->v[a->n++] = first;
    if (second)
        a->v[a->n++] = second;
    if (third)
        a->v[a->n++] = third;
}

static void build_args(struct args *a, const char *root)
{
    add(a, "bwrap", NULL, NULL);
    add(a, "--unshare-pid", "--unshare-net", NULL);
    add(a, "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try");
    add(a, "--hostname", "e2b.local", NULL);
    add(a, "--die-with-parent", NULL, NULL);
    add(a, "--info-fd", "4", NULL);
    add(a, "--clearenv", NULL, NULL);
    /* A sanitised agent can't run its leak check without ptrace; others ignore this. */
    add(a, "--setenv", "ASAN_OPTIONS", "detect_leaks=0");
    add(a, "--bind", root, "/");
    for (size_t i = 0; i < rootfs_shared_count; i++) {
        struct stat st;

        /* A symlink (merged /usr) was recreated in the root instead. */
        if (lstat(rootfs_shared[i], &st) == 0 && S_ISDIR(st.st_mode))
            add(a, "--ro-bind", rootfs_shared[i], rootfs_shared[i]);
    }
    add(a, "--proc", "/proc", NULL);
    add(a, "--dev", "/dev", NULL);
    add(a, "--ro-bind", agent_path, AGENT_INSIDE);
    add(a, "--chdir", "/", NULL);
    if (geteuid() == 0) {
        add(a, "--cap-drop", "ALL", NULL);
        for (size_t i = 0; i < ARRAY_LEN(kept_caps); i++)
            add(a, "--cap-add", kept_caps[i], NULL);
    } else {
        add(a, "--unshare-user", NULL, NULL);
        add(a, "--uid", "1000", NULL);
        add(a, "--gid", "1000", NULL);
    }
    add(a, "--", AGENT_INSIDE, "--agent");
    a->v[a->n] = NULL;
}

/* --- start and stop ----------------------------------------------------------------------- */

/* Everything that arrives at fd until its end or the deadline, at most cap - 1 bytes. */
static void read_until_end(int fd, char *out, size_t cap, int wait_ms)
{
    int64_t end = clock_boot_ms() + wait_ms;
    size_t len = 0;

    while (len + 1 < cap) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int64_t left = end - clock_boot_ms();
        ssize_t n;

        if (left <= 0 || poll(&p, 1, (int)left) <= 0)
            break;
        n = read(fd, out + len, cap - 1 - len);
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    out[len] = '\0';
}

static int open_init(const char *info)
{
    autojson json_t *root = NULL;
    int64_t pid = 0;

    if (jparse(info, strlen(info), &root, NULL) < 0 ||
        jget_int64(root, "child-pid", &pid, NULL) < 0 || pid <= 1)
        return -1;
    return pidfd_open((pid_t)pid, 0);
}

static int explain(struct e2b_err *err, const char *stderr_text)
{
    char line[160];

    snprintf(line, sizeof(line), "%.*s", (int)strcspn(stderr_text, "\n"), stderr_text);
    if (line[0] == '\0')
        snprintf(line, sizeof(line), "bwrap said nothing");
    return e2b_fail(err, EPERM,
                    "can't create the container of a sandbox (bubblewrap needs to create "
                    "namespaces): %s",
                    line);
}

int container_start(const char *root, struct container **out, int *sock, struct e2b_err *err)
{
    struct args args = { .n = 0 };
    struct launch launch = { .argv = args.v };
    int pair[2] = { -1, -1 }, info[2] = { -1, -1 }, errors[2] = { -1, -1 };
    struct container *c = NULL;
    char text[1024];
    int r;

    build_args(&args, root);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 ||
        pipe2(info, O_CLOEXEC) < 0 || pipe2(errors, O_CLOEXEC) < 0) {
        r = e2b_fail(err, errno, "starting a sandbox: %s", strerror(errno));
    } else {
        launch.fd_agent = pair[1];
        launch.fd_info = info[1];
        launch.fd_stderr = errors[1];
        r = launcher_run(&launch);
        if (r < 0)
            e2b_fail(err, -r, "starting bwrap: %s (is bubblewrap installed?)", strerror(-r));
    }
    close(pair[1]);
    close(info[1]);
    close(errors[1]);
    if (r == 0) {
        c = xcalloc(1, sizeof(*c));
        c->bwrap = launch.pid;
        /* bwrap closes the info descriptor once it has told us, or dies. */
        read_until_end(info[0], text, sizeof(text), START_MS);
        c->init_pidfd = open_init(text);
        if (c->init_pidfd < 0) {
            kill(c->bwrap, SIGKILL);
            read_until_end(errors[0], text, sizeof(text), 1000);
            waitpid(c->bwrap, NULL, 0);
            free(c);
            r = explain(err, text);
        }
    }
    close(info[0]);
    close(errors[0]);
    if (r < 0) {
        close(pair[0]);
        return r;
    }
    *out = c;
    *sock = pair[0];
    return 0;
}

void container_kill(const struct container *c)
{
    if (c)
        pidfd_send_signal(c->init_pidfd, SIGKILL, NULL, 0);
}

void container_stop(struct container *c)
{
    struct pollfd p;

    if (!c)
        return;
    p = (struct pollfd){ .fd = c->init_pidfd, .events = POLLIN };
    container_kill(c);
    if (poll(&p, 1, STOP_MS) <= 0)
        kill(c->bwrap, SIGKILL);
    close(c->init_pidfd);
    waitpid(c->bwrap, NULL, 0);
    free(c);
}
