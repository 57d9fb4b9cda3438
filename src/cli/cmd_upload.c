/* SPDX-License-Identifier: MIT */
/*
 * upload: a new file is written where it belongs.  One that is there already is written as a
 * temporary beside it, which then takes its place: whatever fails, the old content stays.
 */
#include "cmd.h"

#include "interrupt.h"
#include "prefix.h"
#include "progress.h"
#include "remote.h"
#include "source.h"
#include "util/codec.h"
#include "util/path.h"
#include "util/xalloc.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct upload {
    struct cli *cli;
    const struct target *target;
    const struct source *source;
    char *path;           /* owned; without links */
    struct e2b_entry old; /* what is there; mode 0: nothing */
    struct e2b_call *call;
    int signum; /* that ended it, or 0 */
};

/* --- requests ---------------------------------------------------------------------------- */

static int file_op(const struct upload *u, enum e2b_fop op, const struct e2b_fop_args *args,
                   struct e2b_entry *entry, struct e2b_err *err)
{
    return e2b_wait(
        e2b_file_op(u->target->account->client, u->target->id, op, args, e2b_entry_keep, entry),
        err);
}

static void on_written(void *arg, const struct e2b_err *err)
{
    struct upload *u = arg;

    (void)err; /* e2b_wait says it */
    u->call = NULL;
}

static int64_t bytes_sent(void *arg)
{
    const struct upload *u = arg;

    return u->call ? e2b_file_write_sent(u->call) : u->source->len;
}

static int send_to(struct upload *u, const char *path, struct e2b_err *err)
{
    const struct e2b_write write = {
        .path = path,
        .fd = u->source->fd,
        .off = u->source->off,
        .len = u->source->len,
    };
    struct interrupt interrupt;
    struct progress progress;
    int r;

    interrupt_start(&interrupt, u->cli->loop, &u->call);
    progress_start(&progress, u->cli, u->source->len, bytes_sent, u);
    u->call = e2b_file_write(u->target->account->client, u->target->id, &write, on_written, u);
    r = e2b_wait(u->call, err);
    progress_stop(&progress);
    interrupt_stop(&interrupt);
    if (r < 0)
        u->signum = interrupt.signum;
    return r;
}

/* --- the two ways ------------------------------------------------------------------------ */

static int send_new(struct upload *u, struct e2b_err *err)
{
    struct e2b_fop_args args = { .path = u->path, .mode = 0755 };
    struct e2b_entry entry = { 0 };
    int r = send_to(u, u->path, err);

    if (u->signum)
        cli_note(u->cli, "a part may be left in the sandbox");
    if (r == 0 && u->source->is_executable)
        r = file_op(u, E2B_FOP_CHMOD, &args, &entry, err);
    e2b_entry_clear(&entry);
    return r;
}

/* Best effort; nobody should wait for a second time-out. */
static void remove_temp(const struct upload *u, const char *temp, const struct e2b_err *cause)
{
    struct e2b_fop_args args = { .path = temp, .user = "root" };
    struct e2b_entry entry = { 0 };
    struct e2b_err err = { 0 };

    if (cause->errnum == EHOSTDOWN || cause->errnum == ESTALE)
        return;
    if (e2b_err_exit_code(cause) == E2B_EXIT_TEMPORARY ||
        (file_op(u, E2B_FOP_UNLINK, &args, &entry, &err) < 0 && err.errnum != ENOENT))
        cli_note(u->cli, "a part may be left in the sandbox: %s", temp);
    e2b_entry_clear(&entry);
}

static int replace_by(struct upload *u, const char *temp, struct e2b_err *err)
{
    struct e2b_fop_args args = { .path = temp, .to = u->path, .user = "root" };
    struct e2b_entry entry = { 0 };
    int r = file_op(u, E2B_FOP_REPLACE, &args, &entry, err);

    if (r == 0 && entry.mode && entry.size != u->source->len)
        r = e2b_fail(err, EIO,
                     "sandbox %s: %s has %" PRId64 " bytes of %" PRId64
                     "; is somebody else writing it?",
                     u->target->id, u->path, entry.size, u->source->len);
    e2b_entry_clear(&entry);
    return r;
}

