/* SPDX-License-Identifier: MIT */
#include "sandboxd/range.h"

#include "test.h"
#include "util/xalloc.h"

TEST(ranges_are_read_as_serve_content_reads_them)
{
    static const struct {
        const char *header;
        int64_t size;
        enum range_kind kind;
        int64_t start, len;
    } cases[] = {
        { NULL, 10, RANGE_ALL, 0, 10 },
        { "", 10, RANGE_ALL, 0, 10 },
        { "bytes=0-3", 10, RANGE_PART, 0, 4 },
        { "bytes=9-9", 10, RANGE_PART, 9, 1 },
        { "bytes=5-", 10, RANGE_PART, 5, 5 },
        { "bytes=5-100", 10, RANGE_PART, 5, 5 },
        { "bytes= 5 - 6 ", 10, RANGE_PART, 5, 2 },
        { "bytes=-3", 10, RANGE_PART, 7, 3 },
        { "bytes=-30", 10, RANGE_PART, 0, 10 },
        { "bytes=-0", 10, RANGE_PART, 10, 0 },
        { "bytes=10-", 10, RANGE_NO_OVERLAP, 0, 10 },
        { "bytes=10-20", 10, RANGE_NO_OVERLAP, 0, 10 },
        { "bytes=0-5", 0, RANGE_ALL, 0, 0 },
        { "bytes=5-", 0, RANGE_ALL, 0, 0 },
        { "bytes=5-2", 10, RANGE_BAD, 0, 0 },
        { "bytes=a-b", 10, RANGE_BAD, 0, 0 },
        { "bytes=-", 10, RANGE_BAD, 0, 0 },
        { "bytes=--1", 10, RANGE_BAD, 0, 0 },
        { "bytes=5", 10, RANGE_BAD, 0, 0 },
        { "bytes=0-9223372036854775808", 10, RANGE_BAD, 0, 0 },
        { "lines=0-1", 10, RANGE_BAD, 0, 0 },
        { "bytes=0-1,3-4", 10, RANGE_ALL, 0, 10 },
        { "bytes=0-1,20-30", 10, RANGE_PART, 0, 2 },
        { "bytes=0-1,", 10, RANGE_PART, 0, 2 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t start = -1, len = -1;

        CASE("%s of %" PRId64, cases[i].header ? cases[i].header : "nothing", cases[i].size);
        CHECK_INT(range_parse(cases[i].header, cases[i].size, &start, &len), cases[i].kind);
        if (cases[i].kind == RANGE_ALL || cases[i].kind == RANGE_PART) {
            CHECK_INT(start, cases[i].start);
            CHECK_INT(len, cases[i].len);
        }
    }
}

TEST(http_dates_go_both_ways)
{
    char text[HTTP_DATE_MAX];

    CHECK_STR(http_date_format(784111777, text), "Sun, 06 Nov 1994 08:49:37 GMT");
    CHECK_INT(http_date_parse(text), 784111777);
    CHECK_INT(http_date_parse("1994-11-06"), -1);
    CHECK_INT(http_date_parse(NULL), -1);
}
