/* SPDX-License-Identifier: MIT */
/*
 * http_server: a small server on a free loopback port, on raw sockets, that misbehaves.
 *
 * One thread accepts, one serves each connection: it reads a request and gives it to the
 * test's handler, which writes what it wants.  Handlers run on those threads.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

struct server;

struct conn {
    struct server *server;
    int fd;
    int requests; /* read on this connection so far */
    char method[16];
    char path[256];
    char head[8192];
    char *body; /* of the request, if the server reads it; NUL-terminated */
    size_t body_len;
    pthread_t thread;
    struct conn *next;
};

/* Returns true to go on with the connection, false to close it. */
typedef bool server_fn(struct conn *c);

struct server {
    int listen_fd;
    int port;
    int stop_pipe[2]; /* readable from server_stop on */
    server_fn *handle;
    bool leave_body; /* the handler reads the body itself */
    atomic_int connections, requests, closed_by_peer;
    pthread_t thread;
    struct conn *conns; /* touched by the accepting thread, then by server_stop */
};

/* Waits until `fd` is ready or the server stops; false for the latter. */
static inline bool server_wait(struct conn *c, short events)
{
    struct pollfd p[2] = { { .fd = c->fd, .events = events },
                           { .fd = c->server->stop_pipe[0], .events = POLLIN } };

    while (poll(p, 2, -1) < 0 && errno == EINTR)
        continue;
    return p[1].revents == 0;
}

/* For handlers that have nothing more to say: until the client closes, or the server stops. */
static inline bool server_linger(struct conn *c)
{
    char sink[4096];

    while (server_wait(c, POLLIN)) {
        if (recv(c->fd, sink, sizeof(sink), 0) <= 0) {
            atomic_fetch_add(&c->server->closed_by_peer, 1);
            break;
        }
    }
    return false;
}

/* The same without taking what the client sends. */
static inline bool server_ignore(struct conn *c)
{
    while (server_wait(c, POLLRDHUP)) {
        struct pollfd p = { .fd = c->fd, .events = POLLRDHUP };

        if (poll(&p, 1, 0) > 0)
            break;
    }
    return false;
}

static inline bool server_send(struct conn *c, const void *data, size_t len)
{
    const char *p = data;

    while (len > 0) {
        ssize_t n;

        if (!server_wait(c, POLLOUT))
            return false;
        n = send(c->fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            continue;
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

__attribute__((format(printf, 2, 3))) static inline bool server_printf(struct conn *c,
                                                                       const char *fmt, ...)
{
    char text[8192];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return server_send(c, text, (size_t)n);
}

static inline bool server_answer(struct conn *c, int status, const char *body)
{
    return server_printf(c, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n\r\n%s", status,
                         strlen(body), body);
}

/* Closes with a reset instead of an end. */
static inline bool server_reset(struct conn *c)
{
    struct linger now = { .l_onoff = 1, .l_linger = 0 };

    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    return false;
}

static inline ssize_t server_recv(struct conn *c, void *out, size_t len)
{
    ssize_t n;

    if (!server_wait(c, POLLIN))
        return 0;
    n = recv(c->fd, out, len, 0);
    if (n <= 0)
        atomic_fetch_add(&c->server->closed_by_peer, 1);
    return n;
}

static inline const char *server_header(const struct conn *c, const char *name)
{
    size_t len = strlen(name);

    for (const char *line = strstr(c->head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, len) == 0 && line[len] == ':')
            return line + len + 1 + strspn(line + len + 1, " ");
    }
    return NULL;
}

static inline bool server_read_exactly(struct conn *c, char *out, size_t len)
{
    while (len > 0) {
        ssize_t n = server_recv(c, out, len);

        if (n <= 0)
            return false;
        out += n;
        len -= (size_t)n;
    }
    return true;
}

static inline bool server_read_line(struct conn *c, char *out, size_t size)
{
    size_t len = 0;

    while (len < size - 1) {
        if (!server_read_exactly(c, out + len, 1))
            return false;
        len++;
        if (len >= 2 && out[len - 1] == '\n') {
            out[len - 2] = '\0';
            return true;
        }
    }
    return false;
}

static inline bool server_read_chunks(struct conn *c)
{
    for (;;) {
        char line[64];
        size_t n;

        if (!server_read_line(c, line, sizeof(line)))
            return false;
        n = strtoul(line, NULL, 16);
        c->body = realloc(c->body, c->body_len + n + 3);
        if (!server_read_exactly(c, c->body + c->body_len, n + 2))
            return false;
        c->body_len += n;
        c->body[c->body_len] = '\0';
        if (n == 0)
            return true;
    }
}

static inline bool server_read_request(struct conn *c)
{
    const char *length, *coding;
    size_t len = 0;

    c->head[0] = '\0';
    while (!strstr(c->head, "\r\n\r\n")) {
        if (len == sizeof(c->head) - 1 || !server_read_exactly(c, c->head + len, 1))
            return false;
        c->head[++len] = '\0';
    }
    (void)sscanf(c->head, "%15s %255s", c->method, c->path);
    c->requests++;
    atomic_fetch_add(&c->server->requests, 1);
    free(c->body);
    c->body = NULL;
    c->body_len = 0;
    if (c->server->leave_body)
        return true;
    coding = server_header(c, "Transfer-Encoding");
    if (coding && strncmp(coding, "chunked", 7) == 0)
        return server_read_chunks(c);
    length = server_header(c, "Content-Length");
    c->body_len = length ? strtoul(length, NULL, 10) : 0;
    c->body = calloc(1, c->body_len + 1);
    return server_read_exactly(c, c->body, c->body_len);
}

static inline void *server_conn_main(void *arg)
{
    struct conn *c = arg;

    while (server_read_request(c) && c->server->handle(c))
        continue;
    close(c->fd);
    free(c->body);
    return NULL;
}

static inline void *server_main(void *arg)
{
    struct server *s = arg;
    struct pollfd p[2] = { { .fd = s->listen_fd, .events = POLLIN },
                           { .fd = s->stop_pipe[0], .events = POLLIN } };

    for (;;) {
        struct conn *c;
        int fd;

        while (poll(p, 2, -1) < 0 && errno == EINTR)
            continue;
        if (p[1].revents)
            return NULL;
        fd = accept(s->listen_fd, NULL, NULL);
        if (fd < 0)
            continue;
        atomic_fetch_add(&s->connections, 1);
        c = calloc(1, sizeof(*c));
        c->server = s;
        c->fd = fd;
        c->next = s->conns;
        s->conns = c;
        if (pthread_create(&c->thread, NULL, server_conn_main, c) != 0)
            abort();
    }
}

static inline void server_start(struct server *s, server_fn *handle)
{
    struct sockaddr_in addr = { .sin_family = AF_INET };
    socklen_t len = sizeof(addr);

    s->handle = handle;
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(s->listen_fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
        listen(s->listen_fd, 128) < 0 ||
        getsockname(s->listen_fd, (struct sockaddr *)&addr, &len) < 0 || pipe(s->stop_pipe) < 0)
        abort();
    s->port = ntohs(addr.sin_port);
    if (pthread_create(&s->thread, NULL, server_main, s) != 0)
        abort();
}

static inline void server_stop(struct server *s)
{
    close(s->stop_pipe[1]); /* the other end becomes readable for everybody */
    pthread_join(s->thread, NULL);
    while (s->conns) {
        struct conn *next = s->conns->next;

        pthread_join(s->conns->thread, NULL);
        free(s->conns);
        s->conns = next;
    }
    close(s->stop_pipe[0]);
    close(s->listen_fd);
}

#endif
