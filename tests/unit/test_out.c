/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "cli/out.h"
#include "cli/text.h"
#include "util/xalloc.h"

#include <locale.h>

static const struct out_col cols[] = {
    { "sandbox_id", "ID", OUT_IN_TABLE | OUT_IS_ID, 0 },
    { "metadata", "METADATA", 0, 0 },
    { "started_at", "STARTED", 0, 0 },
    { "uptime_seconds", "UP", OUT_IN_TABLE | OUT_RIGHT, 0 },
    { "cpu_pct", "CPU%", OUT_IN_TABLE | OUT_RIGHT, 0 },
    { NULL, NULL, 0, 0 },
};

static void put_row(struct out *out, const char *id, bool has_pairs, int64_t up)
{
    struct e2b_pair pairs[] = { { (char *)"a", (char *)"1" },
                                { (char *)"b \"", (char *)"2,3" } };

    out_str(out, id);
    out_pairs(out, pairs, has_pairs ? 2 : 0);
    out_time(out, (struct timespec){ .tv_sec = 1700000000, .tv_nsec = 999 });
    if (up < 0)
        out_null(out);
    else
        out_duration(out, up);
    out_double(out, 12.5, 1);
    out_end_row(out);
}

/* What the format makes of `n` rows; the caller's. */
static char *render(enum out_format format, bool is_terminal, unsigned style, size_t n,
                    const char *id)
{
    char *text = NULL;
    size_t len;
    FILE *file = open_memstream(&text, &len);
    struct out *out = out_new(file, format, is_terminal);

    (void)setlocale(LC_CTYPE, "C.UTF-8");
    out_begin(out, cols, style);
    if (n > 0)
        put_row(out, id, true, 3700);
    if (n > 1)
        put_row(out, "i2", false, -1);
    CHECK_INT(out_end(out, NULL), 0);
    out_free(out);
    (void)fclose(file);
    return text;
}

