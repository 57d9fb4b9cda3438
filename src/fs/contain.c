/* SPDX-License-Identifier: MIT */
#include "fs/contain.h"

#include "util/buf.h"
#include "util/path.h"
#include "util/xalloc.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>

static size_t depth_of(const char *dir)
{
    size_t depth = 0;

    if (strcmp(dir, "/") == 0)
        return 0;
    for (; *dir; dir++)
        depth += *dir == '/';
    return depth;
}

/*
 * True if the kernel may follow it as it is: relative, at most as many ".." as the link lies
 * deep, all of them in front.  ".." after a name could come after a link to somewhere else,
 * and then lead anywhere.
 */
static bool is_contained(const char *text, size_t depth)
{
    bool named = false;
    size_t ups = 0;

    if (*text == '/')
        return false;
    while (*text) {
        size_t n = strcspn(text, "/");

        if (n == 2 && text[0] == '.' && text[1] == '.') {
            if (named || ++ups > depth)
                return false;
        } else if (n > 0 && !(n == 1 && text[0] == '.')) {
            named = true;
        }
        text += n;
        text += strspn(text, "/");
    }
    return true;
}

char *contain_link(const char *dir, const char *text, size_t len)
{
    size_t depth = depth_of(dir);
    autofree char *copy = NULL, *full = NULL, *normal = NULL;
    struct buf out = BUF_MAX(KIB(64));

    if (len == 0 || len >= PATH_MAX || memchr(text, '\0', len))
        return NULL;
    copy = xstrndup(text, len);
    if (is_contained(copy, depth))
        return steal_ptr(&copy);

    /* The same place, from the sandbox's root, without any ".." left to go astray. */
    full = *copy == '/' ? xstrdup(copy) : xasprintf("%s/%s", dir, copy);
    normal = path_normalise(full);
    if (!normal)
        return NULL;
    for (size_t k = 0; k < depth; k++)
        buf_puts(&out, "../");
    buf_puts(&out, normal + 1);
    if (out.len == 0) /* a link at the top to the top */
        buf_putc(&out, '.');
    else if (out.data[out.len - 1] == '/' && depth > 0 && normal[1] == '\0')
        out.data[--out.len] = '\0'; /* "../../" -> "../.." */
    if (out.len >= PATH_MAX) {
        buf_clear(&out);
        return NULL;
    }
    return buf_steal(&out);
}
