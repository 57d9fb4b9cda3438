/* SPDX-License-Identifier: MIT */
#include "response.h"

#include "http_server.h"
#include "util/json.h"
#include "util/xalloc.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

enum { STREAM_BLOCK = 128 << 10 };

void response_clear(struct response *r)
{
    for (int i = 0; i < r->header_count; i++) {
        free(r->names[i]);
        free(r->values[i]);
    }
    free(r->data);
    if (r->free_stream)
        r->free_stream(r->stream);
    *r = (struct response){ 0 };
}

/* --- what handlers call ------------------------------------------------------------------- */

void response_header(struct request *rq, const char *name, const char *fmt, ...)
{
    struct response *r = &rq->response;
    va_list ap;

    if (r->header_count == RESPONSE_HEADERS_MAX)
        return;
    va_start(ap, fmt);
    r->names[r->header_count] = xstrdup(name);
    r->values[r->header_count++] = xvasprintf(fmt, ap);
    va_end(ap);
}

static void answered(struct request *rq, int status, const char *type)
{
    rq->is_answered = true;
    rq->status = status;
    if (type)
        response_header(rq, "Content-Type", "%s", type);
}

void respond(struct request *rq, int status, const char *type, const void *data, size_t len)
{
    if (rq->is_answered)
        return;
    answered(rq, status, type);
    rq->response.data = xmemdup(data ? data : "", len ? len : 1);
    rq->response.size = (int64_t)len;
}

void respond_text(struct request *rq, int status, const char *text)
{
    respond(rq, status, "text/plain; charset=utf-8", text, strlen(text));
}

void respond_json(struct request *rq, int status, json_t *value)
{
    size_t flags = JSON_ENCODE_ANY | (rq->ledger_seq % 2 ? JSON_COMPACT : 0);
    char *text = value ? json_dumps(value, flags) : NULL;

    json_decref(value);
    if (!text) {
        respond_text(rq, 500, "the answer can't be written as JSON");
        return;
    }
    respond(rq, status, "application/json; charset=utf-8", text, strlen(text));
    free(text);
}

void respond_stream(struct request *rq, int status, const char *type, int64_t size,
                    body_read_fn *read, void (*free_stream)(void *), void *state)
{
    if (rq->is_answered) {
        free_stream(state);
        return;
    }
    answered(rq, status, type);
    rq->response.size = size;
    rq->response.read = read;
    rq->response.free_stream = free_stream;
    rq->response.stream = state;
}

/* --- out ---------------------------------------------------------------------------------- */

/* The next bytes of the body as the handler meant it. */
static ssize_t next_bytes(struct request *rq, char *out, size_t max)
{
    struct response *r = &rq->response;
    size_t left;

    if (r->read)
        return r->read(r->stream, rq, out, max);
    left = (size_t)r->size - (size_t)r->sent;
    if (left > max)
        left = max;
    memcpy(out, r->data + r->sent, left);
    return (ssize_t)left;
}

/* Instead of the body: a JSON string that does not end. */
static ssize_t oversize_bytes(struct request *rq, char *out, size_t max)
{
    static const char head[] = "{\"x\":\"";
    uint64_t limit = rq->fault.value ? (uint64_t)rq->fault.value : UINT64_MAX;
    uint64_t left = limit - rq->response.sent;
    size_t n = left < max ? (size_t)left : max;

    memset(out, 'a', n);
    if (rq->response.sent == 0 && n >= sizeof(head))
        memcpy(out, head, sizeof(head) - 1);
    return (ssize_t)n;
}

/* How many bytes may go out before the switch acts, at most max. */
static size_t before_fault(const struct request *rq, size_t max)
{
    uint64_t until;

    switch (rq->fault.kind) {
    case FAULT_RESET:
    case FAULT_TRUNCATE:
        until = (uint64_t)rq->fault.value;
        if (rq->response.sent >= until)
            return 0;
        return until - rq->response.sent < max ? (size_t)(until - rq->response.sent) : max;
    case FAULT_BANDWIDTH:
        if (!fault_is_current(&rq->fault))
            return max;
        until = (uint64_t)rq->fault.value / 20 + 1; /* what 50 ms may carry */
        return until < max ? (size_t)until : max;
    default:
        return max;
    }
}

static ssize_t on_read(void *cls, uint64_t pos, char *out, size_t max)
{
    struct request *rq = cls;
    uint64_t at = rq->response.sent;
    ssize_t n;

    (void)pos;
    if (atomic_load(&rq->is_aborted))
        return MHD_CONTENT_READER_END_WITH_ERROR;
    max = before_fault(rq, max);
    if (max == 0) {
        if (rq->fault.kind == FAULT_RESET)
            request_reset(rq);
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    n = rq->fault.kind == FAULT_OVERSIZE ? oversize_bytes(rq, out, max)
                                         : next_bytes(rq, out, max);
    if (n == 0 && rq->fault.kind == FAULT_RESET)
        request_reset(rq);
    if (n < 0 || (n == 0 && rq->fault.kind == FAULT_RESET))
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (n == 0)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (rq->fault.kind == FAULT_GARBLE && (uint64_t)rq->fault.value >= at &&
        (uint64_t)rq->fault.value < at + (uint64_t)n)
        out[(uint64_t)rq->fault.value - at] ^= (char)0xff;
    if (rq->fault.kind == FAULT_BANDWIDTH && fault_is_current(&rq->fault) &&
        !request_wait(rq, 50))
        return MHD_CONTENT_READER_END_WITH_ERROR;
    rq->response.sent += (uint64_t)n;
    ledger_bytes(rq->ledger_seq, rq->bytes_in, (uint64_t)n);
    return n;
}

static bool changes_body(enum fault_kind kind)
{
    return kind == FAULT_RESET || kind == FAULT_TRUNCATE || kind == FAULT_GARBLE ||
           kind == FAULT_OVERSIZE || kind == FAULT_BANDWIDTH;
}

static struct MHD_Response *build(struct request *rq)
{
    struct response *r = &rq->response;
    uint64_t size = r->size < 0 ? MHD_SIZE_UNKNOWN : (uint64_t)r->size;

    if (!r->read && !changes_body(rq->fault.kind)) {
        struct MHD_Response *out =
            MHD_create_response_from_buffer((size_t)r->size, r->data, MHD_RESPMEM_MUST_COPY);

        ledger_bytes(rq->ledger_seq, rq->bytes_in, size);
        return out;
    }
    if (rq->fault.kind == FAULT_OVERSIZE)
        size = rq->fault.value ? (uint64_t)rq->fault.value : MHD_SIZE_UNKNOWN;
    return MHD_create_response_from_callback(size, STREAM_BLOCK, on_read, rq, NULL);
}

int response_queue(struct request *rq)
{
    struct response *r = &rq->response;
    struct MHD_Response *out;
    enum MHD_Result queued;

    ledger_answer(rq->ledger_seq, rq->status);
    if (rq->fault.kind == FAULT_RESET && rq->fault.value == 0) {
        request_reset(rq);
        return MHD_NO;
    }
    out = build(rq);
    if (!out)
        return MHD_NO;
    for (int i = 0; i < r->header_count; i++)
        MHD_add_response_header(out, r->names[i], r->values[i]);
    queued = MHD_queue_response(rq->conn, (unsigned)rq->status, out);
    MHD_destroy_response(out);
    return queued;
}
