/* SPDX-License-Identifier: MIT */
/*
 * vfile_list: what the generated files about all sandboxes share.
 *
 * Threads: loop only.
 */
#ifndef FS_VFILE_LIST_H
#define FS_VFILE_LIST_H

#include "fs/snapshot.h"

/* Calls fn with the list, at once or when it came; fails the snapshot if it can't be had. */
typedef void vfile_list_fn(struct snapshot *snap, const struct e2b_sandbox_list *list);
void vfile_with_list(struct snapshot *snap, vfile_list_fn *fn);

/* The order of lines: the oldest start first.  The array is the caller's; what it points to is
 * the list's. */
const struct e2b_sandbox **vfile_by_start(const struct e2b_sandbox_list *list);

#endif
