/* SPDX-License-Identifier: MIT */
/* Who waits for the fleet: completions come on a later turn, and once. */
#include "cache/fleet_impl.h"
#include "util/xalloc.h"

#include <assert.h>
#include <errno.h>

struct fleet_wait *fleet_wait_new(struct fleet *fleet, struct waits *home, void *arg)
{
    struct fleet_wait *w = xcalloc(1, sizeof(*w));

    loop_assert_here(fleet->loop);
    assert(!fleet->is_closing);
    w->fleet = fleet;
    w->arg = arg;
    w->home = home;
    TAILQ_INSERT_TAIL(home, w, link);
    return w;
}

void fleet_wait_complete(struct fleet_wait *w)
{
    const struct e2b_err *err = w->err.errnum ? &w->err : NULL;

    TAILQ_REMOVE(w->home, w, link);
    if (w->fn)
        w->fn(w->arg, err ? NULL : &w->fleet->list, err);
    else
        w->done(w->arg, err);
    free(w->id);
    free(w);
}

/* What becomes ready while this runs waits for the next time: completions come on a later
 * turn than whatever started them. */
static void deliver(void *arg)
{
    struct fleet *fleet = arg;
    uint64_t turn = fleet->turn++;
    struct fleet_wait *w;

    while ((w = TAILQ_FIRST(&fleet->ready)) && w->turn <= turn)
        fleet_wait_complete(w);
    if (w)
        loop_timer_start(fleet->loop, &fleet->deliver, 0, deliver, fleet);
}

void fleet_wait_finish(struct fleet_wait *w, const struct e2b_err *err)
{
    struct fleet *fleet = w->fleet;

    TAILQ_REMOVE(w->home, w, link);
    w->home = &fleet->ready;
    w->turn = fleet->turn;
    if (err)
        w->err = *err;
    TAILQ_INSERT_TAIL(&fleet->ready, w, link);
    if (!loop_timer_active(&fleet->deliver))
        loop_timer_start(fleet->loop, &fleet->deliver, 0, deliver, fleet);
}

void fleet_waits_finish(struct waits *waits, const struct e2b_err *err)
{
    while (!TAILQ_EMPTY(waits))
        fleet_wait_finish(TAILQ_FIRST(waits), err);
}

void fleet_cancel(struct fleet_wait *wait)
{
    struct e2b_err err = { 0 };

    if (wait->home == &wait->fleet->ready)
        return; /* the result won */
    e2b_fail(&err, ECANCELED, "interrupted");
    fleet_wait_finish(wait, &err);
}
