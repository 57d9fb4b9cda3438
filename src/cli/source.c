/* SPDX-License-Identifier: MIT */
#include "source.h"

#include "util/buf.h"
#include "util/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const size_t chunk = KIB(256);

static int fail(struct e2b_err *err, const char *what)
{
    int errnum = errno;

    return e2b_fail(err, errnum, "%s: %s", what, strerror(errnum));
}

/* A file that goes with its descriptor. */
static int unnamed_file(struct e2b_err *err)
{
    const char *dir = getenv("TMPDIR");
    autofree char *name = NULL;
    int fd;

    if (!dir || dir[0] != '/')
        dir = "/tmp";
    fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    name = xasprintf("%s/e2b-inspect.XXXXXX", dir); /* file systems without O_TMPFILE */
    fd = mkostemp(name, O_CLOEXEC);
    if (fd < 0)
        return fail(err, name);
    (void)unlink(name);
    return fd;
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);

        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        }
    }
    return 0;
}

static int copy_all(int from, int to, const char *name, int64_t *len, struct e2b_err *err)
{
    autofree char *data = xmalloc(chunk);

    for (;;) {
        ssize_t n = read(from, data, chunk);

        if (n == 0)
            return 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(err, name);
        if (write_all(to, data, (size_t)n) < 0)
            return fail(err, "copying to a temporary file");
        *len += n;
    }
}

/* Puts an unnamed copy in the place of what has no length. */
static int make_copy(struct source *source, const char *name, struct e2b_err *err)
{
    struct source copy = { .fd = unnamed_file(err) };
    int r = copy.fd < 0 ? copy.fd : copy_all(source->fd, copy.fd, name, &copy.len, err);

    source_close(source);
    if (r < 0) {
        if (copy.fd >= 0)
            close(copy.fd);
        return r;
    }
    *source = copy;
    return 0;
}

int source_open(const char *path, struct source *out, struct e2b_err *err)
{
    bool is_stdin = strcmp(path, "-") == 0;
    const char *name = is_stdin ? "standard input" : path;
    struct source source = { .fd = STDIN_FILENO, .is_borrowed = is_stdin };
    struct stat st = { 0 };
    off_t at;
    int r = 0;

    if (!is_stdin)
        source.fd = open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
    if (source.fd < 0 || fstat(source.fd, &st) < 0)
        r = fail(err, name);
    else if (S_ISDIR(st.st_mode))
        r = e2b_fail(err, EISDIR, "%s: is a directory", name);
    if (r < 0) {
        source_close(&source);
        return r;
    }
    at = lseek(source.fd, 0, SEEK_CUR); /* standard input may have been read in part */
    if (S_ISREG(st.st_mode) && st.st_size > 0 && at >= 0) {
        source.off = at;
        source.len = st.st_size > at ? st.st_size - at : 0;
        source.is_executable = !is_stdin && (st.st_mode & 0111);
    } else {
        r = make_copy(&source, name, err);
    }
    if (r == 0)
        *out = source;
    return r;
}

void source_close(struct source *source)
{
    if (source->fd >= 0 && !source->is_borrowed)
        close(source->fd);
    *source = (struct source){ .fd = -1 };
}
