/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "cli/progress.h"
#include "cli/text.h"
#include "util/xalloc.h"

TEST(bytes_for_people)
{
    static const struct {
        int64_t bytes;
        const char *text;
    } cases[] = {
        { 0, "0 B" },
        { 1023, "1023 B" },
        { 1024, "1.0 KiB" },
        { 1536, "1.5 KiB" },
        { 1 << 20, "1.0 MiB" },
        { 5LL << 30, "5.0 GiB" },
        { 7LL << 40, "7.0 TiB" },
        { INT64_MAX, "8.0 EiB" },
    };
    char out[TEXT_BYTES_MAX];

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_STR(text_bytes(cases[i].bytes, out), cases[i].text);
}

TEST(progress_says_what_is_known)
{
    static const struct {
        int64_t done, total, ms;
        const char *text;
    } cases[] = {
        { 0, 100, 0, "0 B of 100 B, 0 %" },
        { 0, 100, 600, "0 B of 100 B, 0 %" },
        { 1 << 20, 4 << 20, 1000, "1.0 MiB of 4.0 MiB, 25 %, 1.0 MiB/s, 3s left" },
        { 1024, -1, 1000, "1.0 KiB, 1.0 KiB/s" },
        /* The file has grown: no share and no end are made up. */
        { 2048, 1024, 1000, "2.0 KiB of 1.0 KiB, 2.0 KiB/s" },
        { 1024, 1024, 1000, "1.0 KiB of 1.0 KiB, 100 %, 1.0 KiB/s, 0s left" },
        { 0, 0, 1000, "0 B of 0 B" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        autobuf struct buf out = BUF_INIT;

        progress_text(&out, cases[i].done, cases[i].total, cases[i].ms);
        CHECK_STR(buf_str(&out), cases[i].text);
    }
}
