/* SPDX-License-Identifier: MIT */
/* Running the rows of fops_table.c, and what else is a program: mv, readlink. */
#include "fops.h"

#include "call.h"
#include "find.h"
#include "helper.h"
#include "paths.h"

#include "util/path.h"
#include "util/xalloc.h"

#include <errno.h>
#include <string.h>

/* ---- running a row ---- */

struct fop_op {
    struct e2b_call call;
    e2b_entry_fn *fn;
    void *arg;
    char *id, *target; /* NULL: nothing to tell */
    bool must_tell;
    struct e2b_entry entry;
    bool has_entry;
};

static void fop_end(struct e2b_call *call, const struct e2b_err *err)
{
    struct fop_op *op = (struct fop_op *)call;

    op->fn(op->arg, !err && op->has_entry ? &op->entry : NULL, err);
    e2b_entry_clear(&op->entry);
    free(op->id);
    free(op->target);
}

static void fop_take(struct fop_op *op, const struct e2b_entry *entry)
{
    e2b_entry_copy(&op->entry, entry);
    free(op->entry.name);
    op->entry.name = xstrdup(path_base(op->target));
    op->has_entry = true;
}

/* The helper could not tell, so envd was asked.  What is done is done: only a new name without
 * attributes is worth an error. */
static void fop_stat(void *arg, const struct e2b_entry *entry, const struct e2b_err *err)
{
    struct fop_op *op = arg;

    if (entry)
        fop_take(op, entry);
    call_end(&op->call, op->must_tell ? err : NULL);
}

static void fop_done(void *arg, const struct e2b_exec_result *result, const struct e2b_err *err)
{
    struct fop_op *op = arg;
    struct e2b_entry_list list = { 0 };

    if (err || !op->target) {
        call_end(&op->call, err);
        return;
    }
    if (find_parse(result->out, result->out_len, &list, NULL) == 0 && list.n == 1)
        fop_take(op, &list.v[0]);
    e2b_entry_list_clear(&list);
    if (op->has_entry)
        call_end(&op->call, NULL);
    else
        call_adopt(&op->call, e2b_file_stat(op->call.client, op->id, op->target, fop_stat, op));
}

struct e2b_call *e2b_file_op(struct e2b_client *client, const char *id, enum e2b_fop fop,
                             const struct e2b_fop_args *args, e2b_entry_fn *fn, void *arg)
{
    struct fop_op *op = call_new(client, sizeof(*op), fop_end);
    autofree char *path = NULL;
    struct fops_argv argv = { 0 };
    struct e2b_err err = { 0 };
    const struct fop_row *row;

    op->fn = fn;
    op->arg = arg;
    if (file_target(id, args->path, &op->id, &path, &err) < 0)
        return call_end_later(&op->call, &err);
    if (fops_argv(fop, args, &argv, &err) < 0) {
        e2b_wrap(&err, 0, "sandbox %s", op->id);
        return call_end_later(&op->call, &err);
    }
    row = fops_row(fop, args);
    op->target = xstrdup(fops_target(row, args));
    op->must_tell = row->tells == TELLS_NEW_PATH || row->tells == TELLS_NEW_TO;
    call_adopt(&op->call, helper_run(client,
                                     &(struct helper){ .id = op->id,
                                                       .what = row->name,
                                                       .subject = path,
                                                       .argv = (const char *const *)argv.v,
                                                       .user = args->user,
                                                       .is_strict = row->is_strict,
                                                       .is_long = row->is_long },
                                     fop_done, op));
    fops_argv_clear(&argv);
    return &op->call;
}

/* ---- move ---- */

struct move_op {
    struct e2b_call call;
    e2b_done_fn *fn;
    void *arg;
};

static void move_end(struct e2b_call *call, const struct e2b_err *err)
{
    struct move_op *op = (struct move_op *)call;

    op->fn(op->arg, err);
}

static void move_done(void *arg, const struct e2b_exec_result *result,
                      const struct e2b_err *err)
{
    struct move_op *op = arg;

    (void)result;
    call_end(&op->call, err);
}

struct e2b_call *fops_move(struct e2b_client *client, const char *id, const char *from,
                           const char *to, e2b_done_fn *fn, void *arg)
{
    const char *const argv[] = { "mv", "-f", "-T", "--", from, to, NULL };
    struct move_op *op = call_new(client, sizeof(*op), move_end);

    op->fn = fn;
    op->arg = arg;
    call_adopt(
        &op->call,
        helper_run(
            client,
            &(struct helper){
                .id = id, .what = "move", .subject = from, .argv = argv, .user = "root" },
            move_done, op));
    return &op->call;
}

/* ---- readlink ---- */

struct readlink_op {
    struct e2b_call call;
    e2b_text_fn *fn;
    void *arg;
    const struct e2b_exec_result *result; /* borrowed, while readlink_done runs */
};

static void readlink_end(struct e2b_call *call, const struct e2b_err *err)
{
    struct readlink_op *op = (struct readlink_op *)call;

    op->fn(op->arg, err ? NULL : op->result->out, err ? 0 : op->result->out_len, err);
}

static void readlink_done(void *arg, const struct e2b_exec_result *result,
                          const struct e2b_err *err)
{
    struct readlink_op *op = arg;
    struct e2b_err why = { 0 };

    op->result = result;
    /* The sandbox may say anything; a kernel takes neither of these. */
    if (!err && (result->out_len == 0 || result->out_len > 4095 ||
                 memchr(result->out, '\0', result->out_len))) {
        e2b_fail(&why, EPROTO, "readlink: no text that a link can have");
        err = &why;
    }
    call_end(&op->call, err);
}

struct e2b_call *e2b_file_readlink(struct e2b_client *client, const char *id, const char *path,
                                   e2b_text_fn *fn, void *arg)
{
    struct readlink_op *op = call_new(client, sizeof(*op), readlink_end);
    const char *const argv[] = { "readlink", "-v", "-n", "--", path, NULL };
    autofree char *clean = NULL, *copy = NULL;
    struct e2b_err err = { 0 };

    op->fn = fn;
    op->arg = arg;
    if (file_target(id, path, &clean, &copy, &err) < 0)
        return call_end_later(&op->call, &err);
    /* As root, like Stat: reading is not what the user's rights are for. */
    call_adopt(&op->call, helper_run(client,
                                     &(struct helper){ .id = clean,
                                                       .what = "readlink",
                                                       .subject = path,
                                                       .argv = argv,
                                                       .user = "root" },
                                     readlink_done, op));
    return &op->call;
}
