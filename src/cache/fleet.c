/* SPDX-License-Identifier: MIT */
#include "cache/fleet.h"

#include "cache/fleet_impl.h"
#include "util/clock.h"
#include "util/xalloc.h"

#include <assert.h>
#include <errno.h>

enum { ONE_PAGE = 100 }; /* more sandboxes take several serial requests */

/* --- looking ---------------------------------------------------------------------------------
 */

/* A key that was rejected will not become good by waiting; old data would only hide it. */
static bool is_final(const struct e2b_err *err)
{
    return err->errnum == EKEYREJECTED || err->errnum == EACCES;
}

const struct e2b_sandbox_list *fleet_peek(const struct fleet *fleet, int64_t *left_ms)
{
    int64_t now = loop_now_ms(fleet->loop);
    int64_t age = now - fleet->listed_ms;
    int64_t left = fleet->config.ttl_ms - age;

    if (!fleet->has_list || fleet->is_expired)
        return NULL;
    if (left <= 0) {
        bool is_resting = fleet->is_failing && now < fleet->failed_ms + fleet->config.ttl_ms;
        bool is_slow = fleet->is_failing || fleet->list.n > ONE_PAGE;

        if (age > fleet->config.stale_ms || (fleet->is_failing && is_final(&fleet->failure)))
            return NULL;
        if (!is_resting && !(is_slow && fleet->list_call))
            return NULL;
        left = is_resting ? fleet->failed_ms + fleet->config.ttl_ms - now : 0;
    }
    if (left_ms)
        *left_ms = left;
    return &fleet->list;
}

const struct e2b_sandbox_list *fleet_last(const struct fleet *fleet, int64_t *age_ms)
{
    if (!fleet->has_list)
        return NULL;
    if (age_ms)
        *age_ms = loop_now_ms(fleet->loop) - fleet->listed_ms;
    return &fleet->list;
}

const struct e2b_sandbox *fleet_find(const struct fleet *fleet, const char *id)
{
    ptrdiff_t i = fleet_index(fleet, id);

    return i < 0 ? NULL : &fleet->list.v[i];
}

struct timespec fleet_changed_at(const struct fleet *fleet)
{
    return fleet->changed_at;
}

uint64_t fleet_version(const struct fleet *fleet)
{
    return fleet->version;
}

struct timespec fleet_sandbox_changed_at(const struct fleet *fleet, const char *id)
{
    const struct member *m = fleet_member(fleet, id);

    return m ? m->changed_at : fleet->changed_at;
}

int fleet_last_error(const struct fleet *fleet, struct timespec *since, struct e2b_err *err)
{
    if (!fleet->is_failing)
        return 0;
    if (since)
        *since = fleet->failing_since;
    if (err)
        *err = fleet->failure;
    return -fleet->failure.errnum;
}

struct fleet_wait *fleet_want(struct fleet *fleet, fleet_fn *fn, void *arg)
{
    struct fleet_wait *w = fleet_wait_new(fleet, &fleet->waiting, arg);

    w->fn = fn;
    if (fleet_peek(fleet, NULL)) {
        fleet_wait_finish(w, NULL);
        return w;
    }
    if (!fleet->list_call && fleet->is_failing && !fleet->is_expired &&
        loop_now_ms(fleet->loop) < fleet->failed_ms + FLEET_ERROR_MEMORY_MS) {
        fleet_wait_finish(w, &fleet->failure);
        return w;
    }
    fleet_list_start(fleet);
    /* Now that it is under way an old list may do. */
    if (fleet_peek(fleet, NULL))
        fleet_wait_finish(w, NULL);
    return w;
}

void fleet_expire(struct fleet *fleet)
{
    struct member *m, *next;

    loop_assert_here(fleet->loop);
    fleet->is_expired = true;
    fleet->is_outdated = fleet->list_call != NULL;
    fleet->is_metrics_failing = false;
    HASH_ITER(hh, fleet->members, m, next)
    {
        m->is_sampled = false;
    }
}

/* --- life ------------------------------------------------------------------------------------
 */

static void fleet_destroy(struct fleet *fleet)
{
    struct member *m, *next;

    HASH_ITER(hh, fleet->members, m, next)
    {
        fleet_member_remove(fleet, m);
    }
    fleet_tombs_clear(fleet);
    e2b_sandbox_list_clear(&fleet->list);
    for (size_t i = 0; i < fleet->config.query.n_metadata; i++) {
        free(fleet->config.query.metadata[i].key);
        free(fleet->config.query.metadata[i].value);
    }
    free((void *)fleet->config.query.metadata);
    free((void *)fleet->config.query.template_ref);
    free((void *)fleet->config.only);
    free(fleet);
}

bool fleet_call_ended(struct fleet *fleet)
{
    bool is_closing = fleet->is_closing;

    fleet->n_calls--;
    if (is_closing && fleet->n_calls == 0)
        fleet_destroy(fleet);
    return !is_closing;
}

struct fleet *fleet_new(struct loop *loop, struct e2b_client *client,
                        const struct fleet_config *config, fleet_change_fn *on_change,
                        void *arg)
{
    struct fleet *fleet = xcalloc(1, sizeof(*fleet));
    struct e2b_sandbox_query *query = &fleet->config.query;

    fleet->loop = loop;
    fleet->client = client;
    fleet->on_change = on_change;
    fleet->arg = arg;
    fleet->config = *config;
    fleet->config.only = xstrdup(config->only);
    query->template_ref = xstrdup(config->query.template_ref);
    query->metadata = NULL;
    if (query->n_metadata) {
        struct e2b_pair *pairs = xcalloc(query->n_metadata, sizeof(*pairs));

        for (size_t i = 0; i < query->n_metadata; i++) {
            pairs[i].key = xstrdup(config->query.metadata[i].key);
            pairs[i].value = xstrdup(config->query.metadata[i].value);
        }
        query->metadata = pairs;
    }
    fleet->changed_at = clock_wall();
    TAILQ_INIT(&fleet->waiting);
    TAILQ_INIT(&fleet->ready);
    TAILQ_INIT(&fleet->batches);
    return fleet;
}

void fleet_free(struct fleet *fleet)
{
    struct e2b_err err = { 0 };
    struct fleet_wait *w;

    if (!fleet)
        return;
    e2b_fail(&err, ECANCELED, "unmounting");
    fleet->is_closing = true;
    fleet_waits_finish(&fleet->waiting, &err);
    fleet_metrics_close(fleet);
    while ((w = TAILQ_FIRST(&fleet->ready))) {
        w->err = err; /* also where the answer is there: nobody is to go on from here */
        fleet_wait_complete(w);
    }
    loop_timer_stop(fleet->loop, &fleet->deliver);
    if (fleet->list_call)
        e2b_call_cancel(fleet->list_call);
    if (fleet->n_calls == 0)
        fleet_destroy(fleet);
}
