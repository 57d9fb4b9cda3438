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

#include "http/transfer.h"
#include "util/log.h"
#include "util/xalloc.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>

enum { MAX_CONNECTIONS = 256, MAX_PER_HOST = 64, MAX_CACHED = 128, MAX_STREAMS = 100 };

TAILQ_HEAD(transfer_list, http_transfer);

/*
 * One multi handle with its connections.  There is a new one after http_engine_drop_idle, and
 * the old one goes when its last transfer is done: libcurl cannot close idle connections only.
 */
struct http_pool {
    LIST_ENTRY(http_pool) link;
    struct http_engine *engine; /* borrowed */
    CURLM *multi;
    struct loop_timer timer; /* libcurl's */
    size_t running;
};

struct http_engine {
    struct loop *loop; /* borrowed */
    struct http_engine_config config;
    char *user_agent, *ca_file, *proxy; /* owned; config points to them */
    CURLSH *share;
    LIST_HEAD(, http_pool) pools;
    struct http_pool *current;
    struct transfer_list waiting, running, finished; /* by state */
    struct transfer_list asking;                     /* those with something to settle */
    size_t n_asking;
    struct loop_timer settle_timer, completion_timer;
    bool in_curl; /* libcurl is on the stack */
    bool closing;
    bool want_drop_idle;
    uint64_t last_id;
    struct http_stats stats;
};

/* A watched socket, as libcurl asked for. */
struct sock {
    struct http_pool *pool;
    struct loop_fd watch;
    curl_socket_t fd;
    int what; /* CURL_POLL_* */
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

static struct transfer_list *list_of(struct http_engine *engine, enum transfer_state state)
{
    switch (state) {
    case TRANSFER_WAITING:
        return &engine->waiting;
    case TRANSFER_RUNNING:
        return &engine->running;
    case TRANSFER_FINISHED:
        break;
    }
    return &engine->finished;
}

static void move_to(struct http_transfer *t, enum transfer_state state)
{
    TAILQ_REMOVE(list_of(t->engine, t->state), t, link);
    t->state = state;
    TAILQ_INSERT_TAIL(list_of(t->engine, state), t, link);
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

static void finish(struct http_transfer *t, CURLcode result)
{
    struct http_engine *engine = t->engine;

    forget_ask(t);
    transfer_finish(t, result);
    move_to(t, TRANSFER_FINISHED);
    if (!loop_timer_active(&engine->completion_timer))
        loop_timer_start(engine->loop, &engine->completion_timer, 0, run_completions, engine);
}

/* ---- libcurl in, libcurl out ---- */

static void pool_free(struct http_pool *pool)
{
    struct http_engine *engine = pool->engine;

    assert(pool->running == 0 && !engine->in_curl);
    engine->in_curl = true;
    (void)curl_multi_cleanup(pool->multi); /* closes connections: socket callbacks come */
    engine->in_curl = false;
    loop_timer_stop(engine->loop, &pool->timer);
    LIST_REMOVE(pool, link);
    free(pool);
}

/* Takes a transfer out of libcurl's hands. */
static void detach(struct http_transfer *t)
{
    struct http_pool *pool = t->pool;

    assert(!t->engine->in_curl);
    t->engine->in_curl = true;
    (void)curl_multi_remove_handle(pool->multi, t->easy);
    t->engine->in_curl = false;
    t->pool = NULL;
    pool->running--;
}

/* Old pools go here, and not in detach: their caller may still be using them. */
static void free_old_pools(struct http_engine *engine)
{
    struct http_pool *pool = LIST_FIRST(&engine->pools);

    while (pool) {
        struct http_pool *next = LIST_NEXT(pool, link);

        if (pool != engine->current && pool->running == 0)
            pool_free(pool);
        pool = next;
    }
}

static void reap(struct http_pool *pool)
{
    CURLMsg *msg;
    int left;

    while ((msg = curl_multi_info_read(pool->multi, &left)) != NULL) {
        CURLcode result = msg->data.result; /* msg dies with the removal */
        struct http_transfer *t = NULL;

        if (msg->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &t);
        detach(t);
        finish(t, result);
    }
}

static void socket_action(struct http_pool *pool, curl_socket_t fd, int what)
{
    struct http_engine *engine = pool->engine;
    int running;

    assert(!engine->in_curl);
    engine->in_curl = true;
    (void)curl_multi_socket_action(pool->multi, fd, what, &running);
    engine->in_curl = false;
    reap(pool);
    free_old_pools(engine);
}

static void on_curl_timer(void *arg)
{
    socket_action(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int curl_sets_timer(CURLM *multi, long timeout_ms, void *arg)
{
    struct http_pool *pool = arg;

    (void)multi;
    if (timeout_ms < 0)
        loop_timer_stop(pool->engine->loop, &pool->timer);
    else
        loop_timer_start(pool->engine->loop, &pool->timer, timeout_ms, on_curl_timer, pool);
    return 0;
}

static uint32_t epoll_events(int what)
{
    return (what & CURL_POLL_IN ? EPOLLIN : 0U) | (what & CURL_POLL_OUT ? EPOLLOUT : 0U);
}

static void on_socket(void *arg, uint32_t events)
{
    struct sock *s = arg;
    int what = 0;

    /* An error is found by the read or write that libcurl waits for; told as an error it would
     * not read what arrived before a reset. */
    if (events & (EPOLLERR | EPOLLHUP))
        events |= s->watch.events;
    if (events & EPOLLIN)
        what |= CURL_CSELECT_IN;
    if (events & EPOLLOUT)
        what |= CURL_CSELECT_OUT;
    socket_action(s->pool, s->fd, what);
}

static void unwatch(struct http_pool *pool, struct sock *s)
{
    if (!s)
        return;
    (void)curl_multi_assign(pool->multi, s->fd, NULL);
    loop_fd_remove(pool->engine->loop, &s->watch);
    free(s);
}

static int curl_wants_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *sock)
{
    struct http_pool *pool = arg;
    struct sock *s = sock;
    struct http_transfer *t = NULL;
    struct e2b_err err = { 0 };

    if (what == CURL_POLL_REMOVE) {
        unwatch(pool, s);
        return 0;
    }
    if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &t) == CURLE_OK && t)
        t->socket = fd;
    if (s) {
        loop_fd_set(pool->engine->loop, &s->watch, epoll_events(what));
        return 0;
    }
    s = xcalloc(1, sizeof(*s));
    *s = (struct sock){ .pool = pool, .fd = fd };
    if (loop_fd_add(pool->engine->loop, &s->watch, fd, epoll_events(what), on_socket, s, &err) <
        0) {
        /* -1 would kill the whole multi handle; so only this connection stalls, and its
         * transfers end by their deadlines. */
        log_error("http", "%s", err.msg);
        free(s);
        return 0;
    }
    (void)curl_multi_assign(pool->multi, fd, s);
    return 0;
}

static struct http_pool *pool_new(struct http_engine *engine)
{
    const struct http_engine_config *c = &engine->config;
    struct http_pool *pool = xcalloc(1, sizeof(*pool));
    CURLM *multi = curl_multi_init();

