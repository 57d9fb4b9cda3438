/* SPDX-License-Identifier: MIT */
#include "http_server.h"

#include "response.h"
#include "store.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/xalloc.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

struct http_server {
    struct MHD_Daemon *daemon;
    http_router_fn *router;
    http_done_fn *done;
};

enum {
    CONNECTIONS_MAX = 20000,
    CONNECTION_MEMORY = 64 << 10, /* headers and one piece of a body */
    THREAD_STACK = 1 << 20,
    IDLE_S = 640,
};

static int stop_fd = -1; /* readable once the server ends */

/* --- waiting ------------------------------------------------------------------------------ */

/* True if the request was over within ms. */
static bool over_within(struct request *rq, int ms)
{
    struct pollfd p[2] = { { .fd = rq->fd, .events = POLLRDHUP },
                           { .fd = stop_fd, .events = POLLIN } };

    if (atomic_load(&rq->is_aborted))
        return true;
    return poll(p, 2, ms) > 0;
}

bool request_is_over(struct request *rq)
{
    return over_within(rq, 0);
}

bool request_given_up(void *rq)
{
    return request_is_over(rq);
}

bool request_wait(struct request *rq, int64_t ms)
{
    int64_t end = clock_boot_ms() + ms;

    for (;;) {
        int64_t left = end - clock_boot_ms();

        if (left <= 0)
            return true;
        if (over_within(rq, left > 1000 ? 1000 : (int)left))
            return false;
    }
}

int request_poll(struct request *rq, int fd, int ms)
{
    struct pollfd p[3] = { { .fd = rq->fd, .events = POLLRDHUP },
                           { .fd = stop_fd, .events = POLLIN },
                           { .fd = fd, .events = POLLIN } };
    int n;

    if (atomic_load(&rq->is_aborted))
        return -1;
    do {
        n = poll(p, 3, ms);
    } while (n < 0 && errno == EINTR);
    if (p[0].revents || p[1].revents)
        return -1;
    return n > 0;
}

void request_reset(struct request *rq)
{
    struct sockaddr none = { .sa_family = AF_UNSPEC };

    /* Dissolving the association sends RST at once, whatever was queued. */
    if (connect(rq->fd, &none, sizeof(none)) < 0)
        shutdown(rq->fd, SHUT_RDWR);
}

void request_abort(struct request *rq)
{
    atomic_store(&rq->is_aborted, true);
    request_reset(rq);
}

/* --- the life of a request ---------------------------------------------------------------- */

static void *on_uri(void *cls, const char *uri, struct MHD_Connection *conn)
{
    struct request *rq = xcalloc(1, sizeof(*rq));
    size_t len = strcspn(uri, "?");

    (void)cls;
    rq->conn = conn;
    rq->fd = -1;
    rq->target = xstrdup(uri);
    rq->path = xstrndup(uri, len);
    query_parse(&rq->query, uri[len] ? uri + len + 1 : NULL);
    return rq;
}

static void request_free(struct request *rq)
{
    if (rq->free_state)
        rq->free_state(rq->state);
    for (int i = 0; i < REQUEST_ARGS_MAX; i++)
        free(rq->args[i]);
    response_clear(&rq->response);
    query_clear(&rq->query);
    buf_clear(&rq->body);
    free(rq->method);
    free(rq->target);
    free(rq->path);
    sandbox_unref(rq->sandbox); /* last: what was freed above may point into it */
    free(rq);
}

static void on_completed(void *cls, struct MHD_Connection *conn, void **con_cls,
                         enum MHD_RequestTerminationCode code)
{
    struct http_server *server = cls;
    struct request *rq = *con_cls;

    (void)conn;
    (void)code;
    if (!rq)
        return;
    server->done(rq);
    request_free(rq);
    *con_cls = NULL;
}

const char *request_header(struct request *rq, const char *name)
{
    return MHD_lookup_connection_value(rq->conn, MHD_HEADER_KIND, name);
}

