/* SPDX-License-Identifier: MIT */
/*
 * The multi handles on the loop.
 *
 * libcurl does not allow its multi functions inside its callbacks (on_head, on_data, pull), and
 * curl_easy_pause may call them.  So what is asked for is noted and settled on a later turn;
 * only http_start goes straight on where it may:
 *
 *   http_start, http_cancel ... -> noted -> (later turn) settle -> multi
 *   multi -> reap -> finished list -> (later turn) -> completions
 */
#include "http/engine.h"

#include "http/hosts.h"
#include "http/pool.h"
#include "util/xalloc.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>

enum { MAX_CONNECTIONS = 256, MAX_PER_HOST = 64, MAX_CACHED = 128 };

LIST_HEAD(pool_list, http_pool);

struct http_engine {
    struct loop *loop; /* borrowed */
    struct http_engine_config config;
    char *user_agent, *ca_file, *proxy; /* owned; config points to them */
    CURLSH *share;
    struct pool_list pools;
    /*
     * Where new transfers go.  Two, because one HTTP/1.1 connection to a host makes libcurl
     * stop sharing the HTTP/2 connections to it, when both are in one multi handle.
     */
    struct http_pool *shared, *own;
    struct hosts hosts;
    struct transfer_list waiting, running, finished; /* by state; held ones are at their host */
    struct transfer_list asking;                     /* those with something to settle */
    size_t n_asking;
    struct loop_timer settle_timer, completion_timer;
    bool in_curl; /* libcurl is on the stack */
    bool closing;
    bool want_drop_idle;
    uint64_t last_id;
    struct http_stats stats;
};

struct loop *engine_loop(const struct http_engine *engine)
{
    return engine->loop;
}

const struct http_engine_config *engine_config(const struct http_engine *engine)
{
    return &engine->config;
}

CURLSH *engine_share(const struct http_engine *engine)
{
    return engine->share;
}

uint64_t engine_next_id(struct http_engine *engine)
{
    return ++engine->last_id;
}

static struct transfer_list *list_of(struct http_transfer *t, enum transfer_state state)
{
    switch (state) {
    case TRANSFER_WAITING:
        return &t->engine->waiting;
    case TRANSFER_HELD:
        return &t->at->held;
    case TRANSFER_RUNNING:
        return &t->engine->running;
    case TRANSFER_FINISHED:
        break;
    }
    return &t->engine->finished;
}

static void move_to(struct http_transfer *t, enum transfer_state state)
{
    TAILQ_REMOVE(list_of(t, t->state), t, link);
    t->state = state;
    TAILQ_INSERT_TAIL(list_of(t, state), t, link);
}

static void settle(void *engine);

/* What is noted now is done on a later turn. */
static void settle_later(struct http_engine *engine)
{
    if (!loop_timer_active(&engine->settle_timer))
        loop_timer_start(engine->loop, &engine->settle_timer, 0, settle, engine);
}

/* ---- completions ---- */

static void complete(struct http_transfer *t)
{
    struct http_engine *engine = t->engine;
    long connections = 0;

    TAILQ_REMOVE(&engine->finished, t, link);
    engine->stats.finished++;
    engine->stats.failed += t->err.errnum != 0;
    engine->stats.bytes_sent += t->resp.bytes_sent;
    engine->stats.bytes_received += t->resp.bytes_received;
    if (t->easy && curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &connections) == CURLE_OK)
        engine->stats.connections += (uint64_t)connections;
    t->done(t->arg, &t->resp, t->err.errnum ? &t->err : NULL);
    transfer_free(t);
}

/* Only those that are finished now: what finishes meanwhile has its turn later. */
static void run_completions(void *arg)
{
    struct http_engine *engine = arg;
    struct http_transfer *last = TAILQ_LAST(&engine->finished, transfer_list);
    struct http_transfer *t;

    assert(!engine->in_curl);
    do {
        t = TAILQ_FIRST(&engine->finished);
        if (t)
            complete(t); /* frees t */
    } while (t && t != last);
}

static void forget_ask(struct http_transfer *t)
{
    if (!t->asks)
        return;
    t->asks = false;
    TAILQ_REMOVE(&t->engine->asking, t, ask_link);
    t->engine->n_asking--;
}

void engine_done(struct http_transfer *t, CURLcode result)
{
    struct http_engine *engine = t->engine;
    struct http_transfer *next;

    forget_ask(t);
    transfer_finish(t, result);
    move_to(t, TRANSFER_FINISHED);
    next = host_release(&engine->hosts, t);
    if (next) {
        move_to(next, TRANSFER_WAITING);
        settle_later(engine);
    }
    if (!loop_timer_active(&engine->completion_timer))
        loop_timer_start(engine->loop, &engine->completion_timer, 0, run_completions, engine);
}

