/* SPDX-License-Identifier: MIT */
/*
 * snapshot: the content of a generated file.
 *
 * A struct text is one rendering: bytes, counted, never changed.  The newest one hangs at the
 * inode and gives stat() its true size; each open keeps the one it started with, so a reader
 * sees one consistent content.
 *
 * A struct snapshot is a rendering being made: fill functions (vfile_*.c) get one, put text
 * into it and finish it, or say which call they await.
 *
 * Threads: loop only.
 */
#ifndef FS_SNAPSHOT_H
#define FS_SNAPSHOT_H

#include "fs/fs.h"
#include "fs/inode.h"
#include "util/buf.h"

struct text {
    size_t refs;
    size_t len;
    char *data; /* owned */
    int64_t made_ms;
    struct timespec mtime; /* when this content was first seen */
};
void text_unref(struct text *t);

enum { SNAPSHOT_MAX = 16 * 1024 * 1024 };

struct snapshot {
    struct fs *fs;             /* borrowed */
    struct e2b_client *client; /* borrowed */
    struct inode *inode;       /* held */
    const char *sandbox;       /* id or NULL; borrowed from the inode */
    struct buf out;            /* append the content here, then snapshot_finish */
    /* private to file_snapshot.c */
    loop_fn *cancel;
    void *cancel_arg;
    bool is_over;
    LIST_HEAD(, snapshot_waiter) waiters;
};

/* The content in snap->out is complete. */
void snapshot_finish(struct snapshot *snap);
void snapshot_fail(struct snapshot *snap, const struct e2b_err *err);
void snapshot_fail_errno(struct snapshot *snap, int errnum, const char *why);
/* While it is being made: cancel(arg) asks what it awaits to end (finish or fail still comes).
 */
void snapshot_await(struct snapshot *snap, loop_fn *cancel, void *arg);

/* The fill functions that tree.c names, one vfile_<name>.c each. */
void vfile_info_fill(struct snapshot *snap);         /* <id>/info.json */
void vfile_detail_fill(struct snapshot *snap);       /* <id>/detail.json */
void vfile_state_fill(struct snapshot *snap);        /* <id>/state */
void vfile_metrics_fill(struct snapshot *snap);      /* <id>/metrics */
void vfile_metrics_json_fill(struct snapshot *snap); /* <id>/metrics.json */
void vfile_error_fill(struct snapshot *snap);        /* <id>/error and .e2b/error */
void vfile_ctl_fill(struct snapshot *snap);          /* <id>/ctl, as read */
void vfile_account_ctl_fill(struct snapshot *snap);  /* .e2b/ctl, as read */
void vfile_readme_fill(struct snapshot *snap);       /* .e2b/README, and at the root */
void vfile_version_fill(struct snapshot *snap);      /* .e2b/version */
void vfile_config_fill(struct snapshot *snap);       /* .e2b/config */
void vfile_status_fill(struct snapshot *snap);       /* .e2b/status */
void vfile_stats_fill(struct snapshot *snap);        /* .e2b/stats */
void vfile_index_fill(struct snapshot *snap);        /* .e2b/index */
void vfile_metrics_all_fill(struct snapshot *snap);  /* .e2b/metrics */
void vfile_summary_fill(struct snapshot *snap);      /* .e2b/summary.json */

/* mtimes that are known without rendering. */
struct timespec vfile_info_mtime(const struct inode *i);

#endif
