/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "http/envelope.h"
#include "util/xalloc.h"

#include <errno.h>

struct seen {
    struct buf text; /* "flags:payload;" for each message */
    int result;
};

static int on_message(void *arg, uint8_t flags, const char *payload, size_t len)
{
    struct seen *s = arg;

    CHECK_INT(strlen(payload), len); /* ended with a NUL */
    buf_printf(&s->text, "%d:%s;", flags, payload);
    return s->result;
}

static void encode(struct buf *out, uint8_t flags, const char *text)
{
    CHECK_INT(envelope_append(out, flags, text, strlen(text)), 0);
}

TEST(messages_arrive_whole_however_they_are_cut)
{
    autobuf struct buf wire = BUF_INIT;

    encode(&wire, 0, "{\"start\":{}}");
    encode(&wire, 0, "");
    encode(&wire, 0, "x");
    encode(&wire, ENVELOPE_END, "{}");
    for (size_t piece = 1; piece <= wire.len; piece++) {
        struct envelope_decoder d;
        struct seen seen = { 0 };

        CASE("pieces of %zu", piece);
        envelope_decoder_init(&d, 100);
        for (size_t at = 0; at < wire.len; at += piece) {
            size_t n = wire.len - at < piece ? wire.len - at : piece;

            CHECK_INT(envelope_feed(&d, wire.data + at, n, on_message, &seen, NULL), 0);
        }
        CHECK_STR(buf_str(&seen.text), "0:{\"start\":{}};0:;0:x;2:{};");
        CHECK_INT(envelope_finish(&d, NULL), 0);
        envelope_decoder_clear(&d);
        buf_clear(&seen.text);
    }
}

TEST(broken_streams_are_refused)
{
    static const struct {
        const char *bytes;
        size_t len;
        int result;
        const char *message;
    } cases[] = {
        { "\x01\0\0\0\0", 5, -EPROTO, "stream: unknown message flags 0x01" },
        { "\x80\0\0\0\0", 5, -EPROTO, "stream: unknown message flags 0x80" },
        { "\0\0\0\0\x0b", 5, -EFBIG, "stream: a message of 11 bytes is above the limit of 10" },
        { "\0\xff\xff\xff\xff", 5, -EFBIG,
          "stream: a message of 4294967295 bytes is above the limit of 10" },
        { "\x02\0\0\0\0x", 6, -EPROTO, "stream: data after its end" },
        { "\0\0\0\0\x0a", 5, 0, "" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct envelope_decoder d;
        struct seen seen = { 0 };
        struct e2b_err err = { 0 };

        CASE("case %zu", i);
        envelope_decoder_init(&d, 10);
        CHECK_INT(envelope_feed(&d, cases[i].bytes, cases[i].len, on_message, &seen, &err),
                  cases[i].result);
        CHECK_STR(err.msg, cases[i].message);
        envelope_decoder_clear(&d);
        buf_clear(&seen.text);
    }
}

TEST(a_stream_without_an_end_was_cut_off)
{
    struct envelope_decoder d;
    struct seen seen = { 0 };
    struct e2b_err err = { 0 };

    envelope_decoder_init(&d, 10);
    CHECK_INT(envelope_finish(&d, &err), -ECONNRESET);
    CHECK_STR(err.msg, "stream: cut off before its end");
    e2b_err_clear(&err);
    CHECK_INT(envelope_feed(&d, "\0\0", 2, on_message, &seen, NULL), 0);
    CHECK_INT(envelope_finish(&d, &err), -ECONNRESET);
    CHECK_STR(err.msg, "stream: cut off inside a message");
    envelope_decoder_clear(&d);
}

TEST(the_receiver_can_stop_the_feed)
{
    autobuf struct buf wire = BUF_INIT;
    struct envelope_decoder d;
    struct seen seen = { .result = -ECANCELED };

    encode(&wire, 0, "a");
    encode(&wire, 0, "b");
    envelope_decoder_init(&d, 10);
    CHECK_INT(envelope_feed(&d, wire.data, wire.len, on_message, &seen, NULL), -ECANCELED);
    CHECK_STR(buf_str(&seen.text), "0:a;");
    envelope_decoder_clear(&d);
    buf_clear(&seen.text);
}

TEST(encoding_keeps_to_the_ceiling)
{
    autobuf struct buf out = BUF_MAX(8);

    CHECK_INT(envelope_append(&out, 0, "abcd", 4), -EFBIG);
    CHECK_INT(out.len, 0);
    CHECK_INT(envelope_append(&out, ENVELOPE_END, "abc", 3), 0);
    CHECK(memcmp(out.data,
                 "\x02\0\0\0\x03"
                 "abc",
                 8) == 0);
}
