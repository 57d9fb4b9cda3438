/* SPDX-License-Identifier: MIT */
#include "target.h"

#include "prefix.h"
#include "util/mounts.h"
#include "util/path.h"
#include "util/xalloc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { NAMES_MAX = 100000, NAME_LINE_MAX = 4096 };

void target_clear(struct target *t)
{
    free(t->id);
    free(t->dir);
    *t = (struct target){ 0 };
}

static bool is_path(const char *operand)
{
    return strchr(operand, '/') || strcmp(operand, ".") == 0 || strcmp(operand, "..") == 0;
}

int target_split(const char *inside, char **id, char **remote)
{
    static const char fs[] = "/fs";
    size_t len = strcspn(inside + 1, "/");
    autofree char *first = xstrndup(inside + 1, len);
    const char *rest = inside + 1 + len;

    if (!prefix_is_id(first))
        return -ENOENT;
    *remote = NULL;
    if (path_is_below(rest, fs))
        *remote = xstrdup(rest[strlen(fs)] ? rest + strlen(fs) : "/");
    *id = steal_ptr(&first);
    return 0;
}

/* A file names the directory that it lies in. */
static char *directory_of(const char *operand, char *remote)
{
    struct stat st;
    char *dir;

    if (!remote || stat(operand, &st) < 0 || S_ISDIR(st.st_mode))
        return remote;
    dir = path_dir(remote);
    free(remote);
    return dir;
}

/* The mount of ours that `path` lies in; the results are the caller's. */
static int locate(const char *path, struct mount_info *mount, char **inside,
                  struct e2b_err *err)
{
    int r = mounts_locate(path, mount, inside, err);

    if (r < 0 || strcmp(mount->type, MOUNTS_E2BFS) == 0)
        return r;
    mount_info_clear(mount);
    free(steal_ptr(inside));
    return e2b_fail(err, ENOENT, "%s: not inside a mount of e2bfs", path);
}

int target_account(struct cli *cli, const char *path, struct account **out, struct e2b_err *err)
{
    struct mount_info mount = { 0 };
    autofree char *inside = NULL;
    int r = locate(path, &mount, &inside, err);

    if (r == 0)
        r = account_get(cli, mount.device, out, err);
    mount_info_clear(&mount);
    return r;
}

static int resolve_path(struct cli *cli, const char *operand, struct target *out,
                        struct e2b_err *err)
{
    struct mount_info mount = { 0 };
    autofree char *inside = NULL;
    char *id = NULL, *remote = NULL;
    struct account *account;
    int r = locate(operand, &mount, &inside, err);

    if (r < 0)
        return r;
    if (!inside || target_split(inside, &id, &remote) < 0)
        r = e2b_fail(err, ENOENT, "%s: not inside a sandbox", operand);
    else
        r = account_get(cli, mount.device, &account, err);
    mount_info_clear(&mount);
    if (r < 0) {
        free(id);
        free(remote);
        return r;
    }
    *out = (struct target){
        .id = id,
        .account = account,
        .dir = directory_of(operand, remote),
    };
    return 0;
}

static int resolve_id(struct cli *cli, const char *operand, size_t least, struct target *out,
                      struct e2b_err *err)
{
    autofree char *text = NULL;
    const struct e2b_sandbox_list *boxes;
    const struct e2b_sandbox *box;
    struct account *account;
    int r;

    if (!prefix_is_id(operand))
        return cli_usage(cli, err, "'%s' is neither a sandbox id nor a path", operand);
    text = prefix_strip(operand);
    r = account_get(cli, NULL, &account, err);
    if (r < 0)
        return r;
    if (strlen(text) < SANDBOX_ID_LEN) {
        r = account_list(account, &boxes, err);
        if (r < 0)
            return r;
        r = prefix_find(boxes, text, least, &box, err);
        cli->is_usage_error |= r == -EINVAL;
        if (r < 0)
            return r;
        free(text);
        text = xstrdup(box->id);
    }
    *out = (struct target){ .id = steal_ptr(&text), .account = account };
    return 0;
}

int target_resolve(struct cli *cli, const char *operand, size_t least, struct target *out,
                   struct e2b_err *err)
{
    return is_path(operand) ? resolve_path(cli, operand, out, err)
                            : resolve_id(cli, operand, least, out, err);
}

static void add_name(struct target_names *names, const char *name)
{
    names->v = xreallocarray(names->v, names->n + 1, sizeof(*names->v));
    names->v[names->n++] = xstrdup(name);
}

static int read_names(struct cli *cli, struct target_names *names, struct e2b_err *err)
{
    char line[NAME_LINE_MAX];

    while (fgets(line, sizeof(line), stdin)) {
        size_t len = strcspn(line, "\r\n");

        if (len == sizeof(line) - 1 || names->n == NAMES_MAX)
            return cli_usage(cli, err, "standard input: a line is too long, or too many are");
        line[len] = '\0';
        if (len > 0)
            add_name(names, line);
    }
    if (ferror(stdin))
        return e2b_fail(err, EIO, "standard input: %s", strerror(errno));
    return 0;
}

int target_names_read(struct cli *cli, const struct opt_operands *operands,
                      struct target_names *out, struct e2b_err *err)
{
    struct target_names names = { 0 };
    int r = 0;

    for (size_t i = 0; r == 0 && i < operands->n; i++) {
        if (strcmp(operands->v[i], "-") == 0)
            r = read_names(cli, &names, err);
        else
            add_name(&names, operands->v[i]);
    }
    if (r < 0) {
        target_names_free(&names);
        return r;
    }
    *out = names;
    return 0;
}

void target_names_free(struct target_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->v[i]);
    free(names->v);
    *names = (struct target_names){ 0 };
}
