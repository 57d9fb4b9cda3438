/* SPDX-License-Identifier: MIT */
/* Metrics (control-plane.md 7.1, 7.2). */
#include "client.h"
#include "sandboxes.h"

#include "util/xalloc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- one sandbox ---- */

struct series_op {
    struct e2b_call call;
    e2b_metrics_series_fn *fn;
    void *arg;
    struct e2b_metrics_series series;
};

static void series_end(struct e2b_call *call, const struct e2b_err *err)
{
    struct series_op *op = (struct series_op *)call;

    op->fn(op->arg, err ? NULL : &op->series, err);
    e2b_metrics_series_clear(&op->series);
}

static int series_decode(struct e2b_call *call, const json_t *json, struct e2b_err *err)
{
    return model_metrics_series(json, &((struct series_op *)call)->series, err);
}

static void plain_answer(struct e2b_call *call, const struct answer *answer)
{
    call_end(call, answer->err);
}

static int add_time(struct buf *query, const char *key, int64_t t)
{
    char text[24];

    if (t <= 0)
        return 0;
    (void)snprintf(text, sizeof(text), "%" PRId64, t);
    return query_add(query, key, text);
}

struct e2b_call *e2b_sandbox_metrics(struct e2b_client *client, const char *id, int64_t start,
                                     int64_t end, e2b_metrics_series_fn *fn, void *arg)
{
    struct series_op *op = call_new(client, sizeof(*op), series_end);
    struct buf query = BUF_INIT;
    autofree char *clean = NULL;
    struct e2b_err err = { 0 };
    struct call_request req = { .endpoint = EP_METRICS,
                                .decode = series_decode,
                                .is_big = true,
                                .on_answer = plain_answer };

    op->fn = fn;
    op->arg = arg;
    if (sandbox_id(id, &clean, &err) < 0)
        return call_end_later(&op->call, &err);
    req.id = clean;
    add_time(&query, "start", start);
    add_time(&query, "end", end);
    if (query.len > 0)
        req.query = buf_steal(&query);
    call_send(&op->call, &req);
    return &op->call;
}

/* ---- many ---- */

struct batch_op {
    struct e2b_call call;
    e2b_metrics_batch_fn *fn;
    void *arg;
    struct e2b_metrics_entry *v; /* ids are owned */
    size_t n;
};

static void batch_end(struct e2b_call *call, const struct e2b_err *err)
{
    struct batch_op *op = (struct batch_op *)call;

    op->fn(op->arg, err ? NULL : op->v, err ? 0 : op->n, err);
    for (size_t i = 0; i < op->n; i++)
        free((char *)op->v[i].id);
    free(op->v);
}

static int batch_decode(struct e2b_call *call, const json_t *json, struct e2b_err *err)
{
    struct batch_op *op = (struct batch_op *)call;
    json_t *map = NULL;
    const char *id;
    json_t *v;
    int r = jget_object_opt(json, "sandboxes", &map, err);

    if (r < 0 || !map)
        return r;
    op->v = xcalloc(json_object_size(map) + 1, sizeof(*op->v));
    json_object_foreach(map, id, v)
    {
        if (!model_id_ok(id))
            return e2b_fail(err, EPROTO, "field 'sandboxes': not an id");
        r = model_metrics(v, &op->v[op->n].m, err);
        if (r < 0)
            return e2b_wrap(err, r, "metrics of %s", id);
        op->v[op->n++].id = xstrdup(id);
    }
    return 0;
}

static int batch_query(const char *const *ids, size_t n, struct buf *query, struct e2b_err *err)
{
    autobuf struct buf list = BUF_INIT;
    int r;

    if (n > E2B_METRICS_BATCH_MAX)
        return e2b_fail(err, EINVAL, "metrics of %zu sandboxes: at most %d in one request", n,
                        E2B_METRICS_BATCH_MAX);
    for (size_t i = 0; i < n; i++) {
        autofree char *id = NULL;

        r = sandbox_id(ids[i], &id, err);
        if (r < 0)
            return r;
        buf_printf(&list, "%s%s", i > 0 ? "," : "", id);
    }
    return query_add(query, "sandbox_ids", buf_str(&list));
}

struct e2b_call *e2b_sandbox_metrics_batch(struct e2b_client *client, const char *const *ids,
                                           size_t n, e2b_metrics_batch_fn *fn, void *arg)
{
    struct batch_op *op = call_new(client, sizeof(*op), batch_end);
    struct buf query = BUF_INIT;
    struct e2b_err err = { 0 };
    struct call_request req = { .endpoint = EP_METRICS_BATCH,
                                .decode = batch_decode,
                                .on_answer = plain_answer };

    op->fn = fn;
    op->arg = arg;
    if (batch_query(ids, n, &query, &err) < 0) {
        buf_clear(&query);
        return call_end_later(&op->call, &err);
    }
    if (n == 0) { /* an empty list is a 400 */
        buf_clear(&query);
        return call_end_later(&op->call, NULL);
    }
    req.query = buf_steal(&query);
    call_send(&op->call, &req);
    return &op->call;
}