static int send_replacement(struct upload *u, struct e2b_err *err)
{
    autofree char *dir = path_dir(u->path), *name = NULL, *temp = NULL;
    bool is_private = (u->old.mode & 0044) != 0044;
    struct e2b_entry entry = { 0 };
    struct e2b_err cause = { 0 };
    char hex[33];
    int r = 0;

    random_hex(hex, 16);
    name = xasprintf(".e2bfs-%s", hex);
    temp = path_join(dir, name);
    /* What only its owner may read is not shown to others on its way. */
    if (is_private) {
        struct e2b_fop_args args = { .path = temp, .mode = 0600, .user = "root" };

        r = file_op(u, E2B_FOP_CREATE, &args, &entry, &cause);
        e2b_entry_clear(&entry);
    }
    if (r == 0)
        r = send_to(u, temp, &cause);
    if (r == 0)
        r = replace_by(u, temp, &cause);
    if (r < 0) {
        remove_temp(u, temp, &cause);
        if (err)
            *err = cause;
    }
    return r;
}

/* --- where to ---------------------------------------------------------------------------- */

static int find_place(struct upload *u, const char *path, struct e2b_err *err)
{
    free(steal_ptr(&u->path));
    e2b_entry_clear(&u->old);
    return remote_find(u->target, path, &u->path, &u->old, err);
}

/* In a directory the file has its local name. */
static int choose_place(struct upload *u, const char *path, const char *local, bool is_dir,
                        struct e2b_err *err)
{
    const char *slash = strrchr(local, '/');
    const char *name = slash ? slash + 1 : local;
    autofree char *inside = NULL;
    int r = find_place(u, path, err);

    if (r == 0 && is_dir && !S_ISDIR(u->old.mode))
        return e2b_fail(err, u->old.mode ? ENOTDIR : ENOENT,
                        "sandbox %s: %s: no such directory", u->target->id, path);
    if (r == 0 && S_ISDIR(u->old.mode)) {
        if (strcmp(local, "-") == 0 || !path_name_ok(name))
            return e2b_fail(err, EISDIR, "sandbox %s: %s is a directory", u->target->id, path);
        inside = path_join(u->path, name);
        r = find_place(u, inside, err);
    }
    if (r == 0 && S_ISDIR(u->old.mode))
        return e2b_fail(err, EISDIR, "sandbox %s: %s is a directory", u->target->id, u->path);
    if (r == 0 && u->old.mode && !S_ISREG(u->old.mode))
        return e2b_fail(err, EOPNOTSUPP, "sandbox %s: %s is no regular file", u->target->id,
                        u->path);
    return r;
}

static int upload_file(struct cli *cli, const struct target *target, const char *local,
                       const char *path, bool is_dir, struct e2b_err *err)
{
    struct upload u = { .cli = cli, .target = target };
    struct source source = { .fd = -1 };
    int r = choose_place(&u, path, local, is_dir, err);

    if (r == 0)
        r = source_open(local, &source, err);
    u.source = &source;
    if (r == 0)
        r = u.old.mode ? send_replacement(&u, err) : send_new(&u, err);
    source_close(&source);
    free(u.path);
    e2b_entry_clear(&u.old);
    return u.signum ? 128 + u.signum : r;
}

static int upload_run(struct cli *cli, const void *opts, const struct opt_operands *operands,
                      struct e2b_err *err)
{
    const char *local = operands->v[1], *remote = operands->v[2];
    size_t len = strlen(remote);
    bool is_dir = len > 0 && remote[len - 1] == '/';
    autofree char *path = NULL;
    struct target target = { 0 };
    int r = target_resolve(cli, operands->v[0], PREFIX_MIN, &target, err);

    (void)opts;
    if (r == 0)
        r = remote_path(cli, &target, remote, &path, err);
    if (r == 0)
        r = upload_file(cli, &target, local, path, is_dir, err);
    target_clear(&target);
    return r;
}

const struct cmd cmd_upload = {
    .name = "upload",
    .args = "SANDBOX LOCAL REMOTE",
    .summary = "copy a file into a sandbox",
    .details =
        "LOCAL is a file, or - for standard input; REMOTE a file or a directory. A file that\n"
        "is there keeps owner and mode, and its content until all of the new one has come.\n"
        "New files belong to the default user; missing directories above them are made. On a\n"
        "terminal the progress is shown.",
    .min_operands = 3,
    .max_operands = 3,
    .run = upload_run,
};
