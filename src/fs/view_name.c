/* SPDX-License-Identifier: MIT */
#include "fs/view_name.h"

#include "util/buf.h"
#include "util/codec.h"
#include "util/utf8.h"
#include "util/xalloc.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

static bool is_plain(uint32_t cp, bool is_first)
{
    return cp != '/' && cp != '%' && cp != '~' && !(is_first && cp == '.') &&
           !utf8_is_unsafe(cp);
}

char *view_name(const char *value)
{
    struct buf out = BUF_INIT;
    size_t len = strlen(value);

    if (len == 0)
        return xstrdup("%");
    for (size_t i = 0; i < len;) {
        uint32_t cp = 0;
        size_t n = utf8_next(value + i, len - i, &cp), before = out.len;

        if (n > 0 && is_plain(cp, i == 0)) {
            buf_append(&out, value + i, n);
        } else {
            n = n ? n : 1;
            for (size_t k = 0; k < n; k++)
                buf_printf(&out, "%%%02X", (unsigned)(unsigned char)value[i + k]);
        }
        i += n;
        if (out.len > VIEW_NAME_MAX) { /* no character is cut in the middle */
            out.len = before;
            buf_printf(&out, "~%08" PRIx32, (uint32_t)(hash64(value, NULL) >> 32));
            break;
        }
    }
    buf_putc(&out, '\0');
    return buf_steal(&out);
}
