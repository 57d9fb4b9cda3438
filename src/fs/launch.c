/* SPDX-License-Identifier: MIT */
#include "fs/launch.h"

#include "util/mounts.h"
#include "util/path.h"
#include "util/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum {
    PROBE_SECONDS = 3, /* how long a mount may take to say that it lives */
    DEAD_MAX = 8,      /* dead mounts on top of each other */
};

/* --- the mountpoint ----------------------------------------------------------------------- */

/*
 * The absolute path as the mount table has it.  A dead mount can't be resolved itself, but what
 * is above it can.
 */
static char *resolve(const char *path)
{
    char *real = realpath(path, NULL);
    autofree char *parent = NULL, *trimmed = NULL;
    size_t len = strlen(path);
    const char *slash, *name;

    if (real || errno == ENOENT)
        return real;
    while (len > 1 && path[len - 1] == '/')
        len--;
    trimmed = xstrndup(path, len);
    slash = strrchr(trimmed, '/');
    name = slash ? slash + 1 : trimmed;
    if (strcmp(name, "..") == 0 || strcmp(name, ".") == 0 || !*name)
        return NULL;
    {
        autofree char *above =
            slash ? xstrndup(trimmed, slash == trimmed ? 1 : (size_t)(slash - trimmed))
                  : xstrdup(".");

        parent = realpath(above, NULL);
    }
    return parent ? xasprintf("%s/%s", strcmp(parent, "/") == 0 ? "" : parent, name) : NULL;
}

struct top {
    const char *path;
    bool is_mounted, is_ours, is_fuse;
};

static int find_top(void *arg, const struct mount_info *m)
{
    struct top *top = arg;

    if (strcmp(m->mountpoint, top->path) != 0)
        return 0;
    top->is_mounted = true; /* later lines are mounted on top of earlier ones */
    top->is_ours = strcmp(m->type, MOUNTS_E2BFS) == 0;
    top->is_fuse = strncmp(m->type, "fuse", 4) == 0;
    return 0;
}

static struct top top_mount(const char *path)
{
    struct top top = { .path = path };

    mounts_each(find_top, &top, NULL); /* without a table, all that is lost is a nicer error */
    return top;
}

/*
 * Does what is mounted there answer?  A process asks, since the answer may never come: a fatal
 * signal frees it from the wait.  0 it does; else its errno; ETIMEDOUT.
 */
static int probe(const char *path)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        struct stat st;
        sigset_t none;

        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        (void)signal(SIGALRM, SIG_DFL);
        alarm(PROBE_SECONDS);
        _exit(stat(path, &st) == 0 ? 0 : errno);
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0)
        return EIO;
    return WIFEXITED(status) ? WEXITSTATUS(status) : ETIMEDOUT;
}

static int detach(const char *path)
{
    char *argv[] = { (char *)"fusermount3", (char *)"-uzq", (char *)"--", (char *)path, NULL };
    int status = 0;
    pid_t pid;

    if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
        return 0;
    if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) != 0)
        return -1;
    return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

/* Whatever fuse mount is on top: ours and dead, it goes; ours and alive, it stays. */
static int clear_mountpoint(const char *path, char **notice, struct e2b_err *err)
{
    for (int i = 0; i < DEAD_MAX; i++) {
        struct top top = top_mount(path);
        int state;

        if (!top.is_mounted || !top.is_fuse)
            return 0;
        state = probe(path);
        if (state != ENOTCONN && top.is_ours)
            return e2b_fail(err, EBUSY,
                            "%s is mounted already%s; to end that: fusermount3 -u %s", path,
                            state ? " (and doesn't answer)" : "", path);
        if (state != ENOTCONN)
            return 0; /* another file system, and alive: a place like any other */
        if (!top.is_ours)
            return e2b_fail(err, ENOTCONN,
                            "%s is a dead mount of another program; to detach "
                            "it: fusermount3 -u %s",
                            path, path);
        if (detach(path) < 0)
            return e2b_fail(err, EBUSY,
                            "%s is a dead mount that can't be detached; try as "
                            "root: umount -l %s",
                            path, path);
        free(*notice);
        *notice = xasprintf("detached the dead mount on %s", path);
    }
    return e2b_fail(err, EBUSY, "%s: too many dead mounts on top of each other", path);
}

