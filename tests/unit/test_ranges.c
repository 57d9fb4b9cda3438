/* SPDX-License-Identifier: MIT */
#include "cache/ranges.h"

#include <errno.h>
#include <string.h>

#include "test.h"
#include "util/xalloc.h"

/* "0-4,8-9" of the set, for comparing whole outcomes. */
static const char *text(const struct ranges *r)
{
    static char out[1024];
    size_t len = 0;

    ranges_check(r);
    out[0] = '\0';
    for (size_t i = 0; i < r->n; i++)
        len += (size_t)snprintf(out + len, sizeof(out) - len, "%s%" PRId64 "-%" PRId64,
                                i ? "," : "", r->v[i].from, r->v[i].to);
    return out;
}

static void parse(const char *s, struct ranges *r)
{
    while (*s) {
        char *end;
        int64_t from = strtoll(s, &end, 10);
        int64_t to = strtoll(end + 1, &end, 10);

        ranges_add(r, from, to);
        s = *end ? end + 1 : end;
    }
}

TEST(adding_merges_what_overlaps_or_touches)
{
    static const struct {
        const char *before;
        int64_t from, to;
        const char *after;
    } cases[] = {
        { "", 0, 4, "0-4" },
        { "", 4, 4, "" },
        { "", 5, 4, "" },
        { "0-4", 4, 6, "0-6" },
        { "0-4", 5, 6, "0-4,5-6" },
        { "4-6", 0, 4, "0-6" },
        { "4-6", 0, 3, "0-3,4-6" },
        { "0-4", 1, 3, "0-4" },
        { "1-3", 0, 4, "0-4" },
        { "0-2,4-6,8-10", 2, 8, "0-10" },
        { "0-2,4-6,8-10", 3, 7, "0-2,3-7,8-10" },
        { "0-2,4-6,8-10", 1, 9, "0-10" },
        { "0-2,4-6,8-10", 5, 20, "0-2,4-20" },
        { "0-2,8-10", 4, 6, "0-2,4-6,8-10" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ranges r = { 0 };

        CASE("%s + %" PRId64 "-%" PRId64, cases[i].before, cases[i].from, cases[i].to);
        parse(cases[i].before, &r);
        CHECK_INT(ranges_add(&r, cases[i].from, cases[i].to), 0);
        CHECK_STR(text(&r), cases[i].after);
        ranges_clear(&r);
        CHECK_INT(r.total, 0);
    }
}

TEST(removing_cuts)
{
    static const struct {
        const char *before;
        int64_t from, to;
        const char *after;
    } cases[] = {
        { "", 0, 4, "" },
        { "0-4", 4, 6, "0-4" },
        { "0-4", 2, 2, "0-4" },
        { "0-4", 1, 3, "0-1,3-4" },
        { "0-4", 0, 4, "" },
        { "0-4", 0, 2, "2-4" },
        { "0-4", 2, INT64_MAX, "0-2" },
        { "0-2,4-6,8-10", 1, 9, "0-1,9-10" },
        { "0-2,4-6,8-10", 2, 8, "0-2,8-10" },
        { "0-2,4-6,8-10", 0, INT64_MAX, "" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ranges r = { 0 };

        CASE("%s - %" PRId64 "-%" PRId64, cases[i].before, cases[i].from, cases[i].to);
        parse(cases[i].before, &r);
        CHECK_INT(ranges_remove(&r, cases[i].from, cases[i].to), 0);
        CHECK_STR(text(&r), cases[i].after);
        ranges_clear(&r);
    }
}

TEST(a_piece_is_an_interval_or_a_gap)
{
    static const struct {
        int64_t off, end;
        bool inside;
    } cases[] = {
        { 0, 2, false }, { 2, 4, true },  { 3, 4, true },           { 4, 8, false },
        { 7, 8, false }, { 8, 10, true }, { 10, INT64_MAX, false }, { 99, INT64_MAX, false },
    };
    struct ranges r = { 0 };
    bool inside;

    CHECK_INT(ranges_piece(&r, 5, &inside), INT64_MAX);
    CHECK(!inside);
    parse("2-4,8-10", &r);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CASE("%" PRId64, cases[i].off);
        CHECK_INT(ranges_piece(&r, cases[i].off, &inside), cases[i].end);
        CHECK_INT(inside, cases[i].inside);
    }
    ranges_clear(&r);
}

TEST(missing_bytes_are_counted)
{
    static const struct {
        int64_t from, to, missing;
    } cases[] = {
        { 0, 12, 8 },   { 2, 4, 0 }, { 3, 9, 4 }, { 4, 8, 4 },
        { 10, 20, 10 }, { 5, 5, 0 }, { 6, 5, 0 },
    };
    struct ranges r = { 0 };

    parse("2-4,8-10", &r);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CASE("%" PRId64 "-%" PRId64, cases[i].from, cases[i].to);
        CHECK_INT(ranges_missing(&r, cases[i].from, cases[i].to), cases[i].missing);
    }
    ranges_clear(&r);
}

TEST(the_number_of_intervals_has_a_ceiling)
{
    struct ranges r = { 0 };
    int64_t end = 2 * (int64_t)RANGES_MAX;

    for (int64_t i = 0; i < RANGES_MAX; i++)
        CHECK_INT(ranges_add(&r, 2 * i, 2 * i + 1), 0);
    CHECK_INT(r.n, RANGES_MAX);
    CHECK_INT(ranges_add(&r, end, end + 1), -EFBIG);
    CHECK_INT(ranges_add(&r, 1, 2), 0); /* merging is fine */
    CHECK_INT(ranges_add(&r, end, end + 9), 0);
    CHECK_INT(ranges_remove(&r, end + 2, end + 3), -EFBIG);
    CHECK_INT(r.total, RANGES_MAX + 1 + 9);
    CHECK_INT(ranges_remove(&r, end + 2, INT64_MAX), 0);
    ranges_check(&r);
    ranges_clear(&r);
}

/* A byte map is the truth. */
TEST(random_changes_agree_with_a_map_of_bytes)
{
    enum { SIZE = 200 };
    bool map[SIZE] = { 0 };
    struct ranges r = { 0 };
    unsigned seed = 1;

    for (int step = 0; step < 20000; step++) {
        int from = rand_r(&seed) % SIZE, to = from + rand_r(&seed) % (SIZE - from + 1);
        bool add = rand_r(&seed) % 2, inside;
        int64_t total = 0, end = from;

        CHECK_INT(add ? ranges_add(&r, from, to) : ranges_remove(&r, from, to), 0);
        for (int i = from; i < to; i++)
            map[i] = add;
        ranges_check(&r);
        for (int i = 0; i < SIZE; i++)
            total += map[i];
        CHECK_INT(r.total, total);
        while (end < SIZE && map[end] == map[from])
            end++;
        if (end == SIZE && !map[from])
            end = INT64_MAX;
        CHECK_INT(ranges_piece(&r, from, &inside), end);
        CHECK_INT(inside, map[from]);
    }
    ranges_clear(&r);
}
