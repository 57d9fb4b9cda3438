/* SPDX-License-Identifier: MIT */
/* Listing sandboxes: pages, filters, old servers (control-plane.md 6.1, 6.2). */
#include "client.h"
#include "sandboxes.h"

#include "util/xalloc.h"

#include <errno.h>
#include <string.h>

enum {
    PAGE = 100,
    MAX_PAGES = 2000, /* a server that never ends its walk must not fill the memory */
};

struct list_op {
    struct e2b_call call;
    e2b_sandbox_list_fn *fn;
    void *arg;
    /* copies of the query */
    enum e2b_state state;
    struct e2b_pair *metadata;
    size_t n_metadata;
    char *template_ref;
    size_t limit;

    struct e2b_sandbox_list list;
    size_t n_before; /* entries before the page in hand */
    char *token;     /* of the next page */
    int pages;
    int64_t sent_ms;
    bool trusts_template; /* the server knows that filter */
};

static void list_end(struct e2b_call *call, const struct e2b_err *err)
{
    struct list_op *op = (struct list_op *)call;

    op->fn(op->arg, err ? NULL : &op->list, err);
    e2b_sandbox_list_clear(&op->list);
    for (size_t i = 0; i < op->n_metadata; i++) {
        free(op->metadata[i].key);
        free(op->metadata[i].value);
    }
    free(op->metadata);
    free(op->template_ref);
    free(op->token);
}

/* ---- the query ---- */

static int escape(const char *s, struct buf *out)
{
    return http_escape(s, strlen(s), out);
}

/* Each key and value once, joined as a form (encoded again), and the whole as one query value
 * (once more): the server decodes three times. */
static int metadata_query(const struct list_op *op, struct buf *query)
{
    autobuf struct buf form = BUF_MAX(KIB(64));
    int r = 0;

    for (size_t i = 0; i < op->n_metadata && r == 0; i++) {
        autobuf struct buf key = BUF_MAX(KIB(64)), value = BUF_MAX(KIB(64));

        r = escape(op->metadata[i].key, &key);
        if (r == 0)
            r = escape(op->metadata[i].value, &value);
        if (r == 0 && i > 0)
            r = buf_putc(&form, '&');
        if (r == 0)
            r = escape(buf_str(&key), &form);
        if (r == 0)
            r = buf_putc(&form, '=');
        if (r == 0)
            r = escape(buf_str(&value), &form);
    }
    if (r == 0 && form.len > 0)
        r = query_add(query, "metadata", form.data);
    return r;
}

int query_add(struct buf *query, const char *key, const char *value)
{
    int r = buf_printf(query, "%s%s=", query->len > 0 ? "&" : "", key);

    return r < 0 ? r : escape(value, query);
}

static int list_query(const struct list_op *op, bool is_v1, struct buf *query)
{
    char limit[24];
    size_t left = op->limit ? op->limit - op->list.n : PAGE;
    int r = metadata_query(op, query);

    if (r < 0 || is_v1)
        return r;
    (void)snprintf(limit, sizeof(limit), "%zu", left < PAGE ? left : (size_t)PAGE);
    r = query_add(query, "limit", limit);
    if (r == 0)
        r = query_add(query, "state",
                      op->state == E2B_STATE_UNKNOWN ? "running,paused"
                                                     : e2b_state_name(op->state));
    if (r == 0 && op->template_ref)
        r = query_add(query, "template", op->template_ref);
    if (r == 0 && op->token)
        r = query_add(query, "nextToken", op->token);
    return r;
}

/* ---- the answer ---- */

static bool template_matches(const struct list_op *op, const struct e2b_sandbox *s)
{
    const char *ref = op->template_ref;
    const char *slash = strrchr(ref, '/');

    if (strcmp(s->template_id, ref) == 0)
        return true;
    return s->alias &&
           (strcmp(s->alias, ref) == 0 || (slash && strcmp(s->alias, slash + 1) == 0));
}

/* Old servers ignore filters that they don't know, silently. */
static bool matches(const struct list_op *op, const struct e2b_sandbox *s)
{
    if (op->state != E2B_STATE_UNKNOWN && s->state != op->state)
        return false;
    for (size_t i = 0; i < op->n_metadata; i++) {
        const char *value = e2b_sandbox_meta(s, op->metadata[i].key);

        if (!value || strcmp(value, op->metadata[i].value) != 0)
            return false;
    }
    return !op->template_ref || op->trusts_template || template_matches(op, s);
}

static int list_decode(struct e2b_call *call, const json_t *json, struct e2b_err *err)
{
    struct list_op *op = (struct list_op *)call;
    size_t n = json_array_size(json);

    if (!json_is_array(json))
        return e2b_fail(err, EPROTO, "expected an array");
    op->list.v = xreallocarray(op->list.v, op->list.n + n + 1, sizeof(*op->list.v));
    for (size_t i = 0; i < n; i++) {
        int r = model_sandbox(json_array_get(json, i), &op->list.v[op->list.n], err);

        if (r < 0)
            return r;
        op->list.n++;
    }
    return 0;
}

