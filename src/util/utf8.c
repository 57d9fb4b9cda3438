/* SPDX-License-Identifier: MIT */
#include "utf8.h"

#include "xalloc.h"

/* Bytes that a sequence with this first byte has; 0: no sequence begins so. */
static size_t sequence_len(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf)
        return 2;
    if (first >= 0xe0 && first <= 0xef)
        return 3;
    if (first >= 0xf0 && first <= 0xf4)
        return 4;
    return 0;
}

static bool is_continuation(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

size_t utf8_next(const char *s, size_t len, uint32_t *cp)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    const unsigned char *u = (const unsigned char *)s;
    uint32_t v;
    size_t n;

    if (len == 0)
        return 0;
    n = sequence_len(u[0]);
    if (n == 0 || n > len)
        return 0;
    v = n == 1 ? u[0] : u[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if (!is_continuation(u[i]))
            return 0;
        v = v << 6 | (u[i] & 0x3fu);
    }
    if (v < least[n] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
        return 0;
    *cp = v;
    return n;
}

bool utf8_is_cut(const char *s, size_t len)
{
    const unsigned char *u = (const unsigned char *)s;
    size_t n = len ? sequence_len(u[0]) : 0;

    if (n <= len)
        return false;
    for (size_t i = 1; i < len; i++) {
        if (!is_continuation(u[i]))
            return false;
    }
    return true;
}

bool utf8_is_unsafe(uint32_t cp)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        { 0x00, 0x1f },     { 0x7f, 0x9f },     { 0xad, 0xad },       { 0x61c, 0x61c },
        { 0x180e, 0x180e }, { 0x200b, 0x200f }, { 0x2028, 0x202e },   { 0x2060, 0x206f },
        { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe007f },
    };

    for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
        if (cp >= ranges[i].first && cp <= ranges[i].last)
            return true;
    }
    return false;
}

void utf8_escape(struct buf *out, const char *s, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint32_t cp = 0;
        size_t n = utf8_next(s + i, len - i, &cp);

        if (n > 0 && cp != '\\' && !utf8_is_unsafe(cp)) {
            buf_append(out, s + i, n);
            i += n;
            continue;
        }
        for (size_t end = i + (n ? n : 1); i < end; i++) {
            if (s[i] == '\\' || s[i] == '\t' || s[i] == '\n')
                buf_printf(out, "\\%c", s[i] == '\t' ? 't' : s[i] == '\n' ? 'n' : '\\');
            else
                buf_printf(out, "\\x%02x", (unsigned char)s[i]);
        }
    }
}
