/* SPDX-License-Identifier: MIT */
#include "cache/fleet.h"

#include "cache/fleet_impl.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/xalloc.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum {
    ONE_PAGE = 100,    /* more sandboxes take several serial requests */
    CONFIRM_MAX = 8,   /* GETs at a time for sandboxes that are missing from a list */
    ID_BYTES_MAX = 64, /* of an id that we show as a name */
};

/* --- members: what belongs to an id ------------------------------------------------------- */

struct member *fleet_member(const struct fleet *fleet, const char *id)
{
    struct member *m;

    HASH_FIND_STR(fleet->members, id, m);
    return m;
}

static void member_add(struct fleet *fleet, const char *id)
{
    struct member *m = xcalloc(1, sizeof(*m));

    m->id = xstrdup(id);
    m->changed_at = clock_wall();
    HASH_ADD_KEYPTR(hh, fleet->members, m->id, strlen(m->id), m);
}

static void member_settle(struct fleet *fleet, struct member *m)
{
    if (m->is_doubtful)
        fleet->n_doubtful--;
    m->is_doubtful = false;
}

static void member_remove(struct fleet *fleet, struct member *m)
{
    member_settle(fleet, m);
    HASH_DEL(fleet->members, m);
    free(m->id);
    free(m);
}

static void tombs_clear(struct fleet *fleet)
{
    struct tomb *t, *next;

    HASH_ITER(hh, fleet->tombs, t, next)
    {
        HASH_DEL(fleet->tombs, t);
        free(t->id);
        free(t);
    }
}

static bool is_entombed(const struct fleet *fleet, const char *id)
{
    struct tomb *t;

    HASH_FIND_STR(fleet->tombs, id, t);
    return t != NULL;
}

/* --- who waits ---------------------------------------------------------------------------- */

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

static void wait_complete(struct fleet_wait *w)
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
        wait_complete(w);
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

/* --- what the list says ------------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
    const struct e2b_sandbox *x = a, *y = b;

    return strcmp(x->id, y->id);
}

ptrdiff_t fleet_index(const struct fleet *fleet, const char *id)
{
    struct e2b_sandbox key = { .id = (char *)id };
    const struct e2b_sandbox *s = NULL;

    if (fleet->list.n)
        s = bsearch(&key, fleet->list.v, fleet->list.n, sizeof(key), by_id);
    return s ? s - fleet->list.v : -1;
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* An id becomes a name in the root directory, and the server is not to be trusted with "..". */
static bool is_good_id(const char *id)
{
    size_t len = id ? strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "0123456789_-")
                    : 0;

    return len > 0 && len <= ID_BYTES_MAX && id[len] == '\0';
}

/* Does it belong into this fleet? (The server filters lists; a GET knows no filters.) */
static bool is_wanted(const struct fleet *fleet, const struct e2b_sandbox *s)
{
    if (!is_good_id(s->id)) {
        log_warning("fleet", "ignored a sandbox whose id can't be a name: %s", s->id);
        return false;
    }
    if (fleet->config.only && strcmp(s->id, fleet->config.only) != 0)
        return false;
    return fleet->config.query.state == E2B_STATE_UNKNOWN ||
           s->state == fleet->config.query.state;
}

/* Missing from a list: is that its end, or only a moment in which lists leave it out? */
static bool should_still_be(const struct fleet *fleet, const struct e2b_sandbox *s)
{
    int64_t now_s = clock_wall().tv_sec + e2b_client_clock_offset_ms(fleet->client) / 1000;

    return s->state == E2B_STATE_PAUSED || now_s < s->end_at.tv_sec;
}

static void tell(struct fleet *fleet, enum fleet_change change, const struct e2b_sandbox *s)
{
    fleet->is_telling = true;
    if (fleet->on_change)
        fleet->on_change(fleet->arg, change, s);
    fleet->is_telling = false;
}

/* A newer object for a member: notes what changed, `was` is the older one. */
static void tell_difference(struct fleet *fleet, const struct e2b_sandbox *was,
                            const struct e2b_sandbox *s)
{
    bool is_restarted = !same_time(was->started_at, s->started_at);

    if (is_restarted || was->state != s->state || !was->json || !s->json ||
        strcmp(was->json, s->json) != 0)
        fleet_member(fleet, s->id)->changed_at = clock_wall();
    if (was->state != s->state)
        tell(fleet, FLEET_STATE, s);
    if (is_restarted)
        tell(fleet, FLEET_RESTARTED, s);
}

