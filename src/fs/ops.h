/* SPDX-License-Identifier: MIT */
/* ops: libfuse's table of operations; find the node, call its type. */
#ifndef FS_OPS_H
#define FS_OPS_H

#include "fs/req.h"

extern const struct fuse_lowlevel_ops fs_ops;

#endif
