/* SPDX-License-Identifier: MIT */
/* The samples of the fleet: 100 sandboxes a request, so that one look at each costs little. */
#include "cache/fleet_impl.h"
#include "util/xalloc.h"

#include <errno.h>

/* One request. */
struct batch {
    struct fleet *fleet;
    struct e2b_call *call; /* borrowed */
    struct waits waits;
    size_t n;
    char *ids[E2B_METRICS_BATCH_MAX]; /* owned: a sandbox may go while it is asked for */
    TAILQ_ENTRY(batch) link;
};

static bool is_fresh(const struct fleet *fleet, const struct member *m, int64_t max_age_ms)
{
    return m->is_sampled && loop_now_ms(fleet->loop) - m->sampled_ms <= max_age_ms;
}

int fleet_metrics_peek(const struct fleet *fleet, const char *id, int64_t max_age_ms,
                       struct e2b_metrics *m)
{
    const struct member *member = fleet_member(fleet, id);

    if (!member || !is_fresh(fleet, member, max_age_ms))
        return -EAGAIN;
    if (!member->has_sample)
        return 1;
    *m = member->m;
    return 0;
}

static void batch_free(struct batch *b)
{
    for (size_t i = 0; i < b->n; i++)
        free(b->ids[i]);
    free(b);
}

static void keep_samples(struct batch *b, const struct e2b_metrics_entry *v, size_t n)
{
    struct fleet *fleet = b->fleet;
    struct member *m;

    for (size_t i = 0; i < b->n; i++) {
        m = fleet_member(fleet, b->ids[i]);
        if (!m || m->batch != b)
            continue;
        m->is_sampled = true;
        m->sampled_ms = loop_now_ms(fleet->loop);
        m->has_sample = false;
    }
    for (size_t i = 0; i < n; i++) {
        m = fleet_member(fleet, v[i].id);
        if (!m || m->batch != b)
            continue; /* nobody asked for that one */
        m->has_sample = true;
        m->m = v[i].m;
    }
}

static void finish_waits(struct batch *b, const struct e2b_err *err)
{
    struct fleet_wait *w;

    while ((w = TAILQ_FIRST(&b->waits))) {
        struct e2b_err gone = { 0 };

        if (!err && !fleet_member(b->fleet, w->id))
            e2b_fail(&gone, ENOENT, "no sandbox %s", w->id);
        fleet_wait_finish(w, gone.errnum ? &gone : err);
    }
}

static void on_batch(void *arg, const struct e2b_metrics_entry *v, size_t n,
                     const struct e2b_err *err)
{
    struct batch *b = arg;
    struct fleet *fleet = b->fleet;

    if (fleet->is_closing) {
        batch_free(b);
        fleet_call_ended(fleet);
        return;
    }
    fleet->is_metrics_failing = err && err->errnum != ECANCELED;
    if (fleet->is_metrics_failing) {
        fleet->metrics_failure = *err;
        fleet->metrics_failed_ms = loop_now_ms(fleet->loop);
    }
    if (!err)
        keep_samples(b, v, n);
    for (size_t i = 0; i < b->n; i++) {
        struct member *m = fleet_member(fleet, b->ids[i]);

        if (m && m->batch == b)
            m->batch = NULL;
    }
    finish_waits(b, err);
    TAILQ_REMOVE(&fleet->batches, b, link);
    batch_free(b);
    fleet_call_ended(fleet);
}

/*
 * The one at `first` and those behind it in the list, around its end, that have no fresh sample
 * and aren't being asked for: a loop over all directories goes through the list in this order.
 */
static void start_batch(struct fleet *fleet, size_t first)
{
    struct batch *b = xcalloc(1, sizeof(*b));

    b->fleet = fleet;
    TAILQ_INIT(&b->waits);
    for (size_t k = 0; k < fleet->list.n && b->n < E2B_METRICS_BATCH_MAX; k++) {
        const char *id = fleet->list.v[(first + k) % fleet->list.n].id;
        struct member *m = fleet_member(fleet, id);

        if (m->batch || (k > 0 && is_fresh(fleet, m, fleet->config.metrics_ttl_ms)))
            continue;
        m->batch = b;
        b->ids[b->n++] = xstrdup(id);
    }
    TAILQ_INSERT_TAIL(&fleet->batches, b, link);
    fleet->n_calls++;
    b->call = e2b_sandbox_metrics_batch(fleet->client, (const char *const *)b->ids, b->n,
                                        on_batch, b);
}

struct fleet_wait *fleet_metrics_want(struct fleet *fleet, const char *id, e2b_done_fn *fn,
                                      void *arg)
{
    struct fleet_wait *w = fleet_wait_new(fleet, &fleet->ready, arg);
    struct member *m = fleet_member(fleet, id);
    struct e2b_err err = { 0 };

    w->done = fn;
    w->id = xstrdup(id);
    if (!m) {
        e2b_fail(&err, ENOENT, "no sandbox %s", id);
        fleet_wait_finish(w, &err);
        return w;
    }
    if (!m->batch) {
        /* A failure answers for a moment, or a loop over many would wait for each. */
        if (fleet->is_metrics_failing &&
            loop_now_ms(fleet->loop) < fleet->metrics_failed_ms + FLEET_ERROR_MEMORY_MS) {
            fleet_wait_finish(w, &fleet->metrics_failure);
            return w;
        }
        start_batch(fleet, (size_t)fleet_index(fleet, id));
    }
    TAILQ_REMOVE(w->home, w, link);
    w->home = &m->batch->waits;
    TAILQ_INSERT_TAIL(w->home, w, link);
    return w;
}

void fleet_metrics_close(struct fleet *fleet)
{
    struct e2b_err err = { 0 };
    struct batch *b;

    e2b_fail(&err, ECANCELED, "unmounting");
    TAILQ_FOREACH(b, &fleet->batches, link)
    {
        fleet_waits_finish(&b->waits, &err);
        e2b_call_cancel(b->call);
    }
}
