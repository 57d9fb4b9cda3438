/* SPDX-License-Identifier: MIT */
/* envd's Process service: streams of events (envd.md 12). */
#include "api.h"
#include "frames.h"
#include "process.h"
#include "rpc.h"
#include "util/codec.h"
#include "util/json.h"
#include "util/xalloc.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

struct event_stream {
    struct process *process; /* owned reference */
    struct subscriber *sub;  /* owned */
    struct buf out;          /* envelopes that wait to be sent */
    int64_t keepalive_ms;
    bool is_finished;
};

static void stream_free(void *state)
{
    struct event_stream *s = state;

    process_unsubscribe(s->sub);
    process_unref(s->process);
    buf_clear(&s->out);
    free(s);
}

static void put_event(struct event_stream *s, const char *name, json_t *value)
{
    rpc_frame(&s->out, 0, json_pack("{s:{s:o}}", "event", name, value));
}

static void put_data(struct event_stream *s, const char *name, const struct event *e)
{
    autobuf struct buf text = BUF_MAX(KIB(64));

    base64_encode(e->data, e->len, &text);
    put_event(s, "data", json_pack("{s:s}", name, buf_str(&text)));
}

static void put_last(struct event_stream *s, enum e2b_connect_code code, const char *text)
{
    rpc_frame(&s->out, FRAME_END, rpc_end_message(code, text));
    s->is_finished = true;
}

/* Go's words for how a process ended. */
static void put_end(struct event_stream *s, int status)
{
    json_t *end = json_object();
    char text[80];

    if (WIFEXITED(status)) {
        snprintf(text, sizeof(text), "exit status %d", WEXITSTATUS(status));
        if (WEXITSTATUS(status))
            json_object_set_new(end, "exitCode", json_integer(WEXITSTATUS(status)));
        json_object_set_new(end, "exited", json_true());
    } else {
        const char *name = sigdescr_np(WTERMSIG(status));

        snprintf(text, sizeof(text), "signal: %s%s", name ? name : "unknown",
                 WCOREDUMP(status) ? " (core dumped)" : "");
        text[8] = (char)tolower((unsigned char)text[8]);
        json_object_set_new(end, "exitCode", json_integer(-1));
    }
    json_object_set_new(end, "status", json_string(text));
    if (status != 0)
        json_object_set_new(end, "error", json_string(text));
    put_event(s, "end", end);
    put_last(s, E2B_CONNECT_NONE, "");
}

/* False when the connection must break. */
static bool put(struct event_stream *s, const struct event *e)
{
    switch (e->kind) {
    case EVENT_NONE:
        put_event(s, "keepalive", json_object());
        return true;
    case EVENT_STDOUT:
        put_data(s, "stdout", e);
        return true;
    case EVENT_STDERR:
        put_data(s, "stderr", e);
        return true;
    case EVENT_PTY:
        put_data(s, "pty", e);
        return true;
    case EVENT_END:
        put_end(s, e->wait_status);
        return true;
    case EVENT_DEADLINE:
        put_last(s, E2B_CONNECT_DEADLINE_EXCEEDED, "context deadline exceeded");
        return true;
    case EVENT_LOST:
    case EVENT_OVER:
        break;
    }
    return false;
}

static ssize_t stream_read(void *state, struct request *rq, char *out, size_t max)
{
    struct event_stream *s = state;

    if (s->out.len == 0 && s->is_finished)
        return 0;
    if (s->out.len == 0) {
        autofree struct event *e = process_next(s->sub, rq, s->keepalive_ms);

        if (!put(s, e))
            return -1;
    }
    if (max > s->out.len)
        max = s->out.len;
    memcpy(out, s->out.data, max);
    buf_consume(&s->out, max);
    return (ssize_t)max;
}

/* Takes the process and the subscriber. */
static void respond_events(struct request *rq, struct process *p, struct subscriber *sub)
{
    struct event_stream *s = xcalloc(1, sizeof(*s));

    s->process = p;
    s->sub = sub;
    s->out.max = MIB(1);
    s->keepalive_ms = rpc_keepalive_s(rq) * 1000;
    put_event(s, "start", json_pack("{s:i}", "pid", (int)process_pid(p)));
    respond_stream(rq, 200, "application/connect+json", BODY_UNKNOWN_SIZE, stream_read,
                   stream_free, s);
}

