/* SPDX-License-Identifier: MIT */
/*
 * Starting processes and collecting their ends; everything here runs on the main thread, so a
 * pid in the table is a child that was not collected yet and can't have been reused.
 */
#include "agent.h"

#include "util/error.h"
#include "util/path.h"
#include "util/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

enum { CHILDREN_MAX = 4096, ARGS_MAX = 1 << 20, ENVS_MAX = 1 << 16, GROUPS_MAX = 64 };

static pid_t children[CHILDREN_MAX];

struct spawn {
    struct account account;
    char **argv;
    char **envp;
    char *cwd;
    gid_t groups[GROUPS_MAX];
    int group_count;
    bool wants_stdin, wants_pty;
    struct winsize size;
};

static void spawn_clear(struct spawn *s)
{
    for (char **p = s->argv; p && *p; p++)
        free(*p);
    for (char **p = s->envp; p && *p; p++)
        free(*p);
    free(s->argv);
    free(s->envp);
    free(s->cwd);
    account_clear(&s->account);
}

/* Later settings of a name replace earlier ones. */
static void set_env(char **envp, size_t *n, const char *name, const char *value)
{
    size_t len = strlen(name);
    char *pair = xasprintf("%s=%s", name, value);

    for (size_t i = 0; i < *n; i++) {
        if (strncmp(envp[i], name, len) == 0 && envp[i][len] == '=') {
            free(envp[i]);
            envp[i] = pair;
            return;
        }
    }
    envp[(*n)++] = pair;
}

static void find_groups(struct spawn *s)
{
    FILE *f = fopen("/etc/group", "re");
    struct group gr, *hit;
    char line[8192];

    s->groups[s->group_count++] = s->account.gid;
    while (f && fgetgrent_r(f, &gr, line, sizeof(line), &hit) == 0)
        for (char **m = gr.gr_mem; *m; m++)
            if (strcmp(*m, s->account.name) == 0 && s->group_count < GROUPS_MAX)
                s->groups[s->group_count++] = gr.gr_gid;
    if (f)
        (void)fclose(f);
}

static bool has_nul(struct msg *in, char **out)
{
    size_t len;
    const char *s = msg_get_str(in, &len);

    *out = xstrdup(s);
    return strlen(s) != len;
}

/* user, cwd, stdin, pty, cols, rows, argc, argv..., envc, (name, value)... */
static bool parse(struct msg *in, struct spawn *s, struct fail *fail)
{
    uint32_t argc, envc;
    size_t n = 0;
    bool nul = false;
    struct stat st;

    if (!request_account(in, STYLE_RPC, &s->account, fail) ||
        !request_path(in, STYLE_RPC, &s->account, &s->cwd, fail))
        return false;
    s->wants_stdin = msg_get_u32(in);
    s->wants_pty = msg_get_u32(in);
    s->size.ws_col = (unsigned short)msg_get_u32(in);
    s->size.ws_row = (unsigned short)msg_get_u32(in);
    argc = msg_get_u32(in);
    if (in->bad || argc == 0 || argc > ARGS_MAX)
        return failf(fail, E2B_CONNECT_INVALID_ARGUMENT, "bad number of arguments");
    s->argv = xcalloc(argc + 1, sizeof(*s->argv));
    for (uint32_t i = 0; i < argc; i++)
        nul |= has_nul(in, &s->argv[i]);
    envc = msg_get_u32(in);
    if (in->bad || envc > ENVS_MAX)
        return failf(fail, E2B_CONNECT_INVALID_ARGUMENT, "bad number of variables");
    s->envp = xcalloc(envc + 5, sizeof(*s->envp));
    set_env(s->envp, &n, "PATH", DEFAULT_PATH);
    set_env(s->envp, &n, "HOME", s->account.home);
    set_env(s->envp, &n, "USER", s->account.name);
    set_env(s->envp, &n, "LOGNAME", s->account.name);
    for (uint32_t i = 0; i < envc; i++) {
        autofree char *name = NULL, *value = NULL;

        nul |= has_nul(in, &name);
        nul |= has_nul(in, &value);
        set_env(s->envp, &n, name, value);
    }
    if (nul)
        return failf(fail, E2B_CONNECT_INVALID_ARGUMENT,
                     "error starting process '%s': fork/exec /bin/sh: invalid argument",
                     s->argv[0]);
    if (stat(s->cwd, &st) < 0 && errno == ENOENT)
        return failf(fail, E2B_CONNECT_INVALID_ARGUMENT, "cwd '%s' does not exist", s->cwd);
    find_groups(s);
    return true;
}

/* --- in the child: only system calls and what is already in memory ------------------------ */

static void child_fail(int report, int errnum)
{
    if (write(report, &errnum, sizeof(errnum)) < 0)
        _exit(125);
    _exit(125);
}

/*
 * The real server starts `nice`, which looks the program up and complains about a missing one
 * on stderr with exit 127 (126: not executable).
 */
static void child_exec(const struct spawn *s, int report)
{
    char text[512];
    int e, n;

    environ = s->envp;
    execvp(s->argv[0], s->argv);
    e = errno;
    if (e == E2BIG)
        child_fail(report, e);
    n = snprintf(text, sizeof(text), "/usr/bin/nice: '%s': %s\n", s->argv[0],
                 strerrordesc_np(e));
    if (n > (int)sizeof(text) - 1)
        n = (int)sizeof(text) - 1;
    if (write(STDERR_FILENO, text, (size_t)n) < 0)
        _exit(125);
    _exit(e == ENOENT ? 127 : 126);
}

