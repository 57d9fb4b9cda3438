/* SPDX-License-Identifier: MIT */
/* fleet: the list and the samples, against a faked control plane and a manual clock. */
#include "test.h"

#include "cache/fleet.h"
#include "util/clock.h"
#include "util/xalloc.h"

#include <errno.h>

/* --- the faked control plane: calls wait until the test answers them ---------------------- */

enum kind { LIST, GET, BATCH };

struct fake_call {
    enum kind kind;
    void *fn, *arg;
    char id[80];          /* GET */
    const char *ids[100]; /* BATCH; copies */
    size_t n;
    bool is_cancelled;
    struct fake_call *next;
};

static struct fake_call *calls; /* in flight, oldest first */
static int counts[3];           /* started since the last reset */

static struct e2b_call *fake_start(enum kind kind, void *fn, void *arg)
{
    struct fake_call *c = xcalloc(1, sizeof(*c)), **end = &calls;

    c->kind = kind;
    c->fn = fn;
    c->arg = arg;
    while (*end)
        end = &(*end)->next;
    *end = c;
    counts[kind]++;
    return (struct e2b_call *)c;
}

struct e2b_call *e2b_sandbox_list(struct e2b_client *client,
                                  const struct e2b_sandbox_query *query,
                                  e2b_sandbox_list_fn *fn, void *arg)
{
    (void)client;
    (void)query;
    return fake_start(LIST, (void *)fn, arg);
}

struct e2b_call *e2b_sandbox_get(struct e2b_client *client, const char *id, e2b_sandbox_fn *fn,
                                 void *arg)
{
    struct e2b_call *c = fake_start(GET, (void *)fn, arg);

    (void)client;
    snprintf(((struct fake_call *)c)->id, 80, "%s", id);
    return c;
}

struct e2b_call *e2b_sandbox_metrics_batch(struct e2b_client *client, const char *const *ids,
                                           size_t n, e2b_metrics_batch_fn *fn, void *arg)
{
    struct fake_call *c = (struct fake_call *)fake_start(BATCH, (void *)fn, arg);

    (void)client;
    CHECK(n >= 1 && n <= 100);
    for (size_t i = 0; i < n && i < 100; i++)
        c->ids[c->n++] = xstrdup(ids[i]);
    return (struct e2b_call *)c;
}

void e2b_call_cancel(struct e2b_call *call)
{
    ((struct fake_call *)call)->is_cancelled = true;
}

int64_t e2b_client_clock_offset_ms(const struct e2b_client *client)
{
    (void)client;
    return 0;
}

static struct fake_call *in_flight(enum kind kind)
{
    struct fake_call *c = calls;

    while (c && c->kind != kind)
        c = c->next;
    return c;
}

/* What the server has. */
static struct e2b_sandbox world[400];
static size_t n_world;

static void complete(struct fake_call *c, int errnum)
{
    struct e2b_sandbox_list list = { world, n_world };
    struct e2b_err err = { 0 }, *e = errnum ? &err : NULL;
    struct fake_call **p = &calls;

    if (e)
        e2b_fail(e, errnum, "made to fail");
    while (*p != c)
        p = &(*p)->next;
    *p = c->next;
    if (c->kind == LIST) {
        ((e2b_sandbox_list_fn *)c->fn)(c->arg, e ? NULL : &list, e);
    } else if (c->kind == GET) {
        const struct e2b_sandbox *found = NULL;

        for (size_t i = 0; i < n_world; i++)
            if (strcmp(world[i].id, c->id) == 0)
                found = &world[i];
        if (!found && !e)
            e2b_fail(e = &err, ENOENT, "no such sandbox");
        ((e2b_sandbox_fn *)c->fn)(c->arg, e ? NULL : found, e);
    } else {
        struct e2b_metrics_entry v[100];
        size_t n = 0;

        for (size_t i = 0; i < c->n; i++)
            if (c->ids[i][0] != 'n') /* those whose id starts with n have no sample */
                v[n++] = (struct e2b_metrics_entry){ c->ids[i],
                                                     { .timestamp_unix = 7, .cpu_count = 2 } };
        ((e2b_metrics_batch_fn *)c->fn)(c->arg, e ? NULL : v, e ? 0 : n, e);
        for (size_t i = 0; i < c->n; i++)
            free((void *)c->ids[i]);
    }
    free(c);
}

