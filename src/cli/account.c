/* SPDX-License-Identifier: MIT */
#include "account.h"

#include "util/loop.h"
#include "util/xalloc.h"

#include <errno.h>
#include <string.h>

static const char key_variable[] = "E2B_API_KEY";

static void replace(char **member, const char *text)
{
    free(*member);
    *member = xstrdup(text);
}

static bool has_key_from(const struct e2b_config *config, const char *source)
{
    return config->api_key_source && strcmp(config->api_key_source, source) == 0;
}

/* e2b_config_load as if the key's variable were not set. */
static int load_without_variable(const struct e2b_config_flags *flags, struct e2b_config *out,
                                 struct e2b_err *err)
{
    autofree char *saved = xstrdup(getenv(key_variable));
    int r;

    unsetenv(key_variable);
    r = e2b_config_load(flags, out, err);
    if (saved) {
        setenv(key_variable, saved, 1);
        explicit_bzero(saved, strlen(saved));
    }
    return r;
}

/*
 * The configuration with the key from where the mount has its own: this shell's variable, the
 * usual files, or a file that was named to the mount.  Never from anywhere else.
 */
static int load_with_key_of(const struct runfile *mount, struct e2b_config_flags *flags,
                            struct e2b_config *out, struct e2b_err *err)
{
    const char *source = mount->key_source ? mount->key_source : "an unknown place";
    struct e2b_err ignored = { 0 };
    int r;

    if (mount->api_key) {
        flags->api_key = mount->api_key;
        return e2b_config_load(flags, out, err);
    }
    r = strcmp(source, key_variable) == 0 ? e2b_config_load(flags, out, &ignored)
                                          : load_without_variable(flags, out, &ignored);
    if (r == 0 && has_key_from(out, source))
        return 0;
    if (r == 0)
        e2b_config_clear(out);
    if (source[0] == '/') {
        flags->api_key_file = source;
        if (e2b_config_load(flags, out, &ignored) == 0)
            return 0;
    }
    return e2b_fail(err, EKEYREJECTED,
                    "the mount %s has its API key from %s, which is not to be had here",
                    mount->mountpoint, source);
}

int account_load_config(struct cli *cli, const struct runfile *mount, struct e2b_config *out,
                        struct e2b_err *err)
{
    const struct cli_globals *g = &cli->g;
    struct e2b_config_flags flags = {
        .api_key = g->api_key,
        .api_key_file = g->api_key_file,
        .api_url = mount ? mount->api_url : g->api_url,
        .sandbox_url = g->sandbox_url,
        .domain = mount ? mount->domain : g->domain,
        .user = mount ? mount->user : NULL,
        .request_timeout_ms = g->request_timeout_ms,
        .headers = g->headers.v,
    };
    bool has_own_key = flags.api_key || flags.api_key_file;
    int r = mount && !has_own_key ? load_with_key_of(mount, &flags, out, err)
                                  : e2b_config_load(&flags, out, err);

    /* What is wrong with a flag's value is said with the flag in front. */
    cli->is_usage_error |= r == -EINVAL && err && strncmp(err->msg, "--", 2) == 0;
    /* Also where it is NULL: this shell's E2B_SANDBOX_URL is another account's. */
    if (r == 0 && mount)
        replace(&out->sandbox_url, mount->sandbox_url);
    return r;
}

static void account_free(struct account *account)
{
    if (!account)
        return;
    e2b_client_free(account->client);
    e2b_config_clear(&account->config);
    e2b_sandbox_list_clear(&account->boxes);
    free(account->device);
    free(account);
}

static int account_open(struct cli *cli, const char *device, struct account **out,
                        struct e2b_err *err)
{
    struct account *account = xcalloc(1, sizeof(*account));
    struct runfile mount = { 0 };
    int r = device ? runfile_read_for_device(device, &mount, err) : 0;

    account->device = xstrdup(device);
    if (r == 0)
        r = account_load_config(cli, device ? &mount : NULL, &account->config, err);
    runfile_clear(&mount);
    if (r == 0) {
        account->client = e2b_client_new(&account->config, cli->loop, err);
        r = account->client ? 0 : -err->errnum;
    }
    if (r < 0) {
        account_free(account);
        return r;
    }
    *out = account;
    return 0;
}

static bool is_for(const struct account *account, const char *device)
{
    if (!device || !account->device)
        return !device && !account->device;
    return strcmp(account->device, device) == 0;
}

int account_get(struct cli *cli, const char *device, struct account **out, struct e2b_err *err)
{
    struct account *account;
    int r;

    for (account = cli->accounts; account; account = account->next) {
        if (is_for(account, device)) {
            *out = account;
            return 0;
        }
    }
    if (!cli->loop) {
        cli->loop = loop_new(err);
        if (!cli->loop)
            return -err->errnum;
    }
    r = account_open(cli, device, &account, err);
    if (r < 0)
        return r;
    account->next = cli->accounts;
    cli->accounts = account;
    *out = account;
    return 0;
}

int account_list(struct account *account, const struct e2b_sandbox_list **out,
                 struct e2b_err *err)
{
    struct e2b_sandbox_query all = { 0 };
    int r;

    if (!account->is_listed) {
        r = e2b_wait(
            e2b_sandbox_list(account->client, &all, e2b_sandbox_list_keep, &account->boxes),
            err);
        if (r < 0)
            return r;
        account->is_listed = true;
    }
    *out = &account->boxes;
    return 0;
}

void accounts_close(struct cli *cli)
{
    while (cli->accounts) {
        struct account *account = cli->accounts;

        cli->accounts = account->next;
        account_free(account);
    }
    if (cli->loop)
        loop_free(cli->loop);
    cli->loop = NULL;
}