static void confirm_next(struct fleet *fleet);

/* The sandbox at `index` leaves. */
static void drop(struct fleet *fleet, size_t index)
{
    struct e2b_sandbox s = fleet->list.v[index];

    fleet->list.n--;
    memmove(&fleet->list.v[index], &fleet->list.v[index + 1],
            (fleet->list.n - index) * sizeof(s));
    member_remove(fleet, fleet_member(fleet, s.id));
    fleet->changed_at = clock_wall();
    tell(fleet, FLEET_GONE, &s);
    e2b_sandbox_clear(&s);
}

/* --- a new list --------------------------------------------------------------------------- */

/* Copies what we want of the server's list, sorted, each id once. */
static struct e2b_sandbox_list list_select(const struct fleet *fleet,
                                           const struct e2b_sandbox_list *from)
{
    struct e2b_sandbox_list out = { .v = xcalloc(from->n + 1, sizeof(*out.v)) };
    size_t n = 0;

    for (size_t i = 0; i < from->n; i++)
        if (is_wanted(fleet, &from->v[i]) && !is_entombed(fleet, from->v[i].id))
            e2b_sandbox_copy(&out.v[out.n++], &from->v[i]);
    qsort(out.v, out.n, sizeof(*out.v), by_id);
    for (size_t i = 0; i < out.n; i++) {
        if (n > 0 && strcmp(out.v[n - 1].id, out.v[i].id) == 0)
            e2b_sandbox_clear(&out.v[i]);
        else
            out.v[n++] = out.v[i];
    }
    out.n = n;
    return out;
}

/* Stays although the new list hasn't got it? */
static bool is_kept(struct fleet *fleet, const struct e2b_sandbox *s)
{
    struct member *m = fleet_member(fleet, s->id);

    if (m->is_touched)
        return true; /* seen here, after the list was asked for */
    if (!should_still_be(fleet, s))
        return false;
    if (!m->is_doubtful)
        fleet->n_doubtful++;
    m->is_doubtful = true;
    return true;
}

/* Makes `fresh` (taken) the list, keeps what is only doubtful, and tells the difference. */
static void adopt(struct fleet *fleet, struct e2b_sandbox_list fresh)
{
    struct e2b_sandbox_list old = fleet->list;
    struct e2b_sandbox_list next = { .v = xcalloc(old.n + fresh.n + 1, sizeof(*next.v)) };
    struct e2b_sandbox_list gone = { .v = xcalloc(old.n + 1, sizeof(*gone.v)) };
    struct e2b_sandbox *was = xcalloc(old.n + fresh.n + 1, sizeof(*was)); /* beside next */
    bool is_first = !fleet->has_list;
    size_t i = 0, j = 0, came = 0;

    while (i < old.n || j < fresh.n) {
        int order = i == old.n ? 1 : j == fresh.n ? -1 : strcmp(old.v[i].id, fresh.v[j].id);

        if (order < 0) {
            if (is_kept(fleet, &old.v[i]))
                next.v[next.n++] = old.v[i];
            else
                gone.v[gone.n++] = old.v[i];
            i++;
        } else if (order > 0) {
            member_add(fleet, fresh.v[j].id);
            next.v[next.n++] = fresh.v[j++];
            came++;
        } else if (fleet_member(fleet, old.v[i].id)->is_touched) {
            next.v[next.n++] = old.v[i++];
            e2b_sandbox_clear(&fresh.v[j++]);
        } else {
            member_settle(fleet, fleet_member(fleet, old.v[i].id));
            was[next.n] = old.v[i++];
            next.v[next.n++] = fresh.v[j++];
        }
    }
    for (i = 0; i < gone.n; i++)
        member_remove(fleet, fleet_member(fleet, gone.v[i].id));
    if (is_first || came || gone.n)
        fleet->changed_at = clock_wall();
    fleet->list = next;
    fleet->has_list = true;
    free(old.v);
    free(fresh.v);

    for (i = 0; i < gone.n; i++)
        tell(fleet, FLEET_GONE, &gone.v[i]);
    /* Without an older object beside it, it came, or it was kept as it is. */
    for (i = 0; i < next.n; i++) {
        struct member *m = fleet_member(fleet, next.v[i].id);

        if (was[i].id)
            tell_difference(fleet, &was[i], &next.v[i]);
        else if (!is_first && !m->is_touched && !m->is_doubtful)
            tell(fleet, FLEET_CAME, &next.v[i]);
        m->is_touched = false;
        e2b_sandbox_clear(&was[i]);
    }
    free(was);
    e2b_sandbox_list_clear(&gone);
    confirm_next(fleet);
}

