/* SPDX-License-Identifier: MIT */
/* Names: Stat, MakeDir, ListDir and Move, and what is asked of `find` and `mv` where those
 * refuse (envd.md 9). */
#include "client.h"
#include "connect.h"
#include "find.h"
#include "fops.h"
#include "paths.h"
#include "sandboxes.h"

#include "util/path.h"
#include "util/xalloc.h"

#include <errno.h>
#include <string.h>

enum { LIST_TRIES = 3 };

int file_target(const char *id, const char *path, char **id_out, char **path_out,
                struct e2b_err *err)
{
    char *clean = NULL;
    int r = sandbox_id(id, &clean, err);

    if (r < 0)
        return r;
    if (!path || !path_is_normal(path)) {
        free(clean);
        return e2b_fail(err, EINVAL, "sandbox %s: '%.60s' is no absolute, normalised path", id,
                        path ? path : "");
    }
    *id_out = clean;
    *path_out = xstrdup(path);
    return 0;
}

/* Answers that envd can't write down: names that are not UTF-8, times beyond year 9999
 * (envd.md 9.7). */
static bool is_unspeakable(const struct answer *answer)
{
    return answer->err && answer->kind == ANSWER_SERVICE &&
           (strstr(answer->cause, "marshal message") ||
            strstr(answer->cause, "invalid UTF-8") ||
            strstr(answer->cause, "seconds out of range"));
}

/* ---- stat and make_dirs: one entry ---- */

struct stat_op {
    struct e2b_call call;
    e2b_entry_fn *fn;
    void *arg;
    char *id, *path;
    struct e2b_entry entry;
};

static void stat_end(struct e2b_call *call, const struct e2b_err *err)
{
    struct stat_op *op = (struct stat_op *)call;

    op->fn(op->arg, err ? NULL : &op->entry, err);
    e2b_entry_clear(&op->entry);
    free(op->id);
    free(op->path);
}

static int stat_decode(struct e2b_call *call, const json_t *json, struct e2b_err *err)
{
    struct stat_op *op = (struct stat_op *)call;

    /* The name is known; what the sandbox calls it does not matter. */
    return model_entry(json_object_get(json, "entry"), path_base(op->path), &op->entry, err);
}

static void stat_found(void *arg, struct e2b_entry_list *list, const struct e2b_err *err)
{
    struct stat_op *op = arg;
    struct e2b_err wrong = { 0 };

    if (!err && list->n == 1) {
        e2b_entry_copy(&op->entry, &list->v[0]);
        free(op->entry.name);
        op->entry.name = xstrdup(path_base(op->path));
    } else if (!err) {
        e2b_fail(&wrong, EPROTO, "sandbox %s: stat %s: find has no answer", op->id, op->path);
        err = &wrong;
    }
    call_end(&op->call, err);
}

static void stat_answer(struct e2b_call *call, const struct answer *answer)
{
    struct stat_op *op = (struct stat_op *)call;

    if (is_unspeakable(answer))
        call_adopt(call, find_entry(call->client, op->id, op->path, stat_found, op));
    else
        call_end(call, answer->err);
}

static struct e2b_call *ask_entry(struct e2b_client *client, enum endpoint_id endpoint,
                                  const char *id, const char *path, e2b_entry_fn *fn, void *arg)
{
    struct stat_op *op = call_new(client, sizeof(*op), stat_end);
    struct e2b_err err = { 0 };

    op->fn = fn;
    op->arg = arg;
    if (file_target(id, path, &op->id, &op->path, &err) < 0)
        return call_end_later(&op->call, &err);
    connect_unary(&op->call,
                  &(struct call_request){ .endpoint = endpoint,
                                          .id = op->id,
                                          .subject = op->path,
                                          .decode = stat_decode,
                                          .on_answer = stat_answer },
                  json_pack("{s:s}", "path", op->path));
    return &op->call;
}

struct e2b_call *e2b_file_stat(struct e2b_client *client, const char *id, const char *path,
                               e2b_entry_fn *fn, void *arg)
{
    return ask_entry(client, EP_STAT, id, path, fn, arg);
}

struct e2b_call *e2b_file_make_dirs(struct e2b_client *client, const char *id, const char *path,
                                    e2b_entry_fn *fn, void *arg)
{
    return ask_entry(client, EP_MAKE_DIR, id, path, fn, arg);
}

/* ---- list ---- */

struct list_dir_op {
    struct e2b_call call;
    e2b_entry_list_fn *fn;
    void *arg;
    char *id, *path;
    struct e2b_entry_list list;
    int tries;
};

static void list_dir_end(struct e2b_call *call, const struct e2b_err *err)
{
    struct list_dir_op *op = (struct list_dir_op *)call;

    op->fn(op->arg, err ? NULL : &op->list, err);
    e2b_entry_list_clear(&op->list);
    free(op->id);
    free(op->path);
}