/* The config with its four members and nothing else; NULL if one has the wrong type. */
static json_t *clean_config(const json_t *in)
{
    json_t *config = json_object(), *args = rpc_get(in, "args"), *envs = rpc_get(in, "envs");
    json_t *value;
    const char *name;
    size_t i, len;
    const char *text = rpc_string(in, "cmd", &len);
    bool ok = true;

    json_object_set_new(config, "cmd", json_stringn(text, len));
    json_array_foreach(args, i, value) ok &= json_is_string(value);
    json_object_foreach(envs, name, value) ok &= json_is_string(value);
    ok &= (!args || json_is_array(args)) && (!envs || json_is_object(envs));
    if (ok && json_array_size(args))
        json_object_set(config, "args", args);
    if (ok && json_object_size(envs))
        json_object_set(config, "envs", envs);
    if (json_is_string(rpc_get(in, "cwd")))
        json_object_set(config, "cwd", rpc_get(in, "cwd"));
    if (ok)
        return config;
    json_decref(config);
    return NULL;
}

void envd_start(struct request *rq)
{
    autorpc struct rpc rpc;
    autojson json_t *config = NULL;
    autofree char *message = NULL;
    struct process_spec spec = { 0 };
    struct subscriber *sub;
    struct process *p;
    json_t *pty, *size, *tag;
    int code;

    if (!rpc_begin(&rpc, rq, RPC_STREAM))
        return;
    config = clean_config(rpc_get(rpc.in, "process"));
    if (!config || json_string_length(json_object_get(config, "cmd")) == 0) {
        rpc_fail(&rpc, E2B_CONNECT_INVALID_ARGUMENT,
                 config ? "error starting process '': fork/exec : no such file or directory"
                        : "unmarshal message: proto: invalid value in process");
        return;
    }
    pty = rpc_get(rpc.in, "pty");
    size = rpc_get(pty, "size");
    tag = rpc_get(rpc.in, "tag");
    spec.config = config;
    spec.user = rpc.user;
    spec.tag = json_is_string(tag) ? json_string_value(tag) : NULL;
    spec.wants_pty = pty != NULL;
    spec.wants_stdin = rpc_bool(rpc.in, "stdin", true);
    spec.time_limit_ms = rpc.time_limit_ms;
    if (!rpc_uint32(size, "cols", 80, &spec.cols) ||
        !rpc_uint32(size, "rows", 24, &spec.rows)) {
        rpc_fail(&rpc, E2B_CONNECT_INVALID_ARGUMENT,
                 "unmarshal message: proto: invalid value for uint32 field");
        return;
    }
    p = process_start(rq->sandbox, &spec, &sub, &code, &message);
    if (p)
        respond_events(rq, p, sub);
    else
        rpc_fail(&rpc, (enum e2b_connect_code)code, "%s", message);
}

/* The process that `process` of the message selects; answers not_found otherwise. */
static struct process *selected(struct rpc *rpc, const json_t *in, bool and_ended)
{
    json_t *selector = rpc_get(in, "process");
    json_t *tag = rpc_get(selector, "tag");
    struct process *p;
    uint32_t pid = 0;

    if (!rpc_uint32(selector, "pid", 0, &pid)) {
        rpc_fail(rpc, E2B_CONNECT_INVALID_ARGUMENT,
                 "unmarshal message: proto: invalid value for uint32 field pid");
        return NULL;
    }
    if (!pid && !json_is_string(tag)) {
        rpc_fail(rpc, E2B_CONNECT_UNIMPLEMENTED, "invalid input type <nil>");
        return NULL;
    }
    p = process_find(rpc->rq->sandbox, (pid_t)pid, json_string_value(tag), and_ended);
    if (!p && pid)
        rpc_fail(rpc, E2B_CONNECT_NOT_FOUND, "process with pid %u not found", pid);
    else if (!p)
        rpc_fail(rpc, E2B_CONNECT_NOT_FOUND, "process with tag %s not found",
                 json_string_value(tag));
    return p;
}

void envd_connect(struct request *rq)
{
    autorpc struct rpc rpc;
    struct process *p;

    if (!rpc_begin(&rpc, rq, RPC_STREAM))
        return;
    p = selected(&rpc, rpc.in, true);
    if (p)
        respond_events(rq, p, process_subscribe(p));
}