/* --- requests ----------------------------------------------------------------------------- */

static void start_list(struct fleet *fleet);

static void fleet_destroy(struct fleet *fleet)
{
    struct member *m, *next;

    HASH_ITER(hh, fleet->members, m, next)
    {
        member_remove(fleet, m);
    }
    tombs_clear(fleet);
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
    adopt(fleet, fresh);
    tombs_clear(fleet);
    if (!was_outdated) {
        fleet->is_expired = false;
        fleet_waits_finish(&fleet->waiting, NULL);
    } else if (!TAILQ_EMPTY(&fleet->waiting)) {
        start_list(fleet);
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
        list_arrived(fleet, list_select(fleet, list));
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
        drop(fleet, (size_t)fleet_index(fleet, fleet->config.only));
    list_arrived(fleet, list_select(fleet, &one));
}

static void start_list(struct fleet *fleet)
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
            drop(fleet, (size_t)fleet_index(fleet, id));
        else if (m->is_doubtful && sandbox)
            fleet_update(fleet, sandbox);
        else
            member_settle(fleet, m); /* not known: it stays, the next list asks again */
    }
    confirm_next(fleet);
}

static void confirm_next(struct fleet *fleet)
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

/* --- looking ------------------------------------------------------------------------------ */

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
    start_list(fleet);
    /* Now that it is under way an old list may do. */
    if (fleet_peek(fleet, NULL))
        fleet_wait_finish(w, NULL);
    return w;
}

/* --- what this mount did ------------------------------------------------------------------ */

void fleet_forget(struct fleet *fleet, const char *id)
{
    ptrdiff_t i = fleet_index(fleet, id);

    loop_assert_here(fleet->loop);
    assert(!fleet->is_telling);
    if (fleet->list_call && !is_entombed(fleet, id)) {
        struct tomb *t = xcalloc(1, sizeof(*t));

        t->id = xstrdup(id);
        HASH_ADD_KEYPTR(hh, fleet->tombs, t->id, strlen(t->id), t);
    }
    if (i >= 0)
        drop(fleet, (size_t)i);
}

static void insert(struct fleet *fleet, const struct e2b_sandbox *s)
{
    struct e2b_sandbox_list *list = &fleet->list;
    size_t i = 0;

    while (i < list->n && strcmp(list->v[i].id, s->id) < 0)
        i++;
    list->v = xreallocarray(list->v, list->n + 1, sizeof(*list->v));
    memmove(&list->v[i + 1], &list->v[i], (list->n - i) * sizeof(*list->v));
    list->n++;
    list->v[i] = (struct e2b_sandbox){ 0 };
    e2b_sandbox_copy(&list->v[i], s);
    member_add(fleet, s->id);
    fleet_member(fleet, s->id)->is_touched = fleet->list_call != NULL;
    fleet->changed_at = clock_wall();
    tell(fleet, FLEET_CAME, &list->v[i]);
}

void fleet_update(struct fleet *fleet, const struct e2b_sandbox *s)
{
    ptrdiff_t i = fleet_index(fleet, s->id);
    struct e2b_sandbox was;
    struct member *m;

    loop_assert_here(fleet->loop);
    assert(!fleet->is_telling);
    if (!is_wanted(fleet, s)) {
        if (i >= 0)
            drop(fleet, (size_t)i);
        return;
    }
    if (i < 0) {
        /* Before the first list there is nothing to add to: one sandbox is no list. */
        if (fleet->has_list)
            insert(fleet, s);
        return;
    }
    m = fleet_member(fleet, s->id);
    member_settle(fleet, m);
    m->is_touched = fleet->list_call != NULL;
    was = fleet->list.v[i];
    fleet->list.v[i] = (struct e2b_sandbox){ 0 };
    e2b_sandbox_copy(&fleet->list.v[i], s);
    tell_difference(fleet, &was, &fleet->list.v[i]);
    e2b_sandbox_clear(&was);
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

/* --- life --------------------------------------------------------------------------------- */

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
        wait_complete(w);
    }
    loop_timer_stop(fleet->loop, &fleet->deliver);
    if (fleet->list_call)
        e2b_call_cancel(fleet->list_call);
    if (fleet->n_calls == 0)
        fleet_destroy(fleet);
}
