/* SPDX-License-Identifier: MIT */
/* A transfer's life, and what libcurl calls back. */
#include "http/transfer.h"

#include "util/xalloc.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum {
    CONNECT_MS = 3000,
    FIRST_BYTE_MS = 10000,
    STALL_MS = 30000,
    HEADERS_MAX = 256 << 10, /* libcurl has no limit of its own for all of them together */
};

#define BODY_MAX_DEFAULT MIB(4)

int64_t transfer_now_ms(const struct http_transfer *t)
{
    return loop_now_ms(engine_loop(t->engine));
}

/* ---- libcurl's callbacks: they note and pass on, and never touch the multi handle ---- */

/* An interim answer (100, 103), or the final one? */
static bool is_interim(int status)
{
    return status >= 100 && status < 200 && status != 101;
}

/* "HTTP/1.1 206 Partial Content" */
static int parse_status(const char *line, size_t len)
{
    const char *space = memchr(line, ' ', len);
    int status = 0;

    if (!space)
        return 0;
    for (const char *p = space + 1; p < line + len && *p >= '0' && *p <= '9'; p++)
        status = status * 10 + (*p - '0');
    return status;
}

/* The lines are complete: makes the pointers that http_head promises. */
static void index_headers(struct http_transfer *t)
{
    size_t n = 0, i = 0;
    const char *end = t->lines.data + t->lines.len;

    for (size_t k = 0; k < t->lines.len; k++)
        n += t->lines.data[k] == '\0';
    free(t->line_pointers);
    t->line_pointers = xcalloc(n + 1, sizeof(*t->line_pointers));
    for (const char *p = t->lines.data; p && p < end; p += strlen(p) + 1)
        t->line_pointers[i++] = p;
    t->resp.head.headers = t->line_pointers;
}

static int head_complete(struct http_transfer *t)
{
    curl_off_t length = -1;
    int r = 0;

    index_headers(t);
    t->head_done = true;
    if (curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length) == CURLE_OK)
        t->resp.head.content_length = length;
    /* Who has answered does not read on, and libcurl would wait for us to send the rest. */
    if (t->body.kind == HTTP_BODY_PULL && t->body_sent_ms < 0) {
        t->end_body = t->want_resume_body = true;
        engine_ask(t);
    }
    if (t->on_head)
        r = t->on_head(t->arg, &t->resp.head);
    if (r < 0)
        e2b_fail(&t->err, -r, "%s: the answer was refused", t->host);
    return r;
}

static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
    struct http_transfer *t = arg;
    size_t len = size * n;
    size_t text = len;

    t->active_ms = transfer_now_ms(t);
    if (t->err.errnum)
        return 0;
    if (t->head_done)
        return len; /* a trailer */
    while (text > 0 && (line[text - 1] == '\r' || line[text - 1] == '\n'))
        text--;
    if (len >= 5 && strncasecmp(line, "HTTP/", 5) == 0) {
        buf_reset(&t->lines);
        t->resp.head.status = parse_status(line, text);
        return len;
    }
    if (text == 0) {
        if (is_interim(t->resp.head.status))
            return len;
        return head_complete(t) < 0 ? 0 : len;
    }
    if (memchr(line, '\0', text)) {
        e2b_fail(&t->err, EPROTO, "%s: a header of the answer contains NUL", t->host);
        return 0;
    }
    if (buf_append(&t->lines, line, text) < 0 || buf_append(&t->lines, "", 1) < 0) {
        e2b_fail(&t->err, EFBIG, "%s: the answer's headers are too long", t->host);
        return 0;
    }
    return len;
}

