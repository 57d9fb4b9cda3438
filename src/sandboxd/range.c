/* SPDX-License-Identifier: MIT */
#include "range.h"

#include "util/xalloc.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A decimal number without sign that fits; Go's ParseInt with the sign refused. */
static bool number(const char *s, int64_t *out)
{
    char *end;
    long long n;

    if (*s < '0' || *s > '9')
        return false;
    errno = 0;
    n = strtoll(s, &end, 10);
    if (errno || *end)
        return false;
    *out = n;
    return true;
}

static char *trim(char *s)
{
    size_t len;

    while (*s == ' ' || *s == '\t')
        s++;
    len = strlen(s);
    while (len > 0 && (s[len - 1] == ' ' || s[len - 1] == '\t'))
        s[--len] = '\0';
    return s;
}

/* One "a-b", "a-" or "-n". RANGE_ALL never comes back. */
static enum range_kind parse_one(char *spec, int64_t size, int64_t *start, int64_t *len)
{
    char *dash = strchr(spec, '-'), *first, *last;
    int64_t a, b;

    if (!dash)
        return RANGE_BAD;
    *dash = '\0';
    first = trim(spec);
    last = trim(dash + 1);
    if (first[0] == '\0') {
        if (!number(last, &b))
            return RANGE_BAD;
        if (b > size)
            b = size;
        *start = size - b;
        *len = b;
        return RANGE_PART;
    }
    if (!number(first, &a))
        return RANGE_BAD;
    if (a >= size)
        return RANGE_NO_OVERLAP;
    if (last[0] == '\0') {
        b = size - 1;
    } else {
        if (!number(last, &b) || a > b)
            return RANGE_BAD;
        if (b >= size)
            b = size - 1;
    }
    *start = a;
    *len = b - a + 1;
    return RANGE_PART;
}

enum range_kind range_parse(const char *header, int64_t size, int64_t *start, int64_t *len)
{
    autofree char *copy = xstrdup(header);
    char *rest, *spec;
    int parts = 0;
    bool missed = false;

    *start = 0;
    *len = size;
    if (!header || header[0] == '\0')
        return RANGE_ALL;
    if (strncmp(copy, "bytes=", 6) != 0)
        return RANGE_BAD;
    rest = copy + 6;
    while ((spec = strsep(&rest, ","))) {
        int64_t a = 0, n = 0;
        enum range_kind kind;

        spec = trim(spec);
        if (spec[0] == '\0')
            continue;
        kind = parse_one(spec, size, &a, &n);
        if (kind == RANGE_BAD)
            return RANGE_BAD;
        if (kind == RANGE_NO_OVERLAP) {
            missed = true;
            continue;
        }
        if (parts++ == 0) {
            *start = a;
            *len = n;
        }
    }
    if (parts == 1)
        return RANGE_PART;
    *start = 0;
    *len = size;
    /* An empty file answers 200 to any range. */
    if (parts == 0 && missed && size > 0)
        return RANGE_NO_OVERLAP;
    return RANGE_ALL;
}

int64_t http_date_parse(const char *s)
{
    struct tm tm = { 0 };
    const char *end = s ? strptime(s, "%a, %d %b %Y %H:%M:%S GMT", &tm) : NULL;

    return end && *end == '\0' ? (int64_t)timegm(&tm) : -1;
}

char *http_date_format(int64_t seconds, char out[HTTP_DATE_MAX])
{
    time_t t = (time_t)seconds;
    struct tm tm;

    gmtime_r(&t, &tm);
    (void)strftime(out, HTTP_DATE_MAX, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    return out;
}
