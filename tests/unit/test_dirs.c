/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "cache/dirs.h"
#include "util/xalloc.h"

#include <errno.h>

/* ---- a source that answers when the test says so ---- */

struct fake_call {
    char *id, *path;
    e2b_entry_list_fn *fn;
    void *arg;
    bool is_cancelled;
    bool is_over;
};

static struct {
    struct fake_call *calls[64];
    size_t n;
} fake;

static struct e2b_call *fake_list(struct e2b_client *client, const char *id, const char *path,
                                  e2b_entry_list_fn *fn, void *arg)
{
    struct fake_call *call = xcalloc(1, sizeof(*call));

    (void)client;
    *call = (struct fake_call){ xstrdup(id), xstrdup(path), fn, arg, false, false };
    if (fake.n == ARRAY_LEN(fake.calls))
        abort();
    fake.calls[fake.n++] = call;
    return (struct e2b_call *)call;
}

static void fake_cancel(struct e2b_call *call)
{
    ((struct fake_call *)call)->is_cancelled = true;
}

static const struct file_source source = { .list = fake_list, .cancel = fake_cancel };

/* The i-th request is answered: with names ("d:" in front makes a directory), or an errno. */
static void answer(size_t i, const char *const *names)
{
    struct e2b_entry v[64];
    struct e2b_entry_list list = { v, 0 };

    for (; names && names[list.n]; list.n++) {
        bool is_dir = strncmp(names[list.n], "d:", 2) == 0;

        v[list.n] = (struct e2b_entry){
            .name = (char *)names[list.n] + (is_dir ? 2 : 0),
            .mode = is_dir ? S_IFDIR | 0755 : S_IFREG | 0644,
            .size = (int64_t)list.n,
            .owner = (char *)"user",
            .group = (char *)"user",
        };
    }
    fake.calls[i]->is_over = true;
    fake.calls[i]->fn(fake.calls[i]->arg, &list, NULL);
}

static void answer_error(size_t i, int errnum)
{
    struct e2b_err err = { 0 };

    e2b_fail(&err, errnum, "the test says so");
    fake.calls[i]->is_over = true;
    fake.calls[i]->fn(fake.calls[i]->arg, NULL, &err);
}

#define NAMES(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* ---- one who waits ---- */

struct waiter {
    struct dirs_wait *wait;
    int done;
    int errnum;
    char names[200]; /* "a b c" */
    void (*then)(struct waiter *w);
};

static struct loop *loop;
static struct dirs *dirs;

static void on_done(void *arg, const struct e2b_entry_list *list, const struct e2b_err *err)
{
    struct waiter *w = arg;
    size_t at = 0;

    CHECK((list == NULL) == (err != NULL));
    w->done++;
    w->errnum = err ? err->errnum : 0;
    for (size_t i = 0; list && i < list->n && at < sizeof(w->names); i++)
        at += (size_t)snprintf(w->names + at, sizeof(w->names) - at, "%s%s", i ? " " : "",
                               list->v[i].name);
    if (w->then)
        w->then(w);
    dirs_check(dirs);
}

static void want(struct waiter *w, const char *path)
{
    w->wait = dirs_want(dirs, "box", path, on_done, w);
    dirs_check(dirs);
}

static void start(int64_t ttl_ms, size_t max_bytes)
{
    struct dirs_config config = { .ttl_ms = ttl_ms, .max_bytes = max_bytes };

    loop = loop_new(NULL);
    loop_use_manual_clock(loop);
    dirs = dirs_new(loop, NULL, &config);
    dirs_use_source(dirs, &source);
}

static void stop(void)
{
    dirs_check(dirs);
    dirs_free(dirs);
    for (size_t i = 0; i < fake.n; i++) {
        if (!fake.calls[i]->is_over)
            answer_error(i, ECANCELED);
        free(fake.calls[i]->id);
        free(fake.calls[i]->path);
        free(fake.calls[i]);
    }
    fake.n = 0;
    loop_free(loop);
}

/* Lists `path` with these names, as if somebody had looked. */
static void load(const char *path, const char *const *names)
{
    struct waiter w = { 0 };
    size_t n = fake.n;

    want(&w, path);
    REQUIRE(fake.n == n + 1);
    answer(n, names);
    CHECK_INT(w.done, 1);
    dirs_check(dirs);
}

