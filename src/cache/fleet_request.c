/* SPDX-License-Identifier: MIT */
/* The requests of the fleet: its list, and the GETs for what is missing from one. */
#include "cache/fleet_impl.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/xalloc.h"

#include <errno.h>

enum { CONFIRM_MAX = 8 }; /* GETs at a time for sandboxes that are missing from a list */

static void list_failed(struct fleet *fleet, const struct e2b_err *err)
{
    if (!fleet->is_failing)
        fleet->failing_since = clock_wall();
    /* A cancel is somebody's wish, not news of the server. */
    fleet->is_failing = err->errnum != ECANCELED;
    fleet->failure = *err;
    fleet->failed_ms = loop_now_ms(fleet->loop);
    fleet->is_expired = false;
    fleet->is_outdated = false;
    if (fleet->is_failing)
        log_warning("fleet", "can't list the sandboxes: %s", err->msg);
    fleet_waits_finish(&fleet->waiting, fleet_peek(fleet, NULL) ? NULL : err);
}

static void list_arrived(struct fleet *fleet, struct e2b_sandbox_list fresh)
{
    bool was_outdated = fleet->is_outdated;

    fleet->is_failing = false;
    fleet->is_outdated = false;
    fleet->listed_ms = loop_now_ms(fleet->loop);
    fleet_list_adopt(fleet, fresh);
    fleet_tombs_clear(fleet);
    if (!was_outdated) {
        fleet->is_expired = false;
        fleet_waits_finish(&fleet->waiting, NULL);
    } else if (!TAILQ_EMPTY(&fleet->waiting)) {
        fleet_list_start(fleet);
    }
}

static void on_list(void *arg, const struct e2b_sandbox_list *list, const struct e2b_err *err)
{
    struct fleet *fleet = arg;

    fleet->list_call = NULL;
    if (!fleet_call_ended(fleet))
        return;
    if (err)
        list_failed(fleet, err);
    else
        list_arrived(fleet, fleet_list_select(fleet, list));
}

/* The list of a mount that shows one sandbox alone. */
static void on_only(void *arg, const struct e2b_sandbox *sandbox, const struct e2b_err *err)
{
    struct fleet *fleet = arg;
    struct e2b_sandbox_list one = { .v = (struct e2b_sandbox *)sandbox, .n = sandbox ? 1 : 0 };

    fleet->list_call = NULL;
    if (!fleet_call_ended(fleet))
        return;
    if (err && err->errnum != ENOENT) {
        list_failed(fleet, err);
        return;
    }
    /* Its end is certain: nothing to confirm. */
    if (err && fleet_index(fleet, fleet->config.only) >= 0)
        fleet_list_drop(fleet, (size_t)fleet_index(fleet, fleet->config.only));
    list_arrived(fleet, fleet_list_select(fleet, &one));
}

void fleet_list_start(struct fleet *fleet)
{
    if (fleet->list_call)
        return;
    fleet->n_calls++;
    if (fleet->config.only)
        fleet->list_call = e2b_sandbox_get(fleet->client, fleet->config.only, on_only, fleet);
    else
        fleet->list_call =
            e2b_sandbox_list(fleet->client, &fleet->config.query, on_list, fleet);
}

struct confirm {
    struct fleet *fleet;
    char *id;
};

static void on_confirm(void *arg, const struct e2b_sandbox *sandbox, const struct e2b_err *err)
{
    struct confirm *c = arg;
    struct fleet *fleet = c->fleet;
    autofree char *id = c->id;
    struct member *m;

    free(c);
    if (!fleet_call_ended(fleet))
        return;
    fleet->n_confirming--;
    m = fleet_member(fleet, id);
    if (m) {
        m->is_confirming = false;
        /* It may have come back with a newer list meanwhile. */
        if (m->is_doubtful && err && err->errnum == ENOENT)
            fleet_list_drop(fleet, (size_t)fleet_index(fleet, id));
        else if (m->is_doubtful && sandbox)
            fleet_update(fleet, sandbox);
        else
            fleet_member_settle(fleet, m); /* not known: it stays, the next list asks again */
    }
    fleet_confirm_next(fleet);
}

void fleet_confirm_next(struct fleet *fleet)
{
    struct member *m, *next;

    if (fleet->n_doubtful <= fleet->n_confirming)
        return;
    HASH_ITER(hh, fleet->members, m, next)
    {
        struct confirm *c;

        if (fleet->n_confirming >= CONFIRM_MAX)
            return;
        if (!m->is_doubtful || m->is_confirming)
            continue;
        m->is_confirming = true;
        fleet->n_confirming++;
        fleet->n_calls++;
        c = xcalloc(1, sizeof(*c));
        *c = (struct confirm){ .fleet = fleet, .id = xstrdup(m->id) };
        e2b_sandbox_get(fleet->client, m->id, on_confirm, c);
    }
}
