/* SPDX-License-Identifier: MIT */
/*
 * control_run: carries out the lines of ctl.
 *
 * Threads:   loop only.
 * Ownership: a struct control_job is borrowed and valid until its completion returned.
 */
#ifndef FS_CONTROL_RUN_H
#define FS_CONTROL_RUN_H

#include "fs/ctl.h"
#include "fs/fs.h"

struct control_job;

/* Runs one line for a sandbox (NULL: for the account, .e2b/ctl); fn(arg, err) comes once, on a
 * later turn. */
struct control_job *control_run(struct fs *fs, const char *sandbox, const struct ctl_line *line,
                                e2b_done_fn *fn, void *arg);
void control_cancel(struct control_job *job);

#endif