static int check_mountpoint(struct options *o, char **notice, struct e2b_err *err)
{
    const char *asked = o->mountpoint;
    char *path = resolve(asked);
    struct stat st;
    int r;

    if (!path)
        return e2b_fail(err, errno, "mount point %s: %s", asked, strerror(errno));
    free(o->mountpoint);
    o->mountpoint = path;
    r = clear_mountpoint(path, notice, err);
    if (r < 0)
        return r;
    if (stat(path, &st) < 0)
        return e2b_fail(err, errno, "mount point %s: %s", path, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return e2b_fail(err, ENOTDIR, "mount point %s is not a directory", path);
    /* fusermount3's rule, which it would tell with a line of its own. */
    if (geteuid() != 0 && access(path, W_OK) < 0)
        return e2b_fail(err, EACCES, "mount point %s: you need write permission there", path);
    return 0;
}

/* --- the device --------------------------------------------------------------------------- */

static int check_device(struct e2b_err *err)
{
    int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

    if (fd >= 0) {
        close(fd);
        return 0;
    }
    switch (errno) {
    case ENOENT:
        return e2b_fail(err, ENODEV,
                        "/dev/fuse is missing: load the module (as root: modprobe "
                        "fuse), or give the container that device");
    case ENODEV:
    case ENXIO:
        return e2b_fail(err, ENODEV,
                        "/dev/fuse: the kernel has no FUSE; as root: modprobe fuse");
    case EACCES:
    case EPERM:
        return e2b_fail(err, EPERM,
                        "no permission to use /dev/fuse (as root: chmod 666 "
                        "/dev/fuse, or allow the device in the container)");
    default:
        return e2b_fail(err, errno, "/dev/fuse: %s", strerror(errno));
    }
}

/* What fusermount3 would refuse with a line of its own. */
static int check_allow_other(const struct options *o, struct e2b_err *err)
{
    autofree char *line = NULL;
    size_t size = 0;
    bool is_allowed = false;
    FILE *f;

    if (!o->allow_other || geteuid() == 0)
        return 0;
    f = fopen("/etc/fuse.conf", "re");
    while (f && getline(&line, &size, f) > 0) {
        const char *word = line + strspn(line, " \t");
        size_t len = strcspn(word, " \t\r\n#");

        is_allowed |=
            len == strlen("user_allow_other") && strncmp(word, "user_allow_other", len) == 0;
    }
    if (f)
        (void)fclose(f); /* only read */
    return is_allowed ? 0
                      : e2b_fail(err, EPERM,
                                 "allow_other needs the line user_allow_other "
                                 "in /etc/fuse.conf");
}

/* --- our own files ------------------------------------------------------------------------ */

/* $XDG_STATE_HOME/e2bfs, ~/.local/state/e2bfs; without a home (fstab, systemd) /var/lib/e2bfs.
 */
static char *state_dir(void)
{
    const char *xdg = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    const struct passwd *pw;

    if (xdg && xdg[0] == '/')
        return xasprintf("%s/e2bfs", xdg);
    if (home && home[0] == '/')
        return xasprintf("%s/.local/state/e2bfs", home);
    if (geteuid() == 0)
        return xstrdup("/var/lib/e2bfs");
    pw = getpwuid(geteuid());
    if (pw && pw->pw_dir && pw->pw_dir[0] == '/' && access(pw->pw_dir, W_OK) == 0)
        return xasprintf("%s/.local/state/e2bfs", pw->pw_dir);
    return xasprintf("/var/tmp/e2bfs-%u", (unsigned)geteuid());
}

/* A directory of ours: outside of the mount, made with what is above it. */
static int own_dir(char **dir, const char *leaf, const char *mountpoint, struct e2b_err *err)
{
    autofree char *part = NULL;

    if (!*dir) {
        autofree char *state = state_dir();

        *dir = xasprintf("%s/%s", state, leaf);
    }
    {
        char *normal = path_normalise(*dir);

        free(*dir);
        *dir = normal;
    }
    if (path_is_below(*dir, mountpoint))
        return e2b_fail(err, EINVAL, "the %s directory %s lies inside the mount point", leaf,
                        *dir);
    part = xstrdup(*dir);
    for (char *p = part + 1;; p++) {
        if (*p && *p != '/')
            continue;
        {
            char was = *p;

            *p = '\0';
            if (mkdir(part, 0700) < 0 && errno != EEXIST)
                return e2b_fail(err, errno, "the %s directory %s: %s", leaf, part,
                                strerror(errno));
            *p = was;
            if (!was)
                break;
        }
    }
    {
        /* Links on the way there must not lead into the mount, either. */
        autofree char *real = realpath(*dir, NULL);

        if (real && path_is_below(real, mountpoint))
            return e2b_fail(err, EINVAL, "the %s directory %s lies inside the mount point",
                            leaf, *dir);
    }
    return 0;
}

int launch_check(struct options *o, char **notice, struct e2b_err *err)
{
    int r;

    *notice = NULL;
    r = check_device(err);
    if (r == 0)
        r = check_allow_other(o, err);
    if (r == 0)
        r = check_mountpoint(o, notice, err);
    if (r == 0)
        r = own_dir(&o->spool, "spool", o->mountpoint, err);
    if (r == 0 && o->local)
        r = own_dir(&o->local_dir, "local", o->mountpoint, err);
    if (r == 0 && o->log) {
        autofree char *log = path_normalise(o->log);

        if (path_is_below(log, o->mountpoint))
            r = e2b_fail(err, EINVAL, "the log %s lies inside the mount point", log);
    }
    return r;
}

void launch_raise_limits(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit); /* worth trying, nothing to do if not */
}
