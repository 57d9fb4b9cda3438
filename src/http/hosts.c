/* SPDX-License-Identifier: MIT */
#include "http/hosts.h"

#include "http/pool.h"
#include "util/xalloc.h"

#include <uthash.h>

static struct http_host *find_or_add(struct hosts *hosts, const char *name)
{
    struct http_host *host;

    HASH_FIND_STR(hosts->table, name, host);
    if (host)
        return host;
    host = xcalloc(1, sizeof(*host));
    host->name = xstrdup(name);
    TAILQ_INIT(&host->held);
    HASH_ADD_KEYPTR(hh, hosts->table, host->name, strlen(host->name), host);
    return host;
}

bool host_admit(struct hosts *hosts, struct http_transfer *t)
{
    if (!t->shares_connection || t->admitted)
        return true;
    t->at = find_or_add(hosts, t->host);
    if (t->at->admitted >= POOL_MAX_STREAMS)
        return false;
    t->at->admitted++;
    t->admitted = true;
    return true;
}

struct http_transfer *host_release(struct hosts *hosts, struct http_transfer *t)
{
    struct http_host *host = t->at;
    struct http_transfer *next = NULL;

    if (!host)
        return NULL;
    if (t->admitted) {
        next = TAILQ_FIRST(&host->held);
        if (next)
            next->admitted = true; /* the place passes on */
        else
            host->admitted--;
    }
    t->at = NULL;
    t->admitted = false;
    if (host->admitted == 0 && TAILQ_EMPTY(&host->held)) {
        HASH_DEL(hosts->table, host);
        free(host->name);
        free(host);
    }
    return next;
}
