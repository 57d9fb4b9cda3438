/* SPDX-License-Identifier: MIT */
/* The Filesystem service's calls, quirks included (envd.md 9.4 and 9.5). */
#include "agent.h"

#include "util/error.h"
#include "util/path.h"
#include "util/xalloc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool fail_errno(struct fail *fail, int code, int errnum, const char *what,
                       const char *path)
{
    char text[64];

    return failf(fail, code, "%s %s: %s", what, path, go_strerror(errnum, text));
}

static bool put_one(struct msg *out, const char *path, struct fail *fail)
{
    struct names *names = names_new();
    bool ok = entry_put(out, names, path, path);
    int e = errno;

    names_free(names);
    if (ok)
        return true;
    if (e == ENOENT)
        return fail_errno(fail, E2B_CONNECT_NOT_FOUND, e, "file not found: lstat", path);
    return fail_errno(fail, E2B_CONNECT_INTERNAL, e, "error getting file info: lstat", path);
}

bool op_stat(struct msg *in, struct msg *out, struct fail *fail)
{
    autoaccount struct account account = { 0 };
    autofree char *path = NULL;

    return request_account(in, STYLE_RPC, &account, fail) &&
           request_path(in, STYLE_RPC, &account, &path, fail) && put_one(out, path, fail);
}

/* --- ListDir ------------------------------------------------------------------------------ */

struct walk {
    struct msg *out;
    const struct names *names;
    struct fail *fail;
    uint32_t count;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in `path` in byte order; NULL with errno on failure. */
static char **read_names(const char *path, size_t *count)
{
    DIR *dir = opendir(path);
    char **list = NULL;
    struct dirent *d;
    size_t n = 0, cap = 0;
    int e;

    if (!dir)
        return NULL;
    errno = 0;
    while ((d = readdir(dir))) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        if (n == cap) {
            cap = cap ? cap * 2 : 64;
            list = xreallocarray(list, cap, sizeof(*list));
        }
        list[n++] = xstrdup(d->d_name);
        errno = 0;
    }
    e = errno;
    closedir(dir);
    if (e) {
        while (n > 0)
            free(list[--n]);
        free(list);
        errno = e;
        return NULL;
    }
    if (n > 1)
        qsort(list, n, sizeof(*list), by_name);
    *count = n;
    return list ? list : xcalloc(1, sizeof(*list));
}

static bool walk_dir(struct walk *w, const char *real, const char *shown, uint32_t depth)
{
    size_t n = 0;
    char **list = read_names(real, &n);
    bool ok = true;

    if (!list) {
        char text[64];

        return failf(w->fail, E2B_CONNECT_INTERNAL, "error reading directory %s: open %s: %s",
                     real, real, go_strerror(errno, text));
    }
    for (size_t i = 0; i < n; i++) {
        autofree char *real_path = xasprintf("%s/%s", strcmp(real, "/") ? real : "", list[i]);
        autofree char *path = xasprintf("%s/%s", strcmp(shown, "/") ? shown : "", list[i]);
        struct stat st;

        free(list[i]);
        if (!ok)
            continue;
        /* What vanished since readdir is skipped. */
        if (!entry_put(w->out, w->names, real_path, path))
            continue;
        w->count++;
        if (w->out->bad)
            ok = failf(w->fail, E2B_CONNECT_INTERNAL, "the listing is too big");
        else if (depth > 1 && lstat(real_path, &st) == 0 && S_ISDIR(st.st_mode))
            ok = walk_dir(w, real_path, path, depth - 1);
    }
    free(list);
    return ok;
}

bool op_list(struct msg *in, struct msg *out, struct fail *fail)
{
    autoaccount struct account account = { 0 };
    autofree char *path = NULL, *shown = NULL, *real = NULL;
    struct walk walk = { .out = out, .fail = fail };
    struct names *names;
    struct stat st;
    uint32_t depth;
    size_t count_at;
    bool ok;

    if (!request_account(in, STYLE_RPC, &account, fail) ||
        !request_path(in, STYLE_RPC, &account, &path, fail))
        return false;
    depth = msg_get_u32(in);
    real = realpath(path, NULL);
    if (!real && errno == ENOENT)
        return fail_errno(fail, E2B_CONNECT_NOT_FOUND, ENOENT, "path not found: lstat", path);
    if (!real && errno == ELOOP)
        return failf(fail, E2B_CONNECT_FAILED_PRECONDITION,
                     "cyclic symlink or chain >255 links at \"%s\"", path);
    if (!real) {
        char text[64];

        return failf(fail, E2B_CONNECT_INTERNAL, "error resolving symlink: %s",
                     go_strerror(errno, text));
    }
    if (stat(real, &st) < 0)
        return fail_errno(fail, E2B_CONNECT_INTERNAL, errno, "error getting file info: stat",
                          real);
    if (!S_ISDIR(st.st_mode))
        return failf(fail, E2B_CONNECT_INVALID_ARGUMENT, "path is not a directory: %s", real);

    count_at = out->payload.len;
    msg_put_u32(out, 0);
    shown = path_normalise(path);
    names = names_new();
    walk.names = names;
    ok = walk_dir(&walk, real, shown, depth ? depth : 1);
    names_free(names);
    if (ok && !out->bad)
        memcpy(out->payload.data + count_at, &walk.count, sizeof(walk.count));
    return ok;
}

/* --- MakeDir, Move ------------------------------------------------------------------------ */

