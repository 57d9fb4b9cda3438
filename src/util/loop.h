/* SPDX-License-Identifier: MIT */
/*
 * loop: the event loop.  One thread owns all state; the loop runs on it.
 *
 * A turn is: wait for descriptors, due timers and posted functions; run what became ready.
 * Nothing that runs on the loop may block, and the loop never nests (asserted).
 *
 * Threads:   everything is for the loop's thread (the one that calls loop_turn), except
 *            loop_post and loop_stop, which any thread may call.
 * Ownership: timers and descriptors are members of the caller's structs; stop or remove them
 *            before the memory goes.  Each may be stopped from any callback, its own included;
 *            after that its function is not called any more, even if it was ready in this turn.
 * Errors:    loop_new and loop_fd_add report; nothing else fails.
 */
#ifndef UTIL_LOOP_H
#define UTIL_LOOP_H

#include <e2b/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;

typedef void loop_fn(void *arg);

struct loop *loop_new(struct e2b_err *err);
void loop_free(struct loop *loop); /* everything must have been stopped, removed and run */

/* One turn; waits at most max_wait_ms (-1: until something happens). */
void loop_turn(struct loop *loop, int max_wait_ms);
/* Turns until loop_stop. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* Runs fn(arg) on a later turn, in the order of the calls.  Any thread. */
void loop_post(struct loop *loop, loop_fn *fn, void *arg);

/* The time at the start of this turn, CLOCK_BOOTTIME in ms (or the manual clock). */
int64_t loop_now_ms(const struct loop *loop);

/* Asserts that the caller is on the loop's thread (or that no thread ran it yet). */
void loop_assert_here(const struct loop *loop);

struct loop_timer {
    /* private; all zero = stopped */
    int64_t due_ms;
    uint64_t seq; /* of the start: among equals, first come first served */
    size_t slot;  /* 1-based place in the heap; 0 = stopped */
    loop_fn *fn;
    void *arg;
};

/* (Re)starts: fn(arg) once, delay_ms (>= 0) from now, never in the same turn. */
void loop_timer_start(struct loop *loop, struct loop_timer *t, int64_t delay_ms, loop_fn *fn,
                      void *arg);
void loop_timer_stop(struct loop *loop, struct loop_timer *t); /* fine if stopped */
bool loop_timer_active(const struct loop_timer *t);

/* `events` as in epoll (EPOLLIN, EPOLLOUT, ...); level-triggered. */
typedef void loop_fd_fn(void *arg, uint32_t events);

struct loop_fd {
    /* private; all zero = not watched */
    int fd;
    uint32_t events;
    bool active;
    loop_fd_fn *fn;
    void *arg;
};

int loop_fd_add(struct loop *loop, struct loop_fd *w, int fd, uint32_t events, loop_fd_fn *fn,
                void *arg, struct e2b_err *err);
void loop_fd_set(struct loop *loop, struct loop_fd *w, uint32_t events);
void loop_fd_remove(struct loop *loop, struct loop_fd *w); /* fine if not watched */

/*
 * For tests: from now on time stands still at 0 and moves only by loop_advance, which runs
 * whatever becomes due, in order, with a turn for each due time.
 */
void loop_use_manual_clock(struct loop *loop);
void loop_advance(struct loop *loop, int64_t ms);

#endif
