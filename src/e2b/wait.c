/* SPDX-License-Identifier: MIT */
/* e2b_wait, for programs without a loop of their own. */
#include "call.h"
#include "client.h"

#include <assert.h>

int e2b_wait(struct e2b_call *call, struct e2b_err *err)
{
    struct loop *loop = call->client->loop;
    struct call_waiter waiter = { 0 };

    assert(!call->waiter);
    /* cppcheck-suppress autoVariables ; the call ends before this function does */
    call->waiter = &waiter;
    /* The call has a deadline of its own; loop_turn asserts that it is not nested. */
    while (!waiter.is_done)
        loop_turn(loop, -1);
    if (err && err->errnum == 0)
        *err = waiter.err;
    return -waiter.err.errnum;
}