static const char *peek(const char *path)
{
    static char names[200];
    const struct e2b_entry_list *list = dirs_peek(dirs, "box", path, NULL);
    size_t at = 0;

    if (!list)
        return NULL;
    names[0] = '\0';
    for (size_t i = 0; i < list->n; i++)
        at += (size_t)snprintf(names + at, sizeof(names) - at, "%s%s", i ? " " : "",
                               list->v[i].name);
    return names;
}

static struct dirs_stats stats(void)
{
    struct dirs_stats s;

    dirs_stats(dirs, &s);
    return s;
}

static void put(const char *dir, const char *name, mode_t mode)
{
    struct e2b_entry e = { .name = (char *)name, .mode = mode, .link_text = (char *)"target" };

    dirs_put(dirs, "box", dir, &e);
    dirs_check(dirs);
}

/* ---- asking ---- */

TEST(an_unknown_directory_is_listed_and_then_known)
{
    struct waiter w = { 0 };
    const struct e2b_entry_list *list;
    const struct e2b_entry *e;
    int64_t left = 0;

    start(1000, 1 << 20);
    CHECK(!dirs_peek(dirs, "box", "/a", &left));
    want(&w, "/a");
    REQUIRE(fake.n == 1);
    CHECK_STR(fake.calls[0]->id, "box");
    CHECK_STR(fake.calls[0]->path, "/a");
    loop_turn(loop, 0);
    CHECK_INT(w.done, 0);
    answer(0, NAMES("one", "three", "two"));
    CHECK_INT(w.done, 1);
    CHECK_STR(w.names, "one three two");
    list = dirs_peek(dirs, "box", "/a", &left);
    REQUIRE(list);
    CHECK_INT(left, 1000);
    e = dirs_find(list, "two");
    REQUIRE(e);
    CHECK_INT(e->size, 2);
    CHECK_STR(e->owner, "user");
    CHECK(!e->link_text);
    CHECK(!dirs_find(list, "four"));
    CHECK(!dirs_find(list, ""));
    CHECK(!dirs_peek(dirs, "other", "/a", NULL));
    CHECK(!dirs_peek(dirs, "box/a", "/", NULL));
    stop();
}

TEST(an_empty_directory_is_known_too)
{
    start(1000, 1 << 20);
    load("/", NAMES(NULL));
    CHECK_STR(peek("/"), "");
    stop();
}

TEST(a_fresh_snapshot_answers_on_a_later_turn_without_a_request)
{
    struct waiter w = { 0 };

    start(1000, 1 << 20);
    load("/a", NAMES("x"));
    want(&w, "/a");
    CHECK_INT(w.done, 0);
    loop_turn(loop, 0);
    CHECK_INT(w.done, 1);
    CHECK_STR(w.names, "x");
    CHECK_INT(fake.n, 1);
    CHECK_INT(stats().hits, 1);
    CHECK_INT(stats().misses, 1);
    stop();
}

TEST(a_snapshot_is_true_for_its_time_and_no_longer)
{
    struct waiter w = { 0 };
    int64_t left = 0;

    start(1000, 1 << 20);
    load("/a", NAMES("x"));
    loop_advance(loop, 999);
    CHECK(dirs_peek(dirs, "box", "/a", &left));
    CHECK_INT(left, 1);
    loop_advance(loop, 1);
    CHECK(!peek("/a"));
    want(&w, "/a");
    REQUIRE(fake.n == 2);
    answer(1, NAMES("y"));
    CHECK_STR(w.names, "y");
    CHECK_STR(peek("/a"), "y");
    CHECK_INT(stats().snapshots, 1);
    stop();
}

TEST(equal_requests_are_merged_and_different_ones_are_not)
{
    struct waiter w[4] = { 0 };

    start(1000, 1 << 20);
    want(&w[0], "/a");
    want(&w[1], "/a");
    want(&w[2], "/b");
    w[3].wait = dirs_want(dirs, "box2", "/a", on_done, &w[3]);
    CHECK_INT(fake.n, 3);
    CHECK_INT(stats().merged, 1);
    answer(0, NAMES("x"));
    CHECK_STR(w[0].names, "x");
    CHECK_STR(w[1].names, "x");
    CHECK_INT(w[2].done + w[3].done, 0);
    answer(1, NAMES("y"));
    answer(2, NAMES("z"));
    CHECK_STR(w[2].names, "y");
    CHECK_STR(w[3].names, "z");
    stop();
}