static void child_run(const struct spawn *s, const int std[3], int report)
{
    sigset_t none;
    int fd;

    setsid();
    for (int i = 0; i < 3; i++)
        dup2(std[i], i);
    if (s->wants_pty)
        ioctl(STDIN_FILENO, TIOCSCTTY, 0);
    fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        if (write(fd, "100", 3) < 0)
            errno = 0; /* only a preference */
        close(fd);
    }
    for (int sig = 1; sig < NSIG; sig++)
        (void)signal(sig, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    umask(022);
    if (!agent_one_uid() && (setgroups((size_t)s->group_count, s->groups) < 0 ||
                             setgid(s->account.gid) < 0 || setuid(s->account.uid) < 0))
        child_fail(report, errno);
    if (chdir(s->cwd) < 0)
        child_fail(report, errno);
    child_exec(s, report);
}

/* --- in the agent ------------------------------------------------------------------------- */

/* The child's descriptors 0 to 2 in std, the server's ends in out's descriptors. */
static int make_pipes(const struct spawn *s, int std[3], struct msg *out)
{
    int pair[2];

    if (s->wants_stdin) {
        if (pipe2(pair, O_CLOEXEC) < 0)
            return -errno;
        std[0] = pair[0];
        out->fds[out->fd_count++] = pair[1];
    } else {
        std[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (std[0] < 0)
            return -errno;
    }
    for (int i = 1; i <= 2; i++) {
        if (pipe2(pair, O_CLOEXEC) < 0)
            return -errno;
        std[i] = pair[1];
        out->fds[out->fd_count++] = pair[0];
    }
    return 0;
}

static int make_pty(const struct spawn *s, int std[3], struct msg *out)
{
    char name[64];
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

    if (master < 0)
        return -errno;
    out->fds[out->fd_count++] = master;
    if (grantpt(master) < 0 || unlockpt(master) < 0 || ptsname_r(master, name, sizeof(name)))
        return -errno;
    ioctl(master, TIOCSWINSZ, &s->size);
    std[0] = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (std[0] < 0)
        return -errno;
    if (!agent_one_uid() && fchown(std[0], s->account.uid, (gid_t)-1) < 0)
        return -errno;
    std[1] = std[0];
    std[2] = std[0];
    return 0;
}

static int find_slot(pid_t pid)
{
    for (int i = 0; i < CHILDREN_MAX; i++)
        if (children[i] == pid)
            return i;
    return -1;
}

/* Forks; returns the pid, or a negative errno with nothing left running. */
static pid_t start(const struct spawn *s, const int std[3])
{
    int report[2], e = 0;
    pid_t pid;
    ssize_t n;

    if (pipe2(report, O_CLOEXEC) < 0)
        return -errno;
    pid = fork();
    if (pid < 0) {
        e = errno;
        close(report[0]);
        close(report[1]);
        return -e;
    }
    if (pid == 0)
        child_run(s, std, report[1]);
    close(report[1]);
    do {
        n = read(report[0], &e, sizeof(e));
    } while (n < 0 && errno == EINTR);
    close(report[0]);
    if (n == (ssize_t)sizeof(e)) {
        waitpid(pid, NULL, 0);
        return -e;
    }
    return pid;
}

/* -> pid; descriptors: stdin if asked for, stdout, stderr; or the terminal's master */
bool op_spawn(struct msg *in, struct msg *out, struct fail *fail)
{
    __attribute__((cleanup(spawn_clear))) struct spawn s = { 0 };
    int std[3] = { -1, -1, -1 };
    int r, slot;
    char text[64];
    pid_t pid;

    if (!parse(in, &s, fail))
        return false;
    slot = find_slot(0);
    r = slot < 0 ? -EAGAIN : s.wants_pty ? make_pty(&s, std, out) : make_pipes(&s, std, out);
    pid = r < 0 ? r : start(&s, std);
    close(std[0]);
    if (std[1] != std[0]) {
        close(std[1]);
        close(std[2]);
    }
    if (pid < 0)
        return failf(fail, E2B_CONNECT_INVALID_ARGUMENT,
                     "error starting process '%s': fork/exec /bin/sh: %s", s.argv[0],
                     go_strerror(-pid, text));
    children[slot] = pid;
    msg_put_u32(out, (uint32_t)pid);
    return true;
}

bool op_signal(struct msg *in, struct msg *out, struct fail *fail)
{
    pid_t pid = (pid_t)msg_get_u32(in);
    int sig = (int)msg_get_u32(in);

    (void)out;
    if (pid <= 0 || find_slot(pid) < 0 || kill(pid, sig) < 0)
        return failf(fail, E2B_CONNECT_NOT_FOUND, "process with pid %d not found", pid);
    return true;
}

void agent_reap(int sock)
{
    int status, slot;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        automsg struct msg m = { .kind = MSG_EXITED, .payload = BUF_MAX(KIB(1)) };

        slot = find_slot(pid);
        if (slot < 0)
            continue;
        children[slot] = 0;
        msg_put_u32(&m, (uint32_t)pid);
        msg_put_u32(&m, (uint32_t)status);
        msg_send(sock, &m);
    }
}
