/* SPDX-License-Identifier: MIT */
/*
 * fake_files: the sandbox of the spool's tests.  Files in memory, behind the functions of
 * e2b/file.h that the spool uses; included by one test program, whose definitions the linker
 * finds before the library's.
 *
 * Calls queue up.  fake_run() answers them, oldest first, until nothing is left to do; what
 * was called stands in fake.log, one word and path a line.  fake_fault() makes one call fail;
 * fake.during_upload runs in the middle of each upload, when half of it was read.
 */
#ifndef FAKE_FILES_H
#define FAKE_FILES_H

#include <e2b/file.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/queue.h>
#include <unistd.h>

#include "test.h"
#include "util/buf.h"
#include "util/loop.h"
#include "util/path.h"
#include "util/xalloc.h"

enum { FAKE_FILES = 16 };

/* How a faulty call fails: nothing done; all done, but the answer lost; an upload half done. */
enum fake_mode { FAKE_BEFORE, FAKE_AFTER, FAKE_PARTIAL };

struct fake_file {
    char *path; /* NULL: free slot */
    struct buf data;
    mode_t mode;
    char *owner;
    int64_t mtime;
    bool was_readable; /* by everybody, at any moment since it was made, with content */
};

struct e2b_call {
    TAILQ_ENTRY(e2b_call) next;
    void (*answer)(struct e2b_call *call);
    int number; /* from 1 */
    bool is_cancelled;
    enum e2b_fop op;
    struct e2b_fop_args args;
    char *path, *to, *owner; /* copies */
    void *data;
    struct e2b_write write;
    struct e2b_read read;
    struct timespec if_mtime;
    e2b_entry_fn *on_entry;
    e2b_done_fn *on_done;
    e2b_data_fn *on_data;
    e2b_read_fn *on_read;
    void *arg;
};

static struct {
    struct loop *loop;
    struct fake_file files[FAKE_FILES];
    TAILQ_HEAD(, e2b_call) calls;
    struct buf log;
    int n_calls; /* started so far */
    int64_t now; /* seconds; moves with each change */
    int fault_at, fault_errno;
    enum fake_mode fault_mode;
    int fault_times; /* how many calls from fault_at on fail */
    void (*during_upload)(void);
    void (*during_read)(void);
} fake;

/* ---- the files ---- */

static struct fake_file *fake_find(const char *path)
{
    for (int i = 0; i < FAKE_FILES; i++)
        if (fake.files[i].path && strcmp(fake.files[i].path, path) == 0)
            return &fake.files[i];
    return NULL;
}

static void fake_remove(struct fake_file *file)
{
    free(file->path);
    free(file->owner);
    buf_clear(&file->data);
    *file = (struct fake_file){ 0 };
}

static void fake_seen(struct fake_file *file)
{
    if ((file->mode & 0004) && file->data.len > 0)
        file->was_readable = true;
}

static struct fake_file *fake_make(const char *path, mode_t mode, const char *owner)
{
    for (int i = 0; i < FAKE_FILES; i++) {
        if (fake.files[i].path)
            continue;
        fake.files[i] = (struct fake_file){
            .path = xstrdup(path), .mode = mode, .owner = xstrdup(owner), .mtime = ++fake.now
        };
        return &fake.files[i];
    }
    abort();
}

static void fake_set(struct fake_file *file, size_t off, const void *data, size_t len)
{
    while (file->data.len < off + len)
        buf_putc(&file->data, '\0');
    if (len > 0)
        memcpy(file->data.data + off, data, len);
    file->mtime = ++fake.now;
    fake_seen(file);
}

__attribute__((unused)) static struct fake_file *fake_put(const char *path, const char *data)
{
    struct fake_file *file = fake_find(path);

    if (!file)
        file = fake_make(path, 0644, "user");
    buf_reset(&file->data);
    fake_set(file, 0, data, strlen(data));
    return file;
}

__attribute__((unused)) static const char *fake_get(const char *path)
{
    struct fake_file *file = fake_find(path);

    return file ? buf_str(&file->data) : NULL;
}

static int fake_count(void)
{
    int n = 0;

    for (int i = 0; i < FAKE_FILES; i++)
        n += fake.files[i].path != NULL;
    return n;
}

/* Borrowed strings; valid until the file changes. */
static struct e2b_entry fake_entry(const struct fake_file *file)
{
    return (struct e2b_entry){
        .name = (char *)path_base(file->path),
        .mode = S_IFREG | file->mode,
        .size = (int64_t)file->data.len,
        .mtime = { .tv_sec = file->mtime },
        .owner = file->owner,
        .group = file->owner,
    };
}

