/* SPDX-License-Identifier: MIT */
#include "datadir.h"

#include "container.h"
#include "util/xalloc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "e2b-sandboxd."

static const char *temporary_base(void)
{
    const char *tmp = getenv("TMPDIR");

    return tmp && tmp[0] == '/' ? tmp : "/tmp";
}

/* The descriptor that holds the lock, or a negative errno. */
static int lock(const char *dir, int flags)
{
    autofree char *path = xasprintf("%s/lock", dir);
    int fd = open(path, O_RDWR | flags | O_CLOEXEC | O_NOFOLLOW, 0600);
    int e;

    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    e = errno;
    close(fd);
    return -e;
}

/* Temporary directories of ours whose server is dead. */
static void sweep(void)
{
    const char *base = temporary_base();
    DIR *dir = opendir(base);
    struct dirent *d;

    while (dir && (d = readdir(dir))) {
        autofree char *path = xasprintf("%s/%s", base, d->d_name);
        struct stat st;
        int fd;

        if (strncmp(d->d_name, PREFIX, strlen(PREFIX)) != 0 || lstat(path, &st) < 0 ||
            !S_ISDIR(st.st_mode) || st.st_uid != geteuid())
            continue;
        fd = lock(path, 0);
        if (fd < 0)
            continue;
        container_remove_tree(path);
        close(fd);
    }
    if (dir)
        closedir(dir);
}

int datadir_open(struct datadir *d, const char *path, struct e2b_err *err)
{
    *d = (struct datadir){ .lock_fd = -1 };
    if (path) {
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
            return e2b_fail(err, errno, "creating %s: %s", path, strerror(errno));
        d->path = realpath(path, NULL);
        if (!d->path)
            return e2b_fail(err, errno, "%s: %s", path, strerror(errno));
    } else {
        sweep();
        d->path = xasprintf("%s/" PREFIX "XXXXXX", temporary_base());
        if (!mkdtemp(d->path))
            return e2b_fail(err, errno, "creating %s: %s", d->path, strerror(errno));
        d->is_temporary = true;
    }
    d->lock_fd = lock(d->path, O_CREAT);
    if (d->lock_fd == -EWOULDBLOCK)
        return e2b_fail(err, EBUSY, "%s is in use by another e2b-sandboxd", d->path);
    if (d->lock_fd < 0)
        return e2b_fail(err, -d->lock_fd, "locking %s: %s", d->path, strerror(-d->lock_fd));
    return 0;
}

void datadir_close(struct datadir *d)
{
    if (d->path && d->is_temporary)
        container_remove_tree(d->path);
    if (d->lock_fd >= 0)
        close(d->lock_fd);
    free(d->path);
    *d = (struct datadir){ .lock_fd = -1 };
}
