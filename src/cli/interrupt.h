/* SPDX-License-Identifier: MIT */
/*
 * interrupt: SIGINT, SIGTERM or SIGHUP ends one call, so that its command can clean up.
 *
 * Signals that were ignored stay so.  Outside of start and stop they act as ever: who presses
 * Ctrl-C once more while a command cleans up, ends it.
 *
 * Threads: loop only.
 */
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

#include "util/loop.h"

#include <e2b/call.h>
#include <signal.h>

struct interrupt {
    int signum; /* of the signal that came, or 0 */
    /* private */
    struct loop *loop;
    struct loop_fd watch;
    int fd;
    sigset_t before;
    struct e2b_call **call;
};

/* Cancels *call (NULL: nothing) when one comes; all are borrowed until interrupt_stop. */
void interrupt_start(struct interrupt *it, struct loop *loop, struct e2b_call **call);
void interrupt_stop(struct interrupt *it);

#endif
