/* SPDX-License-Identifier: MIT */
#include "cmd.h"

#include "text.h"
#include "util/buf.h"
#include "util/mounts.h"
#include "util/runfile.h"
#include "util/xalloc.h"

#include <errno.h>
#include <string.h>

static const struct out_col env_cols[] = {
    { "mountpoint", "MOUNT", OUT_IN_TABLE, 0 },
    { "api_url", "API", OUT_IN_TABLE, 0 },
    { "sandbox_url", "SANDBOXES", OUT_IN_TABLE, 0 },
    { "domain", "DOMAIN", OUT_IN_TABLE, 0 },
    { "user", "USER", OUT_IN_TABLE, 0 },
    { "key_source", "KEY FROM", OUT_IN_TABLE, 0 },
    { "api_key", "KEY", 0, 0 },
    { NULL, NULL, 0, 0 },
};

static void put_variable(struct buf *text, const char *name, const char *value)
{
    if (value && *value) {
        buf_printf(text, "export %s=", name);
        text_shell_quote(text, value);
        buf_putc(text, '\n');
    } else {
        buf_printf(text, "unset %s\n", name);
    }
}

/* For eval: assignments first and the comment last, so that it also works unquoted. */
static void print_shell(const struct runfile *mount)
{
    autobuf struct buf text = BUF_INIT;

    put_variable(&text, "E2B_API_URL", mount->api_url);
    put_variable(&text, "E2B_SANDBOX_URL", mount->sandbox_url);
    put_variable(&text, "E2B_DOMAIN", mount->domain);
    if (mount->api_key) {
        put_variable(&text, "E2B_API_KEY", mount->api_key);
    } else {
        buf_puts(&text, "# the key is not in here; this mount has it from ");
        text_escape(&text, mount->key_source, strlen(mount->key_source), TEXT_CELL);
        buf_putc(&text, '\n');
    }
    (void)fputs(buf_str(&text), stdout);
    explicit_bzero(text.data, text.len);
}

static int print_row(struct out *out, const struct runfile *mount, struct e2b_err *err)
{
    out_begin(out, env_cols, OUT_ONE);
    out_str(out, mount->mountpoint);
    out_str(out, mount->api_url);
    out_str(out, mount->sandbox_url);
    out_str(out, mount->domain);
    out_str(out, mount->user);
    out_str(out, mount->key_source);
    out_str(out, mount->api_key);
    out_end_row(out);
    return out_end(out, err);
}

static int env_run(struct cli *cli, const void *opts, const struct opt_operands *operands,
                   struct e2b_err *err)
{
    const char *path = operands->v[0];
    struct mount_info info = { 0 };
    struct runfile mount = { 0 };
    autofree char *inside = NULL;
    int r;

    (void)opts;
    r = mounts_locate(path, &info, &inside, err);
    if (r < 0)
        return r;
    if (strcmp(info.type, MOUNTS_E2BFS) != 0)
        r = e2b_fail(err, ENOENT, "%s: not inside a mount of e2bfs", path);
    else
        r = runfile_read_for_device(info.device, &mount, err);
    mount_info_clear(&info);
    if (r < 0)
        return r;
    if (!mount.key_source)
        mount.key_source = xstrdup("an unknown place");
    if (cli->g.format == OUT_TABLE)
        print_shell(&mount);
    else
        r = print_row(cli->out, &mount, err);
    runfile_clear(&mount);
    return r;
}

const struct cmd cmd_env = {
    .name = "env",
    .args = "PATH",
    .summary = "print the account of a mount as shell variables",
    .details = "PATH is a mountpoint of e2bfs or anything below it. For a shell of the same\n"
               "account: eval \"$(e2b-inspect env ~/e2b)\"\n"
               "Only a mount made with --local says its key; of others it is said where the\n"
               "key comes from.",
    .min_operands = 1,
    .max_operands = 1,
    .run = env_run,
};
