/* SPDX-License-Identifier: MIT */
/* What ends, prolongs, stops and continues a sandbox (control-plane.md 6.5 to 6.10). */
#include "client.h"
#include "sandboxes.h"

#include "util/xalloc.h"

#include <errno.h>
#include <string.h>

/* ---- kill and timeout ---- */

struct change_op {
    struct e2b_call call;
    e2b_done_fn *fn;
    void *arg;
    char *id;
    int64_t timeout_s;
    struct e2b_err refusal; /* of the timeout, while GET finds out why */
};

static void change_end(struct e2b_call *call, const struct e2b_err *err)
{
    struct change_op *op = (struct change_op *)call;

    op->fn(op->arg, err);
    free(op->id);
}

static struct change_op *change_new(struct e2b_client *client, const char *id, e2b_done_fn *fn,
                                    void *arg, struct e2b_err *err)
{
    struct change_op *op = call_new(client, sizeof(*op), change_end);

    op->fn = fn;
    op->arg = arg;
    sandbox_id(id, &op->id, err);
    return op;
}

static void kill_answer(struct e2b_call *call, const struct answer *answer)
{
    struct change_op *op = (struct change_op *)call;
    const struct e2b_err *err = answer->err;

    /* An earlier try of ours may have done it, and its answer got lost. */
    if (err && err->errnum == ENOENT && answer->tries > 1)
        err = NULL;
    if (!err || err->errnum == ENOENT)
        access_gone(call->client, op->id, loop_now_ms(call->client->loop));
    call_end(call, err);
}

struct e2b_call *e2b_sandbox_kill(struct e2b_client *client, const char *id, e2b_done_fn *fn,
                                  void *arg)
{
    struct e2b_err err = { 0 };
    struct change_op *op = change_new(client, id, fn, arg, &err);

    if (err.errnum)
        return call_end_later(&op->call, &err);
    call_send(&op->call, &(struct call_request){ .endpoint = EP_SANDBOX_KILL,
                                                 .id = op->id,
                                                 .on_answer = kill_answer });
    return &op->call;
}

/* A 404 to a timeout is a paused sandbox or none: GET tells them apart. */
static void timeout_get_answer(void *arg, const struct e2b_sandbox *s,
                               const struct e2b_err *err)
{
    struct change_op *op = arg;
    struct e2b_err paused = { 0 };

    if (err) {
        call_end(&op->call, err);
    } else if (s->state == E2B_STATE_PAUSED) {
        e2b_fail(&paused, EHOSTDOWN, "sandbox %s: timeout: the sandbox is paused", op->id);
        call_end(&op->call, &paused);
    } else {
        call_end(&op->call, &op->refusal);
    }
}

static void timeout_answer(struct e2b_call *call, const struct answer *answer)
{
    struct change_op *op = (struct change_op *)call;
    double now = client_server_now(call->client);

    if (answer->err && answer->err->http_status == 404) {
        op->refusal = *answer->err;
        call_adopt(call, e2b_sandbox_get(call->client, op->id, timeout_get_answer, op));
        return;
    }
    /* A plan's limit may cut it short, silently: the next answer that names the sandbox tells
     * the real end. */
    if (!answer->err)
        access_moved_end(call->client, op->id, now + (double)op->timeout_s);
    call_end(call, answer->err);
}

struct e2b_call *e2b_sandbox_set_timeout(struct e2b_client *client, const char *id,
                                         int64_t timeout_s, e2b_done_fn *fn, void *arg)
{
    struct e2b_err err = { 0 };
    struct change_op *op = change_new(client, id, fn, arg, &err);
    struct call_request req = { .endpoint = EP_SANDBOX_TIMEOUT,
                                .id = op->id,
                                .on_answer = timeout_answer };

    if (!err.errnum && (timeout_s < 1 || timeout_s > INT32_MAX))
        e2b_fail(&err, EINVAL, "sandbox %s: a timeout is 1 to %d seconds", op->id, INT32_MAX);
    if (err.errnum)
        return call_end_later(&op->call, &err);
    op->timeout_s = timeout_s;
    /* Never without a body: an empty one means "end now" (control-plane.md 4.2). */
    buf_printf(&req.body, "{\"timeout\":%lld}", (long long)timeout_s);
    call_send(&op->call, &req);
    return &op->call;
}

