/* SPDX-License-Identifier: MIT */
#include "jsonw.h"

#include "utf8.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const char *short_escape(uint32_t cp)
{
    switch (cp) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        return NULL;
    }
}

/* \uXXXX, as a pair of surrogates where one is not enough. */
static int put_escape(struct buf *out, uint32_t cp)
{
    if (cp < 0x10000)
        return buf_printf(out, "\\u%04x", (unsigned)cp);
    cp -= 0x10000;
    return buf_printf(out, "\\u%04x\\u%04x", 0xd800u + (unsigned)(cp >> 10),
                      0xdc00u + (unsigned)(cp & 0x3ff));
}

int jsonw_string(struct buf *out, const char *s, size_t len)
{
    size_t before = out->len;
    int r = buf_putc(out, '"');

    for (size_t i = 0; r == 0 && i < len;) {
        uint32_t cp;
        size_t n = utf8_next(s + i, len - i, &cp);

        if (n == 0)
            r = buf_puts(out, "\xef\xbf\xbd");
        else if (short_escape(cp))
            r = buf_puts(out, short_escape(cp));
        else if (utf8_is_unsafe(cp))
            r = put_escape(out, cp);
        else
            r = buf_append(out, s + i, n);
        i += n ? n : 1;
    }
    if (r == 0)
        r = buf_putc(out, '"');
    if (r < 0)
        out->len = before;
    return r;
}

int jsonw_str(struct buf *out, const char *s)
{
    return s ? jsonw_string(out, s, strlen(s)) : buf_puts(out, "null");
}

int jsonw_double(struct buf *out, double v, int digits)
{
    char text[400];
    int n;

    if (!isfinite(v))
        return buf_puts(out, "null");
    n = snprintf(text, sizeof(text), "%.*f", digits, v);
    if (strchr(text, '.')) {
        while (text[n - 1] == '0')
            n--;
        if (text[n - 1] == '.')
            n--;
    }
    /* A program may set a locale whose decimal point is a comma; ours never does. */
    return buf_append(out, text, (size_t)n);
}
