/* SPDX-License-Identifier: MIT */
/* .e2b/version and .e2b/config: which program, which account, which settings. */
#include "fs/snapshot.h"

#include <ctype.h>

void vfile_version_fill(struct snapshot *snap)
{
    buf_printf(&snap->out, "e2bfs %s\nlibfuse %s\n", E2BFS_VERSION, fuse_pkgversion());
    snapshot_finish(snap);
}

/* One line each, whatever an environment variable had in it. */
static void put(struct buf *out, const char *name, const char *value)
{
    if (!value)
        return;
    buf_printf(out, "%s ", name);
    for (; *value; value++)
        buf_putc(out, iscntrl((unsigned char)*value) ? '?' : *value);
    buf_putc(out, '\n');
}

/* The key itself is never shown, not even a part of it: only where it came from. */
void vfile_config_fill(struct snapshot *snap)
{
    const struct e2b_config *c = snap->fs->config;

    put(&snap->out, "api_url", c->api_url);
    put(&snap->out, "sandbox_url", c->sandbox_url);
    put(&snap->out, "domain", c->domain);
    put(&snap->out, "key_source", c->api_key_source);
    put(&snap->out, "user", c->user);
    put(&snap->out, "cacert", c->ca_file);
    options_describe(snap->fs->options, &snap->out);
    snapshot_finish(snap);
}
