/* SPDX-License-Identifier: MIT */
#include "runfile.h"

#include "buf.h"
#include "json.h"
#include "jsonw.h"
#include "xalloc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIRS = 4, NAME_SIZE = 64, FILE_MAX_KIB = 64 };

void runfile_clear(struct runfile *r)
{
    if (r->api_key)
        explicit_bzero(r->api_key, strlen(r->api_key));
    free(r->mountpoint);
    free(r->device);
    free(r->api_url);
    free(r->sandbox_url);
    free(r->domain);
    free(r->user);
    free(r->key_source);
    free(r->api_key);
    *r = (struct runfile){ 0 };
}

/* The directories of the header in their order; returns how many. */
static int candidate_dirs(char *dirs[DIRS])
{
    const char *xdg = getenv("XDG_RUNTIME_DIR");
    unsigned uid = (unsigned)geteuid();
    int n = 0;

    if (xdg && xdg[0] == '/')
        dirs[n++] = xasprintf("%s/e2bfs", xdg);
    if (uid == 0)
        dirs[n++] = xstrdup("/run/e2bfs");
    dirs[n++] = xasprintf("/tmp/e2bfs-%u", uid);
    /* Where a session would have put it, for programs started without one (cron, su). */
    if (!xdg)
        dirs[n++] = xasprintf("/run/user/%u/e2bfs", uid);
    return n;
}

static void free_dirs(char *dirs[DIRS], int n)
{
    for (int i = 0; i < n; i++)
        free(dirs[i]);
}

char *runfile_dir(void)
{
    char *dirs[DIRS];
    int n = candidate_dirs(dirs);
    char *first = steal_ptr(&dirs[0]);

    free_dirs(dirs, n);
    return first;
}

/* "0:52" -> "0-52.json".  Anything but digits around one colon is refused: it is a file name.
 */
static int file_name(const char *device, char out[NAME_SIZE])
{
    size_t major = strspn(device, "0123456789");
    size_t minor = device[major] == ':' ? strspn(device + major + 1, "0123456789") : 0;

    if (major == 0 || minor == 0 || device[major + 1 + minor] != '\0' ||
        major + minor > NAME_SIZE - 8)
        return -EINVAL;
    (void)snprintf(out, NAME_SIZE, "%.*s-%s.json", (int)major, device, device + major + 1);
    return 0;
}

static bool is_private(const struct stat *st)
{
    return st->st_uid == geteuid() && (st->st_mode & 077) == 0;
}

/* Opens a directory that is ours alone; its descriptor or a negative errno. */
static int open_dir(const char *dir, struct e2b_err *err)
{
    struct stat st;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return e2b_fail(err, errno, "%s: %s", dir, strerror(errno));
    if (fstat(fd, &st) < 0 || !is_private(&st)) {
        close(fd);
        return e2b_fail(err, EACCES, "%s: not a directory that only we can use (0700)", dir);
    }
    return fd;
}

