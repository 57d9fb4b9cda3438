/* SPDX-License-Identifier: MIT */
/*
 * launcher: the thread that forks.
 *
 * The kernel ties "die with the parent" to the thread that forked, and connection threads come
 * and go; so all children are started by this one, which ends last.
 *
 * Threads: launcher_run from any; it waits for the fork.
 */
#ifndef SANDBOXD_LAUNCHER_H
#define SANDBOXD_LAUNCHER_H

#include <e2b/error.h>
#include <sys/types.h>

struct launch {
    const char *const *argv; /* looked up in PATH */
    int fd_agent;            /* becomes AGENT_SOCKET */
    int fd_info;             /* becomes 4 */
    int fd_stderr;
    pid_t pid; /* out */
};

int launcher_start(struct e2b_err *err);
void launcher_stop(void);

/* 0, or the negative errno of fork or exec. */
int launcher_run(struct launch *launch);

#endif
