/* SPDX-License-Identifier: MIT */
#include "connect.h"

#include "client.h"

#include "util/error.h"
#include "util/xalloc.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
    /* Real messages are below 50 KB (envd.md 2.5). */
    MAX_MESSAGE = 4 * 1024 * 1024,
    /* A silent stream is dead after three of these.  Never 0: that crashes envd (12.3). */
    KEEPALIVE_S = 10,
    /* Beyond the server's own limit, for a server that does not keep it. */
    TIMEOUT_MARGIN_MS = 10 * 1000,
};

static void bad_text(struct e2b_call *call, const struct call_request *req)
{
    struct e2b_err err = { 0 };

    e2b_fail(&err, EILSEQ, "sandbox %s: %s: the text is not UTF-8, which envd cannot be told",
             req->id, endpoints[req->endpoint].name);
    call_end_later(call, &err);
}

void connect_unary(struct e2b_call *call, struct call_request *req, json_t *message)
{
    int r = message ? jdump(message, &req->body) : -EILSEQ;

    json_decref(message);
    if (r < 0) {
        buf_clear(&req->body);
        bad_text(call, req);
        return;
    }
    call_send(call, req);
}

/* {"error": {"code", "message"}, "metadata"}; {} is success. */
static int end_message(struct connect_stream *stream, const char *payload, size_t len)
{
    autojson json_t *root = NULL;
    const json_t *error;
    const char *code, *message;
    int r = jparse(payload, len, &root, &stream->err);

    if (r < 0)
        return r;
    error = json_object_get(root, "error");
    if (!error || json_is_null(error))
        return 0;
    code = json_string_value(json_object_get(error, "code"));
    message = json_string_value(json_object_get(error, "message"));
    if (!message)
        message = "failed";
    stream->err.code = code ? connect_code_parse(code) : E2B_CONNECT_UNKNOWN;
    if (stream->err.code == E2B_CONNECT_NONE)
        stream->err.code = E2B_CONNECT_UNKNOWN;
    return e2b_fail(&stream->err,
                    answer_connect_errno(stream->ep, 200, stream->err.code, message), "%s (%s)",
                    message, e2b_connect_code_name(stream->err.code));
}

static int on_envelope(void *arg, uint8_t flags, const char *payload, size_t len)
{
    struct connect_call *cc = arg;
    autojson json_t *root = NULL;
    int r;

    if (flags & ENVELOPE_END)
        return end_message(&cc->stream, payload, len);
    r = jparse(payload, len, &root, &cc->stream.err);
    if (r == 0)
        r = cc->stream.on_message(&cc->call, root, &cc->stream.err);
    return r;
}

static int on_data(void *arg, const char *data, size_t len)
{
    struct connect_call *cc = arg;

    if (cc->stream.is_paused)
        return HTTP_PAUSE; /* the same bytes come again */
    return envelope_feed(&cc->stream.decoder, data, len, on_envelope, cc, &cc->stream.err);
}

static void on_answer(struct e2b_call *call, const struct answer *answer)
{
    struct connect_call *cc = (struct connect_call *)call;
    struct e2b_err err = { 0 };

    /* What the stream itself said is closer to the cause than the transfer that it ended. */
    if (cc->stream.err.errnum) {
        err = cc->stream.err;
        call_scrub(call->client, NULL, &err);
    } else if (answer->err) {
        err = *answer->err;
    } else {
        envelope_finish(&cc->stream.decoder, &err);
    }
    cc->stream.on_end(call, err.errnum ? &err : NULL);
}

void connect_start(struct connect_call *cc, const struct connect_stream_spec *spec,
                   json_t *message)
{
    autobuf struct buf text = BUF_INIT;
    struct call_request req = {
        .endpoint = spec->endpoint,
        .id = spec->id,
        .subject = spec->subject,
        .user = spec->user,
        .on_data = on_data,
        .on_answer = on_answer,
        .may_pause = spec->may_pause,
    };
    int n = 0;
    int r;

    cc->stream.on_message = spec->on_message;
    cc->stream.on_end = spec->on_end;
    cc->stream.ep = &endpoints[spec->endpoint];
    envelope_decoder_init(&cc->stream.decoder, MAX_MESSAGE);
    r = message ? jdump(message, &text) : -EILSEQ;
    json_decref(message);
    if (r == 0)
        r = envelope_append(&req.body, 0, text.data, text.len);
    if (r < 0) {
        buf_clear(&req.body);
        bad_text(&cc->call, &req);
        return;
    }
    req.headers[n++] = xasprintf("Keepalive-Ping-Interval: %d", KEEPALIVE_S);
    /* 0 would mean "expired already", so it is left out for "no limit". */
    if (spec->timeout_ms > 0) {
        req.headers[n++] = xasprintf("Connect-Timeout-Ms: %" PRId64, spec->timeout_ms);
        req.total_ms = spec->timeout_ms + TIMEOUT_MARGIN_MS;
    }
    call_send(&cc->call, &req);
}

void connect_pause(struct connect_call *cc)
{
    cc->stream.is_paused = true;
}

void connect_resume(struct connect_call *cc)
{
    cc->stream.is_paused = false;
    if (cc->call.x.transfer)
        http_resume(cc->call.x.transfer);
}

void connect_clear(struct connect_call *cc)
{
    envelope_decoder_clear(&cc->stream.decoder);
}
