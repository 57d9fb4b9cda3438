/* SPDX-License-Identifier: MIT */
/*
 * rootfs: the directory that becomes a sandbox's "/".
 *
 * Threads: any; two threads never work on the same directory.
 */
#ifndef SANDBOXD_ROOTFS_H
#define SANDBOXD_ROOTFS_H

#include <e2b/error.h>
#include <stddef.h>

/* Host directories that every sandbox sees read-only. */
extern const char *const rootfs_shared[];
extern const size_t rootfs_shared_count;

int rootfs_make(const char *root, struct e2b_err *err);
void rootfs_remove(const char *path);

#endif