/* --- fixture ------------------------------------------------------------------------------ */

static struct loop *loop;
static struct fleet *fleet;
static char story[2000]; /* what on_change was told */

static void on_change(void *arg, enum fleet_change change, const struct e2b_sandbox *s)
{
    static const char *const names[] = { "came", "gone", "state", "restarted" };
    size_t len = strlen(story);

    (void)arg;
    snprintf(story + len, sizeof(story) - len, "%s %s;", names[change], s->id);
}

static void begin_with(struct fleet_config config)
{
    if (!config.ttl_ms)
        config.ttl_ms = 2000;
    config.stale_ms = 60000;
    config.metrics_ttl_ms = 5000;
    loop = loop_new(NULL);
    loop_use_manual_clock(loop);
    fleet = fleet_new(loop, NULL, &config, on_change, NULL);
    memset(counts, 0, sizeof(counts));
    story[0] = '\0';
    n_world = 0;
}

static void begin(void)
{
    begin_with((struct fleet_config){ 0 });
}

static void end(void)
{
    fleet_free(fleet);
    while (calls)
        complete(calls, ECANCELED);
    loop_free(loop);
    for (size_t i = 0; i < n_world; i++)
        e2b_sandbox_clear(&world[i]);
    n_world = 0;
}

static struct e2b_sandbox *find(const char *id)
{
    for (size_t i = 0; i < n_world; i++)
        if (strcmp(world[i].id, id) == 0)
            return &world[i];
    return NULL;
}

static struct e2b_sandbox *add(const char *id)
{
    struct e2b_sandbox *s = &world[n_world++];

    *s = (struct e2b_sandbox){ .id = xstrdup(id),
                               .template_id = xstrdup("base"),
                               .state = E2B_STATE_RUNNING,
                               .started_at = { 1000, 0 },
                               .end_at = { clock_wall().tv_sec + 3600, 0 },
                               .json = xasprintf("{\"id\":\"%s\"}\n", id) };
    return s;
}

static void lose(const char *id)
{
    struct e2b_sandbox *s = find(id);

    e2b_sandbox_clear(s);
    *s = world[--n_world];
}

static void turns(void)
{
    for (int i = 0; i < 4; i++)
        loop_turn(loop, 0);
}

struct outcome {
    int n; /* completions */
    int errnum;
    size_t size;
};

static void on_listed(void *arg, const struct e2b_sandbox_list *list, const struct e2b_err *err)
{
    struct outcome *o = arg;

    o->n++;
    o->errnum = err ? err->errnum : 0;
    o->size = list ? list->n : 0;
}

static void on_done(void *arg, const struct e2b_err *err)
{
    struct outcome *o = arg;

    o->n++;
    o->errnum = err ? err->errnum : 0;
}

/* Looks; the server answers with errnum (0: its list). */
static struct outcome look(int errnum)
{
    struct outcome o = { 0 };

    fleet_want(fleet, on_listed, &o);
    CHECK_INT(o.n, 0); /* never at once */
    if (in_flight(LIST))
        complete(in_flight(LIST), errnum);
    CHECK_INT(o.n, 0);
    turns();
    CHECK_INT(o.n, 1);
    return o;
}

/* --- the list ----------------------------------------------------------------------------- */