bool ensure_dirs(const char *dir, const struct account *account, char **problem)
{
    autofree char *prefix = xstrdup(dir);
    char text[64];

    for (char *p = prefix + 1;; p++) {
        char end = *p;
        struct stat st;

        if (end != '/' && end != '\0')
            continue;
        *p = '\0';
        if (stat(prefix, &st) == 0) {
            if (!S_ISDIR(st.st_mode)) {
                *problem = xasprintf("path is a file: %s", prefix);
                return false;
            }
        } else if (errno != ENOENT) {
            *problem = xasprintf("failed to stat directory: stat %s: %s", prefix,
                                 go_strerror(errno, text));
            return false;
        } else if (mkdir(prefix, 0755) < 0 && errno != EEXIST) {
            *problem = xasprintf("failed to create directory: mkdir %s: %s", prefix,
                                 go_strerror(errno, text));
            return false;
        } else if ((agent_one_uid() ? access(prefix, F_OK)
                                    : chown(prefix, account->uid, account->gid)) < 0) {
            *problem = xasprintf("failed to chown directory: chown %s: %s", prefix,
                                 go_strerror(errno, text));
            return false;
        }
        *p = end;
        if (end == '\0')
            return true;
    }
}

bool op_mkdir(struct msg *in, struct msg *out, struct fail *fail)
{
    autoaccount struct account account = { 0 };
    autofree char *path = NULL, *problem = NULL;
    struct stat st;

    if (!request_account(in, STYLE_RPC, &account, fail) ||
        !request_path(in, STYLE_RPC, &account, &path, fail))
        return false;
    if (stat(path, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return failf(fail, E2B_CONNECT_ALREADY_EXISTS, "directory already exists: %s",
                         path);
        return failf(fail, E2B_CONNECT_INVALID_ARGUMENT,
                     "path already exists but it is not a directory: %s", path);
    }
    if (errno != ENOENT)
        return fail_errno(fail, E2B_CONNECT_INTERNAL, errno, "error getting file info: stat",
                          path);
    if (!ensure_dirs(path, &account, &problem))
        return failf(fail, E2B_CONNECT_INTERNAL, "%s", problem);
    return put_one(out, path, fail);
}

/* Go's os.Rename: an existing directory is never replaced, not even by a directory. */
static int go_rename(const char *from, const char *to)
{
    struct stat a, b;

    if (lstat(to, &b) == 0 && S_ISDIR(b.st_mode)) {
        if (lstat(from, &a) < 0)
            return -errno;
        if (strcmp(from, to) == 0 || a.st_ino != b.st_ino || a.st_dev != b.st_dev)
            return -EEXIST;
    }
    return rename(from, to) < 0 ? -errno : 0;
}

bool op_move(struct msg *in, struct msg *out, struct fail *fail)
{
    autoaccount struct account account = { 0 };
    autofree char *from = NULL, *to = NULL, *parent = NULL, *problem = NULL;
    char text[64];
    int r;

    if (!request_account(in, STYLE_RPC, &account, fail) ||
        !request_path(in, STYLE_RPC, &account, &from, fail) ||
        !request_path(in, STYLE_RPC, &account, &to, fail))
        return false;
    parent = go_dir(to);
    if (!ensure_dirs(parent, &account, &problem))
        return failf(fail, E2B_CONNECT_INTERNAL, "%s", problem);
    r = go_rename(from, to);
    if (r == -ENOENT)
        return failf(fail, E2B_CONNECT_NOT_FOUND, "source file not found: rename %s %s: %s",
                     from, to, go_strerror(-r, text));
    if (r < 0)
        return failf(fail, E2B_CONNECT_INTERNAL, "error renaming: rename %s %s: %s", from, to,
                     go_strerror(-r, text));
    return put_one(out, to, fail);
}

/* --- Remove ------------------------------------------------------------------------------- */

/* rm -rf relative to a directory; on failure names what it failed on. */
static int remove_at(int dir, const char *name, const char *shown, char **failed_on)
{
    struct dirent *d;
    DIR *list;
    int fd, r = 0;

    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM) {
        r = -errno;
        *failed_on = xstrdup(shown);
        return r;
    }
    fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    list = fd >= 0 ? fdopendir(fd) : NULL;
    if (!list) {
        r = errno == ENOTDIR ? -EPERM : -errno; /* EPERM came from unlinkat, then */
        if (fd >= 0)
            close(fd);
        *failed_on = xstrdup(shown);
        return r;
    }
    while (r == 0 && (d = readdir(list))) {
        autofree char *path = NULL;

        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        path = xasprintf("%s/%s", shown, d->d_name);
        r = remove_at(fd, d->d_name, path, failed_on);
    }
    closedir(list);
    if (r == 0 && unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT) {
        r = -errno;
        *failed_on = xstrdup(shown);
    }
    return r;
}

bool op_remove(struct msg *in, struct msg *out, struct fail *fail)
{
    autoaccount struct account account = { 0 };
    autofree char *path = NULL, *failed_on = NULL;
    char text[64];
    size_t len;
    int r;

    (void)out;
    if (!request_account(in, STYLE_RPC, &account, fail) ||
        !request_path(in, STYLE_RPC, &account, &path, fail))
        return false;
    len = strlen(path);
    if (len >= 2 && strcmp(path + len - 2, "/.") == 0)
        return failf(fail, E2B_CONNECT_INTERNAL,
                     "error removing file or directory: RemoveAll %s: invalid argument", path);
    /* Also with trailing slashes a link itself goes, never its target. */
    while (len > 1 && path[len - 1] == '/')
        path[--len] = '\0';
    r = remove_at(AT_FDCWD, path, path, &failed_on);
    if (r < 0)
        return failf(fail, E2B_CONNECT_INTERNAL,
                     "error removing file or directory: unlinkat %s: %s", failed_on,
                     go_strerror(-r, text));
    return true;
}
