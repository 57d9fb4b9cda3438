/* SPDX-License-Identifier: MIT */
#include "process.h"

#include "http_server.h"
#include "store.h"
#include "util/clock.h"
#include "util/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum {
    CHUNK_PIPE = 32768,
    CHUNK_PTY = 16384,
    QUEUE_MAX = 256 << 10, /* bytes a subscriber may be behind before it holds the process */
    KEEP_ENDED_MS = 30000,
    CALL_MS = 10000,
};

struct subscriber {
    struct process *process; /* owned reference */
    int event_fd;            /* readable while the queue is not empty; owned */
    size_t queued;           /* bytes */
    bool is_starter;
    STAILQ_HEAD(, event) events;
    LIST_ENTRY(subscriber) link;
};

struct process {
    struct process_table *table; /* borrowed: pumps and callers hold the sandbox */
    struct sandbox *sandbox;     /* same */
    json_t *config;
    char *tag;
    pid_t pid;
    int refs;
    int in, out, err; /* the server's ends; -1 when closed; a terminal is in == out */
    bool is_pty;
    int wake_fd; /* tells the pump that the process exited */
    bool has_exited, was_signalled, is_over;
    int wait_status;
    int64_t ended_at, deadline;
    pthread_mutex_t input_lock; /* serialises writers; guards `in` */
    LIST_HEAD(, subscriber) subscribers;
    LIST_ENTRY(process) link;
};

struct process_table {
    pthread_mutex_t lock;
    pthread_cond_t drained; /* some queue got shorter, or a subscriber left */
    LIST_HEAD(, process) all;
    /* exits reported before process_start() has put the process into the table */
    struct early {
        pid_t pid;
        int wait_status;
    } early[64];
    unsigned early_next;
};

static pthread_mutex_t pumps_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t pumps_changed = PTHREAD_COND_INITIALIZER;
static int pumps;

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

