/* SPDX-License-Identifier: MIT */
/*
 * One turn is: wait; take the time; take the inbox; then descriptors, posted functions, timers,
 * in that order.  What arrived is therefore seen before a deadline that ends in the same turn,
 * and what is posted or started during a turn waits for a later one.
 */
#include "loop.h"

#include "clock.h"
#include "xalloc.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
    BATCH = 64, /* descriptors served in one turn; the rest is still ready in the next */
    /*
     * epoll's time-out stands still while the machine sleeps.  That is good enough for waits
     * up to this long; longer ones are also set in a timer of CLOCK_BOOTTIME, so that a lease
     * which ran out during a suspend is dropped when the machine wakes up.
     */
    SLEEP_PROOF_MS = 1000,
};

struct post {
    loop_fn *fn;
    void *arg;
};

struct posts {
    struct post *v;
    size_t n, cap;
};

struct loop {
    int epoll_fd;
    int wake_fd;      /* eventfd: the inbox or `stop` changed */
    int boot_fd;      /* timerfd on CLOCK_BOOTTIME */
    int64_t boot_due; /* what it is set to; -1: nothing */
    atomic_bool stop;
    /* Address of a thread-local of the thread that runs the loop; 0: none yet. */
    atomic_uintptr_t owner;

    pthread_mutex_t mutex; /* protects the next two, a leaf: nothing is called with it held */
    struct posts inbox;
    bool woken; /* somebody writes to wake_fd for what is in the inbox */

    /* Everything below belongs to the loop's thread. */
    bool in_turn;
    bool manual;
    int64_t now_ms;
    struct posts batch; /* this turn's share of the inbox */
    size_t watched;     /* descriptors */

    struct epoll_event events[BATCH];
    int n_events;
    int next_event; /* first one that was not served yet */

    struct loop_timer **heap; /* by (due_ms, seq); a timer's slot is its index + 1 */
    size_t n_timers, cap_timers;
    uint64_t seq; /* given to the next timer that starts */
};

static _Thread_local char this_thread;

/* ---- posted functions ---- */

static void posts_add(struct posts *p, loop_fn *fn, void *arg)
{
    if (p->n == p->cap) {
        p->cap = p->cap ? p->cap * 2 : 16;
        p->v = xreallocarray(p->v, p->cap, sizeof(*p->v));
    }
    p->v[p->n++] = (struct post){ fn, arg };
}

static void wake(struct loop *loop)
{
    uint64_t one = 1;
    ssize_t n;

    /* EAGAIN means that the counter is full, so it is readable anyway. */
    do
        n = write(loop->wake_fd, &one, sizeof(one));
    while (n < 0 && errno == EINTR);
}

void loop_post(struct loop *loop, loop_fn *fn, void *arg)
{
    bool must_wake = false;

    pthread_mutex_lock(&loop->mutex);
    posts_add(&loop->inbox, fn, arg);
    /* The loop's own thread looks into the inbox before it waits. */
    if (!loop->woken && atomic_load(&loop->owner) != (uintptr_t)&this_thread)
        must_wake = loop->woken = true;
    pthread_mutex_unlock(&loop->mutex);
    if (must_wake)
        wake(loop);
}

static bool inbox_empty(struct loop *loop)
{
    bool empty;

    pthread_mutex_lock(&loop->mutex);
    empty = loop->inbox.n == 0;
    pthread_mutex_unlock(&loop->mutex);
    return empty;
}

static void inbox_take(struct loop *loop)
{
    struct posts spare = loop->batch;

    assert(spare.n == 0);
    pthread_mutex_lock(&loop->mutex);
    loop->batch = loop->inbox;
    loop->inbox = spare;
    loop->woken = false;
    pthread_mutex_unlock(&loop->mutex);
}

static void run_posts(struct loop *loop)
{
    for (size_t i = 0; i < loop->batch.n; i++)
        loop->batch.v[i].fn(loop->batch.v[i].arg);
    loop->batch.n = 0;
}

/* ---- timers ---- */

static bool earlier(const struct loop_timer *a, const struct loop_timer *b)
{
    return a->due_ms < b->due_ms || (a->due_ms == b->due_ms && a->seq < b->seq);
}

static void place(struct loop *loop, size_t i, struct loop_timer *t)
{
    loop->heap[i] = t;
    t->slot = i + 1;
}

