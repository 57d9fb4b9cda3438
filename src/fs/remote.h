/* SPDX-License-Identifier: MIT */
/*
 * remote: what the nodes below fs/ have in common: attributes, paths, commits.
 *
 * Attributes come from directory snapshots (cache/dirs.h) and hold as long as those; a node
 * that is being written shows the size and time of its spool.  A file made here that has not
 * been committed yet exists only in this mount (`is_new`) and is shown in its directory from
 * here.
 *
 * Threads: loop only.
 */
#ifndef FS_REMOTE_H
#define FS_REMOTE_H

#include "fs/fs.h"
#include "fs/node.h"

enum {
    REMOTE_TTL_MS = 1000, /* without a lease (design 11) */
    REMOTE_ABSENT_MS = 500,
    REMOTE_STATFS_MS = 30000,
};

struct remote {
    struct inode *inode;    /* back pointer */
    struct e2b_entry entry; /* as last told; owned */
    int64_t known_until_ms; /* the entry holds until then; 0: ask */
    int64_t told_ms;        /* when it was told last; 0: never */
    bool is_root;           /* fs/ itself: its attributes are ours, never asked for */
    bool is_new;            /* made here, never committed; in fs->created */
    LIST_ENTRY(remote) created;

    char *link_text; /* symlinks: as the sandbox told; owned */
    struct timespec link_version;

    struct blocks_file *blocks; /* regular files, while open or written; owned */
    struct spool_file *spool;   /* while written; owned */
    size_t opens, writers;      /* handles */
    size_t commits;             /* commit operations under way; if any, in fs->committing */
    LIST_ENTRY(remote) committing;
    bool is_written; /* since the spool was opened: more than made or emptied */
    bool has_pages;  /* the kernel may hold pages of the version in `blocks` */
    size_t notices;  /* invalidations of those pages under way */
};

/* Marks an entry of a snapshot that exists but whose attributes must be asked for: what a
 * plain upload leaves, since its answer has none. */
enum { REMOTE_SIZE_UNKNOWN = -1 };

void remote_make_root(struct inode *i);
void remote_free(struct remote *r);

/* The path in the sandbox; the caller's. */
char *remote_path(const struct inode *i);
char *remote_child_path(const struct inode *dir, const char *name);

/* The inode for an entry of a directory's listing; its attributes hold left_ms. */
struct inode *remote_child(struct inode *dir, const struct e2b_entry *entry, int64_t left_ms);
/* What a newer answer says of a node.  `is_own`: the change is ours, the kernel's pages are
 * right. */
void remote_update(struct inode *i, const struct e2b_entry *entry, int64_t left_ms,
                   bool is_own);
/* The node and its directory's snapshot learn of an entry that a call returned. */
void remote_learn(struct inode *i, const struct e2b_entry *entry, bool is_own);

/* For node types. */
int64_t remote_peek_attr(struct inode *i, struct stat *st);
void remote_present(struct fsreq *req, struct inode *i, int64_t timeout_ms);
void remote_getattr(struct fsreq *req, struct inode *i, struct handle *h);
void remote_setattr(struct fsreq *req, struct inode *i, struct handle *h, const struct stat *st,
                    int to_set);
void remote_statfs(struct fsreq *req, struct inode *i);
int remote_access(struct inode *i, int mask);

/* Makes attributes known, then fn(arg, err): at once if they are. */
typedef void remote_fn(void *arg, const struct e2b_err *err);
struct e2b_call *remote_refresh(struct inode *i, remote_fn *fn, void *arg);

/* errno for a change that this mount refuses, or 0. */
int remote_refuses(const struct fs *fs);
/* True if the delete guard (-o rm=) lets this name be removed or renamed away. */
bool remote_may_remove(const struct inode *dir, const char *name);

/* Opens the spool of a file for writing, if it isn't. */
int remote_spool(struct inode *i, bool truncate, struct e2b_err *err);

/*
 * Commits what was written; fn(arg, err) once, later, when the sandbox has it.  fn may be NULL:
 * in the background.  The commit itself can't be cancelled; the waiter forgets it by
 * remote_commit_forget.
 */
struct remote_commit;
struct remote_commit *remote_commit(struct inode *i, remote_fn *fn, void *arg);
void remote_commit_forget(struct remote_commit *c);

/* After the last handle or commit: lets go of the spool and the blocks. */
void remote_settle(struct inode *i);

#endif
