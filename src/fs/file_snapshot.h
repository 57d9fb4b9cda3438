/* SPDX-License-Identifier: MIT */
/*
 * file_snapshot: what generated files and control files share: making a rendering when one is
 * needed, and answering stat, open and read from it.
 *
 * Threads: loop only.
 */
#ifndef FS_FILE_SNAPSHOT_H
#define FS_FILE_SNAPSHOT_H

#include "fs/node.h"

int64_t snapshot_peek_attr(struct inode *i, struct stat *st);
void snapshot_present(struct fsreq *req, struct inode *i, int64_t timeout_ms);
void snapshot_getattr(struct fsreq *req, struct inode *i, struct handle *h);
void snapshot_read(struct fsreq *req, struct handle *h, size_t size, off_t off);
/* Opens for reading, whatever the flags: the caller has checked them. */
void snapshot_open(struct fsreq *req, struct inode *i, struct fuse_file_info *fi);
/* The next look makes a new rendering. */
void snapshot_expire(struct inode *i);

#endif
