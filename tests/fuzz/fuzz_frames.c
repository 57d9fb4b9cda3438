/* SPDX-License-Identifier: MIT */
/*
 * Connect's envelopes from a hostile stream: however the bytes are cut, the same messages come
 * out, none is above the limit, and nothing comes after an end.
 */
#include "http/envelope.h"
#include "util/xalloc.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LIMIT = 300 };

struct seen {
    struct buf text;
    bool ended;
};

static int on_message(void *arg, uint8_t flags, const char *payload, size_t len)
{
    struct seen *s = arg;

    if (s->ended || len > LIMIT || payload[len] != '\0' || (flags & ~ENVELOPE_END))
        abort();
    s->ended = flags & ENVELOPE_END;
    return envelope_append(&s->text, flags, payload, len);
}

/* What came out, followed by the result. */
static void decode(const char *data, size_t size, size_t step, struct seen *seen)
{
    struct envelope_decoder d;
    struct e2b_err err = { 0 };
    int r = 0;

    envelope_decoder_init(&d, LIMIT);
    for (size_t at = 0; r == 0 && at < size; at += step)
        r = envelope_feed(&d, data + at, at + step < size ? step : size - at, on_message, seen,
                          &err);
    if (r == 0)
        r = envelope_finish(&d, &err);
    if ((r == 0) != (err.errnum == 0) || (r == 0) != seen->ended) {
        /* After an end only bytes behind it are an error. */
        if (!(seen->ended && r < 0))
            abort();
    }
    (void)buf_printf(&seen->text, "%d", r);
    envelope_decoder_clear(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen whole = { 0 }, pieces = { 0 };

    if (size == 0)
        return 0;
    decode((const char *)data + 1, size - 1, size, &whole);
    decode((const char *)data + 1, size - 1, data[0] % 9u + 1, &pieces);
    if (whole.text.len != pieces.text.len ||
        memcmp(whole.text.data, pieces.text.data, whole.text.len) != 0)
        abort();
    buf_clear(&whole.text);
    buf_clear(&pieces.text);
    return 0;
}