static struct process *ref(struct process *p)
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
        ref(p);
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
static void push(struct subscriber *sub, enum event_kind kind, int wait_status,
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
static struct subscriber *subscribe(struct process *p)
{
    struct subscriber *sub = xcalloc(1, sizeof(*sub));

    sub->process = ref(p);
    sub->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    STAILQ_INIT(&sub->events);
    LIST_INSERT_HEAD(&p->subscribers, sub, link);
    if (p->is_over)
        push(sub, EVENT_END, p->wait_status, NULL, 0);
    return sub;
}

struct subscriber *process_subscribe(struct process *p)
{
    struct subscriber *sub;

    pthread_mutex_lock(&p->table->lock);
    sub = subscribe(p);
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

/* --- the pump ----------------------------------------------------------------------------- */

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
        is_behind |= len > 0 && sub->queued >= QUEUE_MAX;
        if (is_behind)
            pthread_cond_wait(&t->drained, &t->lock);
    } while (is_behind);
    LIST_FOREACH(sub, &p->subscribers, link)
    push(sub, kind, p->wait_status, data, len);
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
    if (sub->is_starter)
        push(sub, EVENT_DEADLINE, 0, NULL, 0);
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
    push(sub, exited ? EVENT_END : EVENT_LOST, p->wait_status, NULL, 0);
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

static int start_pump(struct process *p)
{
    pthread_attr_t attr;
    pthread_t thread;
    int e;

    ref(p);
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

void process_exited(void *arg, pid_t pid, int wait_status)
{
    struct sandbox *sb = arg;
    struct process_table *t = sb->processes;
    struct process *p;

    pthread_mutex_lock(&t->lock);
    LIST_FOREACH(p, &t->all, link)
    if (p->pid == pid && !p->has_exited)
        break;
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

/* --- starting ----------------------------------------------------------------------------- */

static void put_envs(struct msg *m, json_t *globals, json_t *envs)
{
    const char *name;
    json_t *value;

    msg_put_u32(m, (uint32_t)(json_object_size(globals) + json_object_size(envs)));
    json_object_foreach(globals, name, value)
    {
        msg_put_str(m, name);
        msg_put_bytes(m, json_string_value(value), json_string_length(value));
    }
    json_object_foreach(envs, name, value)
    {
        msg_put_str(m, name);
        msg_put_bytes(m, json_string_value(value), json_string_length(value));
    }
}

static void put_request(struct msg *m, struct sandbox *sb, const struct process_spec *spec)
{
    const char *cwd = json_string_value(json_object_get(spec->config, "cwd"));
    json_t *cmd = json_object_get(spec->config, "cmd");
    json_t *args = json_object_get(spec->config, "args"), *arg;
    size_t i;

    m->kind = MSG_SPAWN;
    msg_put_str(m, spec->user);
    msg_put_str(m, cwd);
    msg_put_u32(m, spec->wants_stdin);
    msg_put_u32(m, spec->wants_pty);
    msg_put_u32(m, spec->cols);
    msg_put_u32(m, spec->rows);
    msg_put_u32(m, (uint32_t)json_array_size(args) + 1);
    msg_put_bytes(m, json_string_value(cmd), json_string_length(cmd));
    json_array_foreach(args, i, arg)
        msg_put_bytes(m, json_string_value(arg), json_string_length(arg));
    put_envs(m, sb->envs, json_object_get(spec->config, "envs"));
}

static struct process *make(struct sandbox *sb, const struct process_spec *spec,
                            struct msg *reply)
{
    struct process *p = xcalloc(1, sizeof(*p));
    int next = 0;

    p->table = sb->processes;
    p->sandbox = sb;
    p->refs = 1;
    p->pid = (pid_t)msg_get_u32(reply);
    p->config = json_incref(spec->config);
    p->tag = xstrdup(spec->tag);
    p->is_pty = spec->wants_pty;
    p->in = p->err = -1;
    p->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&p->input_lock, NULL);
    LIST_INIT(&p->subscribers);
    if (spec->wants_pty) {
        p->out = p->in = msg_take_fd(reply, next);
    } else {
        if (spec->wants_stdin)
            p->in = msg_take_fd(reply, next++);
        p->out = msg_take_fd(reply, next++);
        p->err = msg_take_fd(reply, next);
    }
    if (p->in >= 0)
        fcntl(p->in, F_SETFL, O_NONBLOCK | fcntl(p->in, F_GETFL));
    if (spec->time_limit_ms > 0)
        p->deadline = clock_boot_ms() + spec->time_limit_ms;
    return p;
}

struct process *process_start(struct sandbox *sb, const struct process_spec *spec,
                              struct subscriber **sub, int *code, char **message)
{
    automsg struct msg request = MSG_INIT, reply = MSG_INIT;
    struct process_table *t = sb->processes;
    struct process *p;
    const char *text = "the sandbox ended";
    int r;

    *code = 0;
    put_request(&request, sb, spec);
    r = channel_call(sb->channel, &request, &reply, CALL_MS, NULL, NULL, code, &text);
    if (r < 0 || *code) {
        if (r < 0)
            *code = E2B_CONNECT_UNAVAILABLE;
        *message = xstrdup(r < 0 ? "the sandbox doesn't answer" : text);
        return NULL;
    }
    p = make(sb, spec, &reply);
    pthread_mutex_lock(&t->lock);
    ref(p);
    LIST_INSERT_HEAD(&t->all, p, link);
    *sub = subscribe(p);
    (*sub)->is_starter = true;
    for (size_t i = 0; i < ARRAY_LEN(t->early); i++) {
        if (t->early[i].pid != p->pid)
            continue;
        t->early[i].pid = 0;
        p->has_exited = true;
        p->wait_status = t->early[i].wait_status;
    }
    pthread_mutex_unlock(&t->lock);
    if (start_pump(p) < 0) {
        process_signal(p, SIGKILL);
        process_unsubscribe(*sub);
        process_unref(p);
        *code = E2B_CONNECT_INTERNAL;
        *message = xstrdup("can't start a thread for the process");
        return NULL;
    }
    return p;
}

/* --- input and signals -------------------------------------------------------------------- */

enum input_result process_input(struct process *p, enum input_kind kind, const void *data,
                                size_t len, struct request *rq)
{
    enum input_result result = INPUT_OK;
    const char *at = data;

    if (kind == INPUT_STDIN && p->is_pty)
        return INPUT_IS_TTY;
    if (kind == INPUT_PTY && !p->is_pty)
        return INPUT_NOT_TTY;
    pthread_mutex_lock(&p->input_lock);
    while (result == INPUT_OK && len > 0) {
        struct pollfd room = { .fd = p->in, .events = POLLOUT };
        ssize_t n = p->in < 0 ? -1 : write(p->in, at, len);

        if (p->in < 0) {
            result = INPUT_NO_STDIN;
        } else if (n > 0) {
            at += n;
            len -= (size_t)n;
        } else if (errno != EAGAIN && errno != EINTR) {
            result = INPUT_BROKEN;
        } else if (request_is_over(rq)) {
            result = INPUT_GIVEN_UP;
        } else {
            poll(&room, 1, 100);
        }
    }
    if (result == INPUT_OK && p->in < 0)
        result = INPUT_NO_STDIN;
    pthread_mutex_unlock(&p->input_lock);
    return result;
}

enum input_result process_close_stdin(struct process *p)
{
    if (p->is_pty)
        return INPUT_IS_TTY;
    pthread_mutex_lock(&p->input_lock);
    if (p->in >= 0)
        close(p->in);
    p->in = -1;
    pthread_mutex_unlock(&p->input_lock);
    return INPUT_OK;
}

enum input_result process_resize(struct process *p, uint32_t cols, uint32_t rows)
{
    struct winsize size = { .ws_col = (unsigned short)cols, .ws_row = (unsigned short)rows };

    int r;

    if (!p->is_pty)
        return INPUT_NOT_TTY;
    pthread_mutex_lock(&p->input_lock);
    r = ioctl(p->in, TIOCSWINSZ, &size);
    pthread_mutex_unlock(&p->input_lock);
    return r < 0 ? INPUT_BROKEN : INPUT_OK;
}

bool process_signal(struct process *p, int sig)
{
    automsg struct msg request = { .kind = MSG_SIGNAL, .payload = BUF_MAX(KIB(1)) };
    automsg struct msg reply = MSG_INIT;
    const char *text;
    int code = 0;

    pthread_mutex_lock(&p->table->lock);
    p->was_signalled = true;
    pthread_mutex_unlock(&p->table->lock);
    msg_put_u32(&request, (uint32_t)p->pid);
    msg_put_u32(&request, (uint32_t)sig);
    return channel_call(p->sandbox->channel, &request, &reply, CALL_MS, NULL, NULL, &code,
                        &text) == 0 &&
           code == 0;
}
