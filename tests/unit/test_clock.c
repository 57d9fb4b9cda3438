/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "util/clock.h"
#include "util/xalloc.h"

#include <errno.h>

TEST(times_of_the_wire_are_read_to_the_nanosecond)
{
    static const struct {
        const char *text;
        int64_t sec;
        long nsec;
    } cases[] = {
        { "1970-01-01T00:00:00Z", 0, 0 },
        { "2024-02-29T12:34:56Z", 1709210096, 0 },
        { "2024-02-29T12:34:56.7Z", 1709210096, 700000000 },
        { "2024-02-29T12:34:56.123456Z", 1709210096, 123456000 },
        { "2024-02-29T12:34:56.123456789Z", 1709210096, 123456789 },
        { "2024-02-29T14:34:56+02:00", 1709210096, 0 },
        { "2024-02-29T04:04:56-08:30", 1709210096, 0 },
        { "2024-02-29t12:34:56z", 1709210096, 0 },
        { "1969-12-31T23:59:59.5Z", -1, 500000000 },
        { "2016-12-31T23:59:60Z", 1483228800, 0 },
        { "0001-01-01T00:00:00Z", -62135596800, 0 },
        { "9999-12-31T23:59:59Z", 253402300799, 0 },
        { "2024-01-01T00:00:00.Z", 1704067200, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct timespec t = { 0 };

        CASE("%s", cases[i].text);
        CHECK_INT(rfc3339_parse(cases[i].text, &t), 0);
        CHECK_INT(t.tv_sec, cases[i].sec);
        CHECK_INT(t.tv_nsec, cases[i].nsec);
    }
}

TEST(what_is_no_time_is_refused_and_changes_nothing)
{
    static const char *const cases[] = {
        "",
        "2024",
        "2024-02-30T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2024-13-01T00:00:00Z",
        "2024-00-01T00:00:00Z",
        "2024-01-00T00:00:00Z",
        "2024-01-01T24:00:00Z",
        "2024-01-01T00:60:00Z",
        "2024-01-01T00:00:61Z",
        "2024-01-01T00:00:00",
        "2024-01-01T00:00:00.1234567890Z",
        "2024-01-01T00:00:00Zx",
        "2024-01-01T00:00:00+2:00",
        "2024-01-01T00:00:00+24:00",
        "+024-01-01T00:00:00Z",
        " 2024-01-01T00:00:00Z",
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct timespec t = { 7, 8 };

        CASE("%s", cases[i]);
        CHECK_INT(rfc3339_parse(cases[i], &t), -EINVAL);
        CHECK(t.tv_sec == 7 && t.tv_nsec == 8);
    }
}

TEST(times_are_printed_in_UTC_with_the_digits_asked_for)
{
    static const struct {
        int64_t sec;
        long nsec;
        int digits;
        const char *text;
    } cases[] = {
        { 1709210096, 123456789, 0, "2024-02-29T12:34:56Z" },
        { 1709210096, 123456789, 3, "2024-02-29T12:34:56.123Z" },
        { 1709210096, 1, 9, "2024-02-29T12:34:56.000000001Z" },
        { -1, 500000000, 1, "1969-12-31T23:59:59.5Z" },
        { INT64_MAX, 0, 0, "9999-12-31T23:59:59Z" },
        { INT64_MIN, 0, 0, "0000-01-01T00:00:00Z" },
    };
    char text[RFC3339_MAX];

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct timespec t = { cases[i].sec, cases[i].nsec };

        CHECK_STR(rfc3339_format(t, cases[i].digits, text), cases[i].text);
    }
}

TEST(the_clock_goes_forward)
{
    int64_t a = clock_boot_ms();

    CHECK(a > 0);
    CHECK_SOON(clock_boot_ms() > a, );
    CHECK(clock_wall().tv_sec > 1600000000);
}