void envd_list(struct request *rq)
{
    autorpc struct rpc rpc;
    json_t *list, *out = json_object();

    if (rpc_begin(&rpc, rq, RPC_UNARY)) {
        list = process_list(rq->sandbox);
        if (json_array_size(list))
            json_object_set(out, "processes", list);
        json_decref(list);
        rpc_reply(&rpc, json_incref(out));
    }
    json_decref(out);
}

void envd_update(struct request *rq)
{
    autorpc struct rpc rpc;
    enum input_result result = INPUT_OK;
    struct process *p;
    uint32_t cols = 0, rows = 0;
    json_t *size;

    if (!rpc_begin(&rpc, rq, RPC_UNARY))
        return;
    size = rpc_get(rpc_get(rpc.in, "pty"), "size");
    p = selected(&rpc, rpc.in, false);
    if (!p)
        return;
    if (size && rpc_uint32(size, "cols", 0, &cols) && rpc_uint32(size, "rows", 0, &rows))
        result = process_resize(p, cols, rows);
    if (result == INPUT_OK)
        rpc_reply(&rpc, NULL);
    else
        rpc_fail(&rpc, E2B_CONNECT_INTERNAL, "error resizing tty: tty not assigned to process");
    process_unref(p);
}

void envd_send_signal(struct request *rq)
{
    autorpc struct rpc rpc;
    struct process *p;
    json_t *value;
    int sig = 0;

    if (!rpc_begin(&rpc, rq, RPC_UNARY))
        return;
    value = rpc_get(rpc.in, "signal");
    if (json_is_integer(value))
        sig = (int)json_integer_value(value);
    else if (json_is_string(value))
        sig = strcmp(json_string_value(value), "SIGNAL_SIGKILL") == 0   ? 9
              : strcmp(json_string_value(value), "SIGNAL_SIGTERM") == 0 ? 15
                                                                        : 0;
    p = selected(&rpc, rpc.in, false);
    if (!p)
        return;
    if (sig != 9 && sig != 15)
        rpc_fail(&rpc, E2B_CONNECT_UNIMPLEMENTED, "invalid signal: SIGNAL_UNSPECIFIED");
    else if (!process_signal(p, sig))
        rpc_fail(&rpc, E2B_CONNECT_INTERNAL,
                 "error sending signal: os: process already finished");
    else
        rpc_reply(&rpc, NULL);
    process_unref(p);
}

void envd_close_stdin(struct request *rq)
{
    autorpc struct rpc rpc;
    struct process *p;

    if (!rpc_begin(&rpc, rq, RPC_UNARY))
        return;
    p = selected(&rpc, rpc.in, false);
    if (!p)
        return;
    if (process_close_stdin(p) == INPUT_OK)
        rpc_reply(&rpc, NULL);
    else
        rpc_fail(&rpc, E2B_CONNECT_UNKNOWN, "cannot close stdin for PTY process");
    process_unref(p);
}

/* --- input -------------------------------------------------------------------------------- */

/* Applies one ProcessInput; false with a failure in *code and *text. */
static bool apply_input(struct request *rq, struct process *p, const json_t *input,
                        enum e2b_connect_code *code, const char **text)
{
    autobuf struct buf data = BUF_MAX(MIB(64));
    bool is_pty = rpc_get(input, "pty") != NULL;

    *code = E2B_CONNECT_INTERNAL;
    if (!is_pty && !rpc_get(input, "stdin")) {
        *code = E2B_CONNECT_UNIMPLEMENTED;
        *text = "invalid input type <nil>";
        return false;
    }
    if (!rpc_bytes(input, is_pty ? "pty" : "stdin", &data)) {
        *code = E2B_CONNECT_INVALID_ARGUMENT;
        *text = "unmarshal message: proto: invalid value for bytes field";
        return false;
    }
    switch (process_input(p, is_pty ? INPUT_PTY : INPUT_STDIN, data.data, data.len, rq)) {
    case INPUT_OK:
        return true;
    case INPUT_NO_STDIN:
        *text = "error writing to stdin: stdin not enabled or closed";
        return false;
    case INPUT_IS_TTY:
        *text = "error writing to stdin: tty assigned to process";
        return false;
    case INPUT_NOT_TTY:
        *text = "error writing to tty: tty not assigned to process";
        return false;
    case INPUT_GIVEN_UP:
        *code = E2B_CONNECT_CANCELED;
        *text = "context canceled";
        return false;
    case INPUT_BROKEN:
        break;
    }
    *text = is_pty ? "error writing to tty: write /dev/ptmx: input/output error"
                   : "error writing to stdin: write |1: broken pipe";
    return false;
}

