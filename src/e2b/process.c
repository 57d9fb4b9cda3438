/* SPDX-License-Identifier: MIT */
/* Processes: start and follow, input, signals (envd.md 12). */
#include "client.h"
#include "connect.h"
#include "helper.h"
#include "sandboxes.h"

#include "util/codec.h"
#include "util/xalloc.h"

#include <e2b/process.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* ---- start ---- */

struct start_op {
    struct connect_call cc;
    e2b_process_event_fn *on_event;
    e2b_process_fn *fn;
    void *arg;
    char *id;
    struct e2b_process_end end;
    char *status; /* owns end.status */
    bool has_ended;
};

static void start_end(struct e2b_call *call, const struct e2b_err *err)
{
    struct start_op *op = (struct start_op *)call;

    op->fn(op->arg, err ? NULL : &op->end, err);
    connect_clear(&op->cc);
    free(op->status);
    free(op->id);
}

/* How Go names signals on Linux: what envd sends as "signal: killed". */
static const struct {
    const char *name;
    int signum;
} signals[] = {
    { "hangup", SIGHUP },
    { "interrupt", SIGINT },
    { "quit", SIGQUIT },
    { "illegal instruction", SIGILL },
    { "trace/breakpoint trap", SIGTRAP },
    { "aborted", SIGABRT },
    { "bus error", SIGBUS },
    { "floating point exception", SIGFPE },
    { "killed", SIGKILL },
    { "user defined signal 1", SIGUSR1 },
    { "segmentation fault", SIGSEGV },
    { "user defined signal 2", SIGUSR2 },
    { "broken pipe", SIGPIPE },
    { "alarm clock", SIGALRM },
    { "terminated", SIGTERM },
    { "stack fault", SIGSTKFLT },
    { "CPU time limit exceeded", SIGXCPU },
    { "file size limit exceeded", SIGXFSZ },
    { "virtual timer expired", SIGVTALRM },
    { "profiling timer expired", SIGPROF },
    { "I/O possible", SIGIO },
    { "power failure", SIGPWR },
    { "bad system call", SIGSYS },
};

static int parse_signal(const char *status)
{
    static const char prefix[] = "signal: ";
    size_t len;
    int number;

    if (strncmp(status, prefix, strlen(prefix)) == 0)
        status += strlen(prefix);
    len = strlen(status);
    for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
        size_t n = strlen(signals[i].name);

        /* " (core dumped)" may follow. */
        if (strncmp(status, signals[i].name, n) == 0 && (len == n || status[n] == ' '))
            return signals[i].signum;
    }
    if (sscanf(status, "signal %d", &number) == 1 && number > 0 && number < 128)
        return number;
    return 0;
}

static int take_end(struct start_op *op, const json_t *end, struct e2b_err *err)
{
    int64_t code = 0;
    bool exited = false;
    int r = jget_int64_opt(end, "exitCode", &code, err);

    if (r == 0)
        r = jget_bool_opt(end, "exited", &exited, err);
    if (r == 0 && !op->status)
        r = jget_string_opt(end, "status", &op->status, err);
    if (r < 0)
        return r;
    if (!op->status)
        op->status = xstrdup("");
    op->end.status = op->status;
    if (!exited) {
        op->end.signal = parse_signal(op->status);
        /* After a live upgrade of envd the code is 128 + n already. */
        if (op->end.signal == 0 && code > 128 && code < 256)
            op->end.signal = (int)code - 128;
        code = op->end.signal ? 128 + op->end.signal : 255;
    }
    if (code < 0 || code > 255)
        return e2b_fail(err, EPROTO, "field 'exitCode': out of range");
    op->end.exit_code = (int)code;
    op->has_ended = true;
    return 0;
}

static int take_data(struct start_op *op, const json_t *data, const char *key,
                     enum e2b_process_event_kind kind, struct e2b_err *err)
{
    autobuf struct buf bytes = BUF_MAX(MIB(4));
    struct e2b_process_event event = { .kind = kind };
    const json_t *text = json_object_get(data, key);
    int r;

    if (!text || json_is_null(text))
        return 0;
    if (!json_is_string(text))
        return e2b_fail(err, EPROTO, "field '%s': expected a string", key);
    r = base64_decode(json_string_value(text), json_string_length(text), &bytes);
    if (r < 0)
        return e2b_fail(err, -r, "field '%s': not base64", key);
    if (bytes.len == 0)
        return 0;
    event.data = bytes.data;
    event.len = bytes.len;
    return op->on_event ? op->on_event(op->arg, &event) : 0;
}