/* What this page says about each sandbox; then drops what the query does not want. */
static void take_page(struct list_op *op)
{
    size_t kept = op->n_before;

    for (size_t i = op->n_before; i < op->list.n; i++) {
        struct e2b_sandbox *s = &op->list.v[i];

        access_learn(op->call.client, s, NULL, op->sent_ms);
        if (matches(op, s) && (!op->limit || kept < op->limit))
            op->list.v[kept++] = *s;
        else
            e2b_sandbox_clear(s);
    }
    op->list.n = kept;
}

struct by_id {
    const char *id;
    size_t at;
};

static int id_cmp(const void *a, const void *b)
{
    const struct by_id *x = a, *y = b;
    int r = strcmp(x->id, y->id);

    return r ? r : (x->at > y->at) - (x->at < y->at);
}

/* A sandbox that restarts during the walk may be met twice: the first (newer) stays. */
static void drop_duplicates(struct e2b_sandbox_list *list)
{
    autofree struct by_id *sorted = xcalloc(list->n + 1, sizeof(*sorted));
    autofree bool *is_again = xcalloc(list->n + 1, sizeof(*is_again));
    size_t kept = 0;

    for (size_t i = 0; i < list->n; i++)
        sorted[i] = (struct by_id){ .id = list->v[i].id, .at = i };
    qsort(sorted, list->n, sizeof(*sorted), id_cmp);
    for (size_t i = 1; i < list->n; i++)
        is_again[sorted[i].at] = strcmp(sorted[i - 1].id, sorted[i].id) == 0;
    for (size_t i = 0; i < list->n; i++) {
        if (is_again[i])
            e2b_sandbox_clear(&list->v[i]);
        else
            list->v[kept++] = list->v[i];
    }
    list->n = kept;
}

static void list_answer(struct e2b_call *call, const struct answer *answer);

static void list_send(struct list_op *op)
{
    bool is_v1 = op->call.client->has_no_v2_list;
    struct call_request req = {
        .endpoint = is_v1 ? EP_SANDBOX_LIST_V1 : EP_SANDBOX_LIST,
        .decode = list_decode,
        .on_answer = list_answer,
    };
    struct buf query = BUF_MAX(KIB(256));

    op->n_before = op->list.n;
    op->sent_ms = loop_now_ms(op->call.client->loop);
    /* Too large to fit is a filter of a quarter of a megabyte: the server says what it thinks
     * of a request without it, and the local filter decides. */
    if (list_query(op, is_v1, &query) < 0)
        buf_reset(&query);
    req.query = buf_steal(&query);
    call_send(&op->call, &req);
}

/* The token of the next page, or NULL: this was the last (an empty header means the same). */
static const char *next_token(const struct answer *answer)
{
    const char *token = http_header(&answer->resp->head, "X-Next-Token");

    return token && *token ? token : NULL;
}

static void list_answer(struct e2b_call *call, const struct answer *answer)
{
    struct list_op *op = (struct list_op *)call;
    struct e2b_client *client = call->client;
    struct e2b_err err = { 0 };
    const char *token;

    if (answer->err && answer->kind == ANSWER_NO_ROUTE && !client->has_no_v2_list) {
        client->has_no_v2_list = true;
        list_send(op);
        return;
    }
    if (answer->err) {
        call_end(call, answer->err);
        return;
    }
    /* This header came with the template filter (control-plane.md 14). */
    op->trusts_template = http_header(&answer->resp->head, "X-Total-Running") != NULL;
    take_page(op);
    token = client->has_no_v2_list ? NULL : next_token(answer);
    if (!token || (op->limit && op->list.n >= op->limit)) {
        if (op->pages > 0)
            drop_duplicates(&op->list);
        if (op->state == E2B_STATE_UNKNOWN && !op->n_metadata && !op->template_ref)
            access_prune(client);
        call_end(call, NULL);
        return;
    }
    if (++op->pages >= MAX_PAGES || (op->token && strcmp(op->token, token) == 0)) {
        e2b_fail(&err, EPROTO, "list: the server's pages do not end");
        call_end(call, &err);
        return;
    }
    free(op->token);
    op->token = xstrdup(token);
    list_send(op);
}

struct e2b_call *e2b_sandbox_list(struct e2b_client *client,
                                  const struct e2b_sandbox_query *query,
                                  e2b_sandbox_list_fn *fn, void *arg)
{
    static const struct e2b_sandbox_query all;
    struct list_op *op = call_new(client, sizeof(*op), list_end);

    if (!query)
        query = &all;
    op->fn = fn;
    op->arg = arg;
    op->state = query->state;
    op->limit = query->limit;
    op->template_ref = xstrdup(query->template_ref);
    op->metadata = xcalloc(query->n_metadata + 1, sizeof(*op->metadata));
    for (size_t i = 0; i < query->n_metadata; i++)
        op->metadata[op->n_metadata++] =
            (struct e2b_pair){ .key = xstrdup(query->metadata[i].key),
                               .value = xstrdup(query->metadata[i].value) };
    list_send(op);
    return &op->call;
}
