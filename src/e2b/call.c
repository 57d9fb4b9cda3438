/* SPDX-License-Identifier: MIT */
/*
 * The life of an exchange:
 *
 *   call_send -> begin -> (access known) -> fire -> (answer) -> done -> finish -> on_answer
 *                  ^                                  |
 *                  +---- again, at most a few times --+
 */
#include "call.h"

#include "client.h"
#include "dest.h"

#include "util/log.h"
#include "util/xalloc.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum {
    FIRST_BYTE_MS = 10 * 1000, /* design 11 */
    /* After the head a small answer may take this long, whatever it trickles: without a total
     * a hostile peer could hold a call for ever by a byte now and then. */
    BODY_MS = 60 * 1000,
    /* Answers above this are parsed on a worker: more than 5 ms of work. */
    WORKER_BYTES = KIB(256),
};

void *call_new(struct e2b_client *client, size_t size, call_end_fn *end)
{
    struct e2b_call *call = xcalloc(1, size);

    loop_assert_here(client->loop);
    call->client = client;
    call->end = end;
    TAILQ_INSERT_TAIL(&client->calls, call, link);
    return call;
}

/* ---- ending ---- */

void call_end(struct e2b_call *call, const struct e2b_err *err)
{
    struct call_waiter *waiter = call->waiter;
    struct e2b_err copy = { 0 };

    assert(!call->x.is_active && !call->child);
    if (err)
        copy = *err; /* it may live in what `end` frees */
    TAILQ_REMOVE(&call->client->calls, call, link);
    if (call->parent)
        call->parent->child = NULL;
    call->end(call, copy.errnum ? &copy : NULL);
    free(call);
    if (waiter) {
        waiter->err = copy;
        waiter->is_done = true;
    }
}

static void end_posted(void *arg)
{
    struct e2b_call *call = arg;

    call_end(call, call->err.errnum ? &call->err : NULL);
}

struct e2b_call *call_end_later(struct e2b_call *call, const struct e2b_err *err)
{
    assert(!call->is_ending);
    call->is_ending = true;
    if (err)
        call->err = *err;
    loop_post(call->client->loop, end_posted, call);
    return call;
}

void call_adopt(struct e2b_call *call, struct e2b_call *child)
{
    assert(!call->child && !call->x.is_active);
    call->child = child;
    child->parent = call;
    if (call->is_cancelled)
        e2b_call_cancel(child);
}

struct http_transfer *call_transfer(struct e2b_call *call)
{
    return call->child ? call_transfer(call->child) : call->x.transfer;
}

/* ---- finishing an exchange ---- */

static void replace_all(char *text, const char *secret)
{
    size_t len = secret ? strlen(secret) : 0;

    if (len < 8)
        return;
    for (char *at = text; (at = strstr(at, secret)) != NULL;)
        memset(at, '*', len);
}

void call_scrub(struct e2b_client *client, const char *id, struct e2b_err *err)
{
    struct access *a = id ? access_find(client, id) : NULL;

    replace_all(err->msg, client->config.api_key);
    if (a)
        replace_all(err->msg, a->token);
}

static void exchange_clear(struct exchange *x)
{
    free(x->id);
    free(x->subject);
    free(x->user);
    free(x->req.query);
    buf_clear(&x->req.body);
    for (size_t i = 0; i < CALL_HEADERS; i++)
        free(x->req.headers[i]);
    *x = (struct exchange){ 0 };
}

/* "sandbox abc: stat /x: " in front of what went wrong. */
static void add_context(struct e2b_call *call, struct e2b_err *err)
{
    const struct exchange *x = &call->x;
    const char *gap = x->subject ? " " : "";
    const char *subject = x->subject ? x->subject : "";

    call_scrub(call->client, x->id, err);
    if (x->id)
        e2b_wrap(err, 0, "sandbox %s: %s%s%s", x->id, x->ep->name, gap, subject);
    else
        e2b_wrap(err, 0, "%s%s%s", x->ep->name, gap, subject);
}

/* `err` is filled for a failure, and gets its context here. */
static void finish(struct e2b_call *call, const struct http_response *resp, json_t *json,
                   struct e2b_err *err, enum answer_kind kind)
{
    struct exchange *x = &call->x;
    call_answer_fn *on_answer = x->req.on_answer;
    struct answer answer = { .resp = resp, .json = json, .kind = kind, .tries = x->tries };
    char cause[E2B_ERR_MSG_MAX];

