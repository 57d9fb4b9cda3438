/* SPDX-License-Identifier: MIT */
#include "text.h"

#include "util/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

static bool passes(uint32_t cp, enum text_escape how)
{
    if (how == TEXT_STREAM && (cp == '\n' || cp == '\t' || cp == '\r'))
        return true;
    return !utf8_is_unsafe(cp);
}

int text_escape(struct buf *out, const char *s, size_t len, enum text_escape how)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < len;) {
        uint32_t cp;
        size_t n = utf8_next(s + i, len - i, &cp);

        if (n == 0)
            r = buf_printf(out, "\\x%02x", (unsigned char)s[i]);
        else if (passes(cp, how))
            r = buf_append(out, s + i, n);
        else if (cp == '\n' || cp == '\t' || cp == '\r')
            r = buf_puts(out, cp == '\n' ? "\\n" : cp == '\t' ? "\\t" : "\\r");
        else if (cp < 0x80)
            r = buf_printf(out, "\\x%02x", (unsigned)cp);
        else
            r = buf_printf(out, "\\u{%x}", (unsigned)cp);
        i += n ? n : 1;
    }
    return r;
}

int text_escape_stream(struct buf *out, char held[4], size_t *n_held, const char *s, size_t len)
{
    autobuf struct buf joined = BUF_MAX(len + 4);
    size_t tail = 0;
    int r = buf_append(&joined, held, *n_held);

    if (r == 0)
        r = buf_append(&joined, s, len);
    if (r < 0)
        return r;
    /* A first byte is never a middle one, so a tail that looks cut is one character's. */
    for (size_t n = 1; s && n < 4 && n <= joined.len; n++) {
        if (utf8_is_cut(joined.data + joined.len - n, n))
            tail = n;
    }
    if (tail > 0)
        memcpy(held, joined.data + joined.len - tail, tail);
    *n_held = tail;
    return text_escape(out, joined.data, joined.len - tail, TEXT_STREAM);
}

int text_one_line(struct buf *out, const char *s, size_t len)
{
    static const char breaks[] = "\n\t\r\f\v", letters[] = "ntrfv";
    int r = 0;

    for (size_t i = 0; r == 0 && i < len; i++) {
        const char *at = s[i] ? strchr(breaks, s[i]) : NULL;

        r = at ? buf_printf(out, "\\%c", letters[at - breaks]) : buf_putc(out, s[i]);
    }
    return r;
}

char *text_duration(int64_t seconds, char out[TEXT_DURATION_MAX])
{
    static const struct {
        int64_t unit, part;
        char name, part_name;
    } scales[] = { { 86400, 3600, 'd', 'h' }, { 3600, 60, 'h', 'm' } };

    if (seconds < 0)
        seconds = 0;
    for (size_t i = 0; i < 2; i++) {
        if (seconds >= scales[i].unit) {
            (void)snprintf(out, TEXT_DURATION_MAX, "%" PRId64 "%c%02" PRId64 "%c",
                           seconds / scales[i].unit, scales[i].name,
                           seconds % scales[i].unit / scales[i].part, scales[i].part_name);
            return out;
        }
    }
    if (seconds >= 60)
        (void)snprintf(out, TEXT_DURATION_MAX, "%" PRId64 "m", seconds / 60);
    else
        (void)snprintf(out, TEXT_DURATION_MAX, "%" PRId64 "s", seconds);
    return out;
}

char *text_bytes(int64_t bytes, char out[TEXT_BYTES_MAX])
{
    static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    double v = (double)bytes / 1024;
    size_t unit = 0;

    if (bytes < 1024) {
        (void)snprintf(out, TEXT_BYTES_MAX, "%" PRId64 " B", bytes);
        return out;
    }
    for (; v >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++)
        v /= 1024;
    (void)snprintf(out, TEXT_BYTES_MAX, "%.1f %s", v, units[unit]);
    return out;
}

size_t text_width(const char *s)
{
    size_t len = strlen(s), width = 0;

    for (size_t i = 0; i < len;) {
        uint32_t cp = '?';
        size_t n = utf8_next(s + i, len - i, &cp);
        int w = wcwidth((wchar_t)cp);

        width += w >= 0 ? (size_t)w : 1;
        i += n ? n : 1;
    }
    return width;
}

int text_shell_quote(struct buf *out, const char *s)
{
    int r = buf_putc(out, '\'');

    for (; r == 0 && *s; s++)
        r = *s == '\'' ? buf_puts(out, "'\\''") : buf_putc(out, *s);
    return r == 0 ? buf_putc(out, '\'') : r;
}
