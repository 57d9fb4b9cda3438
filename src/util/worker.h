/* SPDX-License-Identifier: MIT */
/*
 * worker: threads for what may block: kernel notifications, fsync, large local I/O.
 *
 * worker_run hands `work(arg)` to a thread and, when it returned, runs `done(arg)` on the
 * loop.  Jobs start in the order of the calls; with more than one thread they overlap.
 *
 * Threads:   worker_run on the loop's thread only.  All signals are blocked in the workers.
 * Ownership: `arg` is the job's until done ran; work and done must not share it with anyone.
 * Shutdown:  workers_free waits for started and queued jobs, then runs their `done`s; call it
 *            from outside any callback, before loop_free.
 */
#ifndef UTIL_WORKER_H
#define UTIL_WORKER_H

#include "loop.h"

struct workers;

struct workers *workers_new(struct loop *loop, int threads, struct e2b_err *err);
void workers_free(struct workers *w);

/* done may be NULL. */
void worker_run(struct workers *w, loop_fn *work, loop_fn *done, void *arg);

#endif
