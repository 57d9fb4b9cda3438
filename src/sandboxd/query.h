/* SPDX-License-Identifier: MIT */
/*
 * query: the part of a URL behind '?', as Go's net/url reads it.
 *
 * A pair with a raw ';' or a bad percent escape is dropped silently, which is a trap that
 * clients must meet here as on the real server (envd.md 3.4).
 *
 * Threads: any.  Ownership: a struct query owns its strings.
 */
#ifndef SANDBOXD_QUERY_H
#define SANDBOXD_QUERY_H

#include <stdbool.h>
#include <stddef.h>

struct query_pair {
    char *name, *value; /* decoded; may hold any byte but NUL */
};

struct query {
    struct query_pair *pairs;
    size_t count;
};

void query_parse(struct query *q, const char *raw);
void query_clear(struct query *q);

const char *query_get(const struct query *q, const char *name); /* first; NULL if absent */
size_t query_count(const struct query *q, const char *name);

/* Percent-decodes; '+' is a space if `form`.  NULL if an escape is bad or encodes NUL. */
char *percent_decode(const char *s, bool form);

#endif
