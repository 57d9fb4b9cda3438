/* SPDX-License-Identifier: MIT */
/*
 * fake_api: a control plane and one sandbox's envd in one, answering by a script, for tests of
 * what the client makes of answers that a well-behaved server never gives.
 *
 * Handlers run on the server's threads; everything they share is in `fake`, under its lock.
 */
#ifndef FAKE_API_H
#define FAKE_API_H

#include "http_server.h"
#include "test.h"

#include "util/buf.h"
#include "util/loop.h"
#include "util/xalloc.h"

#include <e2b/client.h>
#include <e2b/file.h>
#include <e2b/process.h>
#include <e2b/sandbox.h>

#define FAKE_ID    "i1"
#define FAKE_KEY   "e2b_0123456789abcdef"
#define FAKE_TOKEN "token-0123456789"

enum { FAKE_SCRIPT = 16 };

struct fake_answer {
    int status;          /* 0: reset the connection; -1: never answer */
    const char *headers; /* more lines, each with \r\n; NULL: none */
    const char *body;
    size_t len;   /* of the body; 0: strlen */
    size_t cut;   /* announce so many bytes more than are sent, then close */
    bool is_open; /* no length: chunked, for streams */
};

static struct {
    pthread_mutex_t lock;
    struct server server;
    const char *state; /* of FAKE_ID; NULL: there is none */
    const char *token; /* NULL: not secured */
    double ends_in;    /* seconds; 0: an hour */
    bool wakes;        /* by any request, once it is paused at its end */
    bool hold_gets;    /* GET /sandboxes/{id} waits */
    int gets, lists, data;
    struct fake_answer script[FAKE_SCRIPT]; /* answers to data-plane requests, in order */
    int n_script, at_script;
    struct fake_answer control[FAKE_SCRIPT]; /* to all other control requests */
    int n_control, at_control;
    char heads[FAKE_SCRIPT][8192]; /* of what was asked, the latest last */
    char bodies[FAKE_SCRIPT][2048];
    char paths[FAKE_SCRIPT][300];
    int n_heads;
    struct loop *loop;
    struct e2b_client *client;
    struct e2b_err err;
} fake = { .lock = PTHREAD_MUTEX_INITIALIZER };

static inline bool fake_send(struct conn *c, const struct fake_answer *a)
{
    size_t len = a->len ? a->len : strlen(a->body ? a->body : "");

    if (a->status == 0)
        return server_reset(c);
    if (a->status < 0)
        return server_linger(c);
    if (a->is_open) {
        server_printf(c, "HTTP/1.1 %d X\r\n%sTransfer-Encoding: chunked\r\n\r\n%zx\r\n",
                      a->status, a->headers ? a->headers : "", len);
        server_send(c, a->body, len);
        return server_printf(c, "\r\n0\r\n\r\n");
    }
    server_printf(c, "HTTP/1.1 %d X\r\n%sContent-Length: %zu\r\n\r\n", a->status,
                  a->headers ? a->headers : "", len + a->cut);
    return server_send(c, a->body, len) && a->cut == 0;
}

static inline void fake_time(double in, char *out, size_t size)
{
    struct timespec now;
    struct tm tm;
    double at;
    time_t sec;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    at = (double)now.tv_sec + (double)now.tv_nsec / 1e9 + in;
    sec = (time_t)at;
    gmtime_r(&sec, &tm);
    (void)snprintf(out, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
                   tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                   (int)((at - (double)sec) * 1000));
}

/* The sandbox's object; call with the lock. */
static inline void fake_object(char *out, size_t size, bool is_detail)
{
    char end[64], token[128] = "";
    const char *lifecycle = "";

    fake_time(fake.ends_in > 0 ? fake.ends_in : 3600, end, sizeof(end));
    if (is_detail && fake.token)
        (void)snprintf(token, sizeof(token), ",\"envdAccessToken\":\"%s\"", fake.token);
    if (is_detail && fake.wakes)
        lifecycle = ",\"lifecycle\":{\"autoResume\":true,\"onTimeout\":\"pause\"}";
    (void)snprintf(out, size,
                   "{\"sandboxID\":\"" FAKE_ID "\",\"templateID\":\"base\",\"clientID\":\"x\","
                   "\"startedAt\":\"2026-01-01T00:00:00Z\",\"endAt\":\"%s\",\"state\":\"%s\","
                   "\"envdVersion\":\"0.6.13\",\"metadata\":{}%s%s}",
                   end, fake.state, token, lifecycle);
}

