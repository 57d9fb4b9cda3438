/* SPDX-License-Identifier: MIT */
/* checks_mount: can this machine mount, and do its mounts still live? */
#include "checks.h"

#include "util/buf.h"
#include "util/mounts.h"
#include "util/runfile.h"
#include "util/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ANSWER_MS = 3000 };
static const char fuse_device[] = "/dev/fuse";

void check_fuse_device(struct check_run *run)
{
    int fd = open(fuse_device, O_RDWR | O_CLOEXEC);

    if (fd >= 0) {
        close(fd);
        check_say(run, CHECK_OK, NULL, "can be opened");
    } else if (errno == ENOENT || errno == ENODEV || errno == ENXIO) {
        check_say(run, CHECK_FAIL,
                  "modprobe fuse; in a container: --device /dev/fuse --cap-add SYS_ADMIN", "%s",
                  strerror(errno));
    } else {
        check_say(run, CHECK_FAIL, "chmod 0666 /dev/fuse, or be in the group that owns it",
                  "%s", strerror(errno));
    }
}

/* The first file of that name in PATH; the caller's, or NULL. */
static char *find_program(const char *name)
{
    const char *path = getenv("PATH");

    while (path && *path) {
        size_t len = strcspn(path, ":");
        char *file = xasprintf("%.*s/%s", (int)len, path, name);

        if (access(file, X_OK) == 0)
            return file;
        free(file);
        path += len + (path[len] == ':');
    }
    return NULL;
}

void check_fusermount(struct check_run *run)
{
    autofree char *file = find_program("fusermount3");
    struct stat st;

    if (!file)
        check_say(run, geteuid() == 0 ? CHECK_WARN : CHECK_FAIL, "apt-get install fuse3",
                  "not in PATH");
    else if (geteuid() != 0 && stat(file, &st) == 0 && !(st.st_mode & S_ISUID))
        check_say(run, CHECK_FAIL, "chmod u+s it, or reinstall the package fuse3",
                  "%s is not set-uid root", file);
    else
        check_say(run, CHECK_OK, NULL, "%s", file);
}

/* errno of stat(path), tried by a child: a dead file system must not take us with it. */
static int stat_apart(const char *path)
{
    struct pollfd p = { .events = POLLIN };
    struct stat st;
    int status, pid = fork();

    if (pid < 0)
        return errno;
    if (pid == 0)
        _exit(stat(path, &st) < 0 ? errno & 0xff : 0);
    p.fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (p.fd >= 0 && poll(&p, 1, ANSWER_MS) == 0)
        kill(pid, SIGKILL);
    if (p.fd >= 0)
        close(p.fd);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : ETIMEDOUT;
}

struct mounts_seen {
    struct check_run *run;
    int n;
    struct buf devices; /* " 0:52 0:53 " */
};

static int check_mount(void *arg, const struct mount_info *m)
{
    struct mounts_seen *seen = arg;
    struct runfile file = { 0 };
    struct e2b_err err = { 0 };
    autofree char *detach = NULL;
    int errnum;

    if (strcmp(m->type, MOUNTS_E2BFS) != 0)
        return 0;
    seen->n++;
    buf_printf(&seen->devices, " %s ", m->device);
    errnum = stat_apart(m->mountpoint);
    detach = xasprintf("fusermount3 -uz '%s'", m->mountpoint);
    if (errnum == ENOTCONN)
        check_say(seen->run, CHECK_FAIL, detach, "%s is stale: its daemon has died",
                  m->mountpoint);
    else if (errnum == ETIMEDOUT)
        check_say(seen->run, CHECK_FAIL, detach, "%s does not answer", m->mountpoint);
    else if (errnum == EACCES)
        check_say(seen->run, CHECK_OK, NULL, "%s belongs to another user", m->mountpoint);
    else if (errnum)
        check_say(seen->run, CHECK_WARN, NULL, "%s: %s", m->mountpoint, strerror(errnum));
    else if (runfile_read_for_device(m->device, &file, &err) < 0)
        check_say(seen->run, CHECK_WARN, "name sandboxes by id, not by path, or mount anew",
                  "%s: %s", m->mountpoint, err.msg);
    else
        check_say(seen->run, CHECK_OK, NULL, "%s serves %s", m->mountpoint, file.api_url);
    runfile_clear(&file);
    return 0;
}

static int check_left_over(void *arg, const char *path, const struct runfile *file)
{
    struct mounts_seen *seen = arg;
    autofree char *pattern = xasprintf(" %s ", file->device);
    autofree char *todo = xasprintf("rm '%s'", path);

    if (!strstr(buf_str(&seen->devices), pattern))
        check_say(seen->run, CHECK_WARN, todo, "%s was left behind by a mount that is gone",
                  path);
    return 0;
}

void check_mounts(struct check_run *run)
{
    struct mounts_seen seen = { .run = run };
    struct e2b_err err = { 0 };

    if (mounts_each(check_mount, &seen, &err) < 0)
        check_say(run, CHECK_WARN, NULL, "%s", err.msg);
    else if (seen.n == 0)
        check_say(run, CHECK_OK, NULL, "none");
    runfile_each(check_left_over, &seen);
    buf_clear(&seen.devices);
}
