/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "util/buf.h"
#include "util/xalloc.h"

#include <errno.h>

TEST(appending_collects_bytes_and_ends_them_with_a_NUL)
{
    autobuf struct buf b = BUF_INIT;

    CHECK_INT(buf_puts(&b, "ab"), 0);
    CHECK_INT(buf_putc(&b, 'c'), 0);
    CHECK_INT(buf_append(&b, "\0d", 2), 0);
    CHECK_INT(b.len, 5);
    CHECK(memcmp(b.data, "abc\0d", 6) == 0);
}

TEST(printing_appends)
{
    autobuf struct buf b = BUF_INIT;

    CHECK_INT(buf_printf(&b, "%d-%s", 12, "x"), 0);
    CHECK_INT(buf_printf(&b, "%0200d", 7), 0);
    CHECK_INT(b.len, 204);
    CHECK(memcmp(buf_str(&b), "12-x000", 7) == 0);
}

TEST(an_empty_buffer_is_an_empty_string)
{
    autobuf struct buf b = BUF_INIT;

    CHECK_STR(buf_str(&b), "");
    buf_puts(&b, "x");
    buf_reset(&b);
    CHECK_STR(buf_str(&b), "");
    CHECK(b.data != NULL);
}

TEST(the_ceiling_holds_for_every_way_to_append)
{
    static const struct {
        size_t max, have, more;
        int result;
    } cases[] = {
        { 4, 0, 4, 0 },   { 4, 0, 5, -EFBIG }, { 4, 4, 1, -EFBIG },
        { 4, 4, 0, 0 },   { 100, 60, 40, 0 },  { 100, 60, 41, -EFBIG },
        { 1, 0, 1, 0 },   { 1, 1, 1, -EFBIG }, { 4, 1, SIZE_MAX, -EFBIG },
        { 65, 64, 1, 0 }, { 64, 63, 1, 0 },    { 64, 63, 2, -EFBIG },
    };
    char filler[128];

    memset(filler, 'x', sizeof(filler));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        autobuf struct buf b = BUF_MAX(cases[i].max);
        char *room;

        CASE("max %zu, have %zu, more %zu", cases[i].max, cases[i].have, cases[i].more);
        CHECK_INT(buf_append(&b, filler, cases[i].have), 0);
        CHECK_INT(buf_reserve(&b, cases[i].more, &room), cases[i].result);
        if (cases[i].more < sizeof(filler)) {
            CHECK_INT(buf_append(&b, filler, cases[i].more), cases[i].result);
            buf_reset(&b);
            buf_append(&b, filler, cases[i].have);
            CHECK_INT(buf_printf(&b, "%.*s", (int)cases[i].more, filler), cases[i].result);
        }
        CHECK_INT(b.len, cases[i].have + (cases[i].result ? 0 : cases[i].more % SIZE_MAX));
        CHECK(b.cap <= cases[i].max + 1);
    }
}

TEST(no_memory_is_an_error_and_not_the_end)
{
    autobuf struct buf b = BUF_MAX(SIZE_MAX);
    char *room;

    /* Far beyond what any allocator grants. */
    buf_puts(&b, "kept");
    CHECK_INT(buf_reserve(&b, SIZE_MAX >> 16, &room), -ENOMEM);
    CHECK_STR(buf_str(&b), "kept");
}

TEST(reserved_room_is_used_after_committing)
{
    autobuf struct buf b = BUF_INIT;
    char *room;

    buf_puts(&b, "a");
    REQUIRE(buf_reserve(&b, 3, &room) == 0);
    memcpy(room, "bcd", 3);
    b.len += 2;
    CHECK_STR(buf_str(&b), "abc");
}

TEST(consuming_removes_from_the_front)
{
    autobuf struct buf b = BUF_INIT;

    buf_consume(&b, 0);
    buf_puts(&b, "abcdef");
    buf_consume(&b, 2);
    CHECK_STR(buf_str(&b), "cdef");
    buf_consume(&b, 4);
    CHECK_STR(buf_str(&b), "");
}

TEST(stealing_hands_out_a_string_and_keeps_the_ceiling)
{
    struct buf b = BUF_MAX(3);
    autofree char *empty = buf_steal(&b);
    autofree char *full = NULL;

    CHECK_STR(empty, "");
    buf_puts(&b, "abc");
    full = buf_steal(&b);
    CHECK_STR(full, "abc");
    CHECK_INT(b.len, 0);
    CHECK_INT(buf_puts(&b, "abcd"), -EFBIG);
    buf_clear(&b);
    CHECK_INT(buf_puts(&b, "abcd"), -EFBIG);
}