static void fake_reset(struct loop *loop)
{
    for (int i = 0; i < FAKE_FILES; i++)
        if (fake.files[i].path)
            fake_remove(&fake.files[i]);
    buf_clear(&fake.log);
    memset(&fake, 0, sizeof(fake));
    TAILQ_INIT(&fake.calls);
    fake.loop = loop;
    fake.now = 1000;
}

/* The nth call from now on (1: the next) fails. */
static void fake_fault(int nth, int errnum, enum fake_mode mode)
{
    fake.fault_at = fake.n_calls + nth;
    fake.fault_errno = errnum;
    fake.fault_mode = mode;
    fake.fault_times = 1;
}

/* ---- the calls ---- */

/* Temporary names are random: ".e2bfs-*" in the log. */
static void fake_log(const char *what, const char *path, const char *tail)
{
    const char *temp = strstr(path, ".e2bfs-");

    buf_printf(&fake.log, "%s %.*s%s%s\n", what, (int)(temp ? temp - path : INT32_MAX), path,
               temp ? "TEMP" : "", tail ? tail : "");
    if (temp)
        CHECK_INT(strlen(temp), 7 + 32);
}

__attribute__((unused)) static const char *fake_take_log(void)
{
    static char text[8192];

    (void)snprintf(text, sizeof(text), "%s", buf_str(&fake.log));
    buf_reset(&fake.log);
    return text;
}

static struct e2b_call *fake_call(const char *id, const char *path,
                                  void (*answer)(struct e2b_call *), void *arg)
{
    struct e2b_call *call = xcalloc(1, sizeof(*call));

    CHECK_STR(id, "sbx");
    call->number = ++fake.n_calls;
    call->answer = answer;
    call->path = xstrdup(path);
    call->arg = arg;
    TAILQ_INSERT_TAIL(&fake.calls, call, next);
    return call;
}

static void fake_call_free(struct e2b_call *call)
{
    free(call->path);
    free(call->to);
    free(call->owner);
    free(call->data);
    free(call);
}

static void fake_read(struct e2b_call *call, struct e2b_err *err, bool is_partial)
{
    struct fake_file *file = fake_find(call->path);
    struct e2b_read_info info = { 0 };
    size_t off = (size_t)call->read.off, len = (size_t)call->read.len;
    int r = 0;

    if (!file && !err->errnum)
        e2b_fail(err, ENOENT, "open %s", call->path);
    if (!err->errnum && call->read.if_mtime && file->mtime > call->if_mtime.tv_sec)
        e2b_fail(err, ESTALE, "%s is newer", call->path);
    if (file && off + len > file->data.len)
        len = off < file->data.len ? file->data.len - off : 0;
    if (is_partial)
        len /= 2;
    if (!err->errnum || is_partial) {
        size_t half = len / 2;

        if (half > 0)
            r = call->on_data(call->arg, file->data.data + off, half);
        if (fake.during_read)
            fake.during_read();
        if (r == 0 && len > half)
            r = call->on_data(call->arg, file->data.data + off + half, len - half);
        if (r < 0)
            e2b_fail(err, -r, "stopped");
        info = (struct e2b_read_info){ (int64_t)file->data.len, file->mtime };
    }
    call->on_read(call->arg, err->errnum ? NULL : &info, err->errnum ? err : NULL);
}

static bool fake_pread(int fd, char *to, size_t len, off_t off)
{
    return len == 0 || pread(fd, to, len, off) == (ssize_t)len;
}

/* The server truncates first, and keeps what came. */
static void fake_upload(struct e2b_call *call, struct e2b_err *err, bool is_partial)
{
    struct fake_file *file = fake_find(call->path);
    size_t len = (size_t)call->write.len, half = len / 2;
    autofree char *data = xmalloc(len + 1);

    if (!file)
        file = fake_make(call->path, 0644, call->owner ? call->owner : "user");
    free(file->owner);
    file->owner = xstrdup(call->owner ? call->owner : "user");
    file->mode &= 01777;
    buf_reset(&file->data);
    if (!fake_pread(call->write.fd, data, half, call->write.off)) {
        e2b_fail(err, EIO, "short file");
        return;
    }
    fake_set(file, 0, data, half);
    if (fake.during_upload)
        fake.during_upload();
    if (is_partial)
        return;
    if (!fake_pread(call->write.fd, data + half, len - half, call->write.off + (off_t)half)) {
        e2b_fail(err, EIO, "short file");
        return;
    }
    fake_set(file, half, data + half, len - half);
}

