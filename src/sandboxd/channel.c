/* SPDX-License-Identifier: MIT */
#include "channel.h"

#include "util/clock.h"
#include "util/xalloc.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct pending {
    uint32_t id;
    struct msg *reply; /* the caller's */
    bool is_done;
    pthread_cond_t wake;
    LIST_ENTRY(pending) link;
};

struct channel {
    int sock; /* owned */
    pthread_t reader;
    pthread_mutex_t lock; /* guards what follows */
    uint32_t last_id;
    bool is_dead;
    LIST_HEAD(, pending) calls;
    channel_exited_fn *exited;
    void *exited_arg;
};

enum { GIVEN_UP_EVERY_MS = 50 };

static void deliver(struct channel *ch, struct msg *m)
{
    struct pending *p;

    pthread_mutex_lock(&ch->lock);
    LIST_FOREACH(p, &ch->calls, link)
    {
        if (p->id != m->id || p->is_done)
            continue;
        msg_clear(p->reply);
        *p->reply = *m;
        *m = (struct msg)MSG_INIT;
        p->is_done = true;
        pthread_cond_signal(&p->wake);
        break;
    }
    pthread_mutex_unlock(&ch->lock);
}

static void *read_all(void *arg)
{
    struct channel *ch = arg;
    automsg struct msg m = MSG_INIT;
    struct pending *p;

    for (;;) {
        int r = msg_recv(ch->sock, &m);

        if (r == -EPROTO)
            continue;
        if (r < 0)
            break;
        if (m.kind == MSG_EXITED) {
            pid_t pid = (pid_t)msg_get_u32(&m);
            int status = (int)msg_get_u32(&m);

            if (!m.bad)
                ch->exited(ch->exited_arg, pid, status);
        } else if (m.kind == MSG_REPLY) {
            deliver(ch, &m);
        }
    }
    pthread_mutex_lock(&ch->lock);
    ch->is_dead = true;
    LIST_FOREACH(p, &ch->calls, link)
    {
        pthread_cond_signal(&p->wake);
    }
    pthread_mutex_unlock(&ch->lock);
    return NULL;
}

static int await_hello(int sock, int wait_ms)
{
    automsg struct msg m = MSG_INIT;
    struct pollfd p = { .fd = sock, .events = POLLIN };

    if (poll(&p, 1, wait_ms) <= 0)
        return -ETIMEDOUT;
    if (msg_recv(sock, &m) < 0 || m.kind != MSG_HELLO)
        return -ECONNRESET;
    return 0;
}

struct channel *channel_open(int sock, int wait_ms, channel_exited_fn *fn, void *arg)
{
    struct timeval patience = { .tv_sec = 10 };
    struct channel *ch;

    if (await_hello(sock, wait_ms) < 0) {
        close(sock);
        return NULL;
    }
    /* An agent that stopped reading must not hold callers for ever. */
    setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    ch = xcalloc(1, sizeof(*ch));
    ch->sock = sock;
    ch->exited = fn;
    ch->exited_arg = arg;
    LIST_INIT(&ch->calls);
    pthread_mutex_init(&ch->lock, NULL);
    if (pthread_create(&ch->reader, NULL, read_all, ch) != 0) {
        close(sock);
        free(ch);
        return NULL;
    }
    return ch;
}

void channel_close(struct channel *ch)
{
    if (!ch)
        return;
    shutdown(ch->sock, SHUT_RDWR);
    pthread_join(ch->reader, NULL);
    close(ch->sock);
    pthread_mutex_destroy(&ch->lock);
    free(ch);
}

bool channel_is_dead(struct channel *ch)
{
    bool dead;

    pthread_mutex_lock(&ch->lock);
    dead = ch->is_dead;
    pthread_mutex_unlock(&ch->lock);
    return dead;
}

/* Waits with the lock held; 0 when the reply is there. */
static int wait_reply(struct channel *ch, struct pending *p, int deadline_ms,
                      given_up_fn *given_up, void *arg)
{
    int64_t end =
        deadline_ms == CHANNEL_NO_DEADLINE ? INT64_MAX : clock_boot_ms() + deadline_ms;

    while (!p->is_done) {
        struct timespec until;

        if (ch->is_dead)
            return -ECONNRESET;
        if (clock_boot_ms() >= end)
            return -ETIMEDOUT;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += GIVEN_UP_EVERY_MS * 1000000L;
        if (until.tv_nsec >= 1000000000L) {
            until.tv_sec++;
            until.tv_nsec -= 1000000000L;
        }
        if (pthread_cond_timedwait(&p->wake, &ch->lock, &until) == ETIMEDOUT && given_up) {
            bool gone;

            pthread_mutex_unlock(&ch->lock);
            gone = given_up(arg);
            pthread_mutex_lock(&ch->lock);
            if (gone && !p->is_done)
                return -ECANCELED;
        }
    }
    return 0;
}

int channel_call(struct channel *ch, struct msg *request, struct msg *reply, int deadline_ms,
                 given_up_fn *given_up, void *arg, int *code, const char **text)
{
    struct pending p = { .reply = reply, .wake = PTHREAD_COND_INITIALIZER };
    int r;

    pthread_mutex_lock(&ch->lock);
    p.id = ++ch->last_id;
    LIST_INSERT_HEAD(&ch->calls, &p, link);
    pthread_mutex_unlock(&ch->lock);

    request->id = p.id;
    r = msg_send(ch->sock, request);
    if (r == -EPIPE)
        r = -ECONNRESET;

    pthread_mutex_lock(&ch->lock);
    if (r == 0)
        r = wait_reply(ch, &p, deadline_ms, given_up, arg);
    LIST_REMOVE(&p, link);
    pthread_mutex_unlock(&ch->lock);
    pthread_cond_destroy(&p.wake);
    if (r < 0)
        return r;

    *code = (int)msg_get_u32(reply);
    *text = msg_get_str(reply, NULL);
    return reply->bad ? -EPROTO : 0;
}
