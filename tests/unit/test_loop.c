/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "util/clock.h"
#include "util/loop.h"
#include "util/xalloc.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

/* What ran, in order, as letters. */
static char trace[4096];

static void note(const char *s)
{
    strncat(trace, s, sizeof(trace) - strlen(trace) - 1);
}

static void note_arg(void *arg)
{
    note(arg);
}

static struct loop *loop;

static void begin(void)
{
    trace[0] = '\0';
    loop = loop_new(NULL);
    if (!loop)
        abort();
}

static void end(void)
{
    loop_free(loop);
    loop = NULL;
}

/* ---- posts ---- */

TEST(posted_functions_run_in_order_on_a_later_turn)
{
    begin();
    loop_post(loop, note_arg, "a");
    loop_post(loop, note_arg, "b");
    CHECK_STR(trace, "");
    loop_turn(loop, -1);
    CHECK_STR(trace, "ab");
    end();
}

static void post_more(void *arg)
{
    note(arg);
    loop_post(loop, note_arg, "2");
    loop_post(loop, note_arg, "3");
}

TEST(what_is_posted_during_a_batch_runs_in_the_next_turn)
{
    begin();
    loop_post(loop, post_more, "1");
    loop_post(loop, note_arg, "b");
    loop_turn(loop, -1);
    CHECK_STR(trace, "1b");
    loop_turn(loop, -1);
    CHECK_STR(trace, "1b23");
    end();
}

enum { THREADS = 4, POSTS = 2000 };

struct poster {
    pthread_t thread;
    int expected; /* the next number, for the order within a thread */
    int seen;
    bool in_order;
};

struct posted {
    struct poster *from;
    int number;
};

static void posted_arrives(void *arg)
{
    struct posted *p = arg;

    p->from->in_order &= p->number == p->from->expected;
    p->from->expected++;
    p->from->seen++;
    free(p);
}

static void *poster_main(void *arg)
{
    for (int i = 0; i < POSTS; i++) {
        struct posted *p = xcalloc(1, sizeof(*p));

        *p = (struct posted){ .from = arg, .number = i };
        loop_post(loop, posted_arrives, p);
    }
    return NULL;
}

TEST(threads_may_post_while_the_loop_runs_and_sleeps)
{
    struct poster posters[THREADS];
    int seen = 0;

    begin();
    for (int i = 0; i < THREADS; i++) {
        posters[i] = (struct poster){ .in_order = true };
        pthread_create(&posters[i].thread, NULL, poster_main, &posters[i]);
    }
    CHECK_SOON(seen == THREADS * POSTS, {
        loop_turn(loop, 1000);
        seen = 0;
        for (int i = 0; i < THREADS; i++)
            seen += posters[i].seen;
    });
    for (int i = 0; i < THREADS; i++) {
        pthread_join(posters[i].thread, NULL);
        CHECK(posters[i].in_order);
    }
    end();
}

static atomic_bool stopper_go;

static void *stopper_main(void *arg)
{
    (void)arg;
    while (!atomic_load(&stopper_go))
        sched_yield();
    loop_stop(loop);
    return NULL;
}

static void let_go(void *arg)
{
    (void)arg;
    atomic_store(&stopper_go, true);
}

TEST(another_thread_can_stop_a_loop_that_waits_for_ever)
{
    pthread_t thread;

    begin();
    atomic_store(&stopper_go, false);
    pthread_create(&thread, NULL, stopper_main, NULL);
    loop_post(loop, let_go, NULL);
    loop_run(loop);
    pthread_join(thread, NULL);
    end();
}

TEST(a_loop_that_was_stopped_before_does_not_run_but_can_later)
{
    begin();
    loop_stop(loop);
    loop_run(loop);
    loop_post(loop, (loop_fn *)loop_stop, loop);
    loop_run(loop);
    end();
}

/* ---- timers ---- */

TEST(timers_run_in_the_order_of_their_dates)
{
    static const char *const names[] = { "a", "b", "c", "d", "e" };
    static const int64_t delays[] = { 30, 10, 20, 10, 0 };
    struct loop_timer t[5] = { 0 };

    begin();
    loop_use_manual_clock(loop);
    for (int i = 0; i < 5; i++)
        loop_timer_start(loop, &t[i], delays[i], note_arg, (void *)names[i]);
    loop_advance(loop, 9);
    CHECK_STR(trace, "e");
    loop_advance(loop, 1);
    CHECK_STR(trace, "ebd");
    loop_advance(loop, 100);
    CHECK_STR(trace, "ebdca");
    CHECK_INT(loop_now_ms(loop), 110);
    CHECK(!loop_timer_active(&t[0]));
    end();
}