static inline bool fake_get(struct conn *c)
{
    char body[1024];
    struct fake_answer a = { .status = 404, .body = "{\"code\":404,\"message\":\"no\"}" };
    bool holds;

    pthread_mutex_lock(&fake.lock);
    fake.gets++;
    holds = fake.hold_gets;
    if (fake.state) {
        fake_object(body, sizeof(body), true);
        a = (struct fake_answer){ .status = 200, .body = body };
    }
    pthread_mutex_unlock(&fake.lock);
    if (holds)
        return server_linger(c);
    return fake_send(c, &a);
}

static inline bool fake_list(struct conn *c)
{
    char object[1024], body[1200];
    struct fake_answer a = { .status = 200, .body = "[]" };

    pthread_mutex_lock(&fake.lock);
    fake.lists++;
    if (fake.state) {
        fake_object(object, sizeof(object), false);
        (void)snprintf(body, sizeof(body), "[%s]", object);
        a.body = body;
    }
    pthread_mutex_unlock(&fake.lock);
    return fake_send(c, &a);
}

static inline bool fake_handle(struct conn *c)
{
    struct fake_answer a = {
        .status = 200, .body = "{\"entry\":{\"name\":\"x\",\"permissions\":\"-rw-r--r--\"}}"
    };
    bool is_control, is_get, is_list;

    pthread_mutex_lock(&fake.lock);
    if (fake.n_heads < FAKE_SCRIPT) {
        (void)snprintf(fake.heads[fake.n_heads], sizeof(fake.heads[0]), "%s", c->head);
        (void)snprintf(fake.paths[fake.n_heads], sizeof(fake.paths[0]), "%s %s", c->method,
                       c->path);
        (void)snprintf(fake.bodies[fake.n_heads++], sizeof(fake.bodies[0]), "%s", c->body);
    }
    is_control = strstr(c->path, "/sandboxes") != NULL;
    is_get = strcmp(c->method, "GET") == 0 && strcmp(c->path, "/sandboxes/" FAKE_ID) == 0;
    is_list = !is_get && strncmp(c->path, "/v2/sandboxes?", 14) == 0;
    if (is_control && !is_get && fake.at_control < fake.n_control) {
        a = fake.control[fake.at_control++];
        is_list = false;
    } else if (!is_control) {
        fake.data++;
        if (fake.at_script < fake.n_script)
            a = fake.script[fake.at_script++];
    }
    pthread_mutex_unlock(&fake.lock);
    if (is_get)
        return fake_get(c);
    return is_list ? fake_list(c) : fake_send(c, &a);
}

/* A fresh server and client; state "running", no script. */
static inline void fake_up(void)
{
    static char url[64];
    struct e2b_config config = { .api_key = (char *)FAKE_KEY, .request_timeout_ms = 1500 };

    fake.state = "running";
    fake.token = FAKE_TOKEN;
    fake.ends_in = 0;
    fake.wakes = false;
    fake.hold_gets = false;
    fake.gets = fake.lists = fake.data = 0;
    fake.n_script = fake.at_script = fake.n_control = fake.at_control = fake.n_heads = 0;
    fake.server = (struct server){ 0 };
    server_start(&fake.server, fake_handle);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d", fake.server.port);
    config.api_url = config.sandbox_url = url;
    fake.loop = loop_new(NULL);
    fake.client = e2b_client_new(&config, fake.loop, NULL);
}

static inline void fake_down(void)
{
    e2b_client_free(fake.client);
    server_stop(&fake.server);
    loop_free(fake.loop);
}

static inline void fake_data(struct fake_answer a)
{
    pthread_mutex_lock(&fake.lock);
    fake.script[fake.n_script++] = a;
    pthread_mutex_unlock(&fake.lock);
}

static inline void fake_control(struct fake_answer a)
{
    pthread_mutex_lock(&fake.lock);
    fake.control[fake.n_control++] = a;
    pthread_mutex_unlock(&fake.lock);
}

/* Changes what the server's threads read. */
#define FAKE_SET(member, value)           \
    do {                                  \
        pthread_mutex_lock(&fake.lock);   \
        fake.member = (value);            \
        pthread_mutex_unlock(&fake.lock); \
    } while (0)

static inline int fake_count(const int *counter)
{
    int n;

    pthread_mutex_lock(&fake.lock);
    n = *counter;
    pthread_mutex_unlock(&fake.lock);
    return n;
}

static inline int fake_wait(struct e2b_call *call)
{
    fake.err = (struct e2b_err){ 0 };
    return e2b_wait(call, &fake.err);
}

static inline int fake_stat(void)
{
    struct e2b_entry e = { 0 };
    int r = fake_wait(e2b_file_stat(fake.client, FAKE_ID, "/x", e2b_entry_keep, &e));

    e2b_entry_clear(&e);
    return r;
}

#endif