TEST(a_list_is_sorted_and_fresh_for_its_age)
{
    const struct e2b_sandbox_list *list;
    int64_t left = 0;

    begin();
    add("ic");
    add("ia");
    add("ib");
    CHECK(!fleet_peek(fleet, &left));
    CHECK(!fleet_find(fleet, "ia"));
    CHECK_INT(look(0).size, 3);
    list = fleet_peek(fleet, &left);
    REQUIRE(list);
    CHECK_INT(left, 2000);
    CHECK_STR(list->v[0].id, "ia");
    CHECK_STR(list->v[2].id, "ic");
    CHECK_STR(fleet_find(fleet, "ib")->id, "ib");
    CHECK(!fleet_find(fleet, "i"));
    loop_advance(loop, 1999);
    CHECK(fleet_peek(fleet, &left));
    CHECK_INT(left, 1);
    look(0);
    CHECK_INT(counts[LIST], 1);
    loop_advance(loop, 1);
    CHECK(!fleet_peek(fleet, &left));
    CHECK(fleet_last(fleet, &left));
    CHECK_INT(left, 2000);
    look(0);
    CHECK_INT(counts[LIST], 2);
    end();
}

TEST(everybody_who_looks_at_once_shares_one_request)
{
    struct outcome a = { 0 }, b = { 0 }, c = { 0 };
    struct fleet_wait *w;

    begin();
    add("ia");
    fleet_want(fleet, on_listed, &a);
    w = fleet_want(fleet, on_listed, &b);
    fleet_want(fleet, on_listed, &c);
    CHECK_INT(counts[LIST], 1);
    fleet_cancel(w);
    CHECK_INT(b.n, 0);
    turns();
    CHECK_INT(b.n, 1);
    CHECK_INT(b.errnum, ECANCELED);
    CHECK_INT(a.n, 0);
    complete(in_flight(LIST), 0);
    turns();
    CHECK_INT(a.n + c.n, 2);
    CHECK_INT(a.errnum + c.errnum, 0);
    CHECK_INT(b.n, 1);
    end();
}

TEST(a_failed_refresh_serves_the_old_list_until_it_is_stale)
{
    struct e2b_err err = { 0 };
    int64_t left;

    begin();
    add("ia");
    look(0);
    loop_advance(loop, 2000);
    CHECK_INT(look(EHOSTUNREACH).size, 1);
    CHECK_INT(fleet_last_error(fleet, NULL, &err), -EHOSTUNREACH);
    /* For a while it answers at once, without asking. */
    CHECK(fleet_peek(fleet, &left));
    CHECK_INT(left, 2000);
    CHECK_INT(counts[LIST], 2);
    loop_advance(loop, 2000);
    /* Then somebody who looks gets the old one while a request tries again. */
    {
        struct outcome o = { 0 };

        fleet_want(fleet, on_listed, &o);
        turns();
        CHECK_INT(o.size, 1);
        CHECK_INT(counts[LIST], 3);
        complete(in_flight(LIST), EHOSTUNREACH);
    }
    loop_advance(loop, 56001);
    CHECK(!fleet_peek(fleet, &left));
    CHECK_INT(look(EHOSTUNREACH).errnum, EHOSTUNREACH);
    /* The failure answers for a moment. */
    CHECK_INT(look(0).errnum, EHOSTUNREACH);
    CHECK_INT(counts[LIST], 4);
    loop_advance(loop, 1000);
    CHECK_INT(look(0).size, 1);
    CHECK_INT(fleet_last_error(fleet, NULL, NULL), 0);
    end();
}

TEST(a_rejected_key_is_said_at_once)
{
    begin();
    add("ia");
    look(0);
    loop_advance(loop, 2000);
    CHECK_INT(look(EKEYREJECTED).errnum, EKEYREJECTED);
    CHECK(fleet_find(fleet, "ia"));
    end();
}

TEST(a_first_list_that_fails_is_an_error)
{
    begin();
    CHECK_INT(look(ETIMEDOUT).errnum, ETIMEDOUT);
    CHECK(!fleet_last(fleet, NULL));
    end();
}

TEST(more_than_a_page_is_served_while_it_is_refreshed)
{
    struct outcome o = { 0 };
    char id[16];

    begin();
    for (int i = 0; i < 101; i++) {
        snprintf(id, sizeof(id), "i%03d", i);
        add(id);
    }
    look(0);
    loop_advance(loop, 2000);
    add("inew");
    fleet_want(fleet, on_listed, &o);
    turns();
    CHECK_INT(o.n, 1);
    CHECK_INT(o.size, 101);
    CHECK_INT(counts[LIST], 2);
    CHECK(fleet_peek(fleet, NULL));
    complete(in_flight(LIST), 0);
    CHECK_INT(fleet_peek(fleet, NULL)->n, 102);
    /* Who asked for a refresh waits for it. */
    fleet_expire(fleet);
    CHECK(!fleet_peek(fleet, NULL));
    lose("inew");
    look(0);
    end();
}