static int take_start(struct start_op *op, const json_t *start, struct e2b_err *err)
{
    struct e2b_process_event event = { .kind = E2B_PROCESS_START };
    int64_t pid = 0;
    int r = jget_int64_opt(start, "pid", &pid, err);

    if (r < 0)
        return r;
    if (pid <= 0 || pid > INT32_MAX)
        return e2b_fail(err, EPROTO, "field 'pid': out of range");
    event.pid = (uint32_t)pid;
    return op->on_event ? op->on_event(op->arg, &event) : 0;
}

static int start_message(struct e2b_call *call, const json_t *message, struct e2b_err *err)
{
    struct start_op *op = (struct start_op *)call;
    const json_t *event = json_object_get(message, "event");
    const json_t *part;
    int r = 0;

    if (op->has_ended)
        return e2b_fail(err, EPROTO, "events after the process's end");
    if ((part = json_object_get(event, "start")) != NULL)
        r = take_start(op, part, err);
    else if ((part = json_object_get(event, "data")) != NULL) {
        r = take_data(op, part, "stdout", E2B_PROCESS_STDOUT, err);
        if (r == 0)
            r = take_data(op, part, "stderr", E2B_PROCESS_STDERR, err);
        if (r == 0)
            r = take_data(op, part, "pty", E2B_PROCESS_STDOUT, err);
    } else if ((part = json_object_get(event, "end")) != NULL)
        r = take_end(op, part, err);
    if (r < 0)
        e2b_fail(err, -r, "stopped by the caller"); /* unless filled already */
    return r; /* keepalives and what newer servers send are nothing to us */
}

static void start_stream_end(struct e2b_call *call, const struct e2b_err *err)
{
    struct start_op *op = (struct start_op *)call;
    struct e2b_err why = { 0 };

    if (err) {
        why = *err;
        if (!strstr(why.msg, op->id))
            e2b_wrap(&why, 0, "sandbox %s: process", op->id);
    } else if (!op->has_ended) {
        e2b_fail(&why, EPROTO, "sandbox %s: process: the server does not say how it ended",
                 op->id);
    }
    call_end(call, why.errnum ? &why : NULL);
}

/* {"process": {"cmd", "args", "envs", "cwd"}, "stdin"}; NULL if a text is not UTF-8. */
static json_t *start_body(const struct e2b_process_spec *spec)
{
    json_t *process = json_object();
    json_t *args = json_array();
    json_t *root = json_pack("{s:o, s:b}", "process", process, "stdin", spec->has_stdin);
    int bad = json_object_set_new(process, "cmd", json_string(spec->argv[0]));

    json_object_set_new(process, "args", args);
    for (size_t i = 1; spec->argv[i]; i++)
        bad |= json_array_append_new(args, json_string(spec->argv[i]));
    if (spec->n_envs > 0) {
        json_t *envs = json_object();

        json_object_set_new(process, "envs", envs);
        for (size_t i = 0; i < spec->n_envs; i++)
            bad |=
                json_object_set_new(envs, spec->envs[i].key, json_string(spec->envs[i].value));
    }
    if (spec->cwd)
        bad |= json_object_set_new(process, "cwd", json_string(spec->cwd));
    if (bad) {
        json_decref(root);
        return NULL;
    }
    return root;
}

static int check_spec(const char *id, const struct e2b_process_spec *spec, struct e2b_err *err)
{
    if (!spec->argv || !spec->argv[0])
        return e2b_fail(err, EINVAL, "sandbox %s: process: no program named", id);
    /* Ten digits are what the header may have (envd.md 2.8). */
    if (spec->timeout_ms < 0 || spec->timeout_ms > 9999999999)
        return e2b_fail(err, EINVAL, "sandbox %s: process: impossible timeout", id);
    return 0;
}

