/* SPDX-License-Identifier: MIT */
#include "remote.h"

#include "util/path.h"
#include "util/xalloc.h"

#include <e2b/process.h>
#include <errno.h>
#include <string.h>

enum { HELPER_MS = 30 * 1000, LINK_MAX_BYTES = 16 * 1024 };

int remote_path(struct cli *cli, const struct target *target, const char *arg, char **out,
                struct e2b_err *err)
{
    autofree char *joined = NULL;

    if (arg[0] == '/') {
        *out = path_normalise(arg);
        return 0;
    }
    if (!*arg || !target->dir)
        return cli_usage(cli, err, "'%s': paths in a sandbox begin with /", arg);
    joined = xasprintf("%s/%s", target->dir, arg);
    *out = path_normalise(joined);
    return 0;
}

static void keep_line(void *arg, const struct e2b_exec_result *result,
                      const struct e2b_err *err)
{
    char **line = arg;
    size_t len = err || result->exit_code != 0 ? 0 : result->out_len;

    /* readlink -n: what there is, is the path, newlines included. */
    if (len > 0 && !memchr(result->out, '\0', len))
        *line = xstrndup(result->out, len);
}

/* The path that `path` leads to; only the sandbox knows what ".." means in its links. */
static int follow(const struct target *target, const char *path, char **real,
                  struct e2b_err *err)
{
    const char *argv[] = { "readlink", "-n", "-f", "--", path, NULL };
    struct e2b_process_spec spec = { .argv = argv, .cwd = "/", .timeout_ms = HELPER_MS };
    autofree char *line = NULL;
    int r = e2b_wait(e2b_process_exec(target->account->client, target->id, &spec,
                                      LINK_MAX_BYTES, keep_line, &line),
                     err);

    if (r < 0)
        return r;
    if (!line || !path_is_normal(line))
        return e2b_fail(err, ELOOP, "sandbox %s: %s: the link leads nowhere", target->id, path);
    *real = steal_ptr(&line);
    return 0;
}

int remote_find(const struct target *target, const char *path, char **real,
                struct e2b_entry *entry, struct e2b_err *err)
{
    struct e2b_client *client = target->account->client;
    autofree char *at = xstrdup(path);
    struct e2b_entry found = { 0 };
    struct e2b_err missing = { 0 };
    int r = e2b_wait(e2b_file_stat(client, target->id, at, e2b_entry_keep, &found), &missing);

    if (r == 0 && S_ISLNK(found.mode)) {
        free(steal_ptr(&at));
        e2b_entry_clear(&found);
        r = follow(target, path, &at, err);
        if (r < 0)
            return r;
        r = e2b_wait(e2b_file_stat(client, target->id, at, e2b_entry_keep, &found), &missing);
    }
    if (r == -ENOENT) /* a sandbox that is gone is ESTALE */
        r = 0;
    if (r < 0) {
        if (err && err->errnum == 0)
            *err = missing;
        return r;
    }
    *real = steal_ptr(&at);
    *entry = found;
    return 0;
}

int remote_find_file(struct cli *cli, const struct target *target, const char *path,
                     char **real, struct e2b_entry *entry, struct e2b_err *err)
{
    autofree char *at = NULL;
    struct e2b_entry found = { 0 };
    int r = remote_find(target, path, &at, &found, err);

    if (r < 0)
        return r;
    if (!found.mode)
        r = e2b_fail(err, ENOENT, "sandbox %s: %s: no such file", target->id, path);
    else if (S_ISDIR(found.mode))
        r = e2b_fail(err, EISDIR, "sandbox %s: %s is a directory", target->id, path);
    else if (!S_ISREG(found.mode))
        r = e2b_fail(err, EOPNOTSUPP, "sandbox %s: %s is no regular file", target->id, path);
    else if (path_is_below(at, "/proc") || path_is_below(at, "/sys")) {
        /* Sizes there are 0, so that envd would send nothing: never an empty answer. */
        r = e2b_fail(err, EOPNOTSUPP, "sandbox %s: %s can't be read as a file", target->id,
                     path);
        cli->hint = "try: e2b-inspect exec SANDBOX -- cat PATH";
    }
    if (r < 0) {
        e2b_entry_clear(&found);
        return r;
    }
    *real = steal_ptr(&at);
    *entry = found;
    return 0;
}