TEST(an_error_reaches_all_waiters_and_is_not_remembered)
{
    struct waiter w[3] = { 0 };

    start(1000, 1 << 20);
    want(&w[0], "/a");
    want(&w[1], "/a");
    answer_error(0, ETIMEDOUT);
    CHECK_INT(w[0].errnum, ETIMEDOUT);
    CHECK_INT(w[1].errnum, ETIMEDOUT);
    CHECK(!peek("/a"));
    want(&w[2], "/a");
    CHECK_INT(fake.n, 2);
    answer(1, NAMES("x"));
    CHECK_INT(w[2].errnum, 0);
    stop();
}

TEST(after_an_error_the_old_list_does_not_come_back)
{
    struct waiter w = { 0 };

    start(1000, 1 << 20);
    load("/a", NAMES("x"));
    loop_advance(loop, 5000);
    want(&w, "/a");
    answer_error(1, EHOSTUNREACH);
    CHECK_INT(w.errnum, EHOSTUNREACH);
    CHECK(!peek("/a"));
    stop();
}

/* ---- cancelling ---- */

TEST(the_last_waiter_to_leave_ends_the_request)
{
    struct waiter w[3] = { 0 };

    start(1000, 1 << 20);
    want(&w[0], "/a");
    want(&w[1], "/a");
    dirs_cancel(w[0].wait);
    dirs_cancel(w[0].wait);
    CHECK_INT(w[0].done, 0);
    CHECK(!fake.calls[0]->is_cancelled);
    loop_turn(loop, 0);
    CHECK_INT(w[0].done, 1);
    CHECK_INT(w[0].errnum, ECANCELED);
    dirs_cancel(w[1].wait);
    CHECK(fake.calls[0]->is_cancelled);
    dirs_check(dirs);
    /* Nobody joins what is about to fail. */
    want(&w[2], "/a");
    CHECK_INT(fake.n, 2);
    loop_turn(loop, 0);
    CHECK_INT(w[1].errnum, ECANCELED);
    answer_error(0, ECANCELED);
    CHECK_INT(w[2].done, 0);
    answer(1, NAMES("x"));
    CHECK_STR(w[2].names, "x");
    stop();
}

TEST(an_answer_that_beats_the_cancel_is_harmless)
{
    struct waiter w = { 0 };

    start(1000, 1 << 20);
    want(&w, "/a");
    dirs_cancel(w.wait);
    answer(0, NAMES("x"));
    loop_turn(loop, 0);
    CHECK_INT(w.done, 1);
    CHECK_INT(w.errnum, ECANCELED);
    stop();
}

TEST(a_wait_on_a_fresh_snapshot_can_be_cancelled)
{
    struct waiter w = { 0 };

    start(1000, 1 << 20);
    load("/a", NAMES("x"));
    want(&w, "/a");
    dirs_cancel(w.wait);
    loop_turn(loop, 0);
    CHECK_INT(w.done, 1);
    CHECK_INT(w.errnum, ECANCELED);
    stop();
}

static struct waiter *other;

static void cancel_other(struct waiter *w)
{
    dirs_cancel(w->wait); /* itself: has no effect any more */
    dirs_cancel(other->wait);
}

TEST(a_completion_may_cancel_itself_and_its_neighbour)
{
    struct waiter w[2] = { { .then = cancel_other } };

    start(1000, 1 << 20);
    other = &w[1];
    want(&w[0], "/a");
    want(&w[1], "/a");
    answer(0, NAMES("x"));
    loop_turn(loop, 0);
    CHECK_STR(w[0].names, "x");
    CHECK_INT(w[0].done, 1);
    CHECK_INT(w[1].done, 1);
    CHECK_INT(w[1].errnum, ECANCELED);
    stop();
}

static void want_other(struct waiter *w)
{
    (void)w;
    want(other, "/a");
}

TEST(a_completion_may_ask_again)
{
    struct waiter w[4] = { [0].then = want_other, [2].then = want_other };

    start(1000, 1 << 20);
    other = &w[1];
    want(&w[0], "/a");
    answer(0, NAMES("x"));
    CHECK_INT(w[1].done, 0);
    loop_turn(loop, 0);
    CHECK_INT(w[1].done, 1);

    other = &w[3];
    want(&w[2], "/a");
    want(&w[1], "/a");
    loop_turn(loop, 0);
    CHECK_INT(w[1].done, 2);
    CHECK_INT(w[3].done, 0);
    loop_turn(loop, 0);
    CHECK_INT(w[3].done, 1);
    CHECK_INT(fake.n, 1);
    stop();
}

