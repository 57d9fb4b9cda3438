/* SPDX-License-Identifier: MIT */
/*
 * ranges: a set of byte offsets as sorted, disjoint, never touching intervals [from, to).
 *
 * Threads:   none of its own.
 * Memory:    at most RANGES_MAX intervals (4 MiB); ranges_add beyond that is -EFBIG and changes
 *            nothing.  Adding where the last addition ended, as a sequential writer does, takes
 *            constant time; elsewhere it is a binary search and one memmove.
 * Ownership: a zeroed struct is the empty set; ranges_clear frees and leaves it empty.
 */
#ifndef CACHE_RANGES_H
#define CACHE_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RANGES_MAX = 256 * 1024 };

struct range {
    int64_t from, to; /* from < to */
};

struct ranges {
    struct range *v; /* owned */
    size_t n, cap;
    int64_t total; /* bytes in the set */
};

void ranges_clear(struct ranges *r);

/* Empty intervals (from >= to) add and remove nothing.  Offsets are >= 0. */
int ranges_add(struct ranges *r, int64_t from, int64_t to);
/* -EFBIG if it would cut one interval in two and there are RANGES_MAX; cutting the end off
 * (to == INT64_MAX) always works. */
int ranges_remove(struct ranges *r, int64_t from, int64_t to);

/*
 * Where the piece that holds `off` ends: if `off` is in the set (*inside), the end of its
 * interval, else the start of the next one (INT64_MAX: there is none).
 */
int64_t ranges_piece(const struct ranges *r, int64_t off, bool *inside);

/* How many bytes of [from, to) are not in the set. */
int64_t ranges_missing(const struct ranges *r, int64_t from, int64_t to);

/* Asserts that the set is sorted, disjoint and adds up. */
void ranges_check(const struct ranges *r);

#endif