    memcpy(cause, err->msg, sizeof(cause));
    answer.cause = cause;
    if (err->errnum) {
        call->client->stats.failures++;
        add_context(call, err);
        answer.err = err;
        answer.json = NULL;
    }
    loop_timer_stop(call->client->loop, &x->timer);
    access_leave(&x->waiter);
    exchange_clear(x);
    on_answer(call, &answer);
}

static void finish_err(struct e2b_call *call, struct e2b_err *err)
{
    finish(call, NULL, NULL, err, ANSWER_OTHER);
}

/* ---- reading the answer ---- */

static int read_json(struct e2b_call *call, const char *text, size_t len, json_t **out,
                     struct e2b_err *err)
{
    int r = jparse(text, len, out, err);

    if (r == 0 && call->x.req.decode)
        r = call->x.req.decode(call, *out, err);
    return r;
}

struct decode_job {
    struct e2b_call *call;
    struct buf body; /* a copy: the engine's dies with the completion */
    json_t *json;
    struct e2b_err err;
};

static void job_work(void *arg)
{
    struct decode_job *job = arg;

    read_json(job->call, job->body.data, job->body.len, &job->json, &job->err);
}

static void job_done(void *arg)
{
    struct decode_job *job = arg;
    struct e2b_call *call = job->call;

    call->x.job = NULL;
    finish(call, NULL, job->json, &job->err, ANSWER_OTHER);
    json_decref(job->json);
    buf_clear(&job->body);
    free(job);
}

/* False: no worker, or no memory for the copy; then the loop reads it. */
static bool read_on_worker(struct e2b_call *call, const struct buf *body)
{
    struct workers *workers = client_workers(call->client);
    struct decode_job *job;

    if (!workers)
        return false;
    job = xcalloc(1, sizeof(*job));
    *job = (struct decode_job){ .call = call, .body = BUF_MAX(body->len) };
    if (buf_append(&job->body, body->data, body->len) < 0) {
        free(job);
        return false;
    }
    call->x.job = job;
    worker_run(workers, job_work, job_done, job);
    return true;
}

static void succeed(struct e2b_call *call, const struct http_response *resp)
{
    struct exchange *x = &call->x;
    autojson json_t *json = NULL;
    struct e2b_err err = { 0 };

    if (x->req.is_big && resp->body->len > WORKER_BYTES && read_on_worker(call, resp->body))
        return;
    if (x->req.decode || (x->ep->wire == WIRE_UNARY && !x->req.on_data))
        read_json(call, resp->body->data, resp->body->len, &json, &err);
    finish(call, resp, json, &err, ANSWER_OTHER);
}

/* ---- trying ---- */

static void begin(struct e2b_call *call, int64_t since_ms);
static void fire(struct e2b_call *call);

static void on_fail_timer(void *arg)
{
    struct e2b_call *call = arg;
    struct e2b_err err = call->x.why;

    finish_err(call, &err);
}

/* Fails the exchange on the next turn. */
static void fail_later(struct e2b_call *call, const struct e2b_err *err)
{
    call->x.why = *err;
    loop_timer_start(call->client->loop, &call->x.timer, 0, on_fail_timer, call);
}

static void on_retry_timer(void *arg)
{
    begin(arg, 0);
}

static void retry_after(struct e2b_call *call, int64_t delay_ms)
{
    struct exchange *x = &call->x;

    call->client->stats.retries++;
    log_debug("e2b", "retry %s sandbox=%s in_ms=%lld tries=%d", x->ep->name,
              x->id ? x->id : "-", (long long)delay_ms, x->tries);
    loop_timer_start(call->client->loop, &x->timer, delay_ms, on_retry_timer, call);
}

/* The control plane was asked why the data plane refused, and says: it is running. */
static void after_recheck(struct e2b_call *call)
{
    struct exchange *x = &call->x;
    struct e2b_err why = x->why;
    int64_t delay;

    /* A refused token means that nothing was done: sending again is safe for everything. */
    if (x->why_kind == ANSWER_TOKEN) {
        fire(call);
        return;
    }
    delay = retry_delay_ms(x->ep->retry, x->tries, NULL, &why);
    if (delay < 0)
        finish_err(call, &why);
    else
        retry_after(call, delay);
}

