/* SPDX-License-Identifier: MIT */
/* .e2b/stats: counters since the mount, one "name number" a line. */
#include "fs/snapshot.h"

#include <inttypes.h>
#include <string.h>

/* Everything that is counted, side by side. */
struct all {
    struct fs_counters fs;
    struct e2b_client_stats client;
    struct dirs_stats dirs;
    struct blocks_stats blocks;
    struct spool_stats spool;
    size_t inodes;
};

static const struct {
    const char *name;
    size_t offset, size;
} rows[] = {
#define ROW(name, member)                                                           \
    {                                                                               \
        name, offsetof(struct all, member), sizeof(((const struct all *)0)->member) \
    }
    ROW("fuse.requests", fs.requests),
    ROW("fuse.errors", fs.errors),
    ROW("fuse.interrupts", fs.interrupts),
    ROW("fuse.cancels", fs.cancels),
    ROW("fuse.inodes", inodes),
    ROW("http.control_requests", client.control_requests),
    ROW("http.data_requests", client.data_requests),
    ROW("http.retries", client.retries),
    ROW("http.failures", client.failures),
    ROW("http.bytes_sent", client.bytes_sent),
    ROW("http.bytes_received", client.bytes_received),
    ROW("dirs.hits", dirs.hits),
    ROW("dirs.misses", dirs.misses),
    ROW("dirs.merged", dirs.merged),
    ROW("dirs.evicted", dirs.evicted),
    ROW("dirs.bytes", dirs.bytes),
    ROW("dirs.snapshots", dirs.snapshots),
    ROW("blocks.hits", blocks.hits),
    ROW("blocks.misses", blocks.misses),
    ROW("blocks.evicted", blocks.evicted),
    ROW("blocks.requests", blocks.requests),
    ROW("blocks.bytes_fetched", blocks.bytes_fetched),
    ROW("blocks.bytes", blocks.bytes),
    ROW("blocks.blocks", blocks.blocks),
    ROW("blocks.streams", blocks.streams),
    ROW("spool.commits", spool.commits),
    ROW("spool.failures", spool.failures),
    ROW("spool.bytes_committed", spool.bytes_committed),
    ROW("spool.bytes_held", spool.bytes_held),
    ROW("spool.dirty", spool.dirty),
    ROW("spool.pending", spool.pending),
#undef ROW
};

void vfile_stats_fill(struct snapshot *snap)
{
    const struct fs *fs = snap->fs;
    struct all all = { .fs = fs->counters, .inodes = fs->inodes.count };

    e2b_client_stats(fs->client, &all.client);
    dirs_stats(fs->dirs, &all.dirs);
    blocks_stats(fs->blocks, &all.blocks);
    spool_stats(fs->spool, &all.spool);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t value = 0;

        /* size_t and uint64_t members; the widths differ on 32-bit machines. */
        if (rows[i].size == sizeof(uint64_t))
            memcpy(&value, (const char *)&all + rows[i].offset, sizeof(uint64_t));
        else
            value = *(const size_t *)(const void *)((const char *)&all + rows[i].offset);
        buf_printf(&snap->out, "%s %" PRIu64 "\n", rows[i].name, value);
    }
    snapshot_finish(snap);
}