/* What the helper program of each operation does; the path that it leaves, or NULL. */
static const char *fake_do(struct e2b_call *call, struct e2b_err *err)
{
    const struct e2b_fop_args *a = &call->args;
    struct fake_file *file = fake_find(call->path), *to = call->to ? fake_find(call->to) : NULL;

    if (call->op == E2B_FOP_CREATE) {
        if (file)
            e2b_fail(err, EEXIST, "%s exists", call->path);
        else
            fake_make(call->path, a->mode, call->owner ? call->owner : "user");
        return call->path;
    }
    if (!file || (call->op == E2B_FOP_SPLICE && !to)) {
        e2b_fail(err, ENOENT, "%s: no such file", call->path);
        return NULL;
    }
    switch (call->op) {
    case E2B_FOP_UNLINK:
        fake_remove(file);
        return NULL;
    case E2B_FOP_CHMOD:
        file->mode = a->mode;
        fake_seen(file);
        return call->path;
    case E2B_FOP_TRUNCATE:
        if ((size_t)a->size < file->data.len)
            file->data.len = (size_t)a->size;
        fake_set(file, (size_t)a->size, NULL, 0);
        return call->path;
    case E2B_FOP_APPEND:
        fake_set(file, file->data.len, call->data, a->len);
        return call->path;
    case E2B_FOP_PWRITE:
        fake_set(file, (size_t)a->size, call->data, a->len);
        return call->path;
    case E2B_FOP_SPLICE:
        fake_set(to, a->size < 0 ? to->data.len : (size_t)a->size, file->data.data,
                 file->data.len);
        fake_remove(file);
        return call->to;
    case E2B_FOP_REPLACE:
        file->mode = to ? to->mode : 0644;
        if (to) {
            free(file->owner);
            file->owner = xstrdup(to->owner);
            fake_remove(to);
        }
        free(file->path);
        file->path = xstrdup(call->to);
        fake_seen(file);
        return call->to;
    default:
        e2b_fail(err, EINVAL, "the spool has no use for this");
        return NULL;
    }
}

static bool fake_is_faulty(struct e2b_call *call, struct e2b_err *err)
{
    if (call->number < fake.fault_at || call->number >= fake.fault_at + fake.fault_times)
        return false;
    e2b_fail(err, fake.fault_errno, "fault");
    return true;
}

static void fake_answer_op(struct e2b_call *call)
{
    struct e2b_err err = { 0 };
    bool is_faulty = fake_is_faulty(call, &err);
    struct e2b_err lost = err;
    const char *left = NULL;
    struct e2b_entry entry;

    if (call->is_cancelled)
        e2b_fail(&err, ECANCELED, "cancelled");
    if (!err.errnum || (is_faulty && fake.fault_mode == FAKE_AFTER)) {
        e2b_err_clear(&err);
        left = fake_do(call, &err);
        if (is_faulty)
            err = lost;
    }
    if (left && !err.errnum)
        entry = fake_entry(fake_find(left));
    call->on_entry(call->arg, left && !err.errnum ? &entry : NULL, err.errnum ? &err : NULL);
}

static void fake_answer_stat(struct e2b_call *call)
{
    struct e2b_err err = { 0 };
    struct fake_file *file = fake_find(call->path);
    struct e2b_entry entry;

    fake_is_faulty(call, &err);
    if (call->is_cancelled)
        e2b_fail(&err, ECANCELED, "cancelled");
    if (!file)
        e2b_fail(&err, ENOENT, "%s: no such file", call->path);
    else
        entry = fake_entry(file);
    call->on_entry(call->arg, err.errnum ? NULL : &entry, err.errnum ? &err : NULL);
}

static void fake_answer_write(struct e2b_call *call)
{
    struct e2b_err err = { 0 };
    bool is_faulty = fake_is_faulty(call, &err);
    struct e2b_err lost = err;

    if (call->is_cancelled)
        e2b_fail(&err, ECANCELED, "cancelled");
    if (!err.errnum || (is_faulty && fake.fault_mode != FAKE_BEFORE)) {
        e2b_err_clear(&err);
        fake_upload(call, &err, is_faulty && fake.fault_mode == FAKE_PARTIAL);
        if (is_faulty)
            err = lost;
        else if (call->is_cancelled) /* in the middle */
            e2b_fail(&err, ECANCELED, "cancelled");
    }
    call->on_done(call->arg, err.errnum ? &err : NULL);
}

static void fake_answer_read(struct e2b_call *call)
{
    struct e2b_err err = { 0 };
    bool is_faulty = fake_is_faulty(call, &err);

    if (call->is_cancelled)
        e2b_fail(&err, ECANCELED, "cancelled");
    fake_read(call, &err, is_faulty && fake.fault_mode != FAKE_BEFORE && fake_find(call->path));
}

