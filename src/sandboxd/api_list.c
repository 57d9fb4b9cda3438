/* SPDX-License-Identifier: MIT */
/* Lists, details and metrics (control-plane.md 6.1 to 6.3 and 7): nothing here changes
 * anything. */
#include "api.h"
#include "api_control.h"
#include "metadata_filter.h"
#include "sampler.h"
#include "templates.h"
#include "util/clock.h"
#include "util/xalloc.h"

#include <stdio.h>
#include <string.h>

enum { PAGE_MAX = 100, BATCH_MAX = 100 };

struct filter {
    bool running, paused, ascending;
    struct metadata_filter metadata;
    struct timespec started_after;
    bool has_started_after, matches_nothing;
    const char *template_id;
    int limit;
    bool has_token;
    struct timespec token_time;
    char token_id[32];
};

static int64_t in_us(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Newest first; ties by id. */
static int compare(const struct sandbox *a, struct timespec at, const char *id)
{
    if (a->started_at.tv_sec != at.tv_sec)
        return a->started_at.tv_sec < at.tv_sec ? 1 : -1;
    if (a->started_at.tv_nsec != at.tv_nsec)
        return a->started_at.tv_nsec < at.tv_nsec ? 1 : -1;
    return strcmp(a->id, id);
}

static int newest_first(const void *a, const void *b)
{
    const struct sandbox *other = *(struct sandbox *const *)b;

    return compare(*(struct sandbox *const *)a, other->started_at, other->id);
}

static int oldest_first(const void *a, const void *b)
{
    return -newest_first(a, b);
}

/* --- query -------------------------------------------------------------------------------- */

static bool bad(struct request *rq, const char *name, const char *why)
{
    api_error(rq, 400, "validation error: parameter \"%s\" in query has an error: %s", name,
              why);
    return false;
}

/* The one value of a parameter; NULL if absent; false if it is empty or given twice. */
static bool one(struct request *rq, const char *name, const char **out)
{
    *out = query_get(&rq->query, name);
    if (query_count(&rq->query, name) > 1) {
        api_error(rq, 400, "parameter '%s' is not exploded, but is specified multiple times",
                  name);
        return false;
    }
    if (*out && !(*out)[0])
        return bad(rq, name, "empty value is not allowed");
    return true;
}

static bool read_states(struct request *rq, struct filter *f)
{
    const char *text;
    autofree char *copy = NULL;
    char *rest, *word;

    if (!one(rq, "state", &text))
        return false;
    f->running = f->paused = text == NULL;
    copy = xstrdup(text);
    rest = copy;
    while ((word = strsep(&rest, ","))) {
        if (strcmp(word, "running") == 0)
            f->running = true;
        else if (strcmp(word, "paused") == 0)
            f->paused = true;
        else
            return bad(rq, "state", "value is not one of the allowed values [running paused]");
    }
    return true;
}

static bool read_limit(struct request *rq, struct filter *f)
{
    const char *text;
    char *end;
    long n;

    f->limit = PAGE_MAX;
    if (!one(rq, "limit", &text))
        return false;
    if (!text)
        return true;
    n = strtol(text, &end, 10);
    if (*end)
        return bad(rq, "limit", "value must be an integer");
    if (n < 1 || n > PAGE_MAX)
        return bad(rq, "limit",
                   n < 1 ? "number must be at least 1" : "number must be at most 100");
    f->limit = (int)n;
    return true;
}

static bool read_template(struct request *rq, struct filter *f)
{
    const char *text;
    const struct template *t;

    if (!one(rq, "template", &text))
        return false;
    if (!text)
        return true;
    if (strchr(text, ':')) {
        api_error(rq, 400, "Invalid template: a tag is not allowed");
        return false;
    }
    t = template_find(text);
    f->template_id = t ? t->id : NULL;
    f->matches_nothing = t == NULL;
    return true;
}

static bool read_metadata(struct request *rq, struct filter *f)
{
    const char *text;

    if (!one(rq, "metadata", &text))
        return false;
    if (text && !metadata_filter_parse(&f->metadata, text)) {
        api_error(rq, 400, "Error parsing metadata");
        return false;
    }
    return true;
}

static bool bad_token(struct request *rq)
{
    api_error(rq, 400, "Invalid next token");
    return false;
}

/* <start in ns>_<id>_<order> in hex digits: opaque to clients. */
static bool read_token(struct request *rq, struct filter *f)
{
    const char *text;
    long long sec;
    long nsec;
    char order[8];

    if (!one(rq, "nextToken", &text))
        return false;
    if (!text)
        return true;
    if (sscanf(text, "%lld.%9ld_%31[a-z0-9]_%7s", &sec, &nsec, f->token_id, order) != 4)
        return bad_token(rq);
    if ((strcmp(order, "asc") == 0) != f->ascending)
        return bad_token(rq);
    f->token_time = (struct timespec){ .tv_sec = sec, .tv_nsec = nsec };
    f->has_token = true;
    return true;
}

static bool read_order(struct request *rq, struct filter *f)
{
    const char *text;

    if (!one(rq, "order", &text))
        return false;
    if (text && strcmp(text, "asc") != 0 && strcmp(text, "desc") != 0)
        return bad(rq, "order", "value is not one of the allowed values [asc desc]");
    f->ascending = text && strcmp(text, "asc") == 0;
    if (!one(rq, "startedAfter", &text))
        return false;
    if (text && rfc3339_parse(text, &f->started_after) < 0)
        return bad(rq, "startedAfter", "value must be a date-time");
    f->has_started_after = text != NULL;
    return true;
}

static bool read_filter(struct request *rq, struct filter *f)
{
    return read_states(rq, f) && read_limit(rq, f) && read_order(rq, f) &&
           read_template(rq, f) && read_metadata(rq, f) && read_token(rq, f);
}

/* --- lists -------------------------------------------------------------------------------- */

static bool fits(const struct sandbox *sb, const struct filter *f)
{
    const char *state = state_name(sb->state);

    if (!state || f->matches_nothing || !(state[0] == 'r' ? f->running : f->paused))
        return false;
    if (f->template_id && strcmp(f->template_id, sb->template_id) != 0)
        return false;
    if (f->has_started_after && in_us(sb->started_at) < in_us(f->started_after))
        return false;
    if (f->has_token) {
        int c = compare(sb, f->token_time, f->token_id);

        if (f->ascending ? c >= 0 : c <= 0)
            return false;
    }
    return metadata_filter_fits(&f->metadata, sb->metadata);
}

static void set_next_token(struct request *rq, const struct sandbox *last, bool ascending)
{
    response_header(rq, "X-Next-Token", "%lld.%09ld_%s_%s", (long long)last->started_at.tv_sec,
                    last->started_at.tv_nsec, last->id, ascending ? "asc" : "desc");
}

/* limit 0: everything, without a token. */
static void answer_list(struct request *rq, const struct filter *f)
{
    struct sandbox **found, *sb, *next;
    json_t *list = json_array();
    size_t n = 0, shown, running = 0;

    store_lock();
    found = xcalloc(HASH_COUNT(store_all()) + 1, sizeof(struct sandbox *));
    HASH_ITER(hh, store_all(), sb, next)
    {
        running += sb->state == RUNNING;
        if (fits(sb, f))
            found[n++] = sb;
    }
    if (n > 1)
        qsort(found, n, sizeof(struct sandbox *), f->ascending ? oldest_first : newest_first);
    shown = f->limit && n > (size_t)f->limit ? (size_t)f->limit : n;
    for (size_t i = 0; i < shown; i++)
        json_array_append_new(list, sandbox_listed_json(found[i]));
    if (shown < n)
        set_next_token(rq, found[shown - 1], f->ascending);
    store_unlock();
    if (f->limit && f->running)
        response_header(rq, "X-Total-Running", "%zu", running);
    free(found);
    respond_json(rq, 200, list);
}

void api_list_v1(struct request *rq)
{
    struct filter f = { .running = true };

    if (read_metadata(rq, &f))
        answer_list(rq, &f);
    metadata_filter_clear(&f.metadata);
}

void api_list_v2(struct request *rq)
{
    struct filter f = { 0 };

    if (read_filter(rq, &f))
        answer_list(rq, &f);
    metadata_filter_clear(&f.metadata);
}

void api_get(struct request *rq)
{
    struct sandbox *sb = api_sandbox(rq);
    json_t *o;

    if (!sb)
        return;
    store_lock();
    o = state_name(sb->state) ? sandbox_detail_json(sb) : NULL;
    store_unlock();
    if (o)
        respond_json(rq, 200, o);
    else
        api_no_sandbox(rq, sb->id);
    sandbox_unref(sb);
}

/* --- metrics ------------------------------------------------------------------------------ */

static bool read_seconds(struct request *rq, const char *name, int64_t otherwise, int64_t *out)
{
    const char *text;
    char *end;

    *out = otherwise;
    if (!one(rq, name, &text))
        return false;
    if (!text)
        return true;
    *out = strtoll(text, &end, 10);
    if (*end || *out < 0)
        return bad(rq, name, "value must be an integer of at least 0");
    return true;
}

static void append_samples(json_t *list, const struct sandbox *sb, int64_t from, int64_t to)
{
    struct metric latest;
    int first = (sb->metric_next + METRICS_KEPT - sb->metric_count) % METRICS_KEPT;

    if (sb->is_synthetic && sampler_latest(sb, &latest) && latest.at >= from && latest.at <= to)
        json_array_append_new(list, metric_json(&latest, sb));
    for (int i = 0; i < sb->metric_count; i++) {
        const struct metric *m = &sb->metrics[(first + i) % METRICS_KEPT];

        if (m->at >= from && m->at <= to)
            json_array_append_new(list, metric_json(m, sb));
    }
}

void api_metrics(struct request *rq)
{
    autofree char *id = percent_decode(rq->args[0], false);
    json_t *list;
    struct sandbox *sb;
    int64_t from, to;

    if (!read_seconds(rq, "start", 0, &from) || !read_seconds(rq, "end", INT64_MAX, &to))
        return;
    if (from > to) {
        api_error(rq, 400, "start time must be before end time");
        return;
    }
    /* Unknown ones have no samples, and that is all that is said. */
    list = json_array();
    store_lock();
    sb = id ? store_peek(id) : NULL;
    if (sb)
        append_samples(list, sb, from, to);
    store_unlock();
    respond_json(rq, 200, list);
}

void api_metrics_batch(struct request *rq)
{
    const char *text;
    autofree char *copy = NULL;
    json_t *all;
    char *rest, *id;
    int count = 0;

    if (!one(rq, "sandbox_ids", &text))
        return;
    if (!text) {
        bad(rq, "sandbox_ids", "value is required but missing");
        return;
    }
    copy = xstrdup(text);
    for (const char *p = text; *p; p++)
        count += *p == ',';
    if (count + 1 > BATCH_MAX) {
        bad(rq, "sandbox_ids", "maximum number of items is 100");
        return;
    }
    all = json_object();
    rest = copy;
    store_lock();
    while ((id = strsep(&rest, ","))) {
        struct sandbox *sb = store_peek(id);
        struct metric m;

        if (json_object_get(all, id)) {
            store_unlock();
            json_decref(all);
            bad(rq, "sandbox_ids", "duplicate items found");
            return;
        }
        if (sb && state_name(sb->state) && sampler_latest(sb, &m))
            json_object_set_new(all, id, metric_json(&m, sb));
    }
    store_unlock();
    respond_json(rq, 200, json_pack("{s:o}", "sandboxes", all));
}
