/* SPDX-License-Identifier: MIT */
/*
 * e2b/call: the contract of every asynchronous operation.
 *
 *  1. Starting never fails visibly and never calls back.  Bad arguments arrive in the
 *     completion.
 *  2. The completion comes exactly once, on the client's thread, on a later turn.
 *  3. Cancel only asks.  The completion still comes, with ECANCELED (or the result, if it won).
 *  4. All clean-up therefore stands in the completion, and only there.
 *  5. Streams deliver any number of events, then the completion, then nothing.
 *  6. Every call has a deadline (unary) or an idle limit (streams).
 *  7. The loop never nests: e2b_wait is for programs that are not inside a callback.
 *
 * A completion gets `err == NULL` on success; the result arguments are then valid until it
 * returns.  On failure result arguments are NULL or 0.
 *
 * Threads:   the client's thread only.
 * Ownership: a struct e2b_call is borrowed and valid until its completion returned.
 */
#ifndef E2B_CALL_H
#define E2B_CALL_H

#include <e2b/error.h>

#ifdef __cplusplus
extern "C" {
#endif

struct e2b_call;

/* Asks for an early end; fine to call more than once, also from inside an event. */
void e2b_call_cancel(struct e2b_call *call);

/* The completion of operations without a result. */
typedef void e2b_done_fn(void *arg, const struct e2b_err *err);

/*
 * Runs the client's loop until `call`'s completion has run; returns 0 or the negative errno
 * that it got, and fills err.  Must be called right after the call was started.
 */
int e2b_wait(struct e2b_call *call, struct e2b_err *err);

/* A completion that does nothing, for e2b_wait: the outcome is e2b_wait's result. */
void e2b_done_ignore(void *arg, const struct e2b_err *err);

#ifdef __cplusplus
}
#endif
#endif