/* Answers the oldest call; false if there is none. */
static bool fake_step(void)
{
    struct e2b_call *call = TAILQ_FIRST(&fake.calls);

    if (!call)
        return false;
    TAILQ_REMOVE(&fake.calls, call, next);
    call->answer(call);
    fake_call_free(call);
    return true;
}

static void fake_run(void)
{
    do {
        loop_turn(fake.loop, 0); /* what was posted */
        loop_turn(fake.loop, 0); /* what that posted */
    } while (fake_step());
    loop_turn(fake.loop, 0);
}

/* ---- e2b/file.h ---- */

void e2b_entry_clear(struct e2b_entry *e)
{
    free(e->name);
    free(e->owner);
    free(e->group);
    free(e->link_text);
    *e = (struct e2b_entry){ 0 };
}

void e2b_entry_copy(struct e2b_entry *to, const struct e2b_entry *from)
{
    *to = *from;
    to->name = xstrdup(from->name);
    to->owner = xstrdup(from->owner);
    to->group = xstrdup(from->group);
    to->link_text = xstrdup(from->link_text);
}

void e2b_call_cancel(struct e2b_call *call)
{
    call->is_cancelled = true;
}

struct e2b_call *e2b_file_stat(struct e2b_client *client, const char *id, const char *path,
                               e2b_entry_fn *fn, void *arg)
{
    struct e2b_call *call = fake_call(id, path, fake_answer_stat, arg);

    (void)client;
    fake_log("stat", path, NULL);
    call->on_entry = fn;
    return call;
}

struct e2b_call *e2b_file_read(struct e2b_client *client, const char *id,
                               const struct e2b_read *read, e2b_data_fn *on_data,
                               e2b_read_fn *fn, void *arg)
{
    struct e2b_call *call = fake_call(id, read->path, fake_answer_read, arg);
    char tail[64];

    (void)client;
    (void)snprintf(tail, sizeof(tail), " %" PRId64 "+%" PRId64, read->off, read->len);
    fake_log("read", read->path, tail);
    call->read = *read;
    if (read->if_mtime)
        call->if_mtime = *read->if_mtime;
    call->on_data = on_data;
    call->on_read = fn;
    return call;
}

struct e2b_call *e2b_file_write(struct e2b_client *client, const char *id,
                                const struct e2b_write *write, e2b_done_fn *fn, void *arg)
{
    struct e2b_call *call = fake_call(id, write->path, fake_answer_write, arg);
    char tail[64];

    (void)client;
    (void)snprintf(tail, sizeof(tail), " %" PRId64, write->len);
    fake_log("post", write->path, tail);
    call->write = *write;
    call->owner = xstrdup(write->owner);
    call->on_done = fn;
    return call;
}

struct e2b_call *e2b_file_op(struct e2b_client *client, const char *id, enum e2b_fop op,
                             const struct e2b_fop_args *args, e2b_entry_fn *fn, void *arg)
{
    static const char *const names[] = {
        [E2B_FOP_UNLINK] = "unlink",     [E2B_FOP_CHMOD] = "chmod",
        [E2B_FOP_TRUNCATE] = "truncate", [E2B_FOP_CREATE] = "create",
        [E2B_FOP_REPLACE] = "replace",   [E2B_FOP_APPEND] = "append",
        [E2B_FOP_PWRITE] = "pwrite",     [E2B_FOP_SPLICE] = "splice",
    };
    struct e2b_call *call = fake_call(id, args->path, fake_answer_op, arg);
    char tail[64] = "";

    (void)client;
    if (op == E2B_FOP_CREATE || op == E2B_FOP_CHMOD)
        (void)snprintf(tail, sizeof(tail), " %o", (unsigned)args->mode);
    if (op == E2B_FOP_TRUNCATE || op == E2B_FOP_SPLICE)
        (void)snprintf(tail, sizeof(tail), " %" PRId64, args->size);
    if (op == E2B_FOP_APPEND)
        (void)snprintf(tail, sizeof(tail), " %zu", args->len);
    if (op == E2B_FOP_PWRITE)
        (void)snprintf(tail, sizeof(tail), " %" PRId64 "+%zu", args->size, args->len);
    fake_log(names[op], args->path, tail);
    CHECK(args->len <= E2B_FOP_DATA_MAX);
    call->op = op;
    call->args = *args;
    call->to = xstrdup(args->to);
    call->owner = xstrdup(args->user);
    call->data = args->len ? xmemdup(args->data, args->len) : NULL;
    call->on_entry = fn;
    return call;
}

#endif
