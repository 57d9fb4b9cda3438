/* SPDX-License-Identifier: MIT */
#include "listen.h"

#include "util/xalloc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 1024 };

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static bool is_loopback(const union address *a)
{
    if (a->any.sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
    return ntohl(a->v4.sin_addr.s_addr) >> 24 == 127;
}

static int parse(const char *where, union address *out, struct e2b_err *err)
{
    const char *colon = strrchr(where, ':');
    autofree char *host = colon ? xstrndup(where, (size_t)(colon - where)) : NULL;
    const char *port_text = colon ? colon + 1 : where;
    size_t len = host ? strlen(host) : 0;
    char *end;
    long port = strtol(port_text, &end, 10);

    *out = (union address){ 0 };
    if (end == port_text || *end || port < 0 || port > 65535)
        return e2b_fail(err, EINVAL, "--listen %s: expected HOST:PORT", where);
    if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        memmove(host, host + 1, len - 1);
    }
    if (!host || !host[0] || strcmp(host, "localhost") == 0) {
        out->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        out->any.sa_family = AF_INET;
    } else if (inet_pton(AF_INET, host, &out->v4.sin_addr) == 1) {
        out->any.sa_family = AF_INET;
    } else if (inet_pton(AF_INET6, host, &out->v6.sin6_addr) == 1) {
        out->any.sa_family = AF_INET6;
    } else {
        return e2b_fail(err, EINVAL, "--listen %s: not an address", where);
    }
    if (out->any.sa_family == AF_INET)
        out->v4.sin_port = htons((uint16_t)port);
    else
        out->v6.sin6_port = htons((uint16_t)port);
    if (!is_loopback(out))
        return e2b_fail(err, EINVAL,
                        "--listen %s: only loopback addresses are served (127.0.0.1, [::1])",
                        where);
    return 0;
}

int listen_open(const char *where, char *bound, size_t size, struct e2b_err *err)
{
    union address a;
    socklen_t len = sizeof(a);
    char host[INET6_ADDRSTRLEN];
    int on = 1, fd, r = parse(where, &a, err);

    if (r < 0)
        return r;
    fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return e2b_fail(err, errno, "opening a socket: %s", strerror(errno));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, &a.any, a.any.sa_family == AF_INET ? sizeof(a.v4) : sizeof(a.v6)) < 0 ||
        listen(fd, BACKLOG) < 0 || getsockname(fd, &a.any, &len) < 0) {
        r = e2b_fail(err, errno, "listening on %s: %s", where, strerror(errno));
        close(fd);
        return r;
    }
    if (a.any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &a.v4.sin_addr, host, sizeof(host));
        snprintf(bound, size, "%s:%u", host, ntohs(a.v4.sin_port));
    } else {
        inet_ntop(AF_INET6, &a.v6.sin6_addr, host, sizeof(host));
        snprintf(bound, size, "[%s]:%u", host, ntohs(a.v6.sin6_port));
    }
    return fd;
}
