/* SPDX-License-Identifier: MIT */
/*
 * launch: what must hold before there is anything to mount: a directory, a device, places for
 * our own files outside of what we mount.
 *
 * Everything is checked before detaching, so that the user reads one sentence.
 *
 * Threads: before any are made.
 */
#ifndef FS_LAUNCH_H
#define FS_LAUNCH_H

#include "fs/options.h"

/*
 * Makes o->mountpoint absolute, fills in the defaults of o->spool and o->local_dir and makes
 * those directories (0700).  A dead mount of ours on the mountpoint is detached; `notice` is
 * then a sentence for the user, else NULL (owned by the caller).
 *
 * Errors: EINVAL what was asked for makes no sense (exit 2); ENOENT, ENOTDIR, EACCES the
 * mountpoint; EBUSY it is a live mount of ours; ENOTCONN a dead one of somebody else; ENODEV,
 * EPERM the device.
 */
int launch_check(struct options *o, char **notice, struct e2b_err *err);

/* As many descriptors as the hard limit allows: every sandbox may cost connections. */
void launch_raise_limits(void);

#endif