static int write_all(int fd, const struct buf *text)
{
    for (size_t done = 0; done < text->len;) {
        ssize_t n = write(fd, text->data + done, text->len - done);

        if (n < 0 && errno != EINTR)
            return -errno;
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* Replaces `name` in one step, so that a reader sees the old file or the new one. */
static int replace_file(int dir_fd, const char *name, const struct buf *text)
{
    char temp[NAME_SIZE + 8];
    int fd, r;

    (void)snprintf(temp, sizeof(temp), ".%s", name);
    unlinkat(dir_fd, temp, 0);
    fd = openat(dir_fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    r = write_all(fd, text);
    if (close(fd) < 0 && r == 0)
        r = -errno;
    if (r == 0 && renameat(dir_fd, temp, dir_fd, name) < 0)
        r = -errno;
    if (r < 0)
        unlinkat(dir_fd, temp, 0);
    return r;
}

static int render(const struct runfile *r, struct buf *text, struct e2b_err *err)
{
    const struct {
        const char *key, *value;
        bool is_optional;
    } members[] = {
        { "mountpoint", r->mountpoint, false }, { "device", r->device, false },
        { "api_url", r->api_url, false },       { "sandbox_url", r->sandbox_url, false },
        { "domain", r->domain, false },         { "user", r->user, false },
        { "key_source", r->key_source, false }, { "api_key", r->api_key, true },
    };
    int rc = buf_printf(text, "{\n  \"pid\": %" PRId64, r->pid);

    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(members); i++) {
        if (members[i].is_optional && !members[i].value)
            continue;
        rc = buf_printf(text, ",\n  \"%s\": ", members[i].key);
        if (rc == 0)
            rc = jsonw_str(text, members[i].value);
    }
    if (rc == 0)
        rc = buf_puts(text, "\n}\n");
    return rc < 0 ? e2b_fail(err, -rc, "run-time file: %s", strerror(-rc)) : 0;
}

int runfile_write(const struct runfile *r, struct e2b_err *err)
{
    autobuf struct buf text = BUF_MAX(KIB(FILE_MAX_KIB));
    autofree char *dir = runfile_dir();
    char name[NAME_SIZE];
    int dir_fd, rc;

    if (!r->device || file_name(r->device, name) < 0)
        return e2b_fail(err, EINVAL, "run-time file: not a device number");
    rc = render(r, &text, err);
    if (rc < 0)
        return rc;
    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return e2b_fail(err, errno, "%s: %s", dir, strerror(errno));
    dir_fd = open_dir(dir, err);
    if (dir_fd < 0)
        return dir_fd;
    rc = replace_file(dir_fd, name, &text);
    close(dir_fd);
    explicit_bzero(text.data, text.len);
    return rc < 0 ? e2b_fail(err, -rc, "%s/%s: %s", dir, name, strerror(-rc)) : 0;
}

static int parse(const struct buf *text, struct runfile *out, struct e2b_err *err)
{
    autojson json_t *root = NULL;
    struct runfile f = { 0 };
    int r = jparse(text->data, text->len, &root, err);

    if (r == 0)
        r = jget_string(root, "mountpoint", &f.mountpoint, err);
    if (r == 0)
        r = jget_string(root, "device", &f.device, err);
    if (r == 0)
        r = jget_int64(root, "pid", &f.pid, err);
    if (r == 0)
        r = jget_string(root, "api_url", &f.api_url, err);
    if (r == 0)
        r = jget_string_opt(root, "sandbox_url", &f.sandbox_url, err);
    if (r == 0)
        r = jget_string_opt(root, "domain", &f.domain, err);
    if (r == 0)
        r = jget_string_opt(root, "user", &f.user, err);
    if (r == 0)
        r = jget_string_opt(root, "key_source", &f.key_source, err);
    if (r == 0)
        r = jget_string_opt(root, "api_key", &f.api_key, err);
    if (r < 0) {
        runfile_clear(&f);
        return r;
    }
    *out = f;
    return 0;
}

static int read_open_file(int fd, struct buf *text)
{
    char *at;
    ssize_t n;

    do {
        int r = buf_reserve(text, KIB(4), &at);

        if (r < 0)
            return r;
        n = read(fd, at, KIB(4));
        if (n < 0 && errno != EINTR)
            return -errno;
        text->len += n > 0 ? (size_t)n : 0;
    } while (n != 0);
    return 0;
}

/* 0, or a negative errno; ENOENT is told apart by the callers. */
static int read_in_dir(const char *dir, const char *name, struct runfile *out,
                       struct e2b_err *err)
{
    autobuf struct buf text = BUF_MAX(KIB(FILE_MAX_KIB));
    struct stat st;
    int dir_fd, fd, r;

    dir_fd = open_dir(dir, err);
    if (dir_fd < 0)
        return dir_fd;
    fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    r = -errno;
    close(dir_fd);
    if (fd < 0)
        return e2b_fail(err, -r, "%s/%s: %s", dir, name, strerror(-r));
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !is_private(&st)) {
        close(fd);
        return e2b_fail(err, EACCES, "%s/%s: not a file that only we can read (0600)", dir,
                        name);
    }
    r = read_open_file(fd, &text);
    close(fd);
    if (r < 0)
        return e2b_fail(err, -r, "%s/%s: %s", dir, name, strerror(-r));
    r = parse(&text, out, err);
    explicit_bzero(text.data, text.cap);
    return r < 0 ? e2b_wrap(err, r, "%s/%s", dir, name) : 0;
}

int runfile_read_for_device(const char *device, struct runfile *out, struct e2b_err *err)
{
    struct e2b_err worst = { 0 };
    char name[NAME_SIZE];
    char *dirs[DIRS];
    int n, r = -ENOENT;

    if (file_name(device, name) < 0)
        return e2b_fail(err, EINVAL, "'%s' is not a device number", device);
    n = candidate_dirs(dirs);
    for (int i = 0; i < n && r < 0; i++) {
        struct e2b_err here = { 0 };

        r = read_in_dir(dirs[i], name, out, &here);
        if (r == 0 && strcmp(out->device, device) != 0) {
            runfile_clear(out);
            r = e2b_fail(&here, EPROTO, "%s/%s: is about another device", dirs[i], name);
        }
        /* "Not there" in one directory is no news; any other reason is. */
        if (r < 0 && r != -ENOENT && !worst.errnum)
            worst = here;
    }
    free_dirs(dirs, n);
    if (r == 0)
        return 0;
    if (worst.errnum)
        return e2b_fail(err, worst.errnum, "%s", worst.msg);
    return e2b_fail(err, ENOENT, "no run-time file for the mount on device %s", device);
}

void runfile_remove(const char *device)
{
    autofree char *dir = runfile_dir();
    char name[NAME_SIZE];
    int dir_fd;

    if (file_name(device, name) < 0)
        return;
    dir_fd = open_dir(dir, NULL);
    if (dir_fd < 0)
        return;
    unlinkat(dir_fd, name, 0);
    close(dir_fd);
}

static int each_in_dir(const char *dir, runfile_fn *fn, void *arg)
{
    struct dirent *entry;
    DIR *d = opendir(dir);
    int r = 0;

    while (d && r == 0 && (entry = readdir(d))) {
        struct runfile f = { 0 };
        autofree char *path = NULL;

        if (entry->d_name[0] == '.' || read_in_dir(dir, entry->d_name, &f, NULL) < 0)
            continue;
        path = xasprintf("%s/%s", dir, entry->d_name);
        r = fn(arg, path, &f);
        runfile_clear(&f);
    }
    if (d)
        closedir(d);
    return r;
}

int runfile_each(runfile_fn *fn, void *arg)
{
    char *dirs[DIRS];
    int n = candidate_dirs(dirs), r = 0;

    for (int i = 0; i < n && r == 0; i++)
        r = each_in_dir(dirs[i], fn, arg);
    free_dirs(dirs, n);
    return r;
}