TEST(expire_during_a_request_waits_for_the_next_one)
{
    struct outcome o = { 0 };

    begin();
    add("ia");
    fleet_want(fleet, on_listed, &o);
    fleet_expire(fleet);
    complete(in_flight(LIST), 0);
    turns();
    CHECK_INT(o.n, 0);
    CHECK_INT(counts[LIST], 2);
    add("ib");
    complete(in_flight(LIST), 0);
    turns();
    CHECK_INT(o.size, 2);
    CHECK(fleet_peek(fleet, NULL));
    end();
}

TEST(changes_are_told)
{
    begin();
    add("ia");
    add("ib");
    add("ic");
    look(0);
    CHECK_STR(story, "");
    add("i0");
    find("ib")->state = E2B_STATE_PAUSED;
    find("ic")->started_at.tv_sec++;
    loop_advance(loop, 2000);
    look(0);
    CHECK_STR(story, "came i0;state ib;restarted ic;");
    end();
}

TEST(the_end_of_a_life_needs_no_confirmation)
{
    begin();
    add("ia")->end_at.tv_sec = clock_wall().tv_sec - 1;
    add("ib");
    look(0);
    lose("ia");
    loop_advance(loop, 2000);
    CHECK_INT(look(0).size, 1);
    CHECK_STR(story, "gone ia;");
    CHECK_INT(counts[GET], 0);
    end();
}

TEST(a_sandbox_that_is_missing_too_early_is_confirmed)
{
    struct e2b_sandbox hidden;

    begin();
    add("ia");
    add("ib");
    look(0);
    hidden = *find("ia");
    *find("ia") = world[--n_world];
    loop_advance(loop, 2000);
    CHECK_INT(look(0).size, 2); /* doubtful: stays */
    CHECK_INT(counts[GET], 1);
    world[n_world++] = hidden; /* the GET finds it */
    complete(in_flight(GET), 0);
    CHECK_INT(fleet_peek(fleet, NULL)->n, 2);
    CHECK_STR(story, "");
    lose("ia");
    loop_advance(loop, 2000);
    look(0);
    complete(in_flight(GET), EHOSTUNREACH); /* not known: stays */
    CHECK(fleet_find(fleet, "ia"));
    loop_advance(loop, 2000);
    look(0);
    CHECK_INT(counts[GET], 3);
    complete(in_flight(GET), 0); /* ENOENT */
    CHECK(!fleet_find(fleet, "ia"));
    CHECK_STR(story, "gone ia;");
    end();
}

TEST(many_missing_ones_are_confirmed_a_few_at_a_time)
{
    char id[16];

    begin();
    for (int i = 0; i < 50; i++) {
        snprintf(id, sizeof(id), "i%03d", i);
        add(id);
    }
    look(0);
    while (n_world)
        lose(world[0].id);
    loop_advance(loop, 2000);
    look(0);
    for (int i = 0; i < 50; i++) {
        int n = 0;

        for (struct fake_call *c = calls; c; c = c->next)
            n++;
        CHECK(n >= 1 && n <= 8);
        if (in_flight(GET))
            complete(in_flight(GET), 0);
    }
    CHECK(!calls);
    CHECK_INT(fleet_peek(fleet, NULL)->n, 0);
    end();
}

TEST(hostile_lists_give_names_and_each_once)
{
    begin();
    add("ia");
    add("ia");
    add("..");
    add("");
    add(".e2b");
    add("i/b");
    add("i\nb");
    CHECK_INT(look(0).size, 1);
    end();
}