static int list_dir_decode(struct e2b_call *call, const json_t *json, struct e2b_err *err)
{
    return model_entry_list(json, &((struct list_dir_op *)call)->list, err);
}

static void list_dir_found(void *arg, struct e2b_entry_list *list, const struct e2b_err *err)
{
    struct list_dir_op *op = arg;

    if (!err) {
        op->list = *list;
        *list = (struct e2b_entry_list){ 0 };
    }
    call_end(&op->call, err);
}

static void list_dir_answer(struct e2b_call *call, const struct answer *answer);

static void list_dir_send(struct list_dir_op *op)
{
    op->tries++;
    connect_unary(&op->call,
                  &(struct call_request){ .endpoint = EP_LIST_DIR,
                                          .id = op->id,
                                          .subject = op->path,
                                          .decode = list_dir_decode,
                                          .is_big = true,
                                          .on_answer = list_dir_answer },
                  json_pack("{s:s, s:i}", "path", op->path, "depth", 1));
}

/* Something inside vanished while envd walked: not ours to report as the directory's absence
 * (envd.md 9.4). */
static bool is_race(const struct answer *answer)
{
    return answer->err && answer->kind == ANSWER_SERVICE &&
           answer->err->code == E2B_CONNECT_INTERNAL &&
           (strstr(answer->cause, "error reading directory") ||
            strstr(answer->cause, "error getting file info"));
}

/* An envd before 0.2.5 sends names only. */
static bool is_bare(const struct answer *answer)
{
    return answer->err && answer->err->errnum == EPROTO &&
           strstr(answer->cause, "'permissions' is missing");
}

static void list_dir_answer(struct e2b_call *call, const struct answer *answer)
{
    struct list_dir_op *op = (struct list_dir_op *)call;

    if (is_race(answer) && op->tries < LIST_TRIES)
        list_dir_send(op);
    else if (is_race(answer) || is_bare(answer) || is_unspeakable(answer))
        call_adopt(call, find_children(call->client, op->id, op->path, list_dir_found, op));
    else
        call_end(call, answer->err);
}

struct e2b_call *e2b_file_list(struct e2b_client *client, const char *id, const char *path,
                               e2b_entry_list_fn *fn, void *arg)
{
    struct list_dir_op *op = call_new(client, sizeof(*op), list_dir_end);
    struct e2b_err err = { 0 };

    op->fn = fn;
    op->arg = arg;
    if (file_target(id, path, &op->id, &op->path, &err) < 0)
        return call_end_later(&op->call, &err);
    list_dir_send(op);
    return &op->call;
}

/* ---- move ---- */

struct move_op {
    struct e2b_call call;
    e2b_done_fn *fn;
    void *arg;
    char *id, *from, *to;
};

static void move_end(struct e2b_call *call, const struct e2b_err *err)
{
    struct move_op *op = (struct move_op *)call;

    op->fn(op->arg, err);
    free(op->id);
    free(op->from);
    free(op->to);
}

static void move_mv_done(void *arg, const struct e2b_err *err)
{
    call_end(arg, err);
}

static void move_answer(struct e2b_call *call, const struct answer *answer)
{
    struct move_op *op = (struct move_op *)call;

    /* "file exists" is what Go says to every destination that is a directory; rename(2) would
     * replace an empty one, and has better words for the others (envd.md 9.4). */
    if (answer->err && answer->err->errnum == EEXIST && answer->kind == ANSWER_SERVICE)
        call_adopt(call, fops_move(call->client, op->id, op->from, op->to, move_mv_done, op));
    else
        call_end(call, answer->err);
}

struct e2b_call *e2b_file_move(struct e2b_client *client, const char *id, const char *from,
                               const char *to, e2b_done_fn *fn, void *arg)
{
    struct move_op *op = call_new(client, sizeof(*op), move_end);
    struct e2b_err err = { 0 };

    op->fn = fn;
    op->arg = arg;
    if (file_target(id, from, &op->id, &op->from, &err) < 0)
        return call_end_later(&op->call, &err);
    if (!to || !path_is_normal(to)) {
        e2b_fail(&err, EINVAL, "sandbox %s: '%.60s' is no absolute, normalised path", op->id,
                 to ? to : "");
        return call_end_later(&op->call, &err);
    }
    op->to = xstrdup(to);
    connect_unary(
        &op->call,
        &(struct call_request){
            .endpoint = EP_MOVE, .id = op->id, .subject = op->from, .on_answer = move_answer },
        json_pack("{s:s, s:s}", "source", op->from, "destination", op->to));
    return &op->call;
}