/* Moves `t` from the free index `i` to where it belongs, towards the root or the leaves. */
static void sift(struct loop *loop, size_t i, struct loop_timer *t)
{
    while (i > 0 && earlier(t, loop->heap[(i - 1) / 2])) {
        place(loop, i, loop->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * i + 1;

        if (child + 1 < loop->n_timers && earlier(loop->heap[child + 1], loop->heap[child]))
            child++;
        if (child >= loop->n_timers || !earlier(loop->heap[child], t))
            break;
        place(loop, i, loop->heap[child]);
        i = child;
    }
    place(loop, i, t);
}

void loop_timer_start(struct loop *loop, struct loop_timer *t, int64_t delay_ms, loop_fn *fn,
                      void *arg)
{
    loop_assert_here(loop);
    assert(delay_ms >= 0);
    loop_timer_stop(loop, t);
    if (loop->n_timers == loop->cap_timers) {
        loop->cap_timers = loop->cap_timers ? loop->cap_timers * 2 : 16;
        loop->heap = xreallocarray(loop->heap, loop->cap_timers, sizeof(struct loop_timer *));
    }
    *t = (struct loop_timer){ .seq = loop->seq++, .fn = fn, .arg = arg };
    if (__builtin_add_overflow(loop_now_ms(loop), delay_ms, &t->due_ms))
        t->due_ms = INT64_MAX;
    sift(loop, loop->n_timers++, t);
}

void loop_timer_stop(struct loop *loop, struct loop_timer *t)
{
    struct loop_timer *last;
    size_t i;

    if (t->slot == 0)
        return;
    loop_assert_here(loop);
    i = t->slot - 1;
    assert(i < loop->n_timers && loop->heap[i] == t);
    t->slot = 0;
    last = loop->heap[--loop->n_timers];
    if (last != t)
        sift(loop, i, last);
}

bool loop_timer_active(const struct loop_timer *t)
{
    return t->slot != 0;
}

static void run_timers(struct loop *loop)
{
    uint64_t limit = loop->seq;

    /*
     * A timer that is started from here on is due at `now` at the earliest and has a later
     * seq than all others, so it sorts behind everything that is to run in this turn.
     */
    while (loop->n_timers > 0) {
        struct loop_timer *t = loop->heap[0];

        if (t->due_ms > loop->now_ms || t->seq >= limit)
            return;
        loop_timer_stop(loop, t);
        t->fn(t->arg); /* may free t */
    }
}

/* ---- descriptors ---- */

int loop_fd_add(struct loop *loop, struct loop_fd *w, int fd, uint32_t events, loop_fd_fn *fn,
                void *arg, struct e2b_err *err)
{
    struct epoll_event ev = { .events = events, .data.ptr = w };

    loop_assert_here(loop);
    assert(!w->active);
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
        return e2b_fail(err, errno, "watching descriptor %d: %s", fd, strerror(errno));
    *w = (struct loop_fd){ .fd = fd, .events = events, .active = true, .fn = fn, .arg = arg };
    loop->watched++;
    return 0;
}

void loop_fd_set(struct loop *loop, struct loop_fd *w, uint32_t events)
{
    struct epoll_event ev = { .events = events, .data.ptr = w };
    int r;

    loop_assert_here(loop);
    assert(w->active);
    if (w->events == events)
        return;
    w->events = events;
    r = epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, w->fd, &ev);
    /* The number was closed and opened again behind our back; watch what it is now. */
    if (r < 0 && errno == ENOENT)
        r = epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, w->fd, &ev);
    assert(r == 0); /* it is watched, so only a descriptor closed too early can fail here */
    (void)r;
}

