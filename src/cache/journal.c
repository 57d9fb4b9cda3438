/* SPDX-License-Identifier: MIT */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cache/journal_priv.h"
#include "util/kv.h"
#include "util/log.h"
#include "util/mounts.h"
#include "util/path.h"
#include "util/xalloc.h"

enum { ADD_TRIES = 1000, LOCK_TRIES = 100, SANDBOX_ID_MAX = 64 };

bool journal_sandbox_ok(const char *sandbox)
{
    size_t len = strspn(sandbox, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "0123456789_-");

    return len > 0 && len <= SANDBOX_ID_MAX && sandbox[len] == '\0';
}

void journal_name(char out[JOURNAL_NAME_MAX], const char *sandbox, uint64_t seq,
                  const char *suffix)
{
    (void)snprintf(out, JOURNAL_NAME_MAX, "%s/%" PRIu64 "%s", sandbox, seq, suffix);
}

/* mkdir -p, 0700 for whatever is made. */
static int make_dirs(const char *dir, struct e2b_err *err)
{
    autofree char *path = xstrdup(dir);

    for (char *p = path + 1;; p++) {
        char c = *p;

        if (c != '/' && c != '\0')
            continue;
        *p = '\0';
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
            return e2b_fail(err, errno, "creating %s: %s", path, strerror(errno));
        *p = c;
        if (c == '\0')
            return 0;
    }
}

static int check_dir(int fd, const char *dir, struct e2b_err *err)
{
    struct mount_info mount = { 0 };
    autofree char *inside = NULL;
    struct stat st;
    bool is_ours;

    if (fstat(fd, &st) < 0)
        return e2b_fail(err, errno, "%s: %s", dir, strerror(errno));
    if (st.st_uid != geteuid())
        return e2b_fail(err, EPERM, "spool %s belongs to somebody else", dir);
    if (st.st_mode & 077)
        return e2b_fail(err, EPERM, "spool %s is open to others; try: chmod 700 %s", dir, dir);
    /* A table that can't be read, as in some containers, is no reason to refuse. */
    if (mounts_locate(dir, &mount, &inside, NULL) < 0)
        return 0;
    is_ours = mount.type && strcmp(mount.type, MOUNTS_E2BFS) == 0;
    mount_info_clear(&mount);
    if (is_ours)
        return e2b_fail(err, ELOOP, "spool %s lies inside a mount of e2bfs", dir);
    return 0;
}

struct journal *journal_open(const char *dir, struct workers *workers, struct e2b_err *err)
{
    struct journal *j;
    int fd;

    if (dir[0] != '/') {
        e2b_fail(err, EINVAL, "spool %s is not an absolute path", dir);
        return NULL;
    }
    if (make_dirs(dir, err) < 0)
        return NULL;
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        e2b_fail(err, errno, "opening spool %s: %s", dir, strerror(errno));
        return NULL;
    }
    if (check_dir(fd, dir, err) < 0) {
        close(fd);
        return NULL;
    }
    j = xcalloc(1, sizeof(*j));
    *j =
        (struct journal){ .dir = xstrdup(dir), .dirfd = fd, .workers = workers, .next_seq = 1 };
    return j;
}

void journal_close(struct journal *j)
{
    if (!j)
        return;
    journal_tidy(j);
    close(j->dirfd);
    free(j->dir);
    free(j->checked);
    free(j);
}

char *journal_path(const struct journal *j, const struct journal_entry *e)
{
    return xasprintf("%s/%s/%" PRIu64 ".data", j->dir, e->sandbox, e->seq);
}

uint64_t journal_free_bytes(const struct journal *j)
{
    struct statvfs st;

    return fstatvfs(j->dirfd, &st) < 0 ? 0 : (uint64_t)st.f_bavail * st.f_frsize;
}

/* ---- one entry ---- */