static size_t collect(struct http_transfer *t, const char *data, size_t len)
{
    int r = buf_append(&t->collected, data, len);

    if (r == 0)
        return len;
    e2b_fail(&t->err, -r, "%s: the answer is longer than %zu bytes", t->host,
             t->limits.max_body);
    return 0;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    struct http_transfer *t = arg;
    size_t len = size * n;
    int r;

    t->active_ms = transfer_now_ms(t);
    if (len == 0 || t->err.errnum)
        return 0;
    if (!t->on_data || t->resp.head.status >= 400)
        return collect(t, data, len);
    r = t->on_data(t->arg, data, len);
    if (r == 0)
        return len;
    if (r == HTTP_PAUSE) {
        t->recv_paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    e2b_fail(&t->err, -r, "%s: the answer was refused", t->host);
    return 0;
}

static size_t read_fd(struct http_transfer *t, char *out, size_t room)
{
    uint64_t left = t->body.len - t->body_read;
    ssize_t n;

    if (room > left)
        room = (size_t)left;
    if (room == 0)
        return 0;
    do
        n = pread(t->body.fd, out, room, t->body.off + (off_t)t->body_read);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        return (size_t)n;
    if (n < 0)
        e2b_fail(&t->err, errno, "%s: reading what to send: %s", t->host, strerror(errno));
    else
        e2b_fail(&t->err, EIO, "%s: what to send became shorter while it was sent", t->host);
    return CURL_READFUNC_ABORT;
}

static size_t read_pull(struct http_transfer *t, char *out, size_t room)
{
    ssize_t n = t->end_body ? 0 : t->body.pull(t->arg, out, room);

    assert(n <= (ssize_t)room);
    if (n >= 0)
        return (size_t)n;
    if (n == -EAGAIN) {
        t->send_paused = true;
        return CURL_READFUNC_PAUSE;
    }
    e2b_fail(&t->err, (int)-n, "%s: what to send could not be read", t->host);
    return CURL_READFUNC_ABORT;
}

static size_t on_read(char *out, size_t size, size_t n, void *arg)
{
    struct http_transfer *t = arg;
    size_t r;

    t->active_ms = transfer_now_ms(t);
    if (t->err.errnum)
        return CURL_READFUNC_ABORT;
    r = t->body.kind == HTTP_BODY_FD ? read_fd(t, out, size * n) : read_pull(t, out, size * n);
    if (r == CURL_READFUNC_ABORT || r == CURL_READFUNC_PAUSE)
        return r;
    t->body_read += r;
    if (r == 0 || (t->body.kind == HTTP_BODY_FD && t->body_read == t->body.len))
        t->body_sent_ms = t->active_ms;
    return r;
}

/*
 * Before a request is sent, and again when libcurl wants to repeat one that a kept connection
 * lost.  Whether a repetition is safe is not libcurl's business but retry.c's; only where HTTP
 * itself says that it is (GET, HEAD) the short way is allowed.
 */
static int on_prereq(void *arg, char *ip, char *local_ip, int port, int local_port)
{
    struct http_transfer *t = arg;

    (void)ip;
    (void)local_ip;
    (void)port;
    (void)local_port;
    if (++t->attempts == 1 || strcmp(t->method, "GET") == 0 || strcmp(t->method, "HEAD") == 0)
        return CURL_PREREQFUNC_OK;
    e2b_fail(&t->err, ECONNRESET, "%s: the connection was closed before an answer came",
             t->host);
    return CURL_PREREQFUNC_ABORT;
}

/* ---- life ---- */

static void set_callbacks(struct http_transfer *t)
{
    (void)curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
    (void)curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
    (void)curl_easy_setopt(t->easy, CURLOPT_READFUNCTION, on_read);
    (void)curl_easy_setopt(t->easy, CURLOPT_READDATA, t);
    (void)curl_easy_setopt(t->easy, CURLOPT_PREREQFUNCTION, on_prereq);
    (void)curl_easy_setopt(t->easy, CURLOPT_PREREQDATA, t);
}

static int64_t or_default(int64_t value, int64_t fallback)
{
    return value ? value : fallback;
}

struct http_transfer *transfer_new(struct http_engine *engine, const struct http_request *req,
                                   http_done_fn *done, void *arg)
{
    struct http_transfer *t = xcalloc(1, sizeof(*t));

    *t = (struct http_transfer){
        .engine = engine,
        .id = engine_next_id(engine),
        .method = xstrdup(req->method),
        .label = req->label ? req->label : "-",
        .body = req->body,
        .on_head = req->on_head,
        .on_data = req->on_data,
        .done = done,
        .arg = arg,
        .limits = req->limits,
        .body_sent_ms = -1,
        .socket = CURL_SOCKET_BAD,
        .lines = BUF_MAX(HEADERS_MAX),
        .resp.head.content_length = -1,
        .resp.body = &t->collected,
    };
    t->limits.connect_ms = or_default(req->limits.connect_ms, CONNECT_MS);
    t->limits.first_byte_ms = or_default(req->limits.first_byte_ms, FIRST_BYTE_MS);
    t->limits.stall_ms = or_default(req->limits.stall_ms, STALL_MS);
    if (t->limits.max_body == 0)
        t->limits.max_body = BODY_MAX_DEFAULT;
    t->collected.max = t->limits.max_body;
    t->started_ms = t->active_ms = transfer_now_ms(t);
    if (transfer_prepare(t, req) == 0)
        set_callbacks(t);
    return t;
}

void transfer_free(struct http_transfer *t)
{
    if (!t)
        return;
    loop_timer_stop(engine_loop(t->engine), &t->deadline);
    curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->request_headers);
    buf_clear(&t->lines);
    buf_clear(&t->collected);
    free(t->line_pointers);
    free(t->method);
    free(t->host);
    free(t);
}
