/* SPDX-License-Identifier: MIT */
#include "query.h"

#include "util/xalloc.h"

#include <string.h>

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

char *percent_decode(const char *s, bool form)
{
    autofree char *out = xmalloc(strlen(s) + 1);
    char *p = out;

    for (; *s; s++) {
        if (*s == '+' && form) {
            *p++ = ' ';
        } else if (*s == '%') {
            int high = hex(s[1]), low = high < 0 ? -1 : hex(s[2]);

            if (low < 0 || (high == 0 && low == 0))
                return NULL;
            *p++ = (char)(high << 4 | low);
            s += 2;
        } else {
            *p++ = *s;
        }
    }
    *p = '\0';
    return steal_ptr(&out);
}

static void add(struct query *q, const char *pair, size_t len)
{
    autofree char *copy = xstrndup(pair, len);
    char *equals = strchr(copy, '=');
    char *name, *value;

    if (len == 0 || strchr(copy, ';'))
        return;
    if (equals)
        *equals = '\0';
    name = percent_decode(copy, true);
    value = percent_decode(equals ? equals + 1 : "", true);
    if (!name || !value) {
        free(name);
        free(value);
        return;
    }
    q->pairs = xreallocarray(q->pairs, q->count + 1, sizeof(*q->pairs));
    q->pairs[q->count++] = (struct query_pair){ .name = name, .value = value };
}

void query_parse(struct query *q, const char *raw)
{
    while (raw && *raw) {
        size_t len = strcspn(raw, "&");

        add(q, raw, len);
        raw += len;
        if (*raw == '&')
            raw++;
    }
}

void query_clear(struct query *q)
{
    for (size_t i = 0; i < q->count; i++) {
        free(q->pairs[i].name);
        free(q->pairs[i].value);
    }
    free(q->pairs);
    *q = (struct query){ 0 };
}

const char *query_get(const struct query *q, const char *name)
{
    for (size_t i = 0; i < q->count; i++)
        if (strcmp(q->pairs[i].name, name) == 0)
            return q->pairs[i].value;
    return NULL;
}

size_t query_count(const struct query *q, const char *name)
{
    size_t n = 0;

    for (size_t i = 0; i < q->count; i++)
        n += strcmp(q->pairs[i].name, name) == 0;
    return n;
}
