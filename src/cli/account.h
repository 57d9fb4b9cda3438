/* SPDX-License-Identifier: MIT */
/*
 * account: an API, a key and a client for them.
 *
 * A command's default account comes from flags, environment and files; one that is named by a
 * path inside a mount comes from that mount's run-time file: its addresses are taken from
 * there, and its key from where the mount got its own.  If that can't be had here, that is an
 * error: another account's key is never sent to the mount's API.
 *
 * Threads:   one.
 * Ownership: the cli owns accounts and clients; accounts_close frees them all.
 */
#ifndef CLI_ACCOUNT_H
#define CLI_ACCOUNT_H

#include "cli/cli.h"
#include "util/runfile.h"

#include <e2b/sandbox.h>

struct account {
    struct account *next;
    char *device; /* NULL: the default one */
    struct e2b_config config;
    struct e2b_client *client;
    struct e2b_sandbox_list boxes; /* for prefixes; filled once */
    bool is_listed;
};

/* `device` NULL: the default account.  Borrowed; the same for the same device. */
int account_get(struct cli *cli, const char *device, struct account **out, struct e2b_err *err);

/* Only the configuration, without a client: what account_get uses. */
int account_load_config(struct cli *cli, const struct runfile *mount, struct e2b_config *out,
                        struct e2b_err *err);

/* All sandboxes of the account, asked for once per program. */
int account_list(struct account *account, const struct e2b_sandbox_list **out,
                 struct e2b_err *err);

void accounts_close(struct cli *cli);

#endif
