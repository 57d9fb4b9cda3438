/* SPDX-License-Identifier: MIT */
/* The pump: a process's output on its way to the subscribers, and its end. */
#include "process_internal.h"

#include "store.h"
#include "util/clock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    CHUNK_PIPE = 32768,
    CHUNK_PTY = 16384,
    QUEUE_MAX = 256 << 10, /* bytes a subscriber may be behind before it holds the process */
};

static pthread_mutex_t pumps_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t pumps_changed = PTHREAD_COND_INITIALIZER;
static int pumps;

/* Hands an event to everybody, waiting for those that are behind. */
static void publish(struct process *p, enum event_kind kind, const void *data, size_t len)
{
    struct process_table *t = p->table;
    struct subscriber *sub;
    bool is_behind;

    pthread_mutex_lock(&t->lock);
    do {
        is_behind = false;
        LIST_FOREACH(sub, &p->subscribers, link)
        {
            is_behind |= len > 0 && sub->queued >= QUEUE_MAX;
        }
        if (is_behind)
            pthread_cond_wait(&t->drained, &t->lock);
    } while (is_behind);
    LIST_FOREACH(sub, &p->subscribers, link)
    {
        subscriber_push(sub, kind, p->wait_status, data, len);
    }
    pthread_mutex_unlock(&t->lock);
}

/* False when nothing more can come. */
static bool read_some(struct process *p, int *fd, enum event_kind kind)
{
    char data[CHUNK_PIPE];
    ssize_t n = read(*fd, data, kind == EVENT_PTY ? CHUNK_PTY : CHUNK_PIPE);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n <= 0) {
        if (kind != EVENT_PTY) {
            close(*fd);
            *fd = -1;
        }
        return false;
    }
    publish(p, kind, data, (size_t)n);
    return true;
}

/* The limit of Connect-Timeout-Ms: kills the process, tells the starter. */
static void time_is_up(struct process *p)
{
    struct subscriber *sub;

    p->deadline = 0;
    process_signal(p, SIGKILL);
    pthread_mutex_lock(&p->table->lock);
    LIST_FOREACH(sub, &p->subscribers, link)
    {
        if (sub->is_starter)
            subscriber_push(sub, EVENT_DEADLINE, 0, NULL, 0);
    }
    pthread_mutex_unlock(&p->table->lock);
}

static bool exited_after_signal(struct process *p)
{
    bool yes;

    pthread_mutex_lock(&p->table->lock);
    yes = p->has_exited && p->was_signalled;
    pthread_mutex_unlock(&p->table->lock);
    return yes;
}

static void pump_output(struct process *p)
{
    enum event_kind first = p->is_pty ? EVENT_PTY : EVENT_STDOUT;
    bool out_open = true, err_open = p->err >= 0;

    while (out_open || err_open) {
        struct pollfd fds[3] = { { .fd = out_open ? p->out : -1, .events = POLLIN },
                                 { .fd = err_open ? p->err : -1, .events = POLLIN },
                                 { .fd = p->wake_fd, .events = POLLIN } };
        int64_t left = p->deadline ? p->deadline - clock_boot_ms() : 60000;
        int n;

        if (left <= 0) {
            time_is_up(p);
            continue;
        }
        n = poll(fds, 3, left > 60000 ? 60000 : (int)left);
        if (n <= 0)
            continue;
        if (fds[0].revents && !read_some(p, &p->out, first))
            out_open = false;
        if (fds[1].revents && !read_some(p, &p->err, EVENT_STDERR))
            err_open = false;
        if (fds[2].revents) {
            eventfd_t seen;

            eventfd_read(p->wake_fd, &seen);
        }
        /* After SendSignal nobody waits for children that hold the pipes. */
        if (!fds[0].revents && !fds[1].revents && exited_after_signal(p))
            break;
    }
}

/* False if the sandbox ended first. */
static bool await_exit(struct process *p)
{
    for (;;) {
        struct pollfd wake = { .fd = p->wake_fd, .events = POLLIN };
        int64_t left = p->deadline ? p->deadline - clock_boot_ms() : 100;
        bool exited;

        pthread_mutex_lock(&p->table->lock);
        exited = p->has_exited;
        pthread_mutex_unlock(&p->table->lock);
        if (exited)
            return true;
        if (channel_is_dead(p->sandbox->channel))
            return false;
        if (left <= 0) {
            time_is_up(p);
            continue;
        }
        /* wake_fd may have been read already; the flag is what counts. */
        poll(&wake, 1, left > 100 ? 100 : (int)left);
    }
}

/* Forgets processes that ended a while ago. Locked. */
static void forget_ended(struct process_table *t)
{
    struct process *p = LIST_FIRST(&t->all), *next;

    for (; p; p = next) {
        next = LIST_NEXT(p, link);
        if (p->is_over && clock_boot_ms() - p->ended_at > KEEP_ENDED_MS) {
            LIST_REMOVE(p, link);
            process_unref(p);
        }
    }
}

/* What is remembered of a process for half a minute needs no descriptors. */
static void close_all(struct process *p)
{
    pthread_mutex_lock(&p->input_lock);
    if (p->in >= 0 && p->in != p->out)
        close(p->in);
    p->in = -1;
    pthread_mutex_unlock(&p->input_lock);
    if (p->out >= 0)
        close(p->out);
    if (p->err >= 0)
        close(p->err);
    p->out = p->err = -1;
    pthread_mutex_lock(&p->table->lock);
    close(p->wake_fd);
    p->wake_fd = -1;
    pthread_mutex_unlock(&p->table->lock);
}

static void *pump(void *arg)
{
    struct process *p = arg;
    struct sandbox *sb = p->sandbox;
    struct subscriber *sub;
    bool exited;

    pump_output(p);
    exited = await_exit(p);

    pthread_mutex_lock(&p->table->lock);
    p->is_over = true;
    p->ended_at = clock_boot_ms();
    LIST_FOREACH(sub, &p->subscribers, link)
    {
        subscriber_push(sub, exited ? EVENT_END : EVENT_LOST, p->wait_status, NULL, 0);
    }
    forget_ended(p->table);
    pthread_mutex_unlock(&p->table->lock);

    close_all(p);
    process_unref(p);
    sandbox_unref(sb);
    pthread_mutex_lock(&pumps_lock);
    pumps--;
    pthread_cond_broadcast(&pumps_changed);
    pthread_mutex_unlock(&pumps_lock);
    return NULL;
}

void process_wait_pumps(void)
{
    pthread_mutex_lock(&pumps_lock);
    while (pumps > 0)
        pthread_cond_wait(&pumps_changed, &pumps_lock);
    pthread_mutex_unlock(&pumps_lock);
}

int process_start_pump(struct process *p)
{
    pthread_attr_t attr;
    pthread_t thread;
    int e;

    process_ref(p);
    sandbox_ref(p->sandbox);
    pthread_mutex_lock(&pumps_lock);
    pumps++;
    pthread_mutex_unlock(&pumps_lock);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, KIB(256));
    e = pthread_create(&thread, &attr, pump, p);
    pthread_attr_destroy(&attr);
    if (e == 0)
        return 0;
    pthread_mutex_lock(&pumps_lock);
    pumps--;
    pthread_mutex_unlock(&pumps_lock);
    sandbox_unref(p->sandbox);
    process_unref(p);
    return -e;
}
