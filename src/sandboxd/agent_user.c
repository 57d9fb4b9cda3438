/* SPDX-License-Identifier: MIT */
#include "agent.h"

#include "util/error.h"
#include "util/path.h"
#include "util/xalloc.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

bool account_find(const char *name, struct account *out)
{
    FILE *f = fopen("/etc/passwd", "re");
    struct passwd pw, *hit;
    char line[4096];
    bool found = false;

    if (!f)
        return false;
    while (!found && fgetpwent_r(f, &pw, line, sizeof(line), &hit) == 0) {
        if (strcmp(pw.pw_name, name) != 0)
            continue;
        *out = (struct account){ .name = xstrdup(pw.pw_name),
                                 .home = xstrdup(pw.pw_dir),
                                 .uid = pw.pw_uid,
                                 .gid = pw.pw_gid };
        found = true;
    }
    (void)fclose(f);
    return found;
}

void account_clear(struct account *a)
{
    free(a->name);
    free(a->home);
    *a = (struct account){ 0 };
}

bool request_account(struct msg *in, enum op_style style, struct account *out,
                     struct fail *fail)
{
    const char *name = msg_get_str(in, NULL);

    if (account_find(name, out))
        return true;
    if (style == STYLE_FILES)
        return failf(fail, 401, "error looking up user '%s': user: unknown user %s", name,
                     name);
    return failf(fail, E2B_CONNECT_UNAUTHENTICATED, "invalid username: '%s'", name);
}

/* home + "/" + rest, cleaned as Go's filepath.Join does. */
static char *below_home(const struct account *account, const char *rest)
{
    autofree char *joined = xasprintf("%s/%s", account->home, rest);

    return path_normalise(joined);
}

bool request_path(struct msg *in, enum op_style style, const struct account *account,
                  char **path, struct fail *fail)
{
    bool files = style == STYLE_FILES;
    size_t len;
    const char *given = msg_get_str(in, &len);
    char *resolved;

    if (strlen(given) != len)
        return failf(fail, files ? 500 : E2B_CONNECT_INTERNAL,
                     "error getting file info: lstat %s: invalid argument", given);
    if (given[0] == '/') {
        *path = xstrdup(given);
        return true;
    }
    if (given[0] == '~' && given[1] != '\0' && given[1] != '/')
        return failf(fail, files ? 400 : E2B_CONNECT_INVALID_ARGUMENT,
                     "failed to expand path '' for user '%s': cannot expand user-specific "
                     "home dir",
                     account->name);
    resolved = below_home(account, given[0] == '~' ? given + 1 : given);
    if (!resolved)
        return failf(fail, files ? 500 : E2B_CONNECT_INTERNAL,
                     "the home directory of '%s' is not an absolute path", account->name);
    *path = resolved;
    return true;
}

char *go_dir(const char *path)
{
    const char *slash = strrchr(path, '/');
    autofree char *dir = NULL;
    char *clean;

    if (!slash || slash == path)
        return xstrdup("/");
    dir = xstrndup(path, (size_t)(slash - path));
    clean = path_normalise(dir);
    return clean ? clean : xstrdup("/");
}