static struct e2b_call *start(struct e2b_client *client, const char *id,
                              const struct e2b_process_spec *spec, bool may_pause,
                              e2b_process_event_fn *on_event, e2b_process_fn *fn, void *arg)
{
    struct start_op *op = call_new(client, sizeof(*op), start_end);
    struct e2b_err err = { 0 };

    op->fn = fn;
    op->arg = arg;
    op->on_event = on_event;
    if (sandbox_id(id, &op->id, &err) < 0 || check_spec(op->id, spec, &err) < 0)
        return call_end_later(&op->cc.call, &err);
    connect_start(&op->cc,
                  &(struct connect_stream_spec){ .endpoint = EP_PROCESS_START,
                                                 .id = op->id,
                                                 .subject = spec->argv[0],
                                                 .user = spec->user,
                                                 .timeout_ms = spec->timeout_ms,
                                                 .on_message = start_message,
                                                 .on_end = start_stream_end,
                                                 .may_pause = may_pause },
                  start_body(spec));
    return &op->cc.call;
}

struct e2b_call *e2b_process_start(struct e2b_client *client, const char *id,
                                   const struct e2b_process_spec *spec,
                                   e2b_process_event_fn *on_event, e2b_process_fn *fn,
                                   void *arg)
{
    return start(client, id, spec, true, on_event, fn, arg);
}

void e2b_process_pause(struct e2b_call *call)
{
    connect_pause((struct connect_call *)call);
}

void e2b_process_resume(struct e2b_call *call)
{
    connect_resume((struct connect_call *)call);
}

/* ---- input, signals ---- */

struct tell_op {
    struct e2b_call call;
    e2b_done_fn *fn;
    void *arg;
    char *id;
};

static void tell_end(struct e2b_call *call, const struct e2b_err *err)
{
    struct tell_op *op = (struct tell_op *)call;

    op->fn(op->arg, err);
    free(op->id);
}

static void tell_answer(struct e2b_call *call, const struct answer *answer)
{
    call_end(call, answer->err);
}

/* Takes `more`, whose members are added to the process's selector. */
static struct e2b_call *tell(struct e2b_client *client, const char *id, uint32_t pid,
                             enum endpoint_id endpoint, json_t *more, e2b_done_fn *fn,
                             void *arg)
{
    struct tell_op *op = call_new(client, sizeof(*op), tell_end);
    struct e2b_err err = { 0 };
    char subject[24];
    json_t *body;

    op->fn = fn;
    op->arg = arg;
    if (sandbox_id(id, &op->id, &err) < 0) {
        json_decref(more);
        return call_end_later(&op->call, &err);
    }
    body = json_pack("{s:{s:I}}", "process", "pid", (json_int_t)pid);
    if (more)
        json_object_update(body, more);
    json_decref(more);
    (void)snprintf(subject, sizeof(subject), "process %u", pid);
    connect_unary(
        &op->call,
        &(struct call_request){
            .endpoint = endpoint, .id = op->id, .subject = subject, .on_answer = tell_answer },
        body);
    return &op->call;
}

static struct e2b_call *refuse(struct e2b_client *client, const struct e2b_err *err,
                               e2b_done_fn *fn, void *arg)
{
    struct tell_op *op = call_new(client, sizeof(*op), tell_end);

    op->fn = fn;
    op->arg = arg;
    return call_end_later(&op->call, err);
}

struct e2b_call *e2b_process_input(struct e2b_client *client, const char *id, uint32_t pid,
                                   const void *data, size_t len, e2b_done_fn *fn, void *arg)
{
    autobuf struct buf text = BUF_MAX(2 * (size_t)E2B_PROCESS_INPUT_MAX);
    struct e2b_err err = { 0 };

    if (len > E2B_PROCESS_INPUT_MAX) {
        e2b_fail(&err, EINVAL, "sandbox %s: input: at most %d bytes at a time", id,
                 E2B_PROCESS_INPUT_MAX);
        return refuse(client, &err, fn, arg);
    }
    base64_encode(data, len, &text);
    return tell(client, id, pid, EP_PROCESS_INPUT,
                json_pack("{s:{s:s}}", "input", "stdin", buf_str(&text)), fn, arg);
}

struct e2b_call *e2b_process_close_stdin(struct e2b_client *client, const char *id,
                                         uint32_t pid, e2b_done_fn *fn, void *arg)
{
    return tell(client, id, pid, EP_PROCESS_CLOSE_STDIN, NULL, fn, arg);
}

struct kill_op {
    struct e2b_call call;
    e2b_done_fn *fn;
    void *arg;
};

