/* SPDX-License-Identifier: MIT */
#include "frames.h"

int frame_put(struct buf *out, uint8_t flags, const void *data, size_t len)
{
    const unsigned char header[FRAME_HEADER] = { flags, (unsigned char)(len >> 24),
                                                 (unsigned char)(len >> 16),
                                                 (unsigned char)(len >> 8),
                                                 (unsigned char)len };
    int r = buf_append(out, header, sizeof(header));

    return r < 0 ? r : buf_append(out, data, len);
}

int frame_get(const char *data, size_t len, struct frame *out)
{
    const unsigned char *p = (const unsigned char *)data;

    *out = (struct frame){ 0 };
    if (len < FRAME_HEADER)
        return 0;
    out->flags = p[0];
    out->len = (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4];
    out->data = data + FRAME_HEADER;
    out->have = len - FRAME_HEADER;
    if (out->have > out->len)
        out->have = out->len;
    return out->have == out->len;
}
