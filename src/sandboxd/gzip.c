/* SPDX-License-Identifier: MIT */
#include "gzip.h"

#include "util/xalloc.h"

#include <errno.h>
#include <stdint.h>
#include <zlib.h>

/* zlib's sign for "gzip, and no other format" beside the window's size */
enum { WINDOW = 15 + 16, MEMORY = 8 };

struct gunzip {
    z_stream z;
    gz_header header;
    bool has_header, is_between; /* between: a member has ended, none has begun */
};

struct gunzip *gunzip_new(void)
{
    struct gunzip *g = xcalloc(1, sizeof(*g));

    if (inflateInit2(&g->z, WINDOW) != Z_OK) {
        free(g);
        return NULL;
    }
    inflateGetHeader(&g->z, &g->header);
    return g;
}

void gunzip_free(struct gunzip *g)
{
    if (!g)
        return;
    inflateEnd(&g->z);
    free(g);
}

int gunzip_push(struct gunzip *g, const void *data, size_t len, gunzip_fn *fn, void *arg)
{
    char out[KIB(32)];

    g->z.next_in = (Bytef *)(uintptr_t)data;
    g->z.avail_in = (uInt)len;
    do {
        int r;

        if (g->z.avail_in > 0 && g->is_between) {
            inflateReset(&g->z);
            g->is_between = false;
        }
        if (g->is_between)
            return 0;
        g->z.next_out = (Bytef *)out;
        g->z.avail_out = sizeof(out);
        r = inflate(&g->z, Z_NO_FLUSH);
        g->has_header |= g->header.done == 1;
        if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
            return -EPROTO;
        if (g->z.avail_out < sizeof(out) && !fn(arg, out, sizeof(out) - g->z.avail_out))
            return -ECANCELED;
        g->is_between = r == Z_STREAM_END;
        /* A full output may have more behind it, also when the input is used up. */
    } while (g->z.avail_in > 0 || g->z.avail_out == 0);
    return 0;
}

bool gunzip_has_header(const struct gunzip *g)
{
    return g->has_header;
}

bool gunzip_is_complete(const struct gunzip *g)
{
    return g->is_between;
}

static bool append(void *arg, const char *data, size_t len)
{
    return buf_append(arg, data, len) == 0;
}

int gunzip_buf(const void *data, size_t len, struct buf *out)
{
    struct gunzip *g = gunzip_new();
    int r = g ? gunzip_push(g, data, len, append, out) : -EPROTO;

    if (r == 0 && !gunzip_is_complete(g))
        r = -EPROTO;
    gunzip_free(g);
    return r == -ECANCELED ? -EFBIG : r;
}

int gzip_buf(const void *data, size_t len, struct buf *out)
{
    z_stream z = { 0 };
    uLong bound;
    char *room;
    int r;

    if (deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, WINDOW, MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
        return -EPROTO;
    bound = deflateBound(&z, len);
    r = buf_reserve(out, bound, &room);
    if (r == 0) {
        z.next_in = (Bytef *)(uintptr_t)data;
        z.avail_in = (uInt)len;
        z.next_out = (Bytef *)room;
        z.avail_out = (uInt)bound;
        r = deflate(&z, Z_FINISH) == Z_STREAM_END ? 0 : -EPROTO;
        out->len += r == 0 ? z.total_out : 0;
    }
    deflateEnd(&z);
    return r;
}
