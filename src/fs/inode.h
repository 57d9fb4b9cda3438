/* SPDX-License-Identifier: MIT */
/*
 * inode: what the kernel knows of the tree.
 *
 * Three numbers name a file:
 *   nodeid   what the kernel and we use in requests: a counter, never used twice in a mount,
 *            so that the generation is always 0
 *   st_ino   what stat() shows: a hash of (sandbox, path at first sight), the same after a
 *            remount; another one while a file lives that has this one already: it was renamed
 *            or removed since, and cp, cmp and tail take equal numbers for one file
 *   pointer  ours
 *
 * Inodes form a tree by (parent, name); the path inside a sandbox is derived from it, so that
 * a rename of a directory is one change.  An inode lives while the kernel counts lookups of
 * it, while a handle or a request holds it, or while it has children.
 *
 *   state      in (parent, name)?  leaves by
 *   LINKED     yes                 inode_detach, last reference
 *   DETACHED   no                  last reference          (unlinked, replaced, sandbox gone)
 *
 * Threads: loop only.
 */
#ifndef FS_INODE_H
#define FS_INODE_H

#include "fs/req.h"
#include "util/buf.h"

#include <stdint.h>
#include <uthash.h>

struct fs;
struct node_type;
struct node_entry;
struct remote; /* remote.h: the state of a node below fs/ */
struct text;   /* snapshot.h: the rendering of a generated file */
struct snapshot;

struct inode {
    struct fs *fs;
    uint64_t nodeid;
    uint64_t st_ino;
    uint64_t lookups; /* the kernel's */
    size_t refs;      /* handles, requests, children */
    const struct node_type *type;
    const struct node_entry *entry; /* its row in tree.c; NULL for sandboxes and remote nodes */
    struct inode *parent;           /* holds a reference; NULL for the root */
    char *key;                      /* owned: "<parent's nodeid>/<name>" */
    const char *name;               /* the name in `key` */
    char *sandbox; /* owned: id, for everything in a sandbox's directory; else NULL */
    bool is_detached;
    struct remote *remote;   /* owned; only below fs/ */
    struct text *text;       /* counted; generated files only */
    struct snapshot *making; /* the rendering under way, if any */
    UT_hash_handle by_nodeid;
    UT_hash_handle by_name;
    UT_hash_handle by_number; /* st_ino */
};

struct inodes {
    struct inode *by_nodeid, *by_name, *by_number;
    struct inode *root;
    uint64_t next;
    size_t count;
};

void inodes_init(struct inodes *t);
/* At the end: frees everything, whatever the counts (no FORGET comes at unmount). */
void inodes_clear(struct inodes *t);

/* NULL if the kernel names one that we never gave out (asserted in debug builds). */
struct inode *inode_get(struct fs *fs, uint64_t nodeid);
/* The linked child, or NULL. */
struct inode *inode_child(struct inode *parent, const char *name);
/* Once, at start. */
struct inode *inode_make_root(struct fs *fs, const struct node_type *type);
/* Find or create; the result has no reference of its own yet: reply_entry or inode_hold must
 * follow before the next turn (inode_drop_unused frees it otherwise). */
struct inode *inode_make(struct inode *parent, const char *name, const struct node_type *type,
                         const struct node_entry *entry, const char *sandbox);

void inode_hold(struct inode *i);
void inode_release(struct inode *i);
void inode_lookup_given(struct inode *i);       /* an entry reply was delivered */
void inode_forget(struct inode *i, uint64_t n); /* FORGET */
void inode_drop_unused(struct inode *i);        /* frees it if nothing holds it */

/* Takes it out of (parent, name); children stay reachable through it only. */
void inode_detach(struct inode *i);
/* Gives it another place; whatever was there is detached. */
void inode_move(struct inode *i, struct inode *parent, const char *name);

/* For each inode of a sandbox (NULL: of all); fn may detach. */
void inodes_each(struct fs *fs, const char *sandbox, void (*fn)(void *arg, struct inode *i),
                 void *arg);

/* "ia0b/fs/home/x": the path below the mountpoint, for people.  The caller's. */
char *inode_path(const struct inode *i);

#endif