TEST(every_format_has_its_shape)
{
    static const struct {
        enum out_format format;
        unsigned style;
        size_t n;
        const char *text;
    } cases[] = {
        { OUT_TABLE, 0, 2, "ID     UP  CPU%\ni1  1h01m  12.5\ni2      -  12.5\n" },
        { OUT_TABLE, 0, 0, "ID  UP  CPU%\n" },
        { OUT_TABLE, OUT_PLAIN, 2, "i1  1h01m  12.5\ni2      -  12.5\n" },
        { OUT_WIDE, 0, 1,
          "ID  METADATA     STARTED                  UP  CPU%\n"
          "i1  a=1,b \"=2,3  2023-11-14T22:13:20Z  1h01m  12.5\n" },
        { OUT_JSON, 0, 0, "[]\n" },
        { OUT_JSON, 0, 2,
          "[\n  {\n    \"sandbox_id\": \"i1\",\n    \"metadata\": {\"a\":\"1\",\"b "
          "\\\"\":\"2,3\"},\n"
          "    \"started_at\": \"2023-11-14T22:13:20Z\",\n    \"uptime_seconds\": 3700,\n"
          "    \"cpu_pct\": 12.5\n  },\n  {\n    \"sandbox_id\": \"i2\",\n    \"metadata\": "
          "{},\n"
          "    \"started_at\": \"2023-11-14T22:13:20Z\",\n    \"uptime_seconds\": null,\n"
          "    \"cpu_pct\": 12.5\n  }\n]\n" },
        { OUT_JSON, OUT_ONE, 1,
          "{\n  \"sandbox_id\": \"i1\",\n  \"metadata\": {\"a\":\"1\",\"b \\\"\":\"2,3\"},\n"
          "  \"started_at\": \"2023-11-14T22:13:20Z\",\n  \"uptime_seconds\": 3700,\n"
          "  \"cpu_pct\": 12.5\n}\n" },
        { OUT_JSONL, 0, 1,
          "{\"sandbox_id\":\"i1\",\"metadata\":{\"a\":\"1\",\"b \\\"\":\"2,3\"},"
          "\"started_at\":\"2023-11-14T22:13:20Z\",\"uptime_seconds\":3700,\"cpu_pct\":12.5}"
          "\n" },
        { OUT_JSON, OUT_GROWING, 1,
          "{\"sandbox_id\":\"i1\",\"metadata\":{\"a\":\"1\",\"b \\\"\":\"2,3\"},"
          "\"started_at\":\"2023-11-14T22:13:20Z\",\"uptime_seconds\":3700,\"cpu_pct\":12.5}"
          "\n" },
        { OUT_CSV, 0, 2,
          "sandbox_id,metadata,started_at,uptime_seconds,cpu_pct\r\n"
          "i1,\"a=1,b \"\"=2,3\",2023-11-14T22:13:20Z,3700,12.5\r\n"
          "i2,,2023-11-14T22:13:20Z,,12.5\r\n" },
        { OUT_ID, 0, 2, "i1\ni2\n" },
        { OUT_TABLE, OUT_VERTICAL, 1,
          "ID        i1\nMETADATA  a=1,b \"=2,3\nSTARTED   2023-11-14T22:13:20Z\n"
          "UP        1h01m\nCPU%      12.5\n" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *text = render(cases[i].format, false, cases[i].style, cases[i].n, "i1");

        CASE("%s, style %u, %zu rows", out_formats[cases[i].format], cases[i].style,
             cases[i].n);
        CHECK_STR(text, cases[i].text);
        free(text);
    }
}

TEST(remote_text_is_escaped_on_a_terminal_only)
{
    static const struct {
        enum out_format format;
        bool is_terminal;
        const char *id, *first_line;
    } cases[] = {
        { OUT_TABLE, true, "\x1b[31mred", "\\x1b[31mred" },
        { OUT_TABLE, false, "\x1b[31mred", "\x1b[31mred" },
        { OUT_TABLE, false, "two\nlines", "two\\nlines" },
        { OUT_CSV, true, "\x1b]0;x\a", "\\x1b]0;x\\x07" },
        { OUT_ID, true,
          "\xe2\x80\xae"
          "x",
          "\\u{202e}x" },
        { OUT_ID, true, "\xff\xc2\x9b", "\\xff\\u{9b}" },
        { OUT_JSONL, true, "\x1b", "\"\\u001b\"" },
        { OUT_JSONL, true, "\xc2\x9b\xf3\xa0\x80\x81", "\"\\u009b\\udb40\\udc01\"" },
        { OUT_JSONL, false, "\x1b\xff", "\"\\u001b\xef\xbf\xbd\"" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *text = render(cases[i].format, cases[i].is_terminal, OUT_PLAIN, 1, cases[i].id);

        CASE("%zu", i);
        CHECK_CONTAINS(text, cases[i].first_line);
        CHECK(!cases[i].is_terminal || !strchr(text, '\x1b'));
        free(text);
    }
}

TEST(a_stream_that_cuts_characters_loses_nothing)
{
    static const char whole[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\x1b\xff\xe2\x82z\n";
    static const char expected[] =
        "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\\x1b\\xff\\xe2\\x82z\n";
    size_t len = strlen(whole);

    for (size_t step = 1; step <= len; step++) {
        struct buf out = BUF_INIT;
        char held[4];
        size_t n_held = 0;

        CASE("pieces of %zu", step);
        for (size_t at = 0; at < len; at += step)
            text_escape_stream(&out, held, &n_held, whole + at,
                               at + step < len ? step : len - at);
        text_escape_stream(&out, held, &n_held, NULL, 0);
        CHECK_STR(buf_str(&out), expected);
        CHECK_INT(n_held, 0);
        buf_clear(&out);
    }
}

TEST(a_character_that_never_ends_is_shown_at_the_end)
{
    struct buf out = BUF_INIT;
    char held[4];
    size_t n_held = 0;

    text_escape_stream(&out, held, &n_held, "x\xe2\x82", 3);
    CHECK_STR(buf_str(&out), "x");
    text_escape_stream(&out, held, &n_held, NULL, 0);
    CHECK_STR(buf_str(&out), "x\\xe2\\x82");
    buf_clear(&out);
}

TEST(words_of_a_shell_are_quoted)
{
    struct buf out = BUF_INIT;

    text_shell_quote(&out, "it's $(x) \"y\"");
    CHECK_STR(buf_str(&out), "'it'\\''s $(x) \"y\"'");
    buf_clear(&out);
}
