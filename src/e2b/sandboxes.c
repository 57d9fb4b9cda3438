/* SPDX-License-Identifier: MIT */
/* Get and create a sandbox (control-plane.md 6); lifecycle.c has what changes one. */
#include "sandboxes.h"

#include "client.h"

#include "util/xalloc.h"

#include <errno.h>
#include <string.h>

enum { DEFAULT_TIMEOUT_S = 300 };

int sandbox_id(const char *id, char **out, struct e2b_err *err)
{
    char *clean = model_id(id);

    if (!clean)
        return e2b_fail(err, EINVAL, "'%.40s' is no sandbox id", id ? id : "");
    *out = clean;
    return 0;
}

/* ---- get ---- */

struct get_op {
    struct e2b_call call;
    e2b_sandbox_fn *fn;
    void *arg;
    char *id;
    struct e2b_sandbox sandbox;
    struct model_access secret;
    int64_t sent_ms;
};

static void get_end(struct e2b_call *call, const struct e2b_err *err)
{
    struct get_op *op = (struct get_op *)call;

    op->fn(op->arg, err ? NULL : &op->sandbox, err);
    e2b_sandbox_clear(&op->sandbox);
    model_access_clear(&op->secret);
    free(op->id);
}

static int get_decode(struct e2b_call *call, const json_t *json, struct e2b_err *err)
{
    struct get_op *op = (struct get_op *)call;
    int r = model_sandbox(json, &op->sandbox, err);

    if (r == 0)
        r = model_access(json, &op->secret, err);
    op->sandbox.is_detail = true;
    return r;
}

static void get_answer(struct e2b_call *call, const struct answer *answer)
{
    struct get_op *op = (struct get_op *)call;

    if (!answer->err && strcmp(op->sandbox.id, op->id) != 0) {
        struct e2b_err err = { 0 };

        e2b_fail(&err, EPROTO, "sandbox %s: the server answered for another one", op->id);
        call_end(call, &err);
        return;
    }
    if (!answer->err)
        access_learn(call->client, &op->sandbox, &op->secret, op->sent_ms);
    else if (answer->err->errnum == ENOENT && answer->err->http_status == 404)
        access_gone(call->client, op->id, op->sent_ms);
    call_end(call, answer->err);
}

struct e2b_call *e2b_sandbox_get(struct e2b_client *client, const char *id, e2b_sandbox_fn *fn,
                                 void *arg)
{
    struct get_op *op = call_new(client, sizeof(*op), get_end);
    struct e2b_err err = { 0 };

    op->fn = fn;
    op->arg = arg;
    /* The first try's time: at worst the knowledge counts as older than it is. */
    op->sent_ms = loop_now_ms(client->loop);
    if (sandbox_id(id, &op->id, &err) < 0)
        return call_end_later(&op->call, &err);
    call_send(&op->call, &(struct call_request){ .endpoint = EP_SANDBOX_GET,
                                                 .id = op->id,
                                                 .decode = get_decode,
                                                 .on_answer = get_answer });
    return &op->call;
}

/* ---- create ---- */

struct create_op {
    struct e2b_call call;
    e2b_sandbox_fn *fn;
    void *arg;
    json_t *body; /* of v2 */
    struct e2b_sandbox sandbox;
    struct model_access secret;
    int64_t timeout_s;
};

static void create_end(struct e2b_call *call, const struct e2b_err *err)
{
    struct create_op *op = (struct create_op *)call;

    op->fn(op->arg, err ? NULL : &op->sandbox, err);
    e2b_sandbox_clear(&op->sandbox);
    model_access_clear(&op->secret);
    json_decref(op->body);
}

static int create_decode(struct e2b_call *call, const json_t *json, struct e2b_err *err)
{
    struct create_op *op = (struct create_op *)call;
    int r = model_sandbox(json, &op->sandbox, err);

    return r < 0 ? r : model_access(json, &op->secret, err);
}

static void create_answer(struct e2b_call *call, const struct answer *answer);

static int create_send(struct create_op *op, enum endpoint_id endpoint, struct e2b_err *err)
{
    struct call_request req = {
        .endpoint = endpoint,
        .decode = create_decode,
        .on_answer = create_answer,
    };
    int r = jdump(op->body, &req.body);

    if (r < 0) {
        buf_clear(&req.body);
        return e2b_fail(err, -r, "create: the request is too large");
    }
    call_send(&op->call, &req);
    return 0;
}

static void create_answer(struct e2b_call *call, const struct answer *answer)
{
    struct create_op *op = (struct create_op *)call;
    struct e2b_err err = { 0 };

    /* v2 secures always; v1 must be told (control-plane.md 22). */
    if (answer->err && answer->kind == ANSWER_NO_ROUTE &&
        !json_object_get(op->body, "secure")) {
        json_object_set_new(op->body, "secure", json_true());
        if (create_send(op, EP_SANDBOX_CREATE_V1, &err) < 0)
            call_end(call, &err);
        return;
    }
    if (!answer->err) {
        access_learn(call->client, &op->sandbox, &op->secret, loop_now_ms(call->client->loop));
        access_moved_end(call->client, op->sandbox.id,
                         client_server_now(call->client) + (double)op->timeout_s);
    }
    call_end(call, answer->err);
}

static int add_map(json_t *body, const char *key, const struct e2b_pair *v, size_t n,
                   struct e2b_err *err)
{
    json_t *map;

    if (n == 0)
        return 0; /* members left unset are left out: null is refused */
    map = json_object();
    json_object_set_new(body, key, map);
    for (size_t i = 0; i < n; i++)
        if (json_object_set_new(map, v[i].key, json_string(v[i].value)) < 0)
            return e2b_fail(err, EILSEQ, "create: %s: keys and values must be UTF-8", key);
    return 0;
}

static int create_body(const struct e2b_create *c, struct create_op *op, struct e2b_err *err)
{
    json_t *body = op->body = json_object();
    int r = 0;

    if (op->timeout_s < 1)
        return e2b_fail(err, EINVAL, "create: a timeout is at least one second");
    if (json_object_set_new(body, "templateID",
                            json_string(c->template_ref ? c->template_ref : "base")) < 0)
        return e2b_fail(err, EILSEQ, "create: the template's name must be UTF-8");
    json_object_set_new(body, "timeout", json_integer(op->timeout_s));
    if (c->auto_pause)
        json_object_set_new(body, "autoPause", json_true());
    if (c->auto_resume)
        json_object_set_new(body, "autoResume", json_pack("{s:b}", "enabled", 1));
    if (c->no_internet)
        json_object_set_new(body, "allow_internet_access", json_false());
    r = add_map(body, "metadata", c->metadata, c->n_metadata, err);
    return r < 0 ? r : add_map(body, "envVars", c->envs, c->n_envs, err);
}

struct e2b_call *e2b_sandbox_create(struct e2b_client *client, const struct e2b_create *create,
                                    e2b_sandbox_fn *fn, void *arg)
{
    struct create_op *op = call_new(client, sizeof(*op), create_end);
    struct e2b_err err = { 0 };

    op->fn = fn;
    op->arg = arg;
    op->timeout_s = create->timeout_s ? create->timeout_s : DEFAULT_TIMEOUT_S;
    if (create_body(create, op, &err) < 0 || create_send(op, EP_SANDBOX_CREATE, &err) < 0)
        return call_end_later(&op->call, &err);
    return &op->call;
}
