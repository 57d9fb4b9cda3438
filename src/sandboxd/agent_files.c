/* SPDX-License-Identifier: MIT */
/* What /files and /files/compose do on disk (envd.md 6.3, 7.2, 8). Codes are HTTP statuses. */
#include "agent.h"

#include "util/codec.h"
#include "util/path.h"
#include "util/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void give_fd(struct msg *out, int fd)
{
    out->fds[out->fd_count++] = fd;
}

/* -> fd, resolved path */
bool op_open_read(struct msg *in, struct msg *out, struct fail *fail)
{
    autoaccount struct account account = { 0 };
    autofree char *path = NULL;
    struct stat st;
    char text[64];
    int fd;

    if (!request_account(in, STYLE_FILES, &account, fail) ||
        !request_path(in, STYLE_FILES, &account, &path, fail))
        return false;
    if (stat(path, &st) < 0) {
        if (errno == ENOENT)
            return failf(fail, 404, "path '%s' does not exist", path);
        return failf(fail, 500, "error checking if path exists '%s': stat %s: %s", path, path,
                     go_strerror(errno, text));
    }
    if (S_ISDIR(st.st_mode))
        return failf(fail, 400, "path '%s' is a directory", path);
    /* Opening a FIFO waits for a writer, as the real one does. */
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return failf(fail, 500, "error opening file '%s': open %s: %s", path, path,
                     go_strerror(errno, text));
    give_fd(out, fd);
    msg_put_str(out, path);
    return true;
}

/* The order of effects is the wire's promise: parents, ownership, truncation, then data. */
bool op_open_write(struct msg *in, struct msg *out, struct fail *fail)
{
    autoaccount struct account account = { 0 };
    autofree char *path = NULL, *parent = NULL, *problem = NULL;
    struct stat st;
    char text[64];
    bool exists;
    int fd;

    if (!request_account(in, STYLE_FILES, &account, fail) ||
        !request_path(in, STYLE_FILES, &account, &path, fail))
        return false;
    parent = go_dir(path);
    if (!ensure_dirs(parent, &account, &problem))
        return failf(fail, 500, "error ensuring directories: %s", problem);

    exists = stat(path, &st) == 0;
    if (!exists && errno != ENOENT)
        return failf(fail, 500, "error getting file info: stat %s: %s", path,
                     go_strerror(errno, text));
    if (exists && S_ISDIR(st.st_mode))
        return failf(fail, 400, "path is a directory: %s", path);
    if (exists && !agent_one_uid() && chown(path, account.uid, account.gid) < 0)
        return failf(fail, 500, "error changing file ownership: chown %s: %s", path,
                     go_strerror(errno, text));

    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
    if (fd < 0 && errno == ENOSPC)
        return failf(fail, 507, "not enough inodes available: open %s: %s", path,
                     go_strerror(errno, text));
    if (fd < 0)
        return failf(fail, 500, "error opening file: open %s: %s", path,
                     go_strerror(errno, text));
    if (!exists && !agent_one_uid() && fchown(fd, account.uid, account.gid) < 0) {
        failf(fail, 500, "error changing file ownership: chown %s: %s", path,
              go_strerror(errno, text));
        close(fd);
        return false;
    }
    give_fd(out, fd);
    msg_put_str(out, path);
    return true;
}

/* Appends the rest of `from` to `to`. */
static int copy_all(int from, int to)
{
    char data[KIB(64)];
    ssize_t n;

    do {
        n = copy_file_range(from, NULL, to, NULL, 1 << 30, 0);
    } while (n > 0);
    if (n == 0)
        return 0;
    /* Some pairs of file systems can't: by hand, from where it stopped. */
    for (;;) {
        n = read(from, data, sizeof(data));
        if (n == 0)
            return 0;
        if (n < 0)
            return -errno;
        for (ssize_t done = 0; done < n;) {
            ssize_t w = write(to, data + done, (size_t)(n - done));

            if (w < 0)
                return -errno;
            done += w;
        }
    }
}

