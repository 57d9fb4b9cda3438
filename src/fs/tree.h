/* SPDX-License-Identifier: MIT */
/*
 * tree: every name that the file system invents, one row each.  lookup, readdir and getattr
 * are derived from these tables; e2bfs(5) describes the same rows.
 */
#ifndef FS_TREE_H
#define FS_TREE_H

#include "fs/node.h"
#include "fs/view.h"

struct snapshot;

/*
 * Renders a generated file.  Called on the loop; must lead to exactly one snapshot_finish or
 * snapshot_fail, at once or later (snapshot.h).
 */
typedef void snapshot_fill_fn(struct snapshot *snap);
/* When the content last changed, where that is known better than by comparing renderings. */
typedef struct timespec snapshot_mtime_fn(const struct inode *i);

enum { NODE_HIDDEN = 1 }; /* found by lookup, not listed */

struct node_entry {
    const char *name; /* NULL ends a table */
    const struct node_type *type;
    mode_t mode; /* permissions */
    int flags;
    snapshot_fill_fn *fill;           /* node_snapshot, node_control (what a read shows) */
    int64_t age_ms;                   /* how long a rendering is served; 0: made at each look */
    snapshot_mtime_fn *mtime;         /* may be NULL */
    const struct node_entry *entries; /* node_static */
    enum view_kind view;              /* node_view */
    const char *target;               /* node_link; %s is the user's home without its slash */
};

extern const struct node_entry tree_sandbox[]; /* <mnt>/<id>/ */
extern const struct node_entry tree_root[];    /* <mnt>/: what isn't a sandbox */

/* The row for `name`, or NULL. */
const struct node_entry *tree_find(const struct node_entry *table, const char *name);

#endif