/* ---- pools ---- */

void engine_enter_curl(struct http_engine *engine)
{
    assert(!engine->in_curl);
    engine->in_curl = true;
}

void engine_leave_curl(struct http_engine *engine)
{
    engine->in_curl = false;
}

void engine_free_old_pools(struct http_engine *engine)
{
    struct http_pool *pool = LIST_FIRST(&engine->pools);

    while (pool) {
        struct http_pool *next = LIST_NEXT(pool, link);

        if (pool != engine->shared && pool != engine->own && pool->running == 0) {
            LIST_REMOVE(pool, link);
            pool_free(pool);
        }
        pool = next;
    }
}

/* New transfers go to new pools from now on. */
static bool renew_pools(struct http_engine *engine)
{
    struct http_pool *shared = pool_new(engine);
    struct http_pool *own = shared ? pool_new(engine) : NULL;

    if (!own) {
        if (shared)
            pool_free(shared);
        return false;
    }
    LIST_INSERT_HEAD(&engine->pools, shared, link);
    LIST_INSERT_HEAD(&engine->pools, own, link);
    engine->shared = shared;
    engine->own = own;
    return true;
}

/* ---- what is asked for ---- */

static void attach(struct http_transfer *t)
{
    struct http_engine *engine = t->engine;
    CURLMcode rc;

    if (engine->closing)
        e2b_fail(&t->err, ECANCELED, "%s: shutting down", t->host ? t->host : "request");
    if (t->err.errnum) {
        engine_done(t, CURLE_OK);
        return;
    }
    if (!host_admit(&engine->hosts, t)) {
        move_to(t, TRANSFER_HELD);
        transfer_watch_deadlines(t);
        return;
    }
    rc = pool_add(t->shares_connection ? engine->shared : engine->own, t);
    if (rc != CURLM_OK) {
        e2b_fail(&t->err, ENOMEM, "%s: %s", t->host, curl_multi_strerror(rc));
        engine_done(t, CURLE_OK);
        return;
    }
    move_to(t, TRANSFER_RUNNING);
    transfer_watch_deadlines(t);
}

void engine_abort(struct http_transfer *t)
{
    assert(t->err.errnum && t->state != TRANSFER_FINISHED);
    if (t->state == TRANSFER_RUNNING)
        pool_remove(t);
    engine_done(t, CURLE_OK);
    engine_free_old_pools(t->engine);
}

static void resume(struct http_transfer *t)
{
    if (t->want_resume)
        t->recv_paused = false;
    if (t->want_resume_body)
        t->send_paused = false;
    t->want_resume = t->want_resume_body = false;
    t->active_ms = loop_now_ms(t->engine->loop);
    transfer_watch_deadlines(t);
    pool_unpause(t);
}

static void grant(struct http_transfer *t)
{
    if (t->err.errnum)
        engine_abort(t);
    else if (t->state == TRANSFER_RUNNING)
        resume(t);
}

static void drop_idle(struct http_engine *engine)
{
    engine->want_drop_idle = false;
    /* Without memory for new ones the old connections have to do. */
    if (renew_pools(engine))
        engine_free_old_pools(engine);
}

static void settle(void *arg)
{
    struct http_engine *engine = arg;
    struct http_transfer *t;

    assert(!engine->in_curl);
    if (engine->want_drop_idle)
        drop_idle(engine);
    /* Both lists may grow again while they are worked on, by callbacks; those have their turn
     * later, so the end is marked first. */
    for (struct http_transfer *last = TAILQ_LAST(&engine->waiting, transfer_list); last;) {
        t = TAILQ_FIRST(&engine->waiting);
        if (t == last)
            last = NULL;
        attach(t);
    }
    for (size_t n = engine->n_asking; n > 0; n--) {
        t = TAILQ_FIRST(&engine->asking);
        if (!t)
            break;
        forget_ask(t);
        grant(t);
    }
    engine_free_old_pools(engine);
}

void engine_ask(struct http_transfer *t)
{
    struct http_engine *engine = t->engine;

    if (!t->asks) {
        t->asks = true;
        TAILQ_INSERT_TAIL(&engine->asking, t, ask_link);
        engine->n_asking++;
    }
    settle_later(engine);
}

struct http_transfer *http_start(struct http_engine *engine, const struct http_request *req,
                                 http_done_fn *done, void *arg)
{
    struct http_transfer *t;

    loop_assert_here(engine->loop);
    t = transfer_new(engine, req, done, arg);
    TAILQ_INSERT_TAIL(&engine->waiting, t, link);
    engine->stats.started++;
    if (engine->in_curl)
        settle_later(engine);
    else
        attach(t);
    return t;
}

