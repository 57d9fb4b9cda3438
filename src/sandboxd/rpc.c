/* SPDX-License-Identifier: MIT */
#include "rpc.h"

#include "frames.h"
#include "gzip.h"
#include "util/codec.h"
#include "util/json.h"
#include "util/xalloc.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define TYPE_UNARY  "application/json"
#define TYPE_STREAM "application/connect+json"

enum { KEEPALIVE_DEFAULT_S = 90 };

/* envd.md 2.6 */
static const int http_status[] = {
    [E2B_CONNECT_CANCELED] = 499,
    [E2B_CONNECT_UNKNOWN] = 500,
    [E2B_CONNECT_INVALID_ARGUMENT] = 400,
    [E2B_CONNECT_DEADLINE_EXCEEDED] = 504,
    [E2B_CONNECT_NOT_FOUND] = 404,
    [E2B_CONNECT_ALREADY_EXISTS] = 409,
    [E2B_CONNECT_PERMISSION_DENIED] = 403,
    [E2B_CONNECT_RESOURCE_EXHAUSTED] = 429,
    [E2B_CONNECT_FAILED_PRECONDITION] = 400,
    [E2B_CONNECT_ABORTED] = 409,
    [E2B_CONNECT_OUT_OF_RANGE] = 400,
    [E2B_CONNECT_UNIMPLEMENTED] = 501,
    [E2B_CONNECT_INTERNAL] = 500,
    [E2B_CONNECT_UNAVAILABLE] = 503,
    [E2B_CONNECT_DATA_LOSS] = 500,
    [E2B_CONNECT_UNAUTHENTICATED] = 401,
};

int rpc_http_status(enum e2b_connect_code code)
{
    if ((size_t)code >= ARRAY_LEN(http_status) || http_status[code] == 0)
        return 500;
    return http_status[code];
}

/* --- answers ------------------------------------------------------------------------------ */

static json_t *error_object(enum e2b_connect_code code, const char *text)
{
    json_t *o = json_pack("{s:s}", "code", e2b_connect_code_name(code));
    json_t *message = text[0] ? json_string(text) : NULL;

    /* Go replaces what isn't UTF-8; we say so. */
    if (text[0] && !message)
        message = json_string("the message isn't UTF-8");
    if (message)
        json_object_set_new(o, "message", message);
    return o;
}

json_t *rpc_end_message(enum e2b_connect_code code, const char *text)
{
    if (code == E2B_CONNECT_NONE)
        return json_object();
    return json_pack("{s:o}", "error", error_object(code, text));
}

int rpc_frame(struct buf *out, uint8_t flags, json_t *message)
{
    autobuf struct buf text = BUF_MAX(MIB(64));
    int r = message ? jdump(message, &text) : -1;

    json_decref(message);
    return r < 0 ? r : frame_put(out, flags, text.data, text.len);
}

void rpc_fail(struct rpc *rpc, enum e2b_connect_code code, const char *fmt, ...)
{
    autofree char *text = NULL;
    autobuf struct buf frame = BUF_MAX(MIB(1));
    va_list ap;

    va_start(ap, fmt);
    text = xvasprintf(fmt, ap);
    va_end(ap);
    if (rpc->kind == RPC_UNARY) {
        autobuf struct buf body = BUF_MAX(MIB(1));
        autojson json_t *o = error_object(code, text);

        jdump(o, &body);
        respond(rpc->rq, rpc_http_status(code), TYPE_UNARY, body.data, body.len);
        return;
    }
    rpc_frame(&frame, FRAME_END, rpc_end_message(code, text));
    respond(rpc->rq, 200, TYPE_STREAM, frame.data, frame.len);
}

static void respond_unary(struct rpc *rpc, const char *text, size_t len)
{
    autobuf struct buf packed = BUF_MAX(MIB(256));

    if (rpc->wants_gzip && gzip_buf(text, len, &packed) == 0) {
        response_header(rpc->rq, "Content-Encoding", "gzip");
        respond(rpc->rq, 200, TYPE_UNARY, packed.data, packed.len);
    } else {
        respond(rpc->rq, 200, TYPE_UNARY, text, len);
    }
}

void rpc_reply(struct rpc *rpc, json_t *message)
{
    autojson json_t *owned = message ? message : json_object();
    size_t flags = rpc->rq->ledger_seq % 2 ? JSON_COMPACT : 0;
    char *text = json_dumps(owned, flags);

    if (!text) {
        rpc_fail(rpc, E2B_CONNECT_INTERNAL, "marshal message: the answer can't be encoded");
        return;
    }
    respond_unary(rpc, text, strlen(text));
    free(text);
}

/* --- requests ----------------------------------------------------------------------------- */

