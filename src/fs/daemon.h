/* SPDX-License-Identifier: MIT */
/*
 * daemon: leaving the terminal, but not before it is known how the start ended.
 *
 * daemon_detach forks before any thread exists.  The parent waits for one message from the
 * child, prints its sentence if it is one, and exits with its code; so a shell script can rely
 * on what follows the command.  The child goes on.
 *
 *   child                                parent
 *   daemon_detach                        waits
 *   daemon_ready                         exits with 0
 *   daemon_failed                        prints the sentence, exits with its code
 *   (dies)                               says so, exits with 1
 *
 * Without daemon_detach (in the foreground) the same calls print and return.
 *
 * Threads: the main one.
 */
#ifndef FS_DAEMON_H
#define FS_DAEMON_H

#include <e2b/error.h>

/* In the parent it doesn't return.  Signals stay blocked in the child. */
int daemon_detach(struct e2b_err *err);

/* The start succeeded: also tells the service manager, and gives the terminal's descriptors
 * back.  True, or false if whoever waited for the start has been killed meanwhile. */
bool daemon_ready(void);

/* The start failed: `msg` is what the user should read. */
void daemon_failed(int exit_code, const char *msg);

#endif
