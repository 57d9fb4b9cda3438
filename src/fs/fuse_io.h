/* SPDX-License-Identifier: MIT */
/*
 * fuse_io: /dev/fuse on the loop: mount, read requests in batches, dispatch, unmount.
 *
 * Unmounting, whoever asks for it, ends the same way: the kernel answers ENODEV to our reads
 * and on_end runs.  fuse_io_detach only starts it: a worker runs syncfs (so that dirty mapped
 * pages arrive as WRITEs, which only this loop can answer) and then a lazy unmount.
 *
 * Threads:   loop only.
 * Ownership: fuse_io_close destroys the session; the mountpoint is then free, busy or not.
 */
#ifndef FS_FUSE_IO_H
#define FS_FUSE_IO_H

#include "fs/req.h"

struct fuse_io;

/* Mounts.  EBUSY, EACCES, ENODEV (no /dev/fuse), ENOTCONN (a dead mount is there): as a
 * sentence in err. */
int fuse_io_open(struct fs *fs, struct fuse_io **out, loop_fn *on_ready, loop_fn *on_end,
                 void *arg, struct e2b_err *err);
/* Takes no more requests. */
void fuse_io_quiesce(struct fuse_io *io);
void fuse_io_close(struct fuse_io *io);

/* From the init operation: what we want of the kernel. */
void fuse_io_init(struct fuse_io *io, struct fuse_conn_info *conn);

/* Asks for the end: syncfs and a lazy unmount on a worker. */
void fuse_io_detach(struct fuse_io *io);

/* For notify.c: safe to use from a worker until fuse_io_close. */
struct fuse_session *fuse_io_session(struct fuse_io *io);
/* "major:minor" as in /proc/self/mountinfo, or NULL. */
const char *fuse_io_device(const struct fuse_io *io);

#endif
