/* SPDX-License-Identifier: MIT */
#include "prefix.h"

#include "util/buf.h"
#include "util/xalloc.h"

#include <errno.h>
#include <string.h>

static const char id_characters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
enum { SHOW_MAX = 4 };

bool prefix_is_id(const char *text)
{
    size_t n = strspn(text, id_characters);

    if (n > 0 && text[n] == '-') {
        text += n + 1;
        n = strspn(text, id_characters);
    }
    return n > 0 && text[n] == '\0';
}

char *prefix_strip(const char *text)
{
    return xstrndup(text, strcspn(text, "-"));
}

int prefix_find(const struct e2b_sandbox_list *boxes, const char *text, size_t least,
                const struct e2b_sandbox **out, struct e2b_err *err)
{
    autobuf struct buf names = BUF_INIT;
    const struct e2b_sandbox *found = NULL;
    size_t len = strlen(text), n = 0;

    for (size_t i = 0; i < boxes->n; i++) {
        const char *id = boxes->v[i].id;

        if (strncmp(id, text, len) != 0)
            continue;
        if (id[len] == '\0') {
            *out = &boxes->v[i];
            return 0;
        }
        found = &boxes->v[i];
        if (n++ < SHOW_MAX)
            buf_printf(&names, "%s%s", n > 1 ? ", " : "", id);
    }
    if (n == 0)
        return e2b_fail(err, ENOENT, "no sandbox %s", text);
    if (len < least)
        return e2b_fail(err, EINVAL, "%s: a short id needs %zu characters here (%s%s)", text,
                        least, buf_str(&names), n > SHOW_MAX ? ", ..." : "");
    if (n > 1)
        return e2b_fail(err, EINVAL, "%s is the beginning of %zu ids: %s%s", text, n,
                        buf_str(&names), n > SHOW_MAX ? ", ..." : "");
    *out = found;
    return 0;
}