TEST(what_was_done_here_wins_over_a_list_in_flight)
{
    struct outcome o = { 0 };
    struct e2b_sandbox s = { 0 };

    begin();
    add("ia");
    add("ib");
    look(0);
    loop_advance(loop, 2000);
    fleet_want(fleet, on_listed, &o);
    e2b_sandbox_copy(&s, find("ib"));
    s.state = E2B_STATE_PAUSED;
    fleet_update(fleet, &s);
    fleet_forget(fleet, "ia");
    CHECK_STR(story, "state ib;gone ia;");
    complete(in_flight(LIST), 0); /* made before: both as they were */
    turns();
    CHECK_INT(o.size, 1);
    CHECK_INT(fleet_find(fleet, "ib")->state, E2B_STATE_PAUSED);
    CHECK_STR(story, "state ib;gone ia;");
    free(s.id);
    s.id = xstrdup("inew");
    fleet_update(fleet, &s);
    CHECK_INT(fleet_peek(fleet, NULL)->n, 2);
    /* The next list is newer than all that. */
    loop_advance(loop, 2000);
    look(0);
    CHECK_INT(fleet_find(fleet, "ib")->state, E2B_STATE_RUNNING);
    CHECK(fleet_find(fleet, "ia"));
    e2b_sandbox_clear(&s);
    end();
}

TEST(filters_hold_for_what_is_learnt_later)
{
    struct e2b_sandbox s = { 0 };

    begin_with((struct fleet_config){ .query = { .state = E2B_STATE_RUNNING } });
    add("ia");
    add("ib")->state = E2B_STATE_PAUSED;
    CHECK_INT(look(0).size, 1);
    e2b_sandbox_copy(&s, find("ia"));
    s.state = E2B_STATE_PAUSED;
    fleet_update(fleet, &s);
    CHECK_INT(fleet_peek(fleet, NULL)->n, 0);
    e2b_sandbox_clear(&s);
    end();
}

TEST(one_sandbox_alone_is_a_get)
{
    struct outcome o = { 0 };

    begin_with((struct fleet_config){ .only = "ia" });
    add("ia");
    add("ib");
    fleet_want(fleet, on_listed, &o);
    complete(in_flight(GET), 0);
    turns();
    CHECK_INT(o.size, 1);
    lose("ia");
    loop_advance(loop, 2000);
    fleet_want(fleet, on_listed, &o);
    complete(in_flight(GET), 0);
    turns();
    CHECK_INT(o.size, 0);
    CHECK_INT(o.errnum, 0);
    CHECK_STR(story, "gone ia;");
    CHECK_INT(counts[LIST], 0);
    CHECK_INT(counts[GET], 2);
    end();
}

TEST(times_change_only_with_content)
{
    struct timespec set, one;

    begin();
    add("ia");
    add("ib");
    look(0);
    set = fleet_changed_at(fleet);
    one = fleet_sandbox_changed_at(fleet, "ia");
    loop_advance(loop, 2000);
    look(0);
    CHECK(memcmp(&set, (struct timespec[]){ fleet_changed_at(fleet) }, sizeof(set)) == 0);
    free(find("ib")->json);
    find("ib")->json = xstrdup("{}\n");
    loop_advance(loop, 2000);
    look(0);
    CHECK(memcmp(&set, (struct timespec[]){ fleet_changed_at(fleet) }, sizeof(set)) == 0);
    CHECK(memcmp(&one, (struct timespec[]){ fleet_sandbox_changed_at(fleet, "ia") },
                 sizeof(one)) == 0);
    CHECK(memcmp(&one, (struct timespec[]){ fleet_sandbox_changed_at(fleet, "ib") },
                 sizeof(one)) != 0);
    end();
}

/* --- samples ------------------------------------------------------------------------------ */

/* As `cat metrics` does. */
static int sample(const char *id)
{
    struct e2b_metrics m;
    int r = fleet_metrics_peek(fleet, id, 5000, &m);

    if (r == -EAGAIN) {
        struct outcome o = { 0 };

        fleet_metrics_want(fleet, id, on_done, &o);
        if (in_flight(BATCH))
            complete(in_flight(BATCH), 0);
        CHECK_INT(o.n, 0);
        turns();
        CHECK_INT(o.n, 1);
        if (o.errnum)
            return -o.errnum;
        r = fleet_metrics_peek(fleet, id, 5000, &m);
        CHECK(r != -EAGAIN);
    }
    if (r == 0)
        CHECK_INT(m.timestamp_unix, 7);
    return r;
}

