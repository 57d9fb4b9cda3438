/* SPDX-License-Identifier: MIT */
#include "http/pool.h"

#include "util/log.h"
#include "util/xalloc.h"

#include <assert.h>
#include <sys/epoll.h>

/* A watched socket, as libcurl asked for. */
struct sock {
    struct http_pool *pool;
    struct loop_fd watch;
    curl_socket_t fd;
};

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
        pool_remove(t);
        engine_done(t, result);
    }
}

static void socket_action(struct http_pool *pool, curl_socket_t fd, int what)
{
    struct http_engine *engine = pool->engine;
    int running;

    engine_enter_curl(engine);
    (void)curl_multi_socket_action(pool->multi, fd, what, &running);
    engine_leave_curl(engine);
    reap(pool);
    engine_free_old_pools(engine); /* this one perhaps */
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
        loop_timer_stop(engine_loop(pool->engine), &pool->timer);
    else
        loop_timer_start(engine_loop(pool->engine), &pool->timer, timeout_ms, on_curl_timer,
                         pool);
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
    loop_fd_remove(engine_loop(pool->engine), &s->watch);
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
        loop_fd_set(engine_loop(pool->engine), &s->watch, epoll_events(what));
        return 0;
    }
    s = xcalloc(1, sizeof(*s));
    *s = (struct sock){ .pool = pool, .fd = fd };
    if (loop_fd_add(engine_loop(pool->engine), &s->watch, fd, epoll_events(what), on_socket, s,
                    &err) < 0) {
        /* -1 would kill the whole multi handle; so only this connection stalls, and its
         * transfers end by their deadlines. */
        log_error("http", "%s", err.msg);
        free(s);
        return 0;
    }
    (void)curl_multi_assign(pool->multi, fd, s);
    return 0;
}

struct http_pool *pool_new(struct http_engine *engine)
{
    const struct http_engine_config *c = engine_config(engine);
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
    curl_multi_setopt(multi, CURLMOPT_MAX_CONCURRENT_STREAMS, (long)POOL_MAX_STREAMS);
    curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, c->max_connections);
    curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, c->max_per_host);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, c->max_cached);
    return pool;
}

void pool_free(struct http_pool *pool)
{
    assert(pool->running == 0);
    engine_enter_curl(pool->engine);
    (void)curl_multi_cleanup(pool->multi); /* closes connections: socket callbacks come */
    engine_leave_curl(pool->engine);
    loop_timer_stop(engine_loop(pool->engine), &pool->timer);
    free(pool);
}

CURLMcode pool_add(struct http_pool *pool, struct http_transfer *t)
{
    CURLMcode rc;

    engine_enter_curl(pool->engine);
    rc = curl_multi_add_handle(pool->multi, t->easy);
    engine_leave_curl(pool->engine);
    if (rc == CURLM_OK) {
        t->pool = pool;
        pool->running++;
    }
    return rc;
}

void pool_remove(struct http_transfer *t)
{
    struct http_pool *pool = t->pool;

    engine_enter_curl(pool->engine);
    (void)curl_multi_remove_handle(pool->multi, t->easy);
    engine_leave_curl(pool->engine);
    t->pool = NULL;
    pool->running--;
}

void pool_unpause(struct http_transfer *t)
{
    struct http_pool *pool = t->pool;
    int mask = (t->recv_paused ? CURLPAUSE_RECV : CURLPAUSE_RECV_CONT) |
               (t->send_paused ? CURLPAUSE_SEND : CURLPAUSE_SEND_CONT);
    CURLcode rc;

    engine_enter_curl(pool->engine);
    rc = curl_easy_pause(t->easy, mask);
    engine_leave_curl(pool->engine);
    if (rc != CURLE_OK) {
        /* What a callback refused, or a connection that broke while it was paused. */
        pool_remove(t);
        engine_done(t, rc);
    }
    reap(pool); /* `t` is not there twice: removed handles have no message */
}