    if (!multi) {
        free(pool);
        return NULL;
    }
    pool->engine = engine;
    pool->multi = multi;
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, curl_wants_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, pool);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, curl_sets_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, pool);
    curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    curl_multi_setopt(multi, CURLMOPT_MAX_CONCURRENT_STREAMS, (long)MAX_STREAMS);
    curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, c->max_connections);
    curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, c->max_per_host);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, c->max_cached);
    LIST_INSERT_HEAD(&engine->pools, pool, link);
    return pool;
}

/* ---- what is asked for ---- */

static void attach(struct http_transfer *t)
{
    struct http_engine *engine = t->engine;
    CURLMcode rc;

    if (engine->closing)
        e2b_fail(&t->err, ECANCELED, "%s: shutting down", t->host ? t->host : "request");
    if (t->err.errnum) {
        finish(t, CURLE_OK);
        return;
    }
    t->pool = engine->current;
    engine->in_curl = true;
    rc = curl_multi_add_handle(t->pool->multi, t->easy);
    engine->in_curl = false;
    if (rc != CURLM_OK) {
        t->pool = NULL;
        e2b_fail(&t->err, ENOMEM, "%s: %s", t->host, curl_multi_strerror(rc));
        finish(t, CURLE_OK);
        return;
    }
    t->pool->running++;
    move_to(t, TRANSFER_RUNNING);
    transfer_watch_deadlines(t);
}

void engine_abort(struct http_transfer *t)
{
    assert(t->err.errnum && t->state != TRANSFER_FINISHED);
    if (t->state == TRANSFER_RUNNING)
        detach(t);
    finish(t, CURLE_OK);
    free_old_pools(t->engine);
}

/* Continues a transfer that was paused; libcurl may deliver data at once. */
static void unpause(struct http_transfer *t)
{
    struct http_pool *pool = t->pool;
    CURLcode rc;

    if (t->want_resume)
        t->recv_paused = false;
    if (t->want_resume_body)
        t->send_paused = false;
    t->want_resume = t->want_resume_body = false;
    t->active_ms = loop_now_ms(t->engine->loop);
    transfer_watch_deadlines(t);
    t->engine->in_curl = true;
    rc = curl_easy_pause(t->easy, (t->recv_paused ? CURLPAUSE_RECV : CURLPAUSE_RECV_CONT) |
                                      (t->send_paused ? CURLPAUSE_SEND : CURLPAUSE_SEND_CONT));
    t->engine->in_curl = false;
    if (rc != CURLE_OK) {
        /* What a callback refused, or a connection that broke while it was paused. */
        detach(t);
        finish(t, rc);
    }
    reap(pool); /* ours is not finished twice: removed handles have no message */
}

static void grant(struct http_transfer *t)
{
    if (t->state != TRANSFER_RUNNING)
        return;
    if (t->err.errnum)
        engine_abort(t);
    else if (t->want_resume || t->want_resume_body)
        unpause(t);
}

static void replace_pool(struct http_engine *engine)
{
    struct http_pool *pool = pool_new(engine);

    engine->want_drop_idle = false;
    if (!pool)
        return; /* out of memory: the old connections have to do */
    engine->current = pool;
    free_old_pools(engine);
}

static void settle(void *arg)
{
    struct http_engine *engine = arg;
    struct http_transfer *t;

    assert(!engine->in_curl);
    if (engine->want_drop_idle)
        replace_pool(engine);
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
    free_old_pools(engine);
}

static void settle_later(struct http_engine *engine)
{
    if (!loop_timer_active(&engine->settle_timer))
        loop_timer_start(engine->loop, &engine->settle_timer, 0, settle, engine);
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
        replace_pool(engine);
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
    if (engine->share)
        curl_share_setopt(engine->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    engine->current = engine->share ? pool_new(engine) : NULL;
    if (!engine->current) {
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
    engine->current = NULL;
    free_old_pools(engine);
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
