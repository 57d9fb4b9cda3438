/* SPDX-License-Identifier: MIT */
#include "envelope.h"

#include <errno.h>
#include <string.h>

void envelope_decoder_init(struct envelope_decoder *d, size_t max_payload)
{
    *d = (struct envelope_decoder){
        .pending = BUF_MAX(ENVELOPE_HEAD + max_payload),
        .max_payload = max_payload,
    };
}

void envelope_decoder_clear(struct envelope_decoder *d)
{
    buf_clear(&d->pending);
    d->ended = false;
}

static size_t payload_len(const char *head)
{
    const uint8_t *b = (const uint8_t *)head;

    return (size_t)b[1] << 24 | (size_t)b[2] << 16 | (size_t)b[3] << 8 | b[4];
}

static int check_head(const struct envelope_decoder *d, const char *head, struct e2b_err *err)
{
    uint8_t flags = (uint8_t)head[0];

    if (flags & ~ENVELOPE_END)
        return e2b_fail(err, EPROTO, "stream: unknown message flags 0x%02x", flags);
    if (payload_len(head) > d->max_payload)
        return e2b_fail(err, EFBIG, "stream: a message of %zu bytes is above the limit of %zu",
                        payload_len(head), d->max_payload);
    return 0;
}

/* Moves up to `want` bytes of the input to the pending ones. */
static int take(struct envelope_decoder *d, const char **data, size_t *len, size_t want,
                struct e2b_err *err)
{
    size_t n = *len < want ? *len : want;
    int r = buf_append(&d->pending, *data, n);

    if (r < 0)
        return e2b_fail(err, -r, "stream: out of memory for a message");
    *data += n;
    *len -= n;
    return 0;
}

/* Completes at most one message from the input; *whole says whether it is in `pending`. */
static int fill(struct envelope_decoder *d, const char **data, size_t *len, bool *whole,
                struct e2b_err *err)
{
    size_t need;
    int r;

    *whole = false;
    if (d->pending.len < ENVELOPE_HEAD) {
        r = take(d, data, len, ENVELOPE_HEAD - d->pending.len, err);
        if (r < 0 || d->pending.len < ENVELOPE_HEAD)
            return r;
        r = check_head(d, d->pending.data, err);
        if (r < 0)
            return r;
    }
    need = ENVELOPE_HEAD + payload_len(d->pending.data);
    r = take(d, data, len, need - d->pending.len, err);
    *whole = r == 0 && d->pending.len == need;
    return r;
}

int envelope_feed(struct envelope_decoder *d, const char *data, size_t len, envelope_fn *fn,
                  void *arg, struct e2b_err *err)
{
    while (len > 0) {
        uint8_t flags;
        bool whole;
        int r;

        if (d->ended)
            return e2b_fail(err, EPROTO, "stream: data after its end");
        r = fill(d, &data, &len, &whole, err);
        if (r < 0)
            return r;
        if (!whole)
            continue; /* len is 0 now */

        flags = (uint8_t)d->pending.data[0];
        d->ended = flags & ENVELOPE_END;
        r = fn(arg, flags, d->pending.data + ENVELOPE_HEAD, d->pending.len - ENVELOPE_HEAD);
        /* Large messages are rare; their memory is not kept for the small ones. */
        if (d->pending.cap > KIB(64))
            buf_clear(&d->pending);
        else
            buf_reset(&d->pending);
        if (r < 0)
            return r;
    }
    return 0;
}

int envelope_finish(const struct envelope_decoder *d, struct e2b_err *err)
{
    if (d->ended)
        return 0;
    return e2b_fail(err, ECONNRESET, "stream: cut off %s",
                    d->pending.len ? "inside a message" : "before its end");
}

int envelope_append(struct buf *out, uint8_t flags, const void *payload, size_t len)
{
    uint8_t head[ENVELOPE_HEAD] = {
        flags, (uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len,
    };
    size_t before = out->len;
    int r;

    if (len > UINT32_MAX)
        return -EFBIG;
    r = buf_append(out, head, sizeof(head));
    if (r == 0)
        r = buf_append(out, payload, len);
    if (r < 0) {
        out->len = before;
        (void)buf_str(out);
    }
    return r;
}