static bool append_source(const char *source, int to, struct fail *fail)
{
    struct stat st;
    char text[64];
    int fd, r;

    if (stat(source, &st) < 0) {
        if (errno == ENOENT)
            return failf(fail, 404, "source file not found: %s", source);
        return failf(fail, 500, "error opening source file: stat %s: %s", source,
                     go_strerror(errno, text));
    }
    if (!S_ISREG(st.st_mode))
        return failf(fail, 400, "source path is not a regular file: %s", source);
    if (to < 0)
        return true;
    fd = open(source, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return failf(fail, 500, "error opening source file: open %s: %s", source,
                     go_strerror(errno, text));
    r = copy_all(fd, to);
    close(fd);
    if (r == -ENOSPC)
        return failf(fail, 507, "not enough disk space available");
    if (r < 0)
        return failf(fail, 500, "error composing file: %s", go_strerror(-r, text));
    return true;
}

/* Writes all sources to `temporary` and renames it over `path`. */
static bool compose(char **sources, uint32_t count, const char *path, const char *temporary,
                    const struct account *account, struct fail *fail)
{
    char text[64];
    bool ok = true;
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

    if (fd < 0)
        return failf(fail, errno == ENOSPC ? 507 : 500,
                     "error creating temporary file: open %s: %s", temporary,
                     go_strerror(errno, text));
    for (uint32_t i = 0; ok && i < count; i++)
        ok = append_source(sources[i], fd, fail);
    if (ok && !agent_one_uid() && fchown(fd, account->uid, account->gid) < 0)
        ok = failf(fail, 500, "error changing file ownership: chown %s: %s", temporary,
                   go_strerror(errno, text));
    close(fd);
    if (ok) {
        struct stat st;
        int e = 0;

        /* Go's os.Rename again: a directory is never replaced. */
        if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
            e = EEXIST;
        else if (rename(temporary, path) < 0)
            e = errno;
        if (e)
            ok = failf(fail, 500, "error finalizing compose: rename %s %s: %s", temporary, path,
                       go_strerror(e, text));
    }
    if (!ok)
        unlink(temporary);
    return ok;
}

/* user, destination, count, sources -> resolved destination */
bool op_compose(struct msg *in, struct msg *out, struct fail *fail)
{
    autoaccount struct account account = { 0 };
    autofree char *path = NULL, *parent = NULL, *problem = NULL, *temporary = NULL;
    autofree char **sources = NULL;
    char random[33];
    uint32_t count, n = 0;
    bool ok;

    if (!request_account(in, STYLE_FILES, &account, fail) ||
        !request_path(in, STYLE_FILES, &account, &path, fail))
        return false;
    count = msg_get_u32(in);
    if (in->bad || count > 100000)
        return failf(fail, 400, "too many sources");
    sources = xcalloc(count + 1, sizeof(*sources));
    ok = true;
    for (; ok && n < count; n++)
        ok = request_path(in, STYLE_FILES, &account, &sources[n], fail);
    for (uint32_t i = 0; ok && i < n; i++)
        if (strcmp(sources[i], path) == 0)
            ok = failf(fail, 400, "source path \"%s\" cannot be the same as destination", path);
    for (uint32_t i = 0; ok && i < n; i++)
        ok = append_source(sources[i], -1, fail);
    parent = go_dir(path);
    if (ok && !ensure_dirs(parent, &account, &problem))
        ok = failf(fail, 500, "error ensuring directories: %s", problem);
    if (ok) {
        random_hex(random, 16);
        temporary = xasprintf("%s.e2b-compose.%.8s-%.4s-%.4s-%.4s-%.12s.tmp", path, random,
                              random + 8, random + 12, random + 16, random + 20);
        ok = compose(sources, n, path, temporary, &account, fail);
    }
    /* An alias of the destination is deleted too: a trap that clients must meet here. */
    for (uint32_t i = 0; i < n; i++) {
        if (ok && sources[i])
            unlink(sources[i]);
        free(sources[i]);
    }
    if (ok)
        msg_put_str(out, path);
    return ok;
}
