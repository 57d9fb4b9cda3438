/* SPDX-License-Identifier: MIT */
#include "part.h"

#include "util/path.h"
#include "util/xalloc.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NEW_MODE = 0666 };

static void part_clear(struct part *part)
{
    if (part->fd >= 0)
        close(part->fd);
    free(part->path);
    free(part->temp);
    *part = (struct part){ .fd = -1 };
}

static int fail(struct e2b_err *err, const char *path)
{
    int errnum = errno;

    return e2b_fail(err, errnum, "%s: %s", path, strerror(errnum));
}

/* "dir" or "dir/" with the name in it, or `path` itself. */
static int choose_path(const char *path, const char *name, char **out, struct e2b_err *err)
{
    size_t len = strlen(path);
    struct stat st;

    if (!path_name_ok(name))
        return e2b_fail(err, EINVAL, "'%s' can't be a file's name", name);
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        *out = xasprintf("%s%s%s", path, path[len - 1] == '/' ? "" : "/", name);
    else if (len == 0 || path[len - 1] == '/')
        return e2b_fail(err, len ? ENOTDIR : EINVAL, "'%s': no such directory", path);
    else
        *out = xstrdup(path);
    return 0;
}

static int open_directly(struct part *part, struct e2b_err *err)
{
    part->fd = open(part->path, O_WRONLY | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
    return part->fd < 0 ? fail(err, part->path) : 0;
}

/* Who holds the lock of what has the name now, has it alone. */
static int lock(const struct part *part, struct e2b_err *err)
{
    struct stat ours, named;

    if (fstat(part->fd, &ours) < 0)
        return fail(err, part->temp);
    if (!S_ISREG(ours.st_mode) || ours.st_nlink > 1)
        return e2b_fail(err, EEXIST, "%s: is there, and no partial file of ours", part->temp);
    if (flock(part->fd, LOCK_EX | LOCK_NB) < 0 ||
        fstatat(AT_FDCWD, part->temp, &named, AT_SYMLINK_NOFOLLOW) < 0 ||
        named.st_ino != ours.st_ino || named.st_dev != ours.st_dev)
        return e2b_fail(err, EBUSY, "%s: another program is writing it", part->temp);
    return 0;
}

static int open_temp(struct part *part, const struct stat *old, struct e2b_err *err)
{
    int r;

    part->temp = xasprintf("%s.part", part->path);
    part->fd =
        open(part->temp, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, NEW_MODE);
    if (part->fd < 0)
        return fail(err, part->temp);
    r = lock(part, err);
    if (r == 0 &&
        (ftruncate(part->fd, 0) < 0 || (old && fchmod(part->fd, old->st_mode & 0777) < 0)))
        r = fail(err, part->temp);
    return r;
}

int part_open(const char *path, const char *name, struct part *out, struct e2b_err *err)
{
    struct part part = { .fd = -1 };
    struct stat old;
    int r = choose_path(path, name, &part.path, err);

    if (r < 0)
        return r;
    assert(part.path);
    if (lstat(part.path, &old) < 0)
        r = errno == ENOENT ? open_temp(&part, NULL, err) : fail(err, part.path);
    else if (S_ISREG(old.st_mode))
        r = open_temp(&part, &old, err);
    else if (S_ISFIFO(old.st_mode) || S_ISCHR(old.st_mode))
        r = open_directly(&part, err);
    else if (S_ISLNK(old.st_mode))
        r = e2b_fail(err, ELOOP, "%s: is a link; name the file itself (or - for output)",
                     part.path);
    else
        r = e2b_fail(err, S_ISDIR(old.st_mode) ? EISDIR : EEXIST,
                     "%s: is there, and no regular file", part.path);
    if (r < 0) {
        part_clear(&part);
        return r;
    }
    *out = part;
    return 0;
}

int part_end(struct part *part, struct e2b_err *err)
{
    int r = 0;

    /* Renamed while it is still ours; what close reports (quotas, NFS) comes too late then. */
    if (part->temp && fsync(part->fd) < 0)
        r = fail(err, part->temp);
    else if (part->temp && rename(part->temp, part->path) < 0)
        r = fail(err, part->path);
    part_clear(part);
    return r;
}

void part_abandon(struct part *part, bool is_kept)
{
    if (part->temp && !is_kept)
        (void)unlink(part->temp);
    part_clear(part);
}