void loop_fd_remove(struct loop *loop, struct loop_fd *w)
{
    if (!w->active)
        return;
    loop_assert_here(loop);
    /* Fails if the owner closed it first, which removed it as well. */
    (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
    w->active = false;
    loop->watched--;
    /* It may be ready in this very turn, and its memory may go now. */
    for (int i = loop->next_event; i < loop->n_events; i++)
        if (loop->events[i].data.ptr == w)
            loop->events[i].data.ptr = NULL;
}

static void drain(int fd)
{
    uint64_t count;
    ssize_t n;

    do
        n = read(fd, &count, sizeof(count));
    while (n < 0 && errno == EINTR);
}

/* The loop's own two descriptors are told by data.ptr. */
static bool run_own(struct loop *loop, void *ptr)
{
    if (ptr == &loop->wake_fd) {
        drain(loop->wake_fd);
        return true;
    }
    if (ptr == &loop->boot_fd) {
        drain(loop->boot_fd);
        loop->boot_due = -1;
        return true;
    }
    return false;
}

static void run_fds(struct loop *loop)
{
    for (loop->next_event = 0; loop->next_event < loop->n_events;) {
        struct epoll_event *ev = &loop->events[loop->next_event++];
        struct loop_fd *w = ev->data.ptr;
        uint32_t events;

        if (!w)
            continue;
        /* What nobody asks for any more, since an earlier callback, is not reported. */
        events = ev->events & (w->events | EPOLLERR | EPOLLHUP);
        if (events)
            w->fn(w->arg, events);
    }
    loop->n_events = loop->next_event = 0;
}

/* ---- turns ---- */

int64_t loop_now_ms(const struct loop *loop)
{
    return loop->manual || loop->in_turn ? loop->now_ms : clock_boot_ms();
}

void loop_assert_here(const struct loop *loop)
{
    uintptr_t owner = atomic_load(&loop->owner);

    assert(owner == 0 || owner == (uintptr_t)&this_thread);
    (void)owner;
}

static void set_boot_timer(struct loop *loop, int64_t due_ms)
{
    struct itimerspec when = {
        .it_value = { .tv_sec = due_ms / 1000, .tv_nsec = due_ms % 1000 * 1000000 },
    };

    /* One that rings too early only costs a turn; moving it at each turn costs more. */
    if (loop->boot_due >= 0 && loop->boot_due <= due_ms)
        return;
    loop->boot_due = due_ms;
    timerfd_settime(loop->boot_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* How long epoll may wait, in ms; -1: until something happens. */
static int wait_ms(struct loop *loop, int max_wait_ms)
{
    int64_t left;

    if (max_wait_ms == 0 || !inbox_empty(loop))
        return 0;
    if (loop->n_timers == 0)
        return max_wait_ms;
    left = loop->heap[0]->due_ms - loop_now_ms(loop);
    if (left <= 0)
        return 0;
    if (loop->manual)
        return max_wait_ms;
    if (left > SLEEP_PROOF_MS)
        set_boot_timer(loop, loop->heap[0]->due_ms);
    if (max_wait_ms >= 0 && left > max_wait_ms)
        return max_wait_ms;
    return left > INT_MAX ? INT_MAX : (int)left;
}

static void wait_for_events(struct loop *loop, int max_wait_ms)
{
    int n = epoll_wait(loop->epoll_fd, loop->events, BATCH, wait_ms(loop, max_wait_ms));

    assert(n >= 0 || errno == EINTR);
    loop->n_events = 0;
    for (int i = 0; i < n; i++) {
        if (run_own(loop, loop->events[i].data.ptr))
            continue;
        loop->events[loop->n_events++] = loop->events[i];
    }
}

void loop_turn(struct loop *loop, int max_wait_ms)
{
    assert(!loop->in_turn); /* a nested turn would reuse what its caller still reads */
    loop_assert_here(loop);
    atomic_store(&loop->owner, (uintptr_t)&this_thread);

    wait_for_events(loop, max_wait_ms);
    if (!loop->manual)
        loop->now_ms = clock_boot_ms();
    loop->in_turn = true;
    inbox_take(loop);
    run_fds(loop);
    run_posts(loop);
    run_timers(loop);
    loop->in_turn = false;
}

void loop_run(struct loop *loop)
{
    while (!atomic_exchange(&loop->stop, false))
        loop_turn(loop, -1);
}

void loop_stop(struct loop *loop)
{
    atomic_store(&loop->stop, true);
    wake(loop);
}

void loop_use_manual_clock(struct loop *loop)
{
    loop_assert_here(loop);
    assert(loop->n_timers == 0);
    loop->manual = true;
    loop->now_ms = 0;
}

void loop_advance(struct loop *loop, int64_t ms)
{
    int64_t end = loop->now_ms + ms;

    assert(loop->manual && ms >= 0);
    while (loop->n_timers > 0 && loop->heap[0]->due_ms <= end) {
        if (loop->heap[0]->due_ms > loop->now_ms)
            loop->now_ms = loop->heap[0]->due_ms;
        loop_turn(loop, 0);
    }
    loop->now_ms = end;
    loop_turn(loop, 0);
}

static int watch_own(struct loop *loop, int *fd)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = fd };

    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, *fd, &ev);
}

struct loop *loop_new(struct e2b_err *err)
{
    struct loop *loop = xcalloc(1, sizeof(*loop));

    loop->boot_due = -1;
    pthread_mutex_init(&loop->mutex, NULL);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->boot_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (loop->epoll_fd < 0 || loop->wake_fd < 0 || loop->boot_fd < 0 ||
        watch_own(loop, &loop->wake_fd) < 0 || watch_own(loop, &loop->boot_fd) < 0) {
        e2b_fail(err, errno, "starting the event loop: %s", strerror(errno));
        loop_free(loop);
        return NULL;
    }
    return loop;
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    loop_assert_here(loop);
    assert(!loop->in_turn && loop->n_timers == 0 && loop->watched == 0 && loop->inbox.n == 0);
    close_if_open(loop->epoll_fd);
    close_if_open(loop->wake_fd);
    close_if_open(loop->boot_fd);
    pthread_mutex_destroy(&loop->mutex);
    free(loop->heap);
    free(loop->inbox.v);
    free(loop->batch.v);
    free(loop);
}
