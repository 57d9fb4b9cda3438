/* SPDX-License-Identifier: MIT */
/*
 * fs: one mount.  struct fs owns everything; fs_start and fs_stop have the order of all starts
 * and stops in one place each.
 *
 * Threads: loop only, unless said otherwise.
 */
#ifndef FS_FS_H
#define FS_FS_H

#include "cache/blocks.h"
#include "cache/dirs.h"
#include "cache/fleet.h"
#include "cache/spool.h"
#include "fs/errlog.h"
#include "fs/groups.h"
#include "fs/inode.h"
#include "fs/options.h"
#include "fs/req.h"
#include "util/loop.h"
#include "util/worker.h"

#include <e2b/client.h>

struct fs_counters { /* shown by .e2b/stats */
    uint64_t requests, errors, interrupts, cancels;
};

struct fs {
    const struct options *options; /* borrowed from main for the whole run */
    const struct e2b_config *config;
    struct loop *loop;
    struct workers *workers;
    struct workers *notifier; /* one thread: a notification may wait for pages (notify.h) */
    struct e2b_client *client;
    struct fleet *fleet;
    struct views *views; /* .e2b/by-* */
    struct groups *groups;
    struct dirs *dirs;
    struct blocks *blocks;
    struct spool *spool;
    struct inodes inodes;
    struct errlog errlog;
    struct fuse_io *io;
    size_t notices;                        /* under way (notify.c) */
    bool is_stopping;                      /* nothing more is told to the kernel on our own */
    TAILQ_HEAD(, fsreq) requests;          /* unanswered */
    LIST_HEAD(, handle) handles;           /* open files and directories */
    struct fsreq_ended ended[FSREQ_ENDED]; /* a ring */
    size_t n_ended;
    LIST_HEAD(, remote) created;    /* files that exist only here so far (remote.h) */
    LIST_HEAD(, remote) committing; /* files with a commit under way */
    struct fs_counters counters;
    struct timespec mounted_at;
    uid_t uid; /* who mounts */
    gid_t gid;
    char *home; /* of the acting user in the sandbox: "home/user" or "root" */
};

/* Connects (one list request), mounts and serves until unmounted.  `ready` is called once the
 * kernel may send requests.  Returns 0 after an orderly end, or a negative errno. */
typedef void fs_ready_fn(void *arg);
int fs_run(const struct options *options, const struct e2b_config *config, fs_ready_fn *ready,
           void *arg, struct e2b_err *err);

/* Asks the running mount to flush and unmount (SIGTERM); to drop its caches (SIGHUP); to log
 * its state (SIGUSR1). */
void fs_shutdown(struct fs *fs);
void fs_drop_caches(struct fs *fs);
void fs_log_state(struct fs *fs);

/* Forgets what is known of a sandbox's files (NULL: of everything): the next look asks. */
void fs_refresh(struct fs *fs, const char *sandbox);

#endif
