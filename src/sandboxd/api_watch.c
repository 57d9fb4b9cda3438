/* SPDX-License-Identifier: MIT */
/* envd's watches (envd.md 10): WatchDir's stream, and the watchers that are polled. */
#include "api.h"
#include "api_filesystem.h"
#include "frames.h"
#include "util/clock.h"
#include "util/xalloc.h"
#include "watchers.h"

#include <string.h>
#include <unistd.h>

/* The socket of a new watch; -1 if the request was answered. */
static int open_watch(struct rpc *rpc)
{
    automsg struct msg reply = MSG_INIT;
    uint32_t flags = (rpc_bool(rpc->in, "recursive", false) ? WATCH_RECURSIVE : 0) |
                     (rpc_bool(rpc->in, "includeEntry", false) ? WATCH_ENTRIES : 0);
    int sock;

    if (!filesystem_ask(rpc, MSG_WATCH, (const char *const[]){ "path", NULL }, flags, &reply))
        return -1;
    sock = msg_take_fd(&reply, 0);
    if (sock < 0)
        rpc_fail(rpc, E2B_CONNECT_INTERNAL, "error creating watcher");
    return sock;
}

/* --- WatchDir -------------------------------------------------------------------------------
 */

struct watch_stream {
    int sock;                       /* owned */
    struct buf out;                 /* envelopes that wait to be sent */
    int64_t keepalive_ms, deadline; /* 0: none */
    bool is_finished;
};

static void stream_free(void *state)
{
    struct watch_stream *s = state;

    close(s->sock);
    buf_clear(&s->out);
    free(s);
}

static void put_last(struct watch_stream *s, enum e2b_connect_code code, const char *text)
{
    rpc_frame(&s->out, FRAME_END, rpc_end_message(code, text));
    s->is_finished = true;
}

/* Waits for something to send; false when the connection must break. */
static bool put_next(struct watch_stream *s, struct request *rq)
{
    int64_t wait_ms = s->keepalive_ms;
    int64_t left = s->deadline ? s->deadline - clock_boot_ms() : INT64_MAX;
    struct watch_failure failure = { 0 };
    json_t *event;
    int r;

    if (left <= 0) {
        put_last(s, E2B_CONNECT_DEADLINE_EXCEEDED, "context deadline exceeded");
        return true;
    }
    r = request_poll(rq, s->sock, (int)(left < wait_ms ? left : wait_ms));
    if (r < 0)
        return false;
    if (r == 0) {
        if (left > wait_ms)
            rpc_frame(&s->out, 0, json_pack("{s:{}}", "keepalive"));
        return true;
    }
    switch (watch_read(s->sock, &event, &failure)) {
    case WATCH_NONE:
        break;
    case WATCH_EVENT:
        rpc_frame(&s->out, 0, json_pack("{s:o}", "filesystem", event));
        break;
    case WATCH_FAILED:
        if (failure.code == E2B_CONNECT_UNAVAILABLE)
            return false; /* the sandbox ended */
        if (failure.code == E2B_CONNECT_UNKNOWN) {
            autofree char *text = xasprintf("error sending filesystem event: %s", failure.text);

            put_last(s, failure.code, text);
        } else {
            put_last(s, failure.code, failure.text);
        }
        break;
    }
    return true;
}

static ssize_t stream_read(void *state, struct request *rq, char *out, size_t max)
{
    struct watch_stream *s = state;

    while (s->out.len == 0) {
        if (s->is_finished)
            return 0;
        if (!put_next(s, rq))
            return -1;
    }
    if (max > s->out.len)
        max = s->out.len;
    memcpy(out, s->out.data, max);
    buf_consume(&s->out, max);
    return (ssize_t)max;
}

void envd_watch_dir(struct request *rq)
{
    autorpc struct rpc rpc;
    struct watch_stream *s;
    int sock;

    if (!rpc_begin(&rpc, rq, RPC_STREAM))
        return;
    sock = open_watch(&rpc);
    if (sock < 0)
        return;
    s = xcalloc(1, sizeof(*s));
    s->sock = sock;
    s->out.max = MIB(1);
    s->keepalive_ms = rpc_keepalive_s(rq) * 1000;
    s->deadline = rpc.time_limit_ms ? clock_boot_ms() + rpc.time_limit_ms : 0;
    rpc_frame(&s->out, 0, json_pack("{s:{}}", "start"));
    respond_stream(rq, 200, "application/connect+json", BODY_UNKNOWN_SIZE, stream_read,
                   stream_free, s);
}

/* --- polling --------------------------------------------------------------------------------
 */

void envd_create_watcher(struct request *rq)
{
    autorpc struct rpc rpc;
    char id[WATCHER_ID];
    int sock;

    if (!rpc_begin(&rpc, rq, RPC_UNARY))
        return;
    sock = open_watch(&rpc);
    if (sock < 0)
        return;
    watchers_add(rq->sandbox->watchers, sock, id);
    rpc_reply(&rpc, json_pack("{s:s}", "watcherId", id));
}

void envd_get_watcher_events(struct request *rq)
{
    autorpc struct rpc rpc;
    struct watch_failure failure = { 0 };
    json_t *events, *out;

    if (!rpc_begin(&rpc, rq, RPC_UNARY))
        return;
    events =
        watchers_drain(rq->sandbox->watchers, rpc_string(rpc.in, "watcherId", NULL), &failure);
    if (!events) {
        rpc_fail(&rpc,
                 failure.code == E2B_CONNECT_UNKNOWN ? E2B_CONNECT_INTERNAL : failure.code,
                 "%s", failure.text);
        return;
    }
    out = json_object();
    if (json_array_size(events) > 0)
        json_object_set(out, "events", events);
    json_decref(events);
    rpc_reply(&rpc, out);
}

void envd_remove_watcher(struct request *rq)
{
    autorpc struct rpc rpc;
    const char *id;

    if (!rpc_begin(&rpc, rq, RPC_UNARY))
        return;
    id = rpc_string(rpc.in, "watcherId", NULL);
    if (watchers_remove(rq->sandbox->watchers, id))
        rpc_reply(&rpc, NULL);
    else
        rpc_fail(&rpc, E2B_CONNECT_NOT_FOUND, "watcher with id %s not found", id);
}
