/* SPDX-License-Identifier: MIT */
/*
 * with_list: requests on directories that show the list of sandboxes.
 *
 * Threads: loop only.
 */
#ifndef FS_WITH_LIST_H
#define FS_WITH_LIST_H

#include "fs/req.h"

/* Calls fn once the list is as fresh as it should be, at once if it is; answers `req` itself if
 * the list can't be had.  left_ms is how long it holds; name and fi are copied. */
typedef void with_list_fn(struct fsreq *req, const char *name, struct fuse_file_info *fi,
                          int64_t left_ms);
void with_list(struct fsreq *req, const char *name, const struct fuse_file_info *fi,
               with_list_fn *fn);

#endif
