/* SPDX-License-Identifier: MIT */
/*
 * notify: telling the kernel that something it keeps is no longer true.
 *
 * Such a call can wait for a page whose READ only the loop can answer, so it is never made on
 * the loop: one notifier thread makes them all, in order.  What they say has been published
 * before, so that the kernel's next question gets the new answer.
 *
 * Threads: loop only.
 */
#ifndef FS_NOTIFY_H
#define FS_NOTIFY_H

#include "fs/fs.h"

/* The name `name` in a directory now means something else, or nothing. */
void notify_entry(struct fs *fs, const struct inode *dir, const char *name);
/* Attributes and, if with_pages, all cached pages of a file.  done (may be NULL) runs on the
 * loop when the kernel has dropped them. */
void notify_inode(struct fs *fs, const struct inode *i, bool with_pages, loop_fn *done,
                  void *arg);

#endif