/* ---- what this mount did ---- */

TEST(own_changes_show_at_once_and_do_not_make_a_snapshot_younger)
{
    start(1000, 1 << 20);
    load("/a", NAMES("b", "d"));
    loop_advance(loop, 600);
    put("/a", "c", S_IFREG | 0600);
    put("/a", "a", S_IFREG | 0600);
    put("/a", "e", S_IFREG | 0600);
    CHECK_STR(peek("/a"), "a b c d e");
    put("/a", "b", S_IFLNK | 0777);
    CHECK_STR(dirs_find(dirs_peek(dirs, "box", "/a", NULL), "b")->link_text, "target");
    dirs_drop(dirs, "box", "/a", "d");
    dirs_drop(dirs, "box", "/a", "never there");
    CHECK_STR(peek("/a"), "a b c e");
    put("/unknown", "x", S_IFREG);
    CHECK(!peek("/unknown"));
    loop_advance(loop, 400);
    CHECK(!peek("/a"));
    stop();
}

TEST(an_entry_of_the_snapshot_itself_can_be_put)
{
    const struct e2b_entry *e;

    start(1000, 1 << 20);
    load("/a", NAMES("b", "c"));
    e = dirs_find(dirs_peek(dirs, "box", "/a", NULL), "b");
    dirs_put(dirs, "box", "/a", e);
    CHECK_STR(peek("/a"), "b c");
    stop();
}

TEST(many_own_entries_stay_sorted)
{
    char name[16];

    start(1000, 1 << 20);
    load("/a", NAMES(NULL));
    for (unsigned i = 0; i < 500; i++) {
        (void)snprintf(name, sizeof(name), "%03u", i * 7 % 500);
        put("/a", name, S_IFREG);
    }
    CHECK_INT(dirs_peek(dirs, "box", "/a", NULL)->n, 500);
    stop();
}

TEST(a_listing_older_than_an_own_change_is_delivered_but_not_kept)
{
    static const struct {
        const char *what;
        bool loaded_before;
    } cases[] = { { "put", false }, { "put", true },         { "drop", false },
                  { "drop", true }, { "invalidate", false }, { "invalidate", true },
                  { "all", false }, { "all", true } };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct waiter before = { 0 }, after = { 0 };
        size_t n;

        CASE("%s, loaded before: %d", cases[i].what, cases[i].loaded_before);
        start(1000, 1 << 20);
        if (cases[i].loaded_before)
            load("/a", NAMES("x"));
        loop_advance(loop, 2000);
        n = fake.n;
        want(&before, "/a");
        if (cases[i].what[0] == 'p')
            put("/a", "new", S_IFREG);
        else if (cases[i].what[0] == 'd')
            dirs_drop(dirs, "box", "/a", "x");
        else if (cases[i].what[0] == 'i')
            dirs_invalidate(dirs, "box", "/a");
        else
            dirs_invalidate_all(dirs, NULL);
        dirs_check(dirs);
        /* Who asks after the change must not be told what was before it. */
        want(&after, "/a");
        REQUIRE(fake.n == n + 2);
        answer(n, NAMES("x"));
        CHECK_STR(before.names, "x");
        CHECK_INT(after.done, 0);
        CHECK(!peek("/a"));
        answer(n + 1, NAMES("new"));
        CHECK_STR(after.names, "new");
        CHECK_STR(peek("/a"), "new");
        stop();
    }
}

TEST(answers_in_the_wrong_order_keep_the_newer_list)
{
    struct waiter w[2] = { 0 };

    start(1000, 1 << 20);
    want(&w[0], "/a");
    put("/a", "new", S_IFREG);
    want(&w[1], "/a");
    answer(1, NAMES("new"));
    answer(0, NAMES("old"));
    CHECK_STR(w[0].names, "old");
    CHECK_STR(peek("/a"), "new");
    stop();
}

TEST(dropping_a_directory_forgets_all_below_it_and_nothing_else)
{
    static const struct {
        const char *path;
        bool kept;
    } cases[] = { { "/a", true },    { "/a/b", false },     { "/a/b/c", false },
                  { "/a/bc", true }, { "/a/b/c/d", false }, { "/", true } };

    start(1000, 1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        load(cases[i].path, NAMES("d:b", "f"));
    dirs_drop(dirs, "box", "/a", "b");
    dirs_check(dirs);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CASE("%s", cases[i].path);
        CHECK((peek(cases[i].path) != NULL) == cases[i].kept);
    }
    CHECK_STR(peek("/a"), "f");
    CHECK_STR(peek("/"), "b f");
    dirs_drop(dirs, "box", "/a", "f");
    CHECK_STR(peek("/a"), "");
    stop();
}