/* `type` without parameters equals `wanted`. */
static bool is_type(const char *type, const char *wanted)
{
    size_t len = strlen(wanted);

    return type && strncasecmp(type, wanted, len) == 0 &&
           (type[len] == '\0' || type[len] == ';' || type[len] == ' ');
}

static bool is_coding(const char *text, const char *name)
{
    return text && strcasecmp(text, name) == 0;
}

/* The first coding of the list that is known decides; weights are ignored. */
static bool accepts_gzip(const char *list)
{
    while (list && *list) {
        size_t len;

        list += strspn(list, " \t,");
        len = strcspn(list, " \t,;");
        if (len == 4 && strncasecmp(list, "gzip", len) == 0)
            return true;
        if (len == 8 && strncasecmp(list, "identity", len) == 0)
            return false;
        list += strcspn(list, ",");
    }
    return false;
}

/* What must hold before the call exists: these failures have a status of their own. */
static bool check_headers(struct rpc *rpc)
{
    struct request *rq = rpc->rq;
    const char *encoding = request_header(
        rq, rpc->kind == RPC_UNARY ? "Content-Encoding" : "Connect-Content-Encoding");
    const char *version = request_header(rq, "Connect-Protocol-Version");
    const char *accept = request_header(rq, "Accept-Encoding");

    if (!is_type(request_header(rq, "Content-Type"),
                 rpc->kind == RPC_UNARY ? TYPE_UNARY : TYPE_STREAM)) {
        response_header(rq, "Accept-Post", "%s",
                        rpc->kind == RPC_UNARY ? TYPE_UNARY : TYPE_STREAM);
        respond(rq, 415, NULL, NULL, 0);
        return false;
    }
    if (encoding && encoding[0] && !is_coding(encoding, "identity") &&
        !is_coding(encoding, "gzip")) {
        rpc_fail(rpc, E2B_CONNECT_UNIMPLEMENTED,
                 "unknown compression \"%s\": supported encodings are gzip", encoding);
        return false;
    }
    rpc->is_packed = is_coding(encoding, "gzip");
    /* What came packed is answered packed, unless the client says otherwise. */
    rpc->wants_gzip = accept && accept[0] ? accepts_gzip(accept) : rpc->is_packed;
    if (version && strcmp(version, "1") != 0) {
        rpc_fail(rpc, E2B_CONNECT_INVALID_ARGUMENT,
                 "connect-protocol-version must be \"1\": got \"%s\"", version);
        return false;
    }
    return true;
}

static bool check_timeout(struct rpc *rpc)
{
    const char *text = request_header(rpc->rq, "Connect-Timeout-Ms");
    long long ms;
    char *end;

    if (!text)
        return true;
    ms = strtoll(text, &end, 10);
    if (end == text || *end || strlen(text) > 10) {
        rpc_fail(rpc, E2B_CONNECT_INVALID_ARGUMENT, "parse timeout: \"%s\" is not a number",
                 text);
        return false;
    }
    if (ms <= 0) {
        rpc_fail(rpc, E2B_CONNECT_DEADLINE_EXCEEDED, "context deadline exceeded");
        return false;
    }
    rpc->time_limit_ms = ms;
    return true;
}

/* The name in Authorization: Basic; what isn't Basic is ignored. */
static char *basic_user(struct request *rq)
{
    const char *header = request_header(rq, "Authorization");
    autobuf struct buf text = BUF_MAX(KIB(4));

    if (!header || strncasecmp(header, "Basic ", 6) != 0 ||
        base64_decode(header + 6, strlen(header + 6), &text) < 0 ||
        !memchr(buf_str(&text), ':', text.len))
        return xstrdup("user");
    return xstrndup(text.data, strcspn(text.data, ":"));
}

/* The one message of the body: whole for unary calls, enveloped for streams. */
static bool find_message(struct rpc *rpc, const char **data, size_t *len)
{
    const struct buf *body = &rpc->rq->body;
    struct frame frame, extra;
    size_t used;

    *data = buf_str(body);
    *len = body->len;
    if (rpc->kind == RPC_UNARY) {
        if (body->len > 0)
            return true;
        rpc_fail(rpc, E2B_CONNECT_INVALID_ARGUMENT,
                 "unmarshal message: zero-length payload is not a valid JSON object");
        return false;
    }
    if (!frame_get(body->data, body->len, &frame)) {
        rpc_fail(rpc, E2B_CONNECT_INVALID_ARGUMENT,
                 "protocol error: promised %u bytes in enveloped message, got %zu bytes",
                 frame.len, frame.have);
        return false;
    }
    used = FRAME_HEADER + frame.len;
    if (frame_get(body->data + used, body->len - used, &extra) && !(extra.flags & FRAME_END)) {
        rpc_fail(rpc, E2B_CONNECT_UNIMPLEMENTED, "unary request has multiple messages");
        return false;
    }
    *data = frame.data;
    *len = frame.len;
    return true;
}