void http_cancel(struct http_transfer *t)
{
    loop_assert_here(t->engine->loop);
    if (t->state == TRANSFER_FINISHED)
        return; /* the result won */
    /* With an error in place the callbacks deliver nothing more. */
    e2b_fail(&t->err, ECANCELED, "%s: cancelled", t->host ? t->host : "request");
    engine_ask(t);
}

uint64_t http_sent(const struct http_transfer *t)
{
    curl_off_t up = 0;

    loop_assert_here(t->engine->loop);
    if (t->easy)
        (void)curl_easy_getinfo(t->easy, CURLINFO_SIZE_UPLOAD_T, &up);
    return up > 0 ? (uint64_t)up : 0;
}

void http_resume(struct http_transfer *t)
{
    loop_assert_here(t->engine->loop);
    if (t->state == TRANSFER_FINISHED)
        return;
    t->want_resume = true;
    engine_ask(t);
}

void http_resume_body(struct http_transfer *t)
{
    loop_assert_here(t->engine->loop);
    if (t->state == TRANSFER_FINISHED)
        return;
    t->want_resume_body = true;
    engine_ask(t);
}

void http_engine_drop_idle(struct http_engine *engine)
{
    loop_assert_here(engine->loop);
    if (engine->in_curl) {
        engine->want_drop_idle = true;
        settle_later(engine);
    } else {
        drop_idle(engine);
    }
}

/* ---- life ---- */

static char *ca_file(const struct http_engine_config *config)
{
    const char *env[] = { config->ca_file, getenv("SSL_CERT_FILE"), getenv("CURL_CA_BUNDLE") };

    for (size_t i = 0; i < ARRAY_LEN(env); i++)
        if (env[i] && env[i][0])
            return xstrdup(env[i]);
    return NULL;
}

struct http_engine *http_engine_new(struct loop *loop, const struct http_engine_config *config,
                                    struct e2b_err *err)
{
    struct http_engine *engine = xcalloc(1, sizeof(*engine));
    CURLcode rc = curl_global_init(CURL_GLOBAL_DEFAULT);

    engine->loop = loop;
    TAILQ_INIT(&engine->waiting);
    TAILQ_INIT(&engine->running);
    TAILQ_INIT(&engine->finished);
    TAILQ_INIT(&engine->asking);
    LIST_INIT(&engine->pools);
    if (rc != CURLE_OK) {
        e2b_fail(err, ENOMEM, "starting libcurl: %s", curl_easy_strerror(rc));
        free(engine);
        return NULL;
    }

    engine->config = (struct http_engine_config){
        .user_agent = engine->user_agent = xstrdup(config->user_agent),
        .ca_file = engine->ca_file = ca_file(config),
        .proxy = engine->proxy = xstrdup(config->proxy),
        .max_connections = config->max_connections ? config->max_connections : MAX_CONNECTIONS,
        .max_per_host = config->max_per_host ? config->max_per_host : MAX_PER_HOST,
        .max_cached = config->max_cached ? config->max_cached : MAX_CACHED,
    };
    engine->share = curl_share_init();
    if (engine->share) {
        curl_share_setopt(engine->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
        curl_share_setopt(engine->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
    }
    if (!engine->share || !renew_pools(engine)) {
        e2b_fail(err, ENOMEM, "starting libcurl: out of memory");
        http_engine_free(engine);
        return NULL;
    }
    return engine;
}

void http_engine_free(struct http_engine *engine)
{
    if (!engine)
        return;
    loop_assert_here(engine->loop);
    assert(!engine->in_curl);
    engine->closing = true;
    /* A completion may start something new: it is cancelled as well. */
    while (!TAILQ_EMPTY(&engine->waiting) || !TAILQ_EMPTY(&engine->running) ||
           !TAILQ_EMPTY(&engine->finished)) {
        struct http_transfer *t;

        TAILQ_FOREACH(t, &engine->running, link)
        http_cancel(t);
        settle(engine);
        run_completions(engine);
    }
    engine->shared = engine->own = NULL;
    engine_free_old_pools(engine);
    loop_timer_stop(engine->loop, &engine->settle_timer);
    loop_timer_stop(engine->loop, &engine->completion_timer);
    curl_share_cleanup(engine->share);
    free(engine->user_agent);
    free(engine->ca_file);
    free(engine->proxy);
    free(engine);
    curl_global_cleanup();
}

int http_escape(const char *s, size_t len, struct buf *out)
{
    char *text;
    int r;

    if (len == 0)
        return 0; /* libcurl would take it for "measure it yourself" */
    if (len > INT_MAX)
        return -EFBIG;
    text = curl_easy_escape(NULL, s, (int)len);
    if (!text)
        return -ENOMEM;
    r = buf_puts(out, text);
    curl_free(text);
    return r;
}

void http_engine_stats(const struct http_engine *engine, struct http_stats *out)
{
    *out = engine->stats;
}