static void begin(struct http_server *server, struct request *rq, const char *method)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(rq->conn, MHD_CONNECTION_INFO_CONNECTION_FD);

    rq->fd = info->connect_fd;
    rq->method = xstrdup(method);
    rq->has_begun = true;
    server->router(rq);
    if (rq->route && !rq->is_answered) {
        rq->body.max = rq->route->body_max ? rq->route->body_max : BODY_MAX_DEFAULT;
        if (rq->route->on_begin)
            rq->route->on_begin(rq);
    }
}

/* False when the connection was cut by a fault. */
static bool take_body(struct request *rq, const char *data, size_t len)
{
    rq->bytes_in += len;
    if (rq->fault.kind == FAULT_RESET_IN && rq->bytes_in >= (uint64_t)rq->fault.value) {
        uint64_t before = rq->bytes_in - len;

        len = (size_t)((uint64_t)rq->fault.value - before);
        if (len > 0 && rq->route && rq->route->on_body)
            rq->route->on_body(rq, data, len);
        request_reset(rq);
        return false;
    }
    if (rq->is_answered || !rq->route)
        return true; /* the answer waits for the end of the body */
    if (rq->route->on_body)
        rq->route->on_body(rq, data, len);
    else if (!rq->is_body_too_big && buf_append(&rq->body, data, len) < 0)
        rq->is_body_too_big = true;
    return true;
}

static enum MHD_Result on_access(void *cls, struct MHD_Connection *conn, const char *url,
                                 const char *method, const char *version, const char *data,
                                 size_t *len, void **con_cls)
{
    struct http_server *server = cls;
    struct request *rq = *con_cls;

    (void)url;
    (void)version;
    if (!rq)
        return MHD_NO;
    if (!rq->has_begun) {
        rq->conn = conn;
        begin(server, rq, method);
        if (rq->is_cut)
            return MHD_NO;
        /* An answer before the body: it is sent at once and the connection closes. */
        return rq->is_answered ? response_queue(rq) : MHD_YES;
    }
    if (*len > 0) {
        bool ok = take_body(rq, data, *len);

        *len = 0;
        return ok ? MHD_YES : MHD_NO;
    }
    if (!rq->is_answered && rq->is_body_too_big)
        respond_text(rq, 413, "request body too large");
    if (!rq->is_answered && rq->fault.kind == FAULT_RESET_IN) {
        request_reset(rq);
        return MHD_NO;
    }
    if (!rq->is_answered)
        rq->route->handle(rq);
    if (!rq->is_answered || rq->is_cut)
        return MHD_NO; /* given up: the client is gone or the sandbox ended */
    return response_queue(rq);
}

static void on_log(void *cls, const char *fmt, va_list ap)
{
    (void)cls;
    (void)fmt;
    (void)ap;
}

struct http_server *http_server_start(int listen_fd, http_router_fn *router, http_done_fn *done,
                                      struct e2b_err *err)
{
    struct http_server *server = xcalloc(1, sizeof(*server));

    server->router = router;
    server->done = done;
    stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    server->daemon = MHD_start_daemon(
        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL |
            MHD_USE_ITC | MHD_USE_ERROR_LOG,
        0, NULL, NULL, on_access, server, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
        MHD_OPTION_LISTEN_SOCKET, listen_fd, MHD_OPTION_URI_LOG_CALLBACK, on_uri, server,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
        MHD_OPTION_THREAD_STACK_SIZE, (size_t)THREAD_STACK, MHD_OPTION_END);
    if (!server->daemon) {
        e2b_fail(err, EIO, "can't start the HTTP server");
        free(server);
        return NULL;
    }
    return server;
}

void http_server_quiesce(struct http_server *server)
{
    int fd = MHD_quiesce_daemon(server->daemon);

    if (fd >= 0)
        close(fd);
    eventfd_write(stop_fd, 1);
}

void http_server_stop(struct http_server *server)
{
    MHD_stop_daemon(server->daemon);
    close(stop_fd);
    stop_fd = -1;
    free(server);
}
