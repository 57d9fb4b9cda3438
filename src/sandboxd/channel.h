/* SPDX-License-Identifier: MIT */
/*
 * channel: the server's end of the conversation with one agent.
 *
 * Any number of threads call at once; a reader thread hands each reply to its caller.
 *
 * Threads:   any.  One private mutex, a leaf: nothing is called while it is held, except
 *            that the callback for ended processes runs on the reader thread without it.
 * Errors:    -ECONNRESET once the agent is gone, -ETIMEDOUT, -ECANCELED when the caller's
 *            `given_up` said so.  The agent's own refusals are not errors here: see
 *            channel_result.
 * Ownership: owns the socket.
 */
#ifndef SANDBOXD_CHANNEL_H
#define SANDBOXD_CHANNEL_H

#include "msg.h"

#include <sys/types.h>

struct channel;

typedef void channel_exited_fn(void *arg, pid_t pid, int wait_status);

/* Takes `sock`.  Waits for the agent's hello; NULL if it doesn't come within wait_ms. */
struct channel *channel_open(int sock, int wait_ms, channel_exited_fn *fn, void *arg);

/* Cuts the conversation (the agent exits) and waits for the reader; calls end. */
void channel_close(struct channel *ch);

/* True when the other end is gone. */
bool channel_is_dead(struct channel *ch);

/* Asked several times a second while a call waits; true ends the wait with -ECANCELED. */
typedef bool given_up_fn(void *arg);

/* No deadline of the server's own: a FIFO may block for as long as its client stays. */
enum { CHANNEL_NO_DEADLINE = -1 };

/*
 * Sends `request` and waits for the reply.  The reply's payload is positioned behind the
 * result code: *code is 0, or what the agent refused with, and then *text is its message
 * (borrowed from the reply).
 */
int channel_call(struct channel *ch, struct msg *request, struct msg *reply, int deadline_ms,
                 given_up_fn *given_up, void *arg, int *code, const char **text);

#endif