struct ticker {
    struct loop_timer timer;
    int left;
    int64_t last_ms;
};

static void tick(void *arg)
{
    struct ticker *t = arg;

    note(".");
    t->last_ms = loop_now_ms(loop);
    if (--t->left > 0)
        loop_timer_start(loop, &t->timer, 10, tick, t);
}

TEST(advancing_makes_a_turn_for_each_date)
{
    struct ticker t = { .left = 5 };

    begin();
    loop_use_manual_clock(loop);
    loop_timer_start(loop, &t.timer, 10, tick, &t);
    loop_advance(loop, 1000);
    CHECK_STR(trace, ".....");
    CHECK_INT(t.last_ms, 50);
    end();
}

static void restart_at_once(void *arg)
{
    struct ticker *t = arg;

    note("!");
    loop_timer_start(loop, &t->timer, 0, restart_at_once, t);
}

TEST(a_timer_that_is_started_in_a_turn_waits_for_another)
{
    struct ticker t = { 0 };

    begin();
    loop_use_manual_clock(loop);
    loop_timer_start(loop, &t.timer, 0, restart_at_once, &t);
    loop_turn(loop, 0);
    CHECK_STR(trace, "!");
    loop_turn(loop, -1);
    CHECK_STR(trace, "!!");
    loop_timer_stop(loop, &t.timer);
    end();
}

static struct loop_timer victims[3];

static void stop_victims(void *arg)
{
    note(arg);
    for (int i = 0; i < 3; i++)
        loop_timer_stop(loop, &victims[i]);
}

TEST(a_timer_that_is_stopped_by_another_does_not_run_although_it_was_due)
{
    begin();
    loop_use_manual_clock(loop);
    loop_timer_start(loop, &victims[0], 5, note_arg, "x");
    loop_timer_start(loop, &victims[1], 6, stop_victims, "s");
    loop_timer_start(loop, &victims[2], 7, note_arg, "y");
    loop_timer_start(loop, &victims[0], 8, note_arg, "z"); /* a restart moves it */
    loop_advance(loop, 6);
    loop_advance(loop, 100);
    CHECK_STR(trace, "s");
    end();
}

TEST(two_timers_of_one_turn_can_stop_each_other)
{
    begin();
    loop_use_manual_clock(loop);
    for (int i = 0; i < 3; i++)
        loop_timer_start(loop, &victims[i], 5, stop_victims, i == 0 ? "0" : "1");
    loop_advance(loop, 5);
    CHECK_STR(trace, "0");
    end();
}

static void free_ticker(void *arg)
{
    free(arg);
    note("f");
}

TEST(a_timer_may_free_itself)
{
    struct ticker *t = xcalloc(1, sizeof(*t));

    begin();
    loop_use_manual_clock(loop);
    loop_timer_start(loop, &t->timer, 1, free_ticker, t);
    loop_advance(loop, 1);
    CHECK_STR(trace, "f");
    end();
}

static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

struct counted {
    struct loop_timer timer;
    int64_t due;
    int runs;
};

static void count_run(void *arg)
{
    struct counted *c = arg;

    c->runs++;
    if (loop_now_ms(loop) != c->due)
        note("wrong date ");
}

/* Starts, restarts and stops at random against a plain array of what should be. */
TEST(many_timers_keep_their_dates)
{
    enum { N = 500, STEPS = 20000 };
    struct counted *c = xcalloc(N, sizeof(*c));
    bool *active = xcalloc(N, sizeof(*active));
    int *expected = xcalloc(N, sizeof(*expected));
    uint32_t seed = 12345;

    begin();
    loop_use_manual_clock(loop);
    for (int step = 0; step < STEPS; step++) {
        uint32_t i = next_random(&seed) % N;
        uint32_t what = next_random(&seed) % 10;
        int64_t ms = next_random(&seed) % 300;

        if (what < 5) {
            c[i].due = loop_now_ms(loop) + ms;
            loop_timer_start(loop, &c[i].timer, ms, count_run, &c[i]);
            active[i] = true;
        } else if (what < 7) {
            loop_timer_stop(loop, &c[i].timer);
            active[i] = false;
        } else {
            loop_advance(loop, ms / 10);
            for (int k = 0; k < N; k++) {
                if (active[k] && c[k].due <= loop_now_ms(loop)) {
                    active[k] = false;
                    expected[k]++;
                }
            }
        }
    }
    for (int k = 0; k < N; k++) {
        CHECK_INT(c[k].runs, expected[k]);
        CHECK_INT(loop_timer_active(&c[k].timer), active[k]);
        loop_timer_stop(loop, &c[k].timer);
    }
    CHECK_STR(trace, "");
    end();
    free(c);
    free(active);
    free(expected);
}