static void access_ready(struct e2b_call *call)
{
    if (call->x.is_rechecking) {
        call->x.is_rechecking = false;
        after_recheck(call); /* the call may be gone now */
    } else {
        fire(call);
    }
}

static void on_access(void *arg, const struct e2b_err *err)
{
    struct e2b_call *call = arg;

    loop_timer_stop(call->client->loop, &call->x.timer);
    if (err) {
        struct e2b_err copy = *err;

        finish_err(call, &copy);
        return;
    }
    access_ready(call);
}

static void on_access_late(void *arg)
{
    struct e2b_call *call = arg;
    struct e2b_err err = { 0 };

    e2b_fail(&err, ETIMEDOUT, "asking for the sandbox's state took too long");
    finish_err(call, &err);
}

/* Milliseconds that are left for the answer's head; at least 1. */
static int64_t time_left(const struct e2b_call *call)
{
    int64_t left = call->x.deadline_ms - loop_now_ms(call->client->loop);

    return left > 0 ? left : 1;
}

static void begin(struct e2b_call *call, int64_t since_ms)
{
    struct exchange *x = &call->x;
    struct e2b_err err = { 0 };
    int r;

    if (x->ep->plane == PLANE_CONTROL) {
        fire(call);
        return;
    }
    x->waiter.fn = on_access;
    x->waiter.arg = call;
    r = access_want(call->client, x->id, since_ms, &x->waiter, &err);
    if (r > 0)
        access_ready(call);
    else if (r < 0)
        fail_later(call, &err);
    else
        loop_timer_start(call->client->loop, &x->timer, time_left(call), on_access_late, call);
}

static void done(void *arg, const struct http_response *resp, const struct e2b_err *err);

/* Callbacks of a streamed answer: they come with the call, like everything here. */
static int on_data(void *arg, const char *data, size_t len)
{
    struct e2b_call *call = arg;

    call->x.has_streamed = true;
    return call->x.req.on_data(call, data, len);
}

static int on_head(void *arg, const struct http_head *head)
{
    struct e2b_call *call = arg;

    return call->x.req.on_head(call, head);
}

static void fill_body(const struct exchange *x, struct http_body *body)
{
    if (x->req.has_fd)
        *body = (struct http_body){ .kind = HTTP_BODY_FD,
                                    .fd = x->req.fd,
                                    .off = x->req.fd_off,
                                    .len = (uint64_t)x->req.fd_len };
    else if (x->req.body.len > 0)
        *body = (struct http_body){ .kind = HTTP_BODY_BYTES,
                                    .data = x->req.body.data,
                                    .len = x->req.body.len };
}

static void fire(struct e2b_call *call)
{
    struct exchange *x = &call->x;
    const struct endpoint *ep = x->ep;
    bool is_bounded = ep->wire == WIRE_REST || ep->wire == WIRE_UNARY;
    struct dest dest = { 0 };
    struct e2b_err err = { 0 };
    struct http_request req = {
        .method = ep->method,
        .on_head = x->req.on_head ? on_head : NULL,
        .on_data = x->req.on_data ? on_data : NULL,
        .limits = { .first_byte_ms = time_left(call),
                    .stall_ms = ep->stall_ms,
                    .max_body = ep->max_body },
        .may_pause = x->req.may_pause,
        .accept_gzip = ep->accept_gzip,
        .label = ep->name,
    };

    if (ep->first_byte_ms < 0)
        req.limits.first_byte_ms = -1;
    if (x->req.total_ms > 0)
        req.limits.total_ms = x->req.total_ms;
    else if (is_bounded && ep->first_byte_ms > 0)
        req.limits.total_ms = req.limits.first_byte_ms + BODY_MS;
    if (dest_build(call->client, x, &dest, &err) < 0) {
        fail_later(call, &err);
        return;
    }
    fill_body(x, &req.body);
    req.url = dest.url.data;
    req.headers = dest.headers;
    x->tries++;
    x->sent_ms = loop_now_ms(call->client->loop);
    if (ep->plane == PLANE_CONTROL)
        call->client->stats.control_requests++;
    else
        call->client->stats.data_requests++;
    x->transfer = http_start(call->client->engine, &req, done, call);
    dest_clear(&dest);
}