static void big_fleet(int n)
{
    char id[16];

    begin();
    for (int i = 0; i < n; i++) {
        snprintf(id, sizeof(id), "i%03d", i);
        add(id);
    }
    look(0);
}

TEST(samples_of_250_sandboxes_are_3_requests)
{
    static const int strides[] = { 1, 249, 7, 101 };
    char id[16];

    for (size_t s = 0; s < ARRAY_LEN(strides); s++) {
        CASE("stride %d", strides[s]);
        big_fleet(250);
        for (int i = 0; i < 250; i++) {
            snprintf(id, sizeof(id), "i%03d", i * strides[s] % 250);
            CHECK_INT(sample(id), 0);
            loop_advance(loop, 10);
        }
        CHECK_INT(counts[BATCH], 3);
        loop_advance(loop, 5000);
        CHECK_INT(sample("i000"), 0);
        CHECK_INT(counts[BATCH], 4);
        end();
    }
}

TEST(samples_wanted_at_once_share_requests)
{
    struct outcome o[250] = { { 0 } };
    struct fleet_wait *w = NULL;
    char id[16];

    big_fleet(250);
    for (int i = 0; i < 250; i++) {
        snprintf(id, sizeof(id), "i%03d", i);
        w = fleet_metrics_want(fleet, id, on_done, &o[i]);
    }
    CHECK_INT(counts[BATCH], 3);
    fleet_cancel(w);
    complete(in_flight(BATCH), 0);
    complete(in_flight(BATCH), EIO);
    fleet_forget(fleet, "i201");
    complete(in_flight(BATCH), 0);
    turns();
    CHECK_INT(o[0].errnum, 0);
    CHECK_INT(o[150].errnum, EIO);
    CHECK_INT(o[200].errnum, 0);
    CHECK_INT(o[201].errnum, ENOENT);
    CHECK_INT(o[249].errnum, ECANCELED);
    for (int i = 0; i < 250; i++)
        CHECK_INT(o[i].n, 1);
    end();
}

TEST(no_sample_is_known_and_an_unknown_id_is_not)
{
    begin();
    add("ia");
    add("nb");
    look(0);
    CHECK_INT(sample("nb"), 1);
    CHECK_INT(sample("ia"), 0);
    CHECK_INT(counts[BATCH], 1);
    CHECK_INT(sample("ix"), -ENOENT);
    CHECK_INT(counts[BATCH], 1);
    end();
}

TEST(a_failed_sample_answers_for_a_moment)
{
    struct outcome o = { 0 };

    begin();
    add("ia");
    look(0);
    fleet_metrics_want(fleet, "ia", on_done, &o);
    complete(in_flight(BATCH), ETIMEDOUT);
    turns();
    CHECK_INT(o.errnum, ETIMEDOUT);
    CHECK_INT(sample("ia"), -ETIMEDOUT);
    CHECK_INT(counts[BATCH], 1);
    loop_advance(loop, 1000);
    CHECK_INT(sample("ia"), 0);
    end();
}

/* --- the end ------------------------------------------------------------------------------ */

TEST(freeing_completes_whoever_waits)
{
    struct outcome a = { 0 }, b = { 0 }, c = { 0 };

    begin();
    add("ia");
    look(0);
    loop_advance(loop, 2000);
    fleet_want(fleet, on_listed, &a);
    fleet_metrics_want(fleet, "ia", on_done, &b);
    fleet_metrics_want(fleet, "ix", on_done, &c);
    CHECK_INT(a.n + b.n + c.n, 0);
    end(); /* completes the calls only after fleet_free */
    CHECK_INT(a.errnum, ECANCELED);
    CHECK_INT(b.errnum, ECANCELED);
    CHECK_INT(c.errnum, ECANCELED);
    CHECK_INT(a.n + b.n + c.n, 3);
}
