/* SPDX-License-Identifier: MIT */
/*
 * options: what e2bfs was asked to do.  One TABLE (options.c) is the long options, the -o
 * rows, the keys of the config file, the usage text and .e2b/config.
 *
 * Precedence: command line > config file > default; the account's settings (key, URLs) have
 * their own sources, see e2b_config_load.
 */
#ifndef FS_OPTIONS_H
#define FS_OPTIONS_H

#include "util/buf.h"

#include <e2b/client.h>
#include <e2b/sandbox.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum rm_guard { RM_HOME, RM_ALL, RM_NONE };
enum idmap { IDMAP_NONE, IDMAP_USER };

struct options {
    char *mountpoint; /* launch_check makes it absolute, before detaching */
    bool foreground, debug, show_help, show_version;
    bool fake; /* mount -f: everything but the mount */
    bool local;
    char *local_dir; /* NULL: launch_check fills in the default */
    char *source;    /* from mount.e2bfs: the first operand, ignored */

    /* The account. */
    char *api_key_file, *api_url, *sandbox_url, *domain, *user, *cacert, *config_file;

    /* The tree. */
    bool ro, fs_ro, nokill, allow_other, exec;
    enum rm_guard rm;
    enum idmap idmap;
    char *only;  /* one sandbox id */
    char *state; /* "running", "paused"; NULL: both */
    char *template_ref;
    struct e2b_pair *metadata; /* all must match */
    size_t n_metadata;

    /* Budgets. */
    uint64_t memory;    /* bytes; default 256 MiB */
    char *spool;        /* directory; NULL: launch_check fills in $XDG_STATE_HOME/e2bfs/spool */
    uint64_t spool_max; /* bytes; 0: min(10 GiB, half of what is free) */
    double deadline;    /* scale; 1.0 */
    char *log;          /* file; NULL: syslog when detached, stderr with -f */
    char *fuse_opts; /* what only libfuse or the kernel understand, comma-separated; or NULL */
};

/*
 * argv[0] says whether we are mount.e2bfs (SOURCE DIR first, mount(8)'s flags).  Paths become
 * absolute, "~/" is the home directory.  0, or -EINVAL with err saying which option and why
 * (exit code 2); what e2b_config_file_each says of a config file.  *o is untouched on failure.
 */
int options_parse(struct options *o, int argc, char **argv, struct e2b_err *err);
void options_clear(struct options *o);
void options_usage(struct buf *out);
/* The filters as the library wants them; borrowed from *o. */
struct e2b_sandbox_query options_query(const struct options *o);
/* "name value" lines of what is in force, for .e2b/config; nothing secret is an option. */
void options_describe(const struct options *o, struct buf *out);

#endif
