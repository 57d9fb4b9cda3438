/* SPDX-License-Identifier: MIT */
#include "gzip_stored.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { HEADER = 10, BLOCK_HEADER = 5, BLOCK_MAX = 65535 };

static uint32_t crc32_update(uint32_t crc, const unsigned char *data, size_t len)
{
    crc = ~crc;
    while (len-- > 0) {
        crc ^= *data++;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
    }
    return ~crc;
}

static void put_le32(unsigned char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(v >> 8 * i);
}

static void put_block_header(unsigned char *p, bool is_last, size_t len)
{
    p[0] = is_last;
    p[1] = (unsigned char)len;
    p[2] = (unsigned char)(len >> 8);
    p[3] = (unsigned char)~p[1];
    p[4] = (unsigned char)~p[2];
}

ssize_t gzip_stored_read(struct gzip_stored *z, int fd, char *out, size_t max)
{
    static const unsigned char header[HEADER] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255 };
    unsigned char *p = (unsigned char *)out;
    size_t used = 0, room;
    ssize_t n;

    if (z->is_finished)
        return 0;
    if (!z->has_begun) {
        memcpy(p, header, HEADER);
        used = HEADER;
        z->has_begun = true;
    }
    room = max - used - BLOCK_HEADER;
    if (room > BLOCK_MAX)
        room = BLOCK_MAX;
    do {
        n = read(fd, p + used + BLOCK_HEADER, room);
    } while (n < 0 && errno == EINTR);
    if (n > 0) {
        put_block_header(p + used, false, (size_t)n);
        z->crc = crc32_update(z->crc, p + used + BLOCK_HEADER, (size_t)n);
        z->size += (uint32_t)n;
        return (ssize_t)used + BLOCK_HEADER + n;
    }
    put_block_header(p + used, true, 0);
    used += BLOCK_HEADER;
    put_le32(p + used, z->crc);
    put_le32(p + used + 4, z->size);
    z->is_finished = true;
    return (ssize_t)used + 8;
}
