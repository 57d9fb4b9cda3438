/* SPDX-License-Identifier: MIT */
/* Starting a process: what the agent is asked, and what is made of its answer. */
#include "process_internal.h"

#include "store.h"
#include "util/clock.h"
#include "util/xalloc.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>

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
    {
        msg_put_bytes(m, json_string_value(arg), json_string_length(arg));
    }
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
    r = channel_call(sb->channel, &request, &reply, AGENT_CALL_MS, NULL, NULL, code, &text);
    if (r < 0 || *code) {
        if (r < 0)
            *code = E2B_CONNECT_UNAVAILABLE;
        *message = xstrdup(r < 0 ? "the sandbox doesn't answer" : text);
        return NULL;
    }
    p = make(sb, spec, &reply);
    pthread_mutex_lock(&t->lock);
    process_ref(p);
    LIST_INSERT_HEAD(&t->all, p, link);
    *sub = process_subscribe_locked(p);
    (*sub)->is_starter = true;
    for (size_t i = 0; i < ARRAY_LEN(t->early); i++) {
        if (t->early[i].pid != p->pid)
            continue;
        t->early[i].pid = 0;
        p->has_exited = true;
        p->wait_status = t->early[i].wait_status;
    }
    pthread_mutex_unlock(&t->lock);
    if (process_start_pump(p) < 0) {
        process_signal(p, SIGKILL);
        process_unsubscribe(*sub);
        process_unref(p);
        *code = E2B_CONNECT_INTERNAL;
        *message = xstrdup("can't start a thread for the process");
        return NULL;
    }
    return p;
}