static void kill_end(struct e2b_call *call, const struct e2b_err *err)
{
    struct kill_op *op = (struct kill_op *)call;

    op->fn(op->arg, err);
}

static void kill_done(void *arg, const struct e2b_exec_result *result,
                      const struct e2b_err *err)
{
    struct kill_op *op = arg;
    struct e2b_err why = { 0 };

    (void)result;
    /* kill(1) says "No such process", which names no file's errno. */
    if (err && strstr(err->msg, "No such process")) {
        why = *err;
        why.errnum = ESRCH;
        err = &why;
    }
    call_end(&op->call, err);
}

/* envd knows TERM and KILL only.  As root, like envd's own call. */
static struct e2b_call *signal_by_kill(struct e2b_client *client, const char *id, uint32_t pid,
                                       int signum, e2b_done_fn *fn, void *arg)
{
    struct kill_op *op = call_new(client, sizeof(*op), kill_end);
    char number[12], target[12];
    const char *const argv[] = {
        "sh", "-c", "kill -\"$1\" \"$2\"", "sh", number, target, NULL
    };

    op->fn = fn;
    op->arg = arg;
    (void)snprintf(number, sizeof(number), "%d", signum);
    (void)snprintf(target, sizeof(target), "%u", pid);
    call_adopt(
        &op->call,
        helper_run(
            client,
            &(struct helper){
                .id = id, .what = "signal", .subject = target, .argv = argv, .user = "root" },
            kill_done, op));
    return &op->call;
}

struct e2b_call *e2b_process_signal(struct e2b_client *client, const char *id, uint32_t pid,
                                    int signum, e2b_done_fn *fn, void *arg)
{
    struct e2b_err err = { 0 };

    /* kill(1) of pid 0 would be the helper's own group; of signal 0, a question. */
    if (pid == 0 || pid > INT32_MAX || signum < 1 || signum > 64) {
        e2b_fail(&err, EINVAL, "signal %d to process %u: impossible", signum, pid);
        return refuse(client, &err, fn, arg);
    }
    if (signum != SIGTERM && signum != SIGKILL)
        return signal_by_kill(client, id, pid, signum, fn, arg);
    return tell(
        client, id, pid, EP_PROCESS_SIGNAL,
        json_pack("{s:s}", "signal", signum == SIGTERM ? "SIGNAL_SIGTERM" : "SIGNAL_SIGKILL"),
        fn, arg);
}

/* ---- exec ---- */

struct exec_op {
    struct e2b_call call;
    e2b_exec_fn *fn;
    void *arg;
    struct buf out, err_text;
    struct e2b_exec_result result;
};

static void exec_end(struct e2b_call *call, const struct e2b_err *err)
{
    struct exec_op *op = (struct exec_op *)call;

    op->result.out = buf_str(&op->out);
    op->result.out_len = op->out.len;
    op->result.err_text = buf_str(&op->err_text);
    op->result.err_len = op->err_text.len;
    op->fn(op->arg, err ? NULL : &op->result, err);
    buf_clear(&op->out);
    buf_clear(&op->err_text);
}

static int exec_event(void *arg, const struct e2b_process_event *event)
{
    struct exec_op *op = arg;

    switch (event->kind) {
    case E2B_PROCESS_STDOUT:
        return buf_append(&op->out, event->data, event->len);
    case E2B_PROCESS_STDERR:
        return buf_append(&op->err_text, event->data, event->len);
    case E2B_PROCESS_START:
        break;
    }
    return 0;
}

static void exec_done(void *arg, const struct e2b_process_end *end, const struct e2b_err *err)
{
    struct exec_op *op = arg;

    if (!err)
        op->result.exit_code = end->exit_code;
    call_end(&op->call, err);
}

struct e2b_call *e2b_process_exec(struct e2b_client *client, const char *id,
                                  const struct e2b_process_spec *spec, size_t max_output,
                                  e2b_exec_fn *fn, void *arg)
{
    struct exec_op *op = call_new(client, sizeof(*op), exec_end);

    op->fn = fn;
    op->arg = arg;
    op->out = (struct buf)BUF_MAX(max_output);
    op->err_text = (struct buf)BUF_MAX(max_output);
    /* Collected, so never paused: it may share an HTTP/2 connection. */
    call_adopt(&op->call, start(client, id, spec, false, exec_event, exec_done, op));
    return &op->call;
}
