/* SPDX-License-Identifier: MIT */
/* Finding what earlier daemons left in the spool's directory. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/journal_priv.h"
#include "util/kv.h"
#include "util/log.h"
#include "util/path.h"
#include "util/xalloc.h"

/* A path of 4 KiB, escaped, and a list of ranges fit easily. */
enum { NOTE_MAX = 256 * 1024 };

struct adoption {
    struct journal *journal;
    const char *sandbox;
    journal_adopt_fn *fn;
    void *arg;
};

/* "12.data" -> 12; 0 for every other name. */
static uint64_t parse_name(const char *name)
{
    uint64_t seq = 0;
    size_t digits = strspn(name, "0123456789");

    if (digits == 0 || digits > 18 || name[0] == '0' || strcmp(name + digits, ".data") != 0)
        return 0;
    for (size_t i = 0; i < digits; i++)
        seq = seq * 10 + (uint64_t)(name[i] - '0');
    return seq;
}

static bool is_our_file(int fd, struct stat *st)
{
    return fstat(fd, st) == 0 && S_ISREG(st->st_mode) && st->st_uid == geteuid() &&
           st->st_nlink == 1;
}

/* 0 (text read, maybe too long: EFBIG), -ENOENT if there is none, or another -errno. */
static int read_json(struct journal *j, const char *sandbox, uint64_t seq, struct buf *text)
{
    char name[JOURNAL_NAME_MAX];
    struct stat st;
    int fd, r = 0;

    journal_name(name, sandbox, seq, ".json");
    /* O_NONBLOCK: a FIFO planted here must not hold us. */
    fd = openat(j->dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    if (!is_our_file(fd, &st))
        r = -EPERM;
    while (r == 0) {
        char *at;
        ssize_t n;

        r = buf_reserve(text, 4096, &at);
        if (r < 0)
            break;
        n = read(fd, at, 4096);
        if (n <= 0) {
            r = n < 0 ? -errno : 0;
            break;
        }
        text->len += (size_t)n;
    }
    close(fd);
    return r;
}

/* Fills note from kv (which owns the strings).  -EPROTO if it isn't about this entry. */
static int read_note(const struct kv *kv, const char *sandbox, struct journal_note *note)
{
    const char *owner = kv_get(kv, "sandbox");

    if (!owner || strcmp(owner, sandbox) != 0)
        return -EPROTO;
    *note = (struct journal_note){
        .mode = (mode_t)kv_get_int(kv, "mode", 0644) & 07777,
        .is_created = kv_get_int(kv, "created", 0) != 0,
        .base_size = kv_get_int(kv, "base_size", 0),
        .base_mtime = { .tv_sec = kv_get_int(kv, "base_mtime", 0),
                        .tv_nsec = kv_get_int(kv, "base_mtime_ns", 0) },
        .size = kv_get_int(kv, "size", 0),
        .ranges = kv_get(kv, "ranges"),
        .since = { .tv_sec = kv_get_int(kv, "since", 0),
                   .tv_nsec = kv_get_int(kv, "since_ns", 0) },
    };
    if (kv_get_int(kv, "number", 0) > 0)
        note->number = (uint64_t)kv_get_int(kv, "number", 0);
    return 0;
}

static void take(struct adoption *a, struct journal_entry *e, const struct buf *text, int r)
{
    autokv struct kv *kv = NULL;
    autofree char *path = NULL;
    autofree char *reason = NULL;
    struct journal_note note = { .path = "/unknown" };
    struct e2b_err err = { 0 };

    if (r == 0)
        r = kv_parse(buf_str(text), text->len, &kv, &err);
    if (r == 0)
        r = read_note(kv, e->sandbox, &note);
    if (r == 0) {
        /* Copies: the next kv_get may reuse what the last one returned. */
        path = xstrdup(kv_get(kv, "path"));
        reason = xstrdup(kv_get(kv, "reason"));
        if (!path || !path_is_normal(path))
            r = -EPROTO;
    }
    if (r < 0)
        note = (struct journal_note){ .path = "/unknown",
                                      .reason = "EPROTO: its journal can't be read" };
    else
        note.path = path, note.reason = reason;
    if (note.number > a->journal->last_number)
        a->journal->last_number = note.number;
    a->fn(a->arg, e, &note);
}

static void adopt_one(struct adoption *a, int dirfd, const char *name, uint64_t seq)
{
    autobuf struct buf text = BUF_MAX(NOTE_MAX);
    struct journal_entry e = { .seq = seq };
    struct stat st;
    int r;

    e.fd = openat(dirfd, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (e.fd < 0)
        return;
    /* Somebody who holds the lock is alive and keeps it. */
    if (!is_our_file(e.fd, &st) || flock(e.fd, LOCK_EX | LOCK_NB) < 0) {
        close(e.fd);
        return;
    }
    r = read_json(a->journal, a->sandbox, seq, &text);
    e.sandbox = xstrdup(a->sandbox);
    if (r == -ENOENT) {
        journal_remove(a->journal, &e);
        return;
    }
    take(a, &e, &text, r);
}

static void adopt_sandbox(struct adoption *a)
{
    struct journal *j = a->journal;
    struct dirent *d;
    struct stat st;
    DIR *dir;
    int fd = openat(j->dirfd, a->sandbox, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return;
    dir = fstat(fd, &st) == 0 && st.st_uid == geteuid() ? fdopendir(fd) : NULL;
    if (!dir) {
        close(fd);
        return;
    }
    while ((d = readdir(dir)) != NULL) {
        uint64_t seq = parse_name(d->d_name);

        if (seq == 0)
            continue;
        if (seq >= j->next_seq)
            j->next_seq = seq + 1;
        adopt_one(a, dirfd(dir), d->d_name, seq);
    }
    closedir(dir);
}

static DIR *open_spool(struct journal *j)
{
    int fd = openat(j->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (dir)
        return dir;
    log_warning("spool", "reading %s: %s", j->dir, strerror(errno));
    if (fd >= 0)
        close(fd);
    return NULL;
}

void journal_adopt(struct journal *j, journal_adopt_fn *fn, void *arg)
{
    DIR *dir = open_spool(j);
    struct dirent *d;

    while (dir && (d = readdir(dir)) != NULL) {
        struct adoption a = { .journal = j, .sandbox = d->d_name, .fn = fn, .arg = arg };

        if (journal_sandbox_ok(d->d_name))
            adopt_sandbox(&a);
    }
    if (dir)
        closedir(dir);
}

void journal_tidy(struct journal *j)
{
    DIR *dir = open_spool(j);
    struct dirent *d;

    /* Another daemon that was about to use one of them makes it anew. */
    while (dir && (d = readdir(dir)) != NULL)
        if (journal_sandbox_ok(d->d_name))
            unlinkat(j->dirfd, d->d_name, AT_REMOVEDIR);
    if (dir)
        closedir(dir);
}