/* Whether the control plane must say what an error answer of the data plane means. */
static bool needs_recheck(const struct exchange *x, enum answer_kind kind)
{
    return x->ep->plane == PLANE_ENVD && !x->has_rechecked &&
           (kind == ANSWER_TOKEN || kind == ANSWER_EDGE || kind == ANSWER_PORT_CLOSED);
}

static void failed(struct e2b_call *call, const struct http_response *resp,
                   const struct e2b_err *transport)
{
    struct exchange *x = &call->x;
    enum answer_kind kind = ANSWER_OTHER;
    struct e2b_err err = { 0 };
    int64_t delay;

    if (transport)
        err = *transport;
    else
        kind = answer_error(x->ep, resp->head.status, resp->body->data, resp->body->len, &err);
    if (call->is_cancelled) {
        err = (struct e2b_err){ 0 };
        e2b_fail(&err, ECANCELED, "cancelled");
        finish(call, resp, NULL, &err, ANSWER_OTHER);
        return;
    }
    if (needs_recheck(x, kind)) {
        x->has_rechecked = true;
        x->is_rechecking = true;
        x->why = err;
        x->why_kind = kind;
        begin(call, loop_now_ms(call->client->loop));
        return;
    }
    /* What the edge says about a sandbox that runs is about the way there. */
    if (kind == ANSWER_EDGE || kind == ANSWER_PORT_CLOSED)
        delay = retry_delay_ms(x->ep->retry, x->tries, NULL, &err);
    else
        delay = retry_delay_ms(x->ep->retry, x->tries, resp, transport);
    if (delay >= 0 && !x->has_streamed)
        retry_after(call, delay);
    else
        finish(call, resp, NULL, &err, kind);
}

static void done(void *arg, const struct http_response *resp, const struct e2b_err *err)
{
    struct e2b_call *call = arg;
    struct exchange *x = &call->x;

    x->transfer = NULL;
    call->client->stats.bytes_sent += resp->bytes_sent;
    call->client->stats.bytes_received += resp->bytes_received;
    if (x->ep->plane == PLANE_CONTROL && resp->head.status)
        client_learn_date(call->client, http_header(&resp->head, "Date"));
    if (err || resp->head.status >= 400)
        failed(call, resp, err);
    else if (resp->head.status >= 300) {
        /* Never followed: the credentials are for this host only. */
        struct e2b_err redirect = { .http_status = resp->head.status };

        e2b_fail(&redirect, EPROTO, "the server redirects (HTTP %d), which is not followed",
                 resp->head.status);
        finish(call, resp, NULL, &redirect, ANSWER_OTHER);
    } else
        succeed(call, resp);
}

void call_send(struct e2b_call *call, struct call_request *req)
{
    struct exchange *x = &call->x;
    struct e2b_err err = { 0 };
    int64_t first;

    assert(!x->is_active && !call->child && !call->is_ending);
    x->is_active = true;
    x->req = *req;
    x->ep = &endpoints[req->endpoint];
    x->id = xstrdup(req->id);
    x->subject = xstrdup(req->subject);
    x->user = xstrdup(client_user(call->client, req->user));
    *req = (struct call_request){ 0 };
    first = x->ep->first_byte_ms > 0 ? x->ep->first_byte_ms : FIRST_BYTE_MS;
    x->deadline_ms = loop_now_ms(call->client->loop) + client_deadline(call->client, first);
    if (call->is_cancelled) {
        e2b_fail(&err, ECANCELED, "cancelled");
        fail_later(call, &err);
        return;
    }
    begin(call, 0);
}

void e2b_call_cancel(struct e2b_call *call)
{
    struct exchange *x = &call->x;
    struct e2b_err err = { 0 };

    if (call->is_cancelled)
        return;
    call->is_cancelled = true;
    if (call->child) {
        e2b_call_cancel(call->child);
    } else if (x->transfer) {
        http_cancel(x->transfer);
    } else if (x->is_active && !x->job) {
        access_leave(&x->waiter);
        e2b_fail(&err, ECANCELED, "cancelled");
        fail_later(call, &err);
    }
}

void e2b_done_ignore(void *arg, const struct e2b_err *err)
{
    (void)arg;
    (void)err;
}
