/* SPDX-License-Identifier: MIT */
#include "ranges.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "util/xalloc.h"

void ranges_clear(struct ranges *r)
{
    free(r->v);
    *r = (struct ranges){ 0 };
}

/* The first interval that ends after `off` (r->n: none). */
static size_t first_ending_after(const struct ranges *r, int64_t off)
{
    size_t lo = 0, hi = r->n;

    /* A sequential writer is at the last interval; don't search for it. */
    if (r->n > 0 && r->v[r->n - 1].to <= off)
        return r->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (r->v[mid].to > off)
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}

/* Replaces the `old` intervals at `at` by the `n` of `with`. */
static int replace(struct ranges *r, size_t at, size_t old, const struct range *with, size_t n)
{
    if (r->n - old + n > RANGES_MAX)
        return -EFBIG;
    if (r->n - old + n > r->cap) {
        r->cap = r->cap ? r->cap * 2 : 4;
        r->v = xreallocarray(r->v, r->cap, sizeof(*r->v));
    }
    for (size_t i = 0; i < old; i++)
        r->total -= r->v[at + i].to - r->v[at + i].from;
    if (r->n > at + old)
        memmove(r->v + at + n, r->v + at + old, (r->n - at - old) * sizeof(*r->v));
    for (size_t i = 0; i < n; i++) {
        r->v[at + i] = with[i];
        r->total += with[i].to - with[i].from;
    }
    r->n = r->n - old + n;
    return 0;
}

int ranges_add(struct ranges *r, int64_t from, int64_t to)
{
    struct range merged = { from, to };
    size_t at, end;

    if (from >= to)
        return 0;
    /* Touching neighbours are merged too, hence - 1 and <=. */
    at = first_ending_after(r, from - 1);
    for (end = at; end < r->n && r->v[end].from <= to; end++) {
        if (r->v[end].from < merged.from)
            merged.from = r->v[end].from;
        if (r->v[end].to > merged.to)
            merged.to = r->v[end].to;
    }
    return replace(r, at, end - at, &merged, 1);
}

int ranges_remove(struct ranges *r, int64_t from, int64_t to)
{
    struct range left[2];
    size_t at, end, n = 0;

    if (from >= to)
        return 0;
    at = first_ending_after(r, from);
    for (end = at; end < r->n && r->v[end].from < to; end++) {
        if (r->v[end].from < from)
            left[n++] = (struct range){ r->v[end].from, from };
        if (r->v[end].to > to)
            left[n++] = (struct range){ to, r->v[end].to };
    }
    return end == at ? 0 : replace(r, at, end - at, left, n);
}

int64_t ranges_piece(const struct ranges *r, int64_t off, bool *inside)
{
    size_t i = first_ending_after(r, off);

    *inside = i < r->n && r->v[i].from <= off;
    if (*inside)
        return r->v[i].to;
    return i < r->n ? r->v[i].from : INT64_MAX;
}

int64_t ranges_missing(const struct ranges *r, int64_t from, int64_t to)
{
    int64_t missing = to > from ? to - from : 0;

    for (size_t i = first_ending_after(r, from); i < r->n && r->v[i].from < to; i++) {
        int64_t a = r->v[i].from > from ? r->v[i].from : from;
        int64_t b = r->v[i].to < to ? r->v[i].to : to;

        missing -= b - a;
    }
    return missing;
}

void ranges_check(const struct ranges *r)
{
    int64_t total = 0;

    for (size_t i = 0; i < r->n; i++) {
        assert(r->v[i].from >= 0 && r->v[i].from < r->v[i].to);
        assert(i == 0 || r->v[i - 1].to < r->v[i].from);
        total += r->v[i].to - r->v[i].from;
    }
    assert(total == r->total && r->n <= r->cap);
    (void)total;
}
