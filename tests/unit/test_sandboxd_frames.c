/* SPDX-License-Identifier: MIT */
#include "sandboxd/frames.h"

#include <string.h>

#include "test.h"
#include "util/xalloc.h"

TEST(an_envelope_is_flags_length_and_message)
{
    autobuf struct buf out = BUF_INIT;

    CHECK_INT(frame_put(&out, FRAME_END, "{}", 2), 0);
    REQUIRE(out.len == 7);
    CHECK(memcmp(out.data, "\x02\x00\x00\x00\x02{}", 7) == 0);
    CHECK_INT(frame_put(&out, 0, NULL, 0), 0);
    CHECK_INT(out.len, 12);
}

TEST(an_envelope_is_found_once_it_is_complete)
{
    static const char data[] = "\x00\x00\x00\x00\x03"
                               "abc"
                               "\x02";
    static const struct {
        size_t len;
        int complete;
        size_t have;
    } cases[] = {
        { 0, 0, 0 }, { 4, 0, 0 }, { 5, 0, 0 }, { 7, 0, 2 }, { 8, 1, 3 }, { 9, 1, 3 }
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct frame f;

        CASE("%zu bytes", cases[i].len);
        CHECK_INT(frame_get(data, cases[i].len, &f), cases[i].complete);
        CHECK_INT(f.have, cases[i].have);
        if (cases[i].len >= FRAME_HEADER)
            CHECK_INT(f.len, 3);
    }
}

TEST(a_length_of_four_gigabytes_is_only_incomplete)
{
    struct frame f;

    CHECK_INT(frame_get("\x00\xff\xff\xff\xff", 5, &f), 0);
    CHECK_INT(f.len, UINT32_MAX);
    CHECK_INT(f.have, 0);
}