TEST(real_timers_are_not_early_and_waiting_is_limited)
{
    struct loop_timer soon = { 0 }, later = { 0 };
    int64_t start;

    begin();
    start = clock_boot_ms();
    loop_timer_start(loop, &soon, 20, note_arg, "s");
    loop_timer_start(loop, &later, 3600000, note_arg, "l"); /* uses the sleep-proof timer */
    CHECK_SOON(trace[0], loop_turn(loop, -1));
    CHECK(clock_boot_ms() - start >= 20);
    start = clock_boot_ms();
    loop_turn(loop, 10);
    CHECK(clock_boot_ms() - start < TEST_SOON_MS);
    CHECK_STR(trace, "s");
    loop_timer_stop(loop, &later);
    end();
}

TEST(a_long_timer_that_was_replaced_by_a_shorter_one_costs_nothing_but_a_turn)
{
    struct loop_timer a = { 0 }, b = { 0 };
    int64_t start = clock_boot_ms();

    begin();
    loop_timer_start(loop, &a, 1100, note_arg, "a");
    loop_turn(loop, 0);
    loop_timer_stop(loop, &a);
    loop_timer_start(loop, &b, 1200, note_arg, "b");
    CHECK_SOON(trace[0], loop_turn(loop, -1));
    CHECK_STR(trace, "b");
    CHECK(clock_boot_ms() - start >= 1200);
    end();
}

/* ---- descriptors ---- */

struct end_of_pipe {
    struct loop_fd watch;
    int fds[2];
    const char *name;
    void (*act)(struct end_of_pipe *);
};

static struct end_of_pipe pipes[100];

static void on_readable(void *arg, uint32_t events)
{
    struct end_of_pipe *p = arg;
    char c;

    if (!(events & EPOLLIN))
        note("?");
    if (read(p->fds[0], &c, 1) != 1)
        note("!");
    note(p->name);
    if (p->act)
        p->act(p);
}

static void open_pipe(struct end_of_pipe *p, const char *name,
                      void (*act)(struct end_of_pipe *))
{
    *p = (struct end_of_pipe){ .name = name, .act = act };
    if (pipe(p->fds) < 0 ||
        loop_fd_add(loop, &p->watch, p->fds[0], EPOLLIN, on_readable, p, NULL) < 0)
        abort();
}

static void close_pipe(struct end_of_pipe *p)
{
    loop_fd_remove(loop, &p->watch);
    close(p->fds[0]);
    close(p->fds[1]);
}

static void make_ready(struct end_of_pipe *p)
{
    if (write(p->fds[1], "x", 1) != 1)
        abort();
}

TEST(a_descriptor_is_told_while_it_is_ready)
{
    begin();
    open_pipe(&pipes[0], "r", NULL);
    loop_turn(loop, 0);
    CHECK_STR(trace, "");
    make_ready(&pipes[0]);
    make_ready(&pipes[0]);
    loop_turn(loop, -1);
    loop_turn(loop, -1); /* level-triggered: there is another byte */
    CHECK_STR(trace, "rr");
    loop_fd_set(loop, &pipes[0].watch, 0);
    make_ready(&pipes[0]);
    loop_turn(loop, 0);
    CHECK_STR(trace, "rr");
    loop_fd_set(loop, &pipes[0].watch, EPOLLIN);
    loop_turn(loop, -1);
    CHECK_STR(trace, "rrr");
    close_pipe(&pipes[0]);
    loop_fd_remove(loop, &pipes[0].watch); /* fine a second time */
    end();
}

static void remove_all(struct end_of_pipe *p)
{
    (void)p;
    for (int i = 0; i < 3; i++)
        loop_fd_remove(loop, &pipes[i].watch);
}

TEST(a_descriptor_that_was_removed_is_not_called_although_it_was_ready)
{
    begin();
    for (int i = 0; i < 3; i++) {
        open_pipe(&pipes[i], "1", remove_all);
        make_ready(&pipes[i]);
    }
    loop_turn(loop, -1);
    loop_turn(loop, 0);
    CHECK_STR(trace, "1");
    for (int i = 0; i < 3; i++)
        close_pipe(&pipes[i]);
    end();
}

static struct end_of_pipe *heap_pipes[3];

