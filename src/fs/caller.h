/* SPDX-License-Identifier: MIT */
/*
 * caller: what /proc tells about the thread behind a request.
 *
 * Threads:   any.  Reads /proc only, never a path that could lie in a mount.
 * Errors:    a caller that is gone or hidden (another pid namespace, hidepid) has no pending
 *            signals, is not exiting and holds nothing.
 */
#ifndef FS_CALLER_H
#define FS_CALLER_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * A signal is pending, and not blocked, that a user sends to make a program stop: KILL, INT,
 * QUIT, TERM or HUP.  (SIGKILL alone would leave Ctrl-C dead in programs that handle SIGINT,
 * such as Python and shells; any signal at all would break programs with interval timers.)
 */
bool caller_wants_out(pid_t tid);

/* The thread is on its way out (PF_EXITING): what it waits for, nobody will see. */
bool caller_is_exiting(pid_t tid);

/* The caller's process has `path` (absolute) open.  During the FLUSH of a close the descriptor
 * being closed is already gone: true means that another FLUSH will follow. */
bool caller_has_open(pid_t tid, const char *path);

#endif
