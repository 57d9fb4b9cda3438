/* SPDX-License-Identifier: MIT */
/* The list of the fleet: what a new one changes, and what this mount itself changes in it. */
#include "cache/fleet_impl.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/xalloc.h"

#include <assert.h>
#include <string.h>

enum { ID_BYTES_MAX = 64 }; /* of an id that we show as a name */

/* --- members: what belongs to an id ----------------------------------------------------------
 */

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

void fleet_member_settle(struct fleet *fleet, struct member *m)
{
    if (m->is_doubtful)
        fleet->n_doubtful--;
    m->is_doubtful = false;
}

void fleet_member_remove(struct fleet *fleet, struct member *m)
{
    fleet_member_settle(fleet, m);
    HASH_DEL(fleet->members, m);
    free(m->id);
    free(m);
}

void fleet_tombs_clear(struct fleet *fleet)
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

/* --- what the list says ----------------------------------------------------------------------
 */

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

void fleet_list_drop(struct fleet *fleet, size_t index)
{
    struct e2b_sandbox s = fleet->list.v[index];

    fleet->version++;
    fleet->list.n--;
    memmove(&fleet->list.v[index], &fleet->list.v[index + 1],
            (fleet->list.n - index) * sizeof(s));
    fleet_member_remove(fleet, fleet_member(fleet, s.id));
    fleet->changed_at = clock_wall();
    tell(fleet, FLEET_GONE, &s);
    e2b_sandbox_clear(&s);
}

/* --- a new list ------------------------------------------------------------------------------
 */

struct e2b_sandbox_list fleet_list_select(const struct fleet *fleet,
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

void fleet_list_adopt(struct fleet *fleet, struct e2b_sandbox_list fresh)
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
            fleet_member_settle(fleet, fleet_member(fleet, old.v[i].id));
            was[next.n] = old.v[i++];
            next.v[next.n++] = fresh.v[j++];
        }
    }
    for (i = 0; i < gone.n; i++)
        fleet_member_remove(fleet, fleet_member(fleet, gone.v[i].id));
    if (is_first || came || gone.n)
        fleet->changed_at = clock_wall();
    fleet->list = next;
    fleet->has_list = true;
    fleet->version++;
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
    fleet_confirm_next(fleet);
}

/* --- what this mount did ---------------------------------------------------------------------
 */

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
        fleet_list_drop(fleet, (size_t)i);
}

static void insert(struct fleet *fleet, const struct e2b_sandbox *s)
{
    struct e2b_sandbox_list *list = &fleet->list;
    size_t i = 0;

    while (i < list->n && strcmp(list->v[i].id, s->id) < 0)
        i++;
    fleet->version++;
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
            fleet_list_drop(fleet, (size_t)i);
        return;
    }
    if (i < 0) {
        /* Before the first list there is nothing to add to: one sandbox is no list. */
        if (fleet->has_list)
            insert(fleet, s);
        return;
    }
    m = fleet_member(fleet, s->id);
    fleet_member_settle(fleet, m);
    m->is_touched = fleet->list_call != NULL;
    fleet->version++;
    was = fleet->list.v[i];
    fleet->list.v[i] = (struct e2b_sandbox){ 0 };
    e2b_sandbox_copy(&fleet->list.v[i], s);
    tell_difference(fleet, &was, &fleet->list.v[i]);
    e2b_sandbox_clear(&was);
}
