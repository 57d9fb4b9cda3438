/* SPDX-License-Identifier: MIT */
#include "process_internal.h"

#include "http_server.h"
#include "store.h"
#include "util/clock.h"
#include "util/xalloc.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct process_table *process_table_new(void)
{
    struct process_table *t = xcalloc(1, sizeof(*t));

    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->drained, NULL);
    LIST_INIT(&t->all);
    return t;
}

static void process_free(struct process *p)
{
    if (p->in >= 0 && p->in != p->out)
        close(p->in);
    if (p->out >= 0)
        close(p->out);
    if (p->err >= 0)
        close(p->err);
    if (p->wake_fd >= 0)
        close(p->wake_fd);
    pthread_mutex_destroy(&p->input_lock);
    json_decref(p->config);
    free(p->tag);
    free(p);
}

struct process *process_ref(struct process *p)
{
    __atomic_add_fetch(&p->refs, 1, __ATOMIC_RELAXED);
    return p;
}

void process_unref(struct process *p)
{
    if (p && __atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL) == 0)
        process_free(p);
}

pid_t process_pid(const struct process *p)
{
    return p->pid;
}

void process_table_free(struct process_table *t)
{
    struct process *p;

    if (!t)
        return;
    while ((p = LIST_FIRST(&t->all))) {
        LIST_REMOVE(p, link);
        process_unref(p);
    }
    pthread_mutex_destroy(&t->lock);
    pthread_cond_destroy(&t->drained);
    free(t);
}

/* Locked. */
static struct process *peek(struct process_table *t, pid_t pid, const char *tag, bool and_ended)
{
    struct process *p;

    LIST_FOREACH(p, &t->all, link)
    {
        if (p->is_over && (!and_ended || clock_boot_ms() - p->ended_at > KEEP_ENDED_MS))
            continue;
        if (pid ? p->pid == pid : tag && p->tag && strcmp(p->tag, tag) == 0)
            return p;
    }
    return NULL;
}

struct process *process_find(struct sandbox *sb, pid_t pid, const char *tag, bool and_ended)
{
    struct process_table *t = sb->processes;
    struct process *p;

    pthread_mutex_lock(&t->lock);
    p = peek(t, pid, tag, and_ended);
    if (p)
        process_ref(p);
    pthread_mutex_unlock(&t->lock);
    return p;
}

json_t *process_list(struct sandbox *sb)
{
    struct process_table *t = sb->processes;
    json_t *list = json_array();
    struct process *p;

    pthread_mutex_lock(&t->lock);
    LIST_FOREACH(p, &t->all, link)
    {
        if (p->is_over)
            continue;
        json_array_append_new(list, json_pack("{s:O,s:i,s:s*}", "config", p->config, "pid",
                                              (int)p->pid, "tag", p->tag));
    }
    pthread_mutex_unlock(&t->lock);
    return list;
}

/* --- subscribers -------------------------------------------------------------------------- */

/* Locked. */
void subscriber_push(struct subscriber *sub, enum event_kind kind, int wait_status,
                     const void *data, size_t len)
{
    struct event *e = xmalloc(sizeof(*e) + len);

    *e = (struct event){ .kind = kind, .wait_status = wait_status, .len = len };
    memcpy(e->data, data ? data : "", len);
    STAILQ_INSERT_TAIL(&sub->events, e, link);
    sub->queued += len;
    eventfd_write(sub->event_fd, 1);
}

/* Locked. */
struct subscriber *process_subscribe_locked(struct process *p)
{
    struct subscriber *sub = xcalloc(1, sizeof(*sub));

    sub->process = process_ref(p);
    sub->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    STAILQ_INIT(&sub->events);
    LIST_INSERT_HEAD(&p->subscribers, sub, link);
    if (p->is_over)
        subscriber_push(sub, EVENT_END, p->wait_status, NULL, 0);
    return sub;
}

struct subscriber *process_subscribe(struct process *p)
{
    struct subscriber *sub;

    pthread_mutex_lock(&p->table->lock);
    sub = process_subscribe_locked(p);
    pthread_mutex_unlock(&p->table->lock);
    return sub;
}

void process_unsubscribe(struct subscriber *sub)
{
    struct process *p;
    struct event *e;

    if (!sub)
        return;
    p = sub->process;
    pthread_mutex_lock(&p->table->lock);
    LIST_REMOVE(sub, link);
    pthread_cond_broadcast(&p->table->drained);
    pthread_mutex_unlock(&p->table->lock);
    while ((e = STAILQ_FIRST(&sub->events))) {
        STAILQ_REMOVE_HEAD(&sub->events, link);
        free(e);
    }
    close(sub->event_fd);
    free(sub);
    process_unref(p);
}

static struct event *made(enum event_kind kind)
{
    struct event *e = xcalloc(1, sizeof(*e));

    e->kind = kind;
    return e;
}

struct event *process_next(struct subscriber *sub, struct request *rq, int64_t ms)
{
    struct process_table *t = sub->process->table;
    int64_t end = clock_boot_ms() + ms;
    struct event *e;

    for (;;) {
        int64_t left = end - clock_boot_ms();
        int ready;
        eventfd_t seen;

        pthread_mutex_lock(&t->lock);
        eventfd_read(sub->event_fd, &seen);
        e = STAILQ_FIRST(&sub->events);
        if (e) {
            STAILQ_REMOVE_HEAD(&sub->events, link);
            sub->queued -= e->len;
            pthread_cond_broadcast(&t->drained);
        }
        pthread_mutex_unlock(&t->lock);
        if (e)
            return e;
        if (left <= 0)
            return made(EVENT_NONE);
        ready = request_poll(rq, sub->event_fd, left > 60000 ? 60000 : (int)left);
        if (ready < 0)
            return made(EVENT_OVER);
    }
}

/* --- the agent's reports ---------------------------------------------------------------------
 */

void process_exited(void *arg, pid_t pid, int wait_status)
{
    struct sandbox *sb = arg;
    struct process_table *t = sb->processes;
    struct process *p;

    pthread_mutex_lock(&t->lock);
    LIST_FOREACH(p, &t->all, link)
    {
        if (p->pid == pid && !p->has_exited)
            break;
    }
    if (p) {
        p->has_exited = true;
        p->wait_status = wait_status;
        if (p->wake_fd >= 0)
            eventfd_write(p->wake_fd, 1);
    } else {
        t->early[t->early_next++ % ARRAY_LEN(t->early)] = (struct early){ pid, wait_status };
    }
    pthread_mutex_unlock(&t->lock);
}
