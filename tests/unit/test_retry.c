/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "http/retry.h"
#include "util/xalloc.h"

#include <errno.h>

static const enum retry_class classes[] = { RETRY_NEVER, RETRY_IDEMPOTENT, RETRY_REFUSED };

TEST(failures_of_the_way_are_retried_where_nothing_can_run_twice)
{
    static const struct {
        int errnum;
        bool sent_any;
        bool retried[3]; /* by class */
    } cases[] = {
        { EHOSTUNREACH, false, { true, true, true } },
        { ECONNRESET, false, { true, true, true } },
        { ECONNRESET, true, { false, true, false } },
        { EHOSTUNREACH, true, { false, true, false } },
        { ETIMEDOUT, false, { false, false, false } },
        { ETIMEDOUT, true, { false, false, false } },
        { EPROTO, false, { false, false, false } },
        { EFBIG, true, { false, false, false } },
        { ECANCELED, false, { false, false, false } },
        { EIO, true, { false, false, false } },
    };
    struct buf none = BUF_INIT;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_response resp = { .body = &none, .sent_any = cases[i].sent_any };
        struct e2b_err err = { .errnum = cases[i].errnum };

        for (size_t k = 0; k < ARRAY_LEN(classes); k++) {
            CASE("case %zu, class %zu", i, k);
            CHECK_INT(retry_delay_ms(classes[k], 1, &resp, &err) >= 0, cases[i].retried[k]);
            CHECK_INT(retry_delay_ms(classes[k], RETRY_MAX_TRIES, &resp, &err), -1);
        }
    }
}

TEST(answers_are_retried_by_status_and_class)
{
    static const struct {
        int status;
        const char *body;
        bool retried[3];
    } cases[] = {
        { 429, "Rate limit exceeded", { false, true, true } },
        { 429,
          "you have reached the maximum number of concurrent E2B sandboxes (20)",
          { false, false, false } },
        { 502, "<html>bad gateway</html>", { false, true, false } },
        { 502,
          "{\"sandboxId\":\"abc\",\"message\":\"The sandbox was not found\",\"code\":502}",
          { false, false, false } },
        { 503, "", { false, true, true } },
        { 504, "", { false, true, false } },
        { 500, "", { false, false, false } },
        { 404, "", { false, false, false } },
        { 409, "", { false, false, false } },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        autobuf struct buf body = BUF_INIT;
        struct http_response resp = { .head.status = cases[i].status, .body = &body };

        buf_puts(&body, cases[i].body);
        for (size_t k = 0; k < ARRAY_LEN(classes); k++) {
            CASE("%d %s, class %zu", cases[i].status, cases[i].body, k);
            CHECK_INT(retry_delay_ms(classes[k], 1, &resp, NULL) >= 0, cases[i].retried[k]);
        }
    }
}

TEST(the_server_says_how_long_to_wait)
{
    static const struct {
        const char *header;
        int64_t min, max;
    } cases[] = {
        { "Retry-After: 2", 2000, 2000 },
        { "retry-after:0", 0, 0 },
        { "Retry-After: 61", -1, -1 },
        { "Retry-After: 99999999999999999999", 50, 100 },
        { "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT", 50, 100 },
        { "Retry-After: -5", 50, 100 },
        { "X: y", 50, 100 },
    };
    struct buf none = BUF_INIT;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *headers[] = { "A: b", cases[i].header, NULL };
        struct http_response resp = { .head = { .status = 429, .headers = headers },
                                      .body = &none };
        int64_t ms = retry_delay_ms(RETRY_REFUSED, 1, &resp, NULL);

        CASE("%s", cases[i].header);
        CHECK(ms >= cases[i].min && ms <= cases[i].max);
    }
}

TEST(waits_grow_and_a_connection_that_just_closed_is_replaced_at_once)
{
    struct buf none = BUF_INIT;
    struct http_response resp = { .body = &none };
    struct e2b_err unreachable = { .errnum = EHOSTUNREACH };
    struct e2b_err reset = { .errnum = ECONNRESET };

    for (int i = 0; i < 100; i++) {
        int64_t first = retry_delay_ms(RETRY_IDEMPOTENT, 1, &resp, &unreachable);
        int64_t second = retry_delay_ms(RETRY_IDEMPOTENT, 2, &resp, &unreachable);

        CHECK(first >= 50 && first <= 100);
        CHECK(second >= 100 && second <= 200);
    }
    CHECK_INT(retry_delay_ms(RETRY_IDEMPOTENT, 1, &resp, &reset), 0);
    CHECK(retry_delay_ms(RETRY_IDEMPOTENT, 2, &resp, &reset) >= 100);
}

TEST(headers_are_found_in_any_case)
{
    const char *headers[] = { "Content-Type: a/b", "X-Empty:", "x-tight:v", "Content: no",
                              NULL };
    struct http_head head = { .headers = headers };
    struct http_head none = { 0 };

    CHECK_STR(http_header(&head, "content-type"), "a/b");
    CHECK_STR(http_header(&head, "X-EMPTY"), "");
    CHECK_STR(http_header(&head, "X-Tight"), "v");
    CHECK_STR(http_header(&head, "Content-Typ"), NULL);
    CHECK_STR(http_header(&none, "x"), NULL);
}