/* ---- pause and resume: POST -> GET, which tells what became of it ---- */

struct turn_op {
    struct e2b_call call;
    e2b_sandbox_fn *fn;
    void *arg;
    char *id;
    int64_t timeout_s;
    size_t route; /* resume: which of `resume_routes` is tried */
    struct e2b_sandbox sandbox;
};

static void turn_end(struct e2b_call *call, const struct e2b_err *err)
{
    struct turn_op *op = (struct turn_op *)call;

    op->fn(op->arg, err ? NULL : &op->sandbox, err);
    e2b_sandbox_clear(&op->sandbox);
    free(op->id);
}

static void turn_seen(void *arg, const struct e2b_sandbox *s, const struct e2b_err *err)
{
    struct turn_op *op = arg;

    if (!err)
        e2b_sandbox_copy(&op->sandbox, s);
    call_end(&op->call, err);
}

static void turn_look(struct turn_op *op)
{
    call_adopt(&op->call, e2b_sandbox_get(op->call.client, op->id, turn_seen, op));
}

static struct turn_op *turn_new(struct e2b_client *client, const char *id, e2b_sandbox_fn *fn,
                                void *arg, struct e2b_err *err)
{
    struct turn_op *op = call_new(client, sizeof(*op), turn_end);

    op->fn = fn;
    op->arg = arg;
    sandbox_id(id, &op->id, err);
    return op;
}

static void pause_answer(struct e2b_call *call, const struct answer *answer)
{
    const struct e2b_err *err = answer->err;

    /* What was wished for is so already. */
    if (err && err->http_status == 409 && strstr(answer->cause, "already paused"))
        err = NULL;
    if (err)
        call_end(call, err);
    else
        turn_look((struct turn_op *)call);
}

struct e2b_call *e2b_sandbox_pause(struct e2b_client *client, const char *id,
                                   e2b_sandbox_fn *fn, void *arg)
{
    struct e2b_err err = { 0 };
    struct turn_op *op = turn_new(client, id, fn, arg, &err);
    struct call_request req = { .endpoint = EP_SANDBOX_PAUSE,
                                .id = op->id,
                                .on_answer = pause_answer };

    if (err.errnum)
        return call_end_later(&op->call, &err);
    buf_puts(&req.body, "{}");
    call_send(&op->call, &req);
    return &op->call;
}

/* Newest servers have all three, the oldest only the last (control-plane.md 22). */
static const enum endpoint_id resume_routes[] = { EP_SANDBOX_CONNECT, EP_SANDBOX_CONNECT_V2,
                                                  EP_SANDBOX_RESUME };

static void resume_answer(struct e2b_call *call, const struct answer *answer);

static void resume_send(struct turn_op *op)
{
    struct call_request req = { .endpoint = resume_routes[op->route],
                                .id = op->id,
                                .on_answer = resume_answer };

    buf_printf(&req.body, "{\"timeout\":%lld}", (long long)op->timeout_s);
    call_send(&op->call, &req);
}

static void resume_answer(struct e2b_call *call, const struct answer *answer)
{
    struct turn_op *op = (struct turn_op *)call;

    if (answer->err && answer->kind == ANSWER_NO_ROUTE &&
        op->route + 1 < ARRAY_LEN(resume_routes)) {
        op->route++;
        resume_send(op);
    } else if (answer->err) {
        call_end(call, answer->err);
    } else {
        turn_look(op);
    }
}

struct e2b_call *e2b_sandbox_resume(struct e2b_client *client, const char *id,
                                    int64_t timeout_s, e2b_sandbox_fn *fn, void *arg)
{
    struct e2b_err err = { 0 };
    struct turn_op *op = turn_new(client, id, fn, arg, &err);

    if (!err.errnum && (timeout_s < 1 || timeout_s > INT32_MAX))
        e2b_fail(&err, EINVAL, "sandbox %s: a timeout is 1 to %d seconds", op->id, INT32_MAX);
    if (err.errnum)
        return call_end_later(&op->call, &err);
    op->timeout_s = timeout_s;
    resume_send(op);
    return &op->call;
}
