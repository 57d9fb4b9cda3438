/* SPDX-License-Identifier: MIT */
/*
 * dir_change: what changes a directory inside a sandbox.  Each is one helper program or one
 * call there (envd.md 13, include/e2b/file.h); its answer updates the snapshot, so that the
 * next look costs nothing.
 *
 * The functions are struct node_type's.  Threads: loop only.
 */
#ifndef FS_DIR_CHANGE_H
#define FS_DIR_CHANGE_H

#include "fs/node.h"

void change_create(struct fsreq *req, struct inode *dir, const char *name, mode_t mode,
                   struct fuse_file_info *fi);
void change_mkdir(struct fsreq *req, struct inode *dir, const char *name, mode_t mode);
void change_unlink(struct fsreq *req, struct inode *dir, const char *name);
void change_rmdir(struct fsreq *req, struct inode *dir, const char *name);
void change_symlink(struct fsreq *req, struct inode *dir, const char *name, const char *target);
void change_rename(struct fsreq *req, struct inode *dir, const char *name, struct inode *to_dir,
                   const char *to_name, unsigned flags);
void change_link(struct fsreq *req, struct inode *i, struct inode *dir, const char *name);

/* The temporary siblings of our own commits (spool.h) are not shown. */
bool is_our_temporary(const char *name);

#endif