/* Unpacks the message, if it is packed. */
static bool unpack(struct rpc *rpc, const char **data, size_t *len)
{
    bool is_frame = rpc->kind == RPC_STREAM;
    int r;

    if (is_frame && !(buf_str(&rpc->rq->body)[0] & FRAME_COMPRESSED))
        return true;
    if (is_frame && !rpc->is_packed) {
        rpc_fail(rpc, E2B_CONNECT_INTERNAL,
                 "protocol error: sent compressed message without compression support");
        return false;
    }
    if (!rpc->is_packed || *len == 0)
        return true;
    rpc->plain.max = BODY_MAX_DEFAULT;
    r = gunzip_buf(*data, *len, &rpc->plain);
    if (r < 0) {
        rpc_fail(rpc,
                 r == -EFBIG ? E2B_CONNECT_RESOURCE_EXHAUSTED : E2B_CONNECT_INVALID_ARGUMENT,
                 "get decompressor: gzip: %s",
                 r == -EFBIG ? "the message is too big" : "invalid header");
        return false;
    }
    *data = buf_str(&rpc->plain);
    *len = rpc->plain.len;
    return true;
}

bool rpc_begin(struct rpc *rpc, struct request *rq, enum rpc_kind kind)
{
    struct e2b_err err = { 0 };
    const char *data;
    size_t len;

    *rpc = (struct rpc){ .rq = rq, .kind = kind };
    if (!check_headers(rpc) || !check_timeout(rpc) || !find_message(rpc, &data, &len) ||
        !unpack(rpc, &data, &len))
        return false;
    if (jparse(data, len, &rpc->in, &err) < 0 || !json_is_object(rpc->in)) {
        rpc_fail(rpc, E2B_CONNECT_INVALID_ARGUMENT, "unmarshal message: %s",
                 err.errnum ? err.msg : "expected an object");
        return false;
    }
    rpc->user = basic_user(rq);
    return true;
}

void rpc_end(struct rpc *rpc)
{
    json_decref(rpc->in);
    free(rpc->user);
    buf_clear(&rpc->plain);
    *rpc = (struct rpc){ 0 };
}

/* --- members ------------------------------------------------------------------------------ */

json_t *rpc_get(const json_t *message, const char *name)
{
    json_t *v = json_object_get(message, name);
    char snake[64];
    size_t n = 0;

    if (!v) {
        for (const char *p = name; *p && n + 2 < sizeof(snake); p++) {
            if (isupper((unsigned char)*p))
                snake[n++] = '_';
            snake[n++] = (char)tolower((unsigned char)*p);
        }
        snake[n] = '\0';
        v = json_object_get(message, snake);
    }
    return json_is_null(v) ? NULL : v;
}

const char *rpc_string(const json_t *message, const char *name, size_t *len)
{
    json_t *v = rpc_get(message, name);

    if (len)
        *len = json_string_length(v);
    return json_is_string(v) ? json_string_value(v) : "";
}

bool rpc_bool(const json_t *message, const char *name, bool otherwise)
{
    json_t *v = rpc_get(message, name);

    return json_is_boolean(v) ? json_is_true(v) : otherwise;
}

bool rpc_uint32(const json_t *message, const char *name, uint32_t otherwise, uint32_t *out)
{
    int64_t n = otherwise;

    if (rpc_get(message, name) && jget_int64(message, name, &n, NULL) < 0)
        return false;
    if (n < 0 || n > UINT32_MAX)
        return false;
    *out = (uint32_t)n;
    return true;
}

bool rpc_bytes(const json_t *message, const char *name, struct buf *out)
{
    size_t len, n;
    const char *text = rpc_string(message, name, &len);
    autobuf struct buf plain = BUF_MAX(MIB(64));

    /* Both alphabets, padding or not: make it the strict form. */
    if (buf_append(&plain, text, len) < 0)
        return false;
    for (size_t i = 0; i < plain.len; i++) {
        if (plain.data[i] == '-')
            plain.data[i] = '+';
        if (plain.data[i] == '_')
            plain.data[i] = '/';
    }
    n = (4 - plain.len % 4) % 4;
    while (n-- > 0)
        if (buf_putc(&plain, '=') < 0)
            return false;
    return base64_decode(buf_str(&plain), plain.len, out) == 0;
}

int64_t rpc_keepalive_s(struct request *rq)
{
    const char *text = request_header(rq, "Keepalive-Ping-Interval");
    char *end;
    long long s;

    if (!text)
        return KEEPALIVE_DEFAULT_S;
    s = strtoll(text, &end, 10);
    if (end == text || *end)
        return KEEPALIVE_DEFAULT_S;
    /* Zero or less would crash the real envd; a test server should survive it. */
    return s > 0 && s < 1000000 ? s : KEEPALIVE_DEFAULT_S;
}
