/* SPDX-License-Identifier: MIT */
#include "ledger.h"

#include "util/xalloc.h"

#include <pthread.h>

struct row {
    uint64_t seq, bytes_in, bytes_out;
    char *sandbox, *method, *path, *query;
    const char *plane; /* static */
    int status;
    bool is_paused;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct row *rows; /* a ring of LEDGER_MAX once it is full */
static size_t count, cap;
static uint64_t next_seq = 1, dropped;

static void row_clear(struct row *r)
{
    free(r->sandbox);
    free(r->method);
    free(r->path);
    free(r->query);
    *r = (struct row){ 0 };
}

/* Rows are numbered without gaps, so a row's place follows from its number. */
static struct row *find(uint64_t seq)
{
    uint64_t oldest = next_seq - count;

    if (seq < oldest || seq >= next_seq)
        return NULL;
    return &rows[seq % LEDGER_MAX];
}

uint64_t ledger_open(const char *sandbox, const char *plane, const char *method,
                     const char *path, const char *query, bool is_paused)
{
    struct row *r;
    uint64_t seq;

    pthread_mutex_lock(&lock);
    if (!rows) {
        cap = LEDGER_MAX;
        rows = xcalloc(cap, sizeof(*rows));
    }
    seq = next_seq;
    r = &rows[seq % LEDGER_MAX];
    if (count == LEDGER_MAX) {
        row_clear(r);
        dropped++;
        count--;
    }
    *r = (struct row){ .seq = seq,
                       .sandbox = xstrdup(sandbox),
                       .plane = plane,
                       .method = xstrdup(method),
                       .path = xstrdup(path),
                       .query = xstrdup(query),
                       .is_paused = is_paused };
    next_seq++;
    count++;
    pthread_mutex_unlock(&lock);
    return seq;
}

void ledger_answer(uint64_t seq, int status)
{
    struct row *r;

    pthread_mutex_lock(&lock);
    r = find(seq);
    if (r)
        r->status = status;
    pthread_mutex_unlock(&lock);
}

void ledger_bytes(uint64_t seq, uint64_t bytes_in, uint64_t bytes_out_more)
{
    struct row *r;

    pthread_mutex_lock(&lock);
    r = find(seq);
    if (r) {
        r->bytes_in = bytes_in;
        r->bytes_out += bytes_out_more;
    }
    pthread_mutex_unlock(&lock);
}

void ledger_clear(void)
{
    pthread_mutex_lock(&lock);
    for (uint64_t seq = next_seq - count; seq < next_seq; seq++)
        row_clear(&rows[seq % LEDGER_MAX]);
    count = 0;
    dropped = 0;
    pthread_mutex_unlock(&lock);
}

static json_t *row_json(const struct row *r)
{
    json_t *o = json_pack("{s:I,s:s?,s:s,s:s,s:s,s:i,s:I,s:I}", "seq", (json_int_t)r->seq,
                          "sandbox", r->sandbox, "plane", r->plane, "method", r->method, "path",
                          r->path, "status", r->status, "bytes_in", (json_int_t)r->bytes_in,
                          "bytes_out", (json_int_t)r->bytes_out);

    /* A path that isn't UTF-8 can't be shown. */
    if (!o)
        o = json_pack("{s:I,s:s,s:s}", "seq", (json_int_t)r->seq, "plane", r->plane, "path",
                      "?");
    if (r->query && o)
        json_object_set_new(o, "query", json_string(r->query));
    if (r->is_paused && o)
        json_object_set_new(o, "paused", json_true());
    return o;
}

json_t *ledger_json(void)
{
    json_t *list = json_array();
    json_t *out;

    pthread_mutex_lock(&lock);
    for (uint64_t seq = next_seq - count; seq < next_seq; seq++)
        json_array_append_new(list, row_json(&rows[seq % LEDGER_MAX]));
    out = json_pack("{s:o,s:I}", "requests", list, "dropped", (json_int_t)dropped);
    pthread_mutex_unlock(&lock);
    return out;
}