static void free_others(struct end_of_pipe *p)
{
    for (int i = 0; i < 3; i++) {
        if (heap_pipes[i] == p || !heap_pipes[i])
            continue;
        close_pipe(heap_pipes[i]);
        free(heap_pipes[i]);
        heap_pipes[i] = NULL;
    }
}

TEST(the_memory_of_a_removed_descriptor_may_go_at_once)
{
    begin();
    for (int i = 0; i < 3; i++) {
        heap_pipes[i] = xcalloc(1, sizeof(*heap_pipes[i]));
        open_pipe(heap_pipes[i], "1", free_others);
        make_ready(heap_pipes[i]);
    }
    loop_turn(loop, -1);
    CHECK_STR(trace, "1");
    free_others(NULL);
    end();
}

static void mute_others(struct end_of_pipe *p)
{
    for (int i = 0; i < 3; i++)
        if (&pipes[i] != p)
            loop_fd_set(loop, &pipes[i].watch, 0);
}

TEST(what_nobody_asks_for_any_more_is_not_told)
{
    begin();
    for (int i = 0; i < 3; i++) {
        open_pipe(&pipes[i], "1", mute_others);
        make_ready(&pipes[i]);
    }
    loop_turn(loop, -1);
    loop_turn(loop, 0);
    CHECK_STR(trace, "1");
    for (int i = 0; i < 3; i++)
        close_pipe(&pipes[i]);
    end();
}

static void reuse(struct end_of_pipe *p)
{
    struct end_of_pipe *other = p == &pipes[0] ? &pipes[1] : &pipes[0];

    /* The same struct, for a descriptor that is not ready. */
    close_pipe(other);
    open_pipe(other, "new", NULL);
}

TEST(a_struct_that_is_used_again_does_not_get_the_events_of_its_former_life)
{
    begin();
    for (int i = 0; i < 2; i++) {
        open_pipe(&pipes[i], "1", reuse);
        make_ready(&pipes[i]);
    }
    loop_turn(loop, -1);
    loop_turn(loop, 0);
    CHECK_STR(trace, "1");
    for (int i = 0; i < 2; i++)
        close_pipe(&pipes[i]);
    end();
}

TEST(more_descriptors_than_fit_into_one_turn_are_all_served)
{
    begin();
    for (size_t i = 0; i < ARRAY_LEN(pipes); i++) {
        open_pipe(&pipes[i], ".", NULL);
        make_ready(&pipes[i]);
    }
    CHECK_SOON(strlen(trace) == ARRAY_LEN(pipes), loop_turn(loop, 0));
    for (size_t i = 0; i < ARRAY_LEN(pipes); i++)
        close_pipe(&pipes[i]);
    end();
}

TEST(what_arrived_is_seen_before_a_deadline_of_the_same_turn)
{
    struct loop_timer t = { 0 };

    begin();
    loop_use_manual_clock(loop);
    open_pipe(&pipes[0], "data", NULL);
    make_ready(&pipes[0]);
    loop_timer_start(loop, &t, 0, note_arg, " deadline");
    loop_post(loop, note_arg, " post");
    loop_turn(loop, 0);
    CHECK_STR(trace, "data post deadline");
    close_pipe(&pipes[0]);
    end();
}

TEST(descriptors_that_cannot_be_watched_are_an_error)
{
    struct loop_fd w = { 0 };
    struct e2b_err err = { 0 };
    FILE *f = tmpfile();

    begin();
    CHECK_INT(loop_fd_add(loop, &w, -1, EPOLLIN, on_readable, NULL, &err), -EBADF);
    CHECK_CONTAINS(err.msg, "descriptor -1");
    CHECK_INT(loop_fd_add(loop, &w, fileno(f), EPOLLIN, on_readable, NULL, NULL), -EPERM);
    CHECK(!w.active);
    loop_fd_remove(loop, &w);
    (void)fclose(f);
    end();
}

TEST(a_loop_without_descriptors_to_spare_is_an_error)
{
    struct rlimit before, none;
    struct e2b_err err = { 0 };

    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    for (rlim_t n = 3; n < 6; n++) { /* each of the loop's three fails once */
        none.rlim_cur = n;
        CASE("limit %d", (int)n);
        e2b_err_clear(&err);
        setrlimit(RLIMIT_NOFILE, &none);
        loop = loop_new(&err);
        setrlimit(RLIMIT_NOFILE, &before);
        CHECK(loop == NULL);
        CHECK_INT(err.errnum, EMFILE);
        loop_free(loop);
    }
    loop_free(NULL);
}