void envd_send_input(struct request *rq)
{
    autorpc struct rpc rpc;
    enum e2b_connect_code code;
    const char *text;
    struct process *p;

    if (!rpc_begin(&rpc, rq, RPC_UNARY))
        return;
    p = selected(&rpc, rpc.in, false);
    if (!p)
        return;
    if (apply_input(rq, p, rpc_get(rpc.in, "input"), &code, &text))
        rpc_reply(&rpc, NULL);
    else
        rpc_fail(&rpc, code, "%s", text);
    process_unref(p);
}

/* --- StreamInput: applied as it arrives, answered when the body has ended ------------------
 */

struct input_stream {
    struct buf pending;
    struct process *process;
    enum e2b_connect_code code;
    char *text; /* owned; the first failure */
};

enum { STREAM_MESSAGE_MAX = 32 << 20 };

static void input_stream_free(void *state)
{
    struct input_stream *s = state;

    process_unref(s->process);
    buf_clear(&s->pending);
    free(s->text);
    free(s);
}

static void input_fail(struct input_stream *s, enum e2b_connect_code code, const char *text)
{
    if (s->text)
        return;
    s->code = code;
    s->text = xstrdup(text);
}

void envd_stream_input_begin(struct request *rq)
{
    struct input_stream *s = xcalloc(1, sizeof(*s));

    s->pending.max = STREAM_MESSAGE_MAX;
    rq->state = s;
    rq->free_state = input_stream_free;
}

static void take_message(struct request *rq, struct input_stream *s, const struct frame *f)
{
    autojson json_t *in = NULL;
    json_t *start, *data;
    enum e2b_connect_code code;
    const char *text;
    int64_t pid = 0;

    if (jparse(f->data, f->len, &in, NULL) < 0) {
        input_fail(s, E2B_CONNECT_INVALID_ARGUMENT, "unmarshal message: not JSON");
        return;
    }
    start = rpc_get(in, "start");
    data = rpc_get(in, "data");
    if (start && !s->process) {
        json_t *selector = rpc_get(start, "process");
        autofree char *missing = NULL;

        jget_int64_opt(selector, "pid", &pid, NULL);
        s->process = process_find(rq->sandbox, (pid_t)pid,
                                  json_string_value(rpc_get(selector, "tag")), false);
        missing = xasprintf("process with pid %lld not found", (long long)pid);
        if (!s->process)
            input_fail(s, E2B_CONNECT_NOT_FOUND, missing);
    } else if (data && !s->process) {
        input_fail(s, E2B_CONNECT_INTERNAL, "data before start");
    } else if (data && !apply_input(rq, s->process, rpc_get(data, "input"), &code, &text)) {
        input_fail(s, code, text);
    }
}

void envd_stream_input_body(struct request *rq, const char *data, size_t len)
{
    struct input_stream *s = rq->state;
    struct frame frame;

    if (s->text)
        return;
    if (buf_append(&s->pending, data, len) < 0) {
        input_fail(s, E2B_CONNECT_RESOURCE_EXHAUSTED, "message too large");
        return;
    }
    while (!s->text && frame_get(s->pending.data, s->pending.len, &frame)) {
        if (!(frame.flags & FRAME_END))
            take_message(rq, s, &frame);
        buf_consume(&s->pending, FRAME_HEADER + frame.len);
    }
}

void envd_stream_input(struct request *rq)
{
    struct input_stream *s = rq->state;
    autobuf struct buf out = BUF_MAX(KIB(64));

    if (!s->text)
        rpc_frame(&out, 0, json_object());
    rpc_frame(&out, FRAME_END,
              rpc_end_message(s->text ? s->code : E2B_CONNECT_NONE, s->text ? s->text : ""));
    respond(rq, 200, "application/connect+json", out.data, out.len);
}
