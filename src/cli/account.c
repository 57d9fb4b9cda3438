/* SPDX-License-Identifier: MIT */
#include "account.h"

#include "util/loop.h"
#include "util/xalloc.h"

#include <errno.h>
#include <string.h>

static const char key_variable[] = "E2B_API_KEY", key_file_source[] = "--api-key-file ";

static void replace(char **member, const char *text)
{
    free(*member);
    *member = xstrdup(text);
}

/*
 * The flags that lead e2b_config_load to the key that the mount uses.  A variable of this shell
 * must not win over the file that the mount read its key from.
 */
static void point_at_key(struct e2b_config_flags *flags, const struct runfile *mount)
{
    const char *source = mount->key_source ? mount->key_source : "";

    if (mount->api_key)
        flags->api_key = mount->api_key;
    else if (strncmp(source, key_file_source, strlen(key_file_source)) == 0)
        flags->api_key_file = source + strlen(key_file_source);
    else if (strcmp(source, key_variable) != 0)
        unsetenv(key_variable);
}

int account_load_config(struct cli *cli, const struct runfile *mount, struct e2b_config *out,
                        struct e2b_err *err)
{
    const struct cli_globals *g = &cli->g;
    struct e2b_config_flags flags = {
        .api_key = g->api_key,
        .api_key_file = g->api_key_file,
        .api_url = g->api_url,
        .sandbox_url = g->sandbox_url,
        .domain = g->domain,
        .request_timeout_ms = g->request_timeout_ms,
        .headers = g->headers.v,
    };
    bool has_own_key = flags.api_key || flags.api_key_file;
    autofree char *saved_key = NULL;
    struct e2b_config config = { 0 };
    int r;

    if (mount) {
        saved_key = xstrdup(getenv(key_variable));
        flags.api_url = mount->api_url;
        flags.domain = mount->domain;
        flags.user = mount->user;
        if (!has_own_key)
            point_at_key(&flags, mount);
    }
    r = e2b_config_load(&flags, &config, err);
    if (saved_key) {
        setenv(key_variable, saved_key, 1);
        explicit_bzero(saved_key, strlen(saved_key));
    }
    if (r < 0)
        return mount ? e2b_wrap(err, r, "account of %s (its key comes from %s)",
                                mount->mountpoint, mount->key_source)
                     : r;
    if (mount) {
        /* Also where it is NULL: this shell's E2B_SANDBOX_URL is another account's. */
        replace(&config.sandbox_url, mount->sandbox_url);
        if (!has_own_key && !mount->api_key && mount->key_source &&
            (!config.api_key_source || strcmp(config.api_key_source, mount->key_source) != 0)) {
            r = e2b_fail(err, EKEYREJECTED,
                         "the mount %s has its key from %s, which is not to be had here",
                         mount->mountpoint, mount->key_source);
            e2b_config_clear(&config);
            return r;
        }
    }
    *out = config;
    return 0;
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