/* Makes it, if `again` or if it wasn't the last one used, and sees that it is no link. */
static int make_sandbox_dir(struct journal *j, const char *sandbox, bool again)
{
    struct stat st;

    if (!again && j->checked && strcmp(j->checked, sandbox) == 0)
        return 0;
    if (mkdirat(j->dirfd, sandbox, 0700) < 0 && errno != EEXIST)
        return -errno;
    if (fstatat(j->dirfd, sandbox, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid())
        return -ENOTDIR;
    free(j->checked);
    j->checked = xstrdup(sandbox);
    return 0;
}

/*
 * The descriptor of a new, locked file, or -errno; -EAGAIN: try the next number.  Between
 * creation and lock an adopting daemon may have taken it for a left-over: then it holds the
 * lock, or has removed the name already.
 */
static int create_locked(struct journal *j, const char *name)
{
    struct stat st;
    int r = -EAGAIN;
    int fd = openat(j->dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    /* ENOENT: another daemon found the sandbox's directory empty and removed it. */
    if (fd < 0)
        return errno == EEXIST || errno == ENOENT ? -EAGAIN : -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        if (fstat(fd, &st) == 0 && st.st_nlink == 1)
            return fd;
    } else if (errno != EWOULDBLOCK) {
        r = -errno; /* a file system without locks */
        unlinkat(j->dirfd, name, 0);
    }
    close(fd);
    return r;
}

int journal_add(struct journal *j, const char *sandbox, struct journal_entry *out,
                struct e2b_err *err)
{
    char name[JOURNAL_NAME_MAX];
    int r = -EAGAIN;

    if (!journal_sandbox_ok(sandbox))
        return e2b_fail(err, EINVAL, "not a sandbox ID");
    for (int i = 0; i < ADD_TRIES && r == -EAGAIN; i++) {
        r = make_sandbox_dir(j, sandbox, i > 0);
        if (r < 0)
            break;
        journal_name(name, sandbox, j->next_seq++, ".data");
        r = create_locked(j, name);
    }
    if (r < 0)
        return e2b_fail(err, -r, "spool %s/%s: %s", j->dir, sandbox, strerror(-r));
    *out =
        (struct journal_entry){ .sandbox = xstrdup(sandbox), .seq = j->next_seq - 1, .fd = r };
    return 0;
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

static int write_file(int dirfd, const char *name, int flags, const struct buf *text)
{
    int r, fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | flags, 0600);

    if (fd < 0)
        return -errno;
    r = write_all(fd, text->data, text->len);
    if (close(fd) < 0 && r == 0)
        r = -errno;
    if (r < 0)
        unlinkat(dirfd, name, 0);
    return r;
}

/* Whoever reads it sees the old text or the new one. */
static int replace_file(int dirfd, const char *name, const char *temp, const struct buf *text)
{
    int r = write_file(dirfd, name, O_EXCL, text); /* mostly there is no old one */

    if (r != -EEXIST)
        return r;
    r = write_file(dirfd, temp, O_TRUNC, text);
    if (r == 0 && renameat(dirfd, temp, dirfd, name) < 0)
        r = -errno;
    if (r < 0)
        unlinkat(dirfd, temp, 0);
    return r;
}

int journal_write(struct journal *j, const struct journal_entry *e,
                  const struct journal_note *note, struct e2b_err *err)
{
    char name[JOURNAL_NAME_MAX], temp[JOURNAL_NAME_MAX];
    autokv struct kv *kv = kv_new();
    autobuf struct buf text = BUF_INIT;
    int r;

    kv_set_int(kv, "version", JOURNAL_VERSION);
    kv_set(kv, "sandbox", e->sandbox);
    kv_set(kv, "path", note->path);
    kv_set_int(kv, "mode", note->mode);
    kv_set_int(kv, "created", note->is_created);
    kv_set_int(kv, "base_size", note->base_size);
    kv_set_int(kv, "base_mtime", note->base_mtime.tv_sec);
    kv_set_int(kv, "base_mtime_ns", note->base_mtime.tv_nsec);
    kv_set_int(kv, "size", note->size);
    kv_set(kv, "ranges", note->ranges);
    kv_set(kv, "reason", note->reason);
    kv_set_int(kv, "number", (int64_t)note->number);
    kv_set_int(kv, "since", note->since.tv_sec);
    kv_set_int(kv, "since_ns", note->since.tv_nsec);
    journal_name(name, e->sandbox, e->seq, ".json");
    journal_name(temp, e->sandbox, e->seq, ".json.new");
    r = kv_print(kv, &text);
    if (r == 0)
        r = replace_file(j->dirfd, name, temp, &text);
    if (r < 0)
        return e2b_fail(err, -r, "spool %s/%s: %s", j->dir, name, strerror(-r));
    return 0;
}

void journal_forget(struct journal *j, const struct journal_entry *e)
{
    char name[JOURNAL_NAME_MAX];

    journal_name(name, e->sandbox, e->seq, ".json");
    if (unlinkat(j->dirfd, name, 0) < 0 && errno != ENOENT)
        log_warning("spool", "removing %s/%s: %s", j->dir, name, strerror(errno));
}

void journal_remove(struct journal *j, struct journal_entry *e)
{
    char name[JOURNAL_NAME_MAX];

    /* In this order: what a crash in between leaves is clean. */
    journal_forget(j, e);
    journal_name(name, e->sandbox, e->seq, ".data");
    if (unlinkat(j->dirfd, name, 0) < 0 && errno != ENOENT)
        log_warning("spool", "removing %s/%s: %s", j->dir, name, strerror(errno));
    journal_entry_clear(e);
}

void journal_entry_clear(struct journal_entry *e)
{
    if (e->seq != 0)
        close(e->fd);
    free(e->sandbox);
    *e = (struct journal_entry){ .fd = -1 };
}

/* ---- fsync, on a worker ---- */

struct sync_job {
    int fds[3]; /* owned: .data, .json, the sandbox's directory; -1: couldn't be opened */
};

static void sync_work(void *arg)
{
    struct sync_job *job = arg;

    for (size_t i = 0; i < ARRAY_LEN(job->fds); i++) {
        if (job->fds[i] < 0)
            continue;
        /* Best effort: the process's own crash is survived without it. */
        (void)fsync(job->fds[i]);
        close(job->fds[i]);
    }
}

void journal_sync(struct journal *j, const struct journal_entry *e)
{
    char name[JOURNAL_NAME_MAX];
    struct sync_job *job;

    if (!j->workers)
        return;
    job = xcalloc(1, sizeof(*job));
    /* Opened anew, not dup'ed: a duplicate would keep the lock after the entry is cleared. */
    journal_name(name, e->sandbox, e->seq, ".data");
    job->fds[0] = openat(j->dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    journal_name(name, e->sandbox, e->seq, ".json");
    job->fds[1] = openat(j->dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    job->fds[2] = openat(j->dirfd, e->sandbox, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    worker_run(j->workers, sync_work, free, job);
}

/* ---- numbers ---- */

/* Only our own daemons know this file and they hold its lock for microseconds; one that was
 * stopped at that very moment must not stop us. */
static bool lock_briefly(int fd)
{
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return true;
        sched_yield();
    }
    return false;
}

uint64_t journal_number(struct journal *j)
{
    char text[32] = "";
    uint64_t stored = 0;
    int len, fd = openat(j->dirfd, ".number", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd >= 0 && lock_briefly(fd) && pread(fd, text, sizeof(text) - 1, 0) > 0)
        stored = strtoull(text, NULL, 10);
    if (stored > j->last_number && stored < INT64_MAX)
        j->last_number = stored;
    j->last_number++;
    len = snprintf(text, sizeof(text), "%" PRIu64 "\n", j->last_number);
    if (fd < 0 || pwrite(fd, text, (size_t)len, 0) != len)
        log_warning("spool", "%s/.number: %s", j->dir, strerror(errno));
    if (fd >= 0)
        close(fd);
    return j->last_number;
}