TEST(invalidating_one_sandbox_leaves_the_others)
{
    struct waiter w = { 0 };

    start(1000, 1 << 20);
    load("/a", NAMES("x"));
    load("/b", NAMES("x"));
    w.wait = dirs_want(dirs, "box2", "/a", on_done, &w);
    answer(2, NAMES("y"));
    dirs_invalidate(dirs, "box", "/b");
    CHECK(peek("/a"));
    CHECK(!peek("/b"));
    dirs_invalidate_all(dirs, "box");
    dirs_check(dirs);
    CHECK(!peek("/a"));
    CHECK(dirs_peek(dirs, "box2", "/a", NULL));
    dirs_invalidate_all(dirs, NULL);
    CHECK_INT(stats().snapshots, 0);
    CHECK_INT(stats().bytes, 0);
    stop();
}

TEST(a_snapshot_forgotten_before_its_delivery_is_asked_for_again)
{
    struct waiter w = { 0 };

    start(1000, 1 << 20);
    load("/a", NAMES("x"));
    want(&w, "/a");
    dirs_invalidate(dirs, "box", "/a");
    loop_turn(loop, 0);
    CHECK_INT(w.done, 0);
    REQUIRE(fake.n == 2);
    answer(1, NAMES("y"));
    CHECK_STR(w.names, "y");
    stop();
}

/* ---- memory ---- */

TEST(the_least_recently_used_snapshot_makes_room)
{
    size_t one;

    start(1000, 1 << 20);
    load("/a", NAMES("x"));
    one = stats().bytes;
    CHECK(one > sizeof(struct e2b_entry) + 12);
    stop();

    start(1000, 3 * one);
    load("/a", NAMES("x"));
    load("/b", NAMES("x"));
    load("/c", NAMES("x"));
    CHECK_INT(stats().bytes, 3 * one);
    CHECK(peek("/a")); /* now /b is the oldest */
    load("/d", NAMES("x"));
    CHECK(peek("/a"));
    CHECK(!peek("/b"));
    CHECK(peek("/c"));
    CHECK(peek("/d"));
    CHECK_INT(stats().evicted, 1);
    CHECK_INT(stats().bytes, 3 * one);
    stop();
}

TEST(a_directory_that_does_not_fit_is_delivered_and_not_kept)
{
    struct waiter w = { 0 };

    for (size_t max = 0; max < 2000; max += 100) {
        CASE("max %zu", max);
        start(1000, max);
        want(&w, "/a");
        answer(0, NAMES("x", "y", "z"));
        CHECK_STR(w.names, "x y z");
        CHECK(stats().bytes <= max);
        put("/a", "w", S_IFREG);
        put("/a", "v", S_IFREG);
        CHECK(stats().bytes <= max);
        stop();
    }
}

TEST(own_entries_are_counted_as_well)
{
    char name[16];

    start(1000, 20000);
    load("/a", NAMES("x"));
    load("/b", NAMES("x"));
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(name, sizeof(name), "%d", i);
        put("/b", name, S_IFREG);
        CHECK(stats().bytes <= 20000);
    }
    CHECK_INT(stats().snapshots, 0);
    stop();
}

TEST(an_old_list_may_be_evicted_while_the_new_one_is_on_its_way)
{
    struct waiter w = { 0 };
    size_t one;

    start(1000, 1 << 20);
    load("/a", NAMES("x"));
    one = stats().bytes;
    stop();

    start(1000, one);
    load("/a", NAMES("x"));
    loop_advance(loop, 1000);
    want(&w, "/a");
    load("/b", NAMES("x"));
    CHECK_INT(stats().snapshots, 1);
    answer(1, NAMES("y"));
    CHECK_STR(w.names, "y");
    CHECK_STR(peek("/a"), "y");
    CHECK(!peek("/b"));
    stop();
}

TEST(the_module_may_go_before_a_cancelled_request_is_over)
{
    struct waiter w = { 0 };

    start(1000, 1 << 20);
    want(&w, "/a");
    dirs_cancel(w.wait);
    loop_turn(loop, 0);
    CHECK_INT(w.done, 1);
    CHECK(!fake.calls[0]->is_over);
    stop(); /* which answers it after dirs_free */
}
