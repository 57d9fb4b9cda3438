/* SPDX-License-Identifier: MIT */
#include "path.h"

#include "xalloc.h"

#include <assert.h>
#include <string.h>

enum { NAME_BYTES_MAX = 255 };

static bool is_dot(const char *s, size_t len)
{
    return len == 1 && s[0] == '.';
}

static bool is_dotdot(const char *s, size_t len)
{
    return len == 2 && s[0] == '.' && s[1] == '.';
}

char *path_join(const char *dir, const char *name)
{
    assert(path_name_ok(name));
    if (strcmp(dir, "/") == 0)
        return xasprintf("/%s", name);
    return xasprintf("%s/%s", dir, name);
}

bool path_name_ok(const char *name)
{
    size_t len = strnlen(name, NAME_BYTES_MAX + 1);

    return len > 0 && len <= NAME_BYTES_MAX && !is_dot(name, len) && !is_dotdot(name, len) &&
           !memchr(name, '/', len);
}

bool path_is_normal(const char *path)
{
    if (path[0] != '/')
        return false;
    if (path[1] == '\0')
        return true;
    for (const char *p = path; *p == '/';) {
        size_t len = strcspn(++p, "/");

        if (len == 0 || is_dot(p, len) || is_dotdot(p, len))
            return false;
        p += len;
    }
    return true;
}

char *path_normalise(const char *path)
{
    char *out;
    size_t len = 0; /* of `out` without a final slash */

    if (path[0] != '/')
        return NULL;
    out = xmalloc(strlen(path) + 2);
    while (*path) {
        size_t n;

        path += strspn(path, "/");
        n = strcspn(path, "/");
        if (is_dotdot(path, n)) {
            while (len > 0 && out[--len] != '/')
                continue;
        } else if (n > 0 && !is_dot(path, n)) {
            out[len++] = '/';
            memcpy(out + len, path, n);
            len += n;
        }
        path += n;
    }
    if (len == 0)
        out[len++] = '/';
    out[len] = '\0';
    return out;
}

const char *path_base(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash || slash[1] == '\0')
        return path;
    return slash + 1;
}

char *path_dir(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash || slash == path)
        return xstrdup("/");
    return xstrndup(path, (size_t)(slash - path));
}

bool path_is_below(const char *path, const char *dir)
{
    size_t len = strlen(dir);

    if (strcmp(dir, "/") == 0)
        return path[0] == '/';
    return strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == '\0');
}
