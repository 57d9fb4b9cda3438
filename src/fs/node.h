/* SPDX-License-Identifier: MIT */
/*
 * node: what a kind of node does.  ops.c finds the inode and calls its type; a type names only
 * what it does differently, node_default answers the rest (virtual things: EPERM for whatever
 * would change them).
 *
 * Every function consumes `req` (replies now or later).  Names and data die when it returns.
 *
 * Threads: loop only.
 */
#ifndef FS_NODE_H
#define FS_NODE_H

#include "fs/inode.h"
#include "fs/req.h"

struct handle;

struct node_type {
    const char *name; /* for the log: "remote-dir" */
    mode_t kind;      /* S_IFDIR, S_IFREG, S_IFLNK */

    /* Attributes known without waiting: fills *st and returns how long they hold (ms), or -1:
     * not known, ask through getattr.  readdirplus and reply_entry use it. */
    int64_t (*peek_attr)(struct inode *i, struct stat *st);
    /* Answers a LOOKUP that found this node: makes its attributes known if they aren't, then
     * replies with the entry, to be kept by the kernel for timeout_ms. */
    void (*present)(struct fsreq *req, struct inode *i, int64_t timeout_ms);

    void (*getattr)(struct fsreq *req, struct inode *i, struct handle *h);
    void (*setattr)(struct fsreq *req, struct inode *i, struct handle *h, const struct stat *st,
                    int to_set);
    void (*readlink)(struct fsreq *req, struct inode *i);
    void (*open)(struct fsreq *req, struct inode *i, struct fuse_file_info *fi);
    void (*read)(struct fsreq *req, struct handle *h, size_t size, off_t off);
    void (*write)(struct fsreq *req, struct handle *h, const char *data, size_t size,
                  off_t off);
    void (*flush)(struct fsreq *req, struct handle *h);
    void (*fsync)(struct fsreq *req, struct handle *h, bool data_only);
    void (*release)(struct handle *h); /* the handle is freed afterwards */
    void (*statfs)(struct fsreq *req, struct inode *i);
    /* access(2) and chdir(2): an errno if what is known refuses R_OK, W_OK, X_OK; else 0. */
    int (*access)(struct inode *i, int mask);

    /* Directories.  peek_child: the child's inode if it and its attributes are in memory, and
     * how long the name holds (ms); else NULL.  list: the names of this open, into h->list,
     * then handle_reply_open. */
    struct inode *(*peek_child)(struct inode *dir, const char *name, int64_t *left_ms);
    void (*lookup)(struct fsreq *req, struct inode *dir, const char *name);
    void (*opendir)(struct fsreq *req, struct inode *dir, struct fuse_file_info *fi);
    void (*create)(struct fsreq *req, struct inode *dir, const char *name, mode_t mode,
                   struct fuse_file_info *fi);
    void (*mkdir)(struct fsreq *req, struct inode *dir, const char *name, mode_t mode);
    void (*unlink)(struct fsreq *req, struct inode *dir, const char *name);
    void (*rmdir)(struct fsreq *req, struct inode *dir, const char *name);
    void (*symlink)(struct fsreq *req, struct inode *dir, const char *name, const char *target);
    void (*rename)(struct fsreq *req, struct inode *dir, const char *name, struct inode *to_dir,
                   const char *to_name, unsigned flags);
    void (*link)(struct fsreq *req, struct inode *i, struct inode *dir, const char *name);
};

/* Calls type's function, or the default's where it has none: NODE(i, getattr)(req, i, h). */
extern const struct node_type node_default;
#define NODE(i, op) ((i)->type->op ? (i)->type->op : node_default.op)

/*
 * An open file or directory.  Made by open/opendir/create, found again through fi->fh.
 * It holds a reference on its inode.
 */
struct handle {
    struct inode *inode;
    LIST_ENTRY(handle) link; /* in fs->handles: what is open when the mount ends */
    int flags;               /* open flags */
    struct text *text;       /* generated files: the content of this open; counted */
    struct dirlist *list;    /* directories: the names of this open (dirlist.h); owned */
    void *state;             /* what else the type keeps; the type frees it in release */
    int64_t served_size; /* remote files: of the version whose bytes were read here; 0: none */
    uint32_t failures_seen; /* remote files: commit failures already reported here */
};

struct handle *handle_new(struct inode *i, struct fuse_file_info *fi);
void handle_free(struct handle *h);
static inline struct handle *handle_of(const struct fuse_file_info *fi)
{
    return fi ? (struct handle *)(uintptr_t)fi->fh : NULL;
}
/* Replies to open with the handle in fi; takes the handle back if the kernel gave up. */
void handle_reply_open(struct fsreq *req, struct handle *h, struct fuse_file_info *fi);

/* The types (one file each). */
extern const struct node_type node_root;     /* dir_sandboxes.c: the mountpoint */
extern const struct node_type node_sandbox;  /* dir_static.c: <id>/ */
extern const struct node_type node_static;   /* dir_static.c: .e2b/ and its like */
extern const struct node_type node_snapshot; /* file_snapshot.c */
extern const struct node_type node_control;  /* file_control.c */
extern const struct node_type node_link;     /* link_static.c: home */
extern const struct node_type node_remote_dir, node_remote_file, node_remote_link,
    node_remote_special;                    /* dir_remote.c file_remote.c link_remote.c */
extern const struct node_type node_pending; /* dir_pending.c */
extern const struct node_type node_view;    /* dir_view.c: .e2b/by-* and below */

/* Fills what every node has: st_ino, kind, permissions, nlink 1, owner, block size. */
void node_stat(const struct inode *i, mode_t perm, struct stat *st);

#endif
