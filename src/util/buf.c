/* SPDX-License-Identifier: MIT */
#include "buf.h"

#include "xalloc.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static size_t ceiling(const struct buf *b)
{
    return b->max ? b->max : BUF_DEFAULT_MAX;
}

/* Room for `extra` bytes and the NUL behind them. */
static int grow(struct buf *b, size_t extra)
{
    size_t max = ceiling(b);
    size_t need, cap;
    char *data;

    if (extra > max || b->len > max - extra)
        return -EFBIG;
    if (max == SIZE_MAX)
        max--; /* keeps need below from wrapping */
    need = b->len + extra + 1;
    if (need <= b->cap)
        return 0;

    /* Doubling, but never beyond the ceiling: the last step is exact. */
    cap = b->cap ? b->cap : 64;
    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    if (cap > max + 1)
        cap = max + 1;
    if (cap < need)
        return -EFBIG;
    data = realloc(b->data, cap);
    if (!data)
        return -ENOMEM;
    b->data = data;
    b->cap = cap;
    return 0;
}

void buf_clear(struct buf *b)
{
    free(b->data);
    b->data = NULL;
    b->len = b->cap = 0;
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    if (b->data)
        b->data[0] = '\0';
}

int buf_append(struct buf *b, const void *data, size_t len)
{
    int r = grow(b, len);

    if (r < 0)
        return r;
    if (len)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
    return 0;
}

int buf_puts(struct buf *b, const char *s)
{
    return buf_append(b, s, strlen(s));
}

int buf_putc(struct buf *b, char c)
{
    return buf_append(b, &c, 1);
}

int buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;
    int n, r;

    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (n < 0)
        return -EINVAL;
    r = grow(b, (size_t)n);
    if (r < 0)
        return r;
    (void)vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
    b->len += (size_t)n;
    return 0;
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    int r;

    va_start(ap, fmt);
    r = buf_vprintf(b, fmt, ap);
    va_end(ap);
    return r;
}

int buf_reserve(struct buf *b, size_t len, char **out)
{
    int r = grow(b, len);

    if (r < 0)
        return r;
    *out = b->data + b->len;
    return 0;
}

void buf_consume(struct buf *b, size_t n)
{
    assert(n <= b->len);
    if (n == 0)
        return;
    memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
    b->data[b->len] = '\0';
}

const char *buf_str(const struct buf *b)
{
    if (b->len == 0)
        return "";
    /* Bytes committed after buf_reserve are not followed by a NUL yet; there is room for it,
     * and the contents stay what they were. */
    b->data[b->len] = '\0';
    return b->data;
}

char *buf_steal(struct buf *b)
{
    char *s;

    if (b->data)
        b->data[b->len] = '\0';
    s = b->data ? b->data : xstrdup("");
    b->data = NULL;
    b->len = b->cap = 0;
    return s;
}
