/* SPDX-License-Identifier: MIT */
#include "http/transfer.h"

#include "util/log.h"
#include "util/xalloc.h"

#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    CONNECT_MS = 3000,
    FIRST_BYTE_MS = 10000,
    STALL_MS = 30000,
    /* How often unsent bytes are looked at while a body is on its way. */
    SEND_CHECK_MS = 1000,
    /* Bodies that go out with the head: not worth watching. */
    SMALL_BODY = 64 << 10,
    HEADERS_MAX = 256 << 10, /* libcurl has no limit of its own for all of them together */
    KEEPALIVE_IDLE_S = 30,
    KEEPALIVE_INTERVAL_S = 15,
};

#define BODY_MAX_DEFAULT MIB(4)
#define RECV_BUFFER      KIB(128) /* for bodies that are streamed */
#define SEND_BUFFER      KIB(256)

/* ---- libcurl's callbacks: they note and pass on, and never touch the multi handle ---- */

static int64_t now_ms(const struct http_transfer *t)
{
    return loop_now_ms(engine_loop(t->engine));
}

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

    t->active_ms = now_ms(t);
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

    t->active_ms = now_ms(t);
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

    t->active_ms = now_ms(t);
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

/* ---- from request to easy handle ---- */

static bool is_loopback(const char *host)
{
    size_t len = strlen(host);

    return strcasecmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
           strcmp(host, "[::1]") == 0 ||
           (len > 10 && strcasecmp(host + len - 10, ".localhost") == 0);
}

struct url_parts {
    char *scheme, *host, *port; /* libcurl's; port may be NULL */
};

static int parse_url(struct http_transfer *t, const char *text, struct url_parts *out)
{
    CURLU *url = curl_url();
    CURLUcode rc = url ? curl_url_set(url, CURLUPART_URL, text, 0) : CURLUE_OUT_OF_MEMORY;

    if (rc == CURLUE_OK)
        rc = curl_url_get(url, CURLUPART_SCHEME, &out->scheme, 0);
    if (rc == CURLUE_OK)
        rc = curl_url_get(url, CURLUPART_HOST, &out->host, 0);
    if (rc == CURLUE_OK)
        (void)curl_url_get(url, CURLUPART_PORT, &out->port, 0);
    curl_url_cleanup(url);
    /* Not the URL itself: its query may hold a signature. */
    if (rc != CURLUE_OK)
        return e2b_fail(&t->err, EINVAL, "bad URL: %s", curl_url_strerror(rc));
    if (strcmp(out->scheme, "http") != 0 && strcmp(out->scheme, "https") != 0)
        return e2b_fail(&t->err, EINVAL, "bad URL: scheme %s, expected http or https",
                        out->scheme);
    return 0;
}

static void url_parts_clear(struct url_parts *u)
{
    curl_free(u->scheme);
    curl_free(u->host);
    curl_free(u->port);
}

static bool has_header(const struct http_request *req, const char *name)
{
    struct http_head head = { .headers = req->headers };

    return http_header(&head, name) != NULL;
}

static int add_header(struct http_transfer *t, const char *line)
{
    struct curl_slist *list;

    if (strpbrk(line, "\r\n"))
        return e2b_fail(&t->err, EINVAL, "%s: a header contains a line break", t->host);
    list = curl_slist_append(t->request_headers, line);
    if (!list)
        return e2b_fail(&t->err, ENOMEM, "%s: out of memory", t->host);
    t->request_headers = list;
    return 0;
}

static int set_headers(struct http_transfer *t, const struct http_request *req)
{
    int r = add_header(t, "Expect:"); /* else libcurl may wait a second for 100 Continue */

    for (const char *const *h = req->headers; r == 0 && h && *h; h++)
        r = add_header(t, *h);
    /* libcurl invents a form type. */
    if (r == 0 && !has_header(req, "Content-Type"))
        r = add_header(t, "Content-Type:");
    if (r == 0 && !has_header(req, "Accept"))
        r = add_header(t, "Accept: */*");
    return r;
}

/* All options that can't fail but for memory. */
#define SET(option, value) (void)curl_easy_setopt(t->easy, option, value)

static void set_body(struct http_transfer *t)
{
    bool is_post = strcmp(t->method, "POST") == 0;

    switch (t->body.kind) {
    case HTTP_BODY_NONE:
        t->body_sent_ms = t->started_ms;
        if (strcmp(t->method, "HEAD") == 0) {
            SET(CURLOPT_NOBODY, 1L);
            return;
        }
        /* An empty body for these is announced as such. */
        if (is_post || strcmp(t->method, "PUT") == 0 || strcmp(t->method, "PATCH") == 0)
            SET(CURLOPT_POSTFIELDS, "");
        break;
    case HTTP_BODY_BYTES:
        if (t->body.len <= SMALL_BODY)
            t->body_sent_ms = t->started_ms;
        /* Not copied, and sent together with the head while it is short. */
        SET(CURLOPT_POSTFIELDS, t->body.len ? t->body.data : "");
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->body.len);
        break;
    case HTTP_BODY_FD:
        SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)t->body.len);
        SET(CURLOPT_UPLOAD, 1L);
        break;
    case HTTP_BODY_PULL:
        SET(CURLOPT_UPLOAD, 1L); /* of unknown size: chunked */
        break;
    }
    SET(CURLOPT_CUSTOMREQUEST, t->method);
    SET(CURLOPT_READFUNCTION, on_read);
    SET(CURLOPT_READDATA, t);
    if (t->body.kind == HTTP_BODY_FD || t->body.kind == HTTP_BODY_PULL)
        SET(CURLOPT_UPLOAD_BUFFERSIZE, (long)SEND_BUFFER);
}

static void set_way(struct http_transfer *t, const struct http_request *req,
                    const struct url_parts *url)
{
    const struct http_engine_config *config = engine_config(t->engine);
    bool pausable = req->may_pause || req->body.kind == HTTP_BODY_PULL;

    /*
     * HTTP/2 only where TLS negotiates it: with prior knowledge libcurl 7.88 breaks when it
     * reuses a connection.  A paused HTTP/2 stream buffers up to 32 MiB inside libcurl, so
     * what may be paused gets a connection of its own.
     */
    if (pausable || strcmp(url->scheme, "http") == 0) {
        SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    } else {
        SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
        SET(CURLOPT_PIPEWAIT, 1L);
    }
    if (is_loopback(url->host))
        SET(CURLOPT_PROXY, "");
    else if (config->proxy)
        SET(CURLOPT_PROXY, config->proxy);
    if (config->ca_file)
        SET(CURLOPT_CAINFO, config->ca_file);
    SET(CURLOPT_SHARE, engine_share(t->engine)); /* TLS sessions; one thread, no locks */
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_IDLE_S);
    SET(CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_INTERVAL_S);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)t->limits.connect_ms);
    /* Without it, giving up a name look-up waits for the resolver, and the loop with it.  The
     * thread that was left behind frees what it holds when it ends. */
    SET(CURLOPT_QUICK_EXIT, 1L);
}

static void set_common(struct http_transfer *t, const struct http_request *req)
{
    SET(CURLOPT_PRIVATE, t);
    SET(CURLOPT_URL, req->url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_USERAGENT, engine_config(t->engine)->user_agent);
    SET(CURLOPT_HTTPHEADER, t->request_headers);
    SET(CURLOPT_ERRORBUFFER, t->curl_message);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, t);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, t);
    SET(CURLOPT_PREREQFUNCTION, on_prereq);
    SET(CURLOPT_PREREQDATA, t);
    if (req->on_data)
        SET(CURLOPT_BUFFERSIZE, (long)RECV_BUFFER);
    if (req->accept_gzip)
        SET(CURLOPT_ACCEPT_ENCODING, "gzip");
}

static int prepare(struct http_transfer *t, const struct http_request *req)
{
    struct url_parts url = { 0 };
    int r = parse_url(t, req->url, &url);

    if (r == 0) {
        t->host = url.port ? xasprintf("%s:%s", url.host, url.port) : xstrdup(url.host);
        r = set_headers(t, req);
    }
    if (r == 0) {
        t->easy = curl_easy_init();
        if (!t->easy)
            r = e2b_fail(&t->err, ENOMEM, "%s: out of memory", t->host);
    }
    if (r == 0) {
        set_common(t, req);
        set_way(t, req, &url);
        set_body(t);
    }
    url_parts_clear(&url);
    return r;
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
    t->started_ms = t->active_ms = now_ms(t);
    (void)prepare(t, req);
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

/* ---- deadlines ---- */

/*
 * Bytes of the body that left this machine, as far as the kernel tells: what libcurl wrote
 * minus what still waits in the socket.  Its growth is progress although no callback runs.
 */
static int64_t sent_bytes(const struct http_transfer *t)
{
    curl_off_t written = 0;
    int waiting = 0;

    (void)curl_easy_getinfo(t->easy, CURLINFO_SIZE_UPLOAD_T, &written);
    if (t->socket != CURL_SOCKET_BAD && ioctl(t->socket, SIOCOUTQ, &waiting) < 0)
        waiting = 0;
    return written - waiting;
}

static bool is_sending(const struct http_transfer *t)
{
    bool is_small = t->body.kind == HTTP_BODY_BYTES && t->body.len <= SMALL_BODY;

    return t->body.kind != HTTP_BODY_NONE && !is_small && !t->head_done;
}

static void note_sending(struct http_transfer *t)
{
    int64_t sent = sent_bytes(t);
    curl_off_t written = 0;

    if (sent != t->last_sent) {
        t->last_sent = sent;
        t->active_ms = now_ms(t);
        if (t->body_sent_ms >= 0)
            t->body_sent_ms = t->active_ms; /* the last byte is still going */
    }
    /* A body of bytes has no callback that would have seen its end. */
    if (t->body.kind == HTTP_BODY_BYTES && t->body_sent_ms < 0 &&
        curl_easy_getinfo(t->easy, CURLINFO_SIZE_UPLOAD_T, &written) == CURLE_OK &&
        (uint64_t)written >= t->body.len)
        t->body_sent_ms = now_ms(t);
}

/* The deadline that comes first; INT64_MAX if none runs.  *why says which. */
static int64_t next_deadline(const struct http_transfer *t, const char **why)
{
    int64_t due = INT64_MAX;

    if (t->limits.total_ms > 0) {
        due = t->started_ms + t->limits.total_ms;
        *why = "not complete";
    }
    if (!t->head_done && t->body_sent_ms >= 0 && t->limits.first_byte_ms > 0 &&
        t->body_sent_ms + t->limits.first_byte_ms < due) {
        due = t->body_sent_ms + t->limits.first_byte_ms;
        *why = "no answer";
    }
    /* Before the head, and with the body sent, silence is what the first-byte limit is for. */
    if (!t->recv_paused && !t->send_paused && t->active_ms + t->limits.stall_ms < due) {
        due = t->active_ms + t->limits.stall_ms;
        *why = "stalled, no data";
    }
    return due;
}

static void on_deadline(void *arg)
{
    struct http_transfer *t = arg;
    int64_t now = now_ms(t);
    const char *why = "";
    int64_t due, since;

    if (is_sending(t) && t->state == TRANSFER_RUNNING)
        note_sending(t);
    due = next_deadline(t, &why);
    if (due > now) {
        transfer_watch_deadlines(t);
        return;
    }
    since = strncmp(why, "stalled", 7) == 0 ? now - t->active_ms : now - t->started_ms;
    e2b_fail(&t->err, ETIMEDOUT, "%s: %s within %.1f s", t->host, why, (double)since / 1000);
    engine_abort(t);
}

void transfer_watch_deadlines(struct http_transfer *t)
{
    const char *why;
    int64_t due = next_deadline(t, &why);
    int64_t delay;

    /* Activity only moves the dates; the timer finds out when it rings. */
    if (due == INT64_MAX && !is_sending(t)) {
        loop_timer_stop(engine_loop(t->engine), &t->deadline);
        return;
    }
    delay = due - now_ms(t);
    if (is_sending(t) && delay > SEND_CHECK_MS)
        delay = SEND_CHECK_MS;
    if (delay < 0)
        delay = 0;
    loop_timer_start(engine_loop(t->engine), &t->deadline, delay, on_deadline, t);
}

/* ---- outcome ---- */

static const struct {
    CURLcode code;
    int errnum;
} curl_errors[] = {
    { CURLE_COULDNT_RESOLVE_HOST, EHOSTUNREACH },
    { CURLE_COULDNT_RESOLVE_PROXY, EHOSTUNREACH },
    { CURLE_COULDNT_CONNECT, EHOSTUNREACH },
    { CURLE_INTERFACE_FAILED, EHOSTUNREACH },
    { CURLE_PROXY, EHOSTUNREACH },
    { CURLE_OPERATION_TIMEDOUT, ETIMEDOUT },
    { CURLE_PARTIAL_FILE, ECONNRESET },
    { CURLE_GOT_NOTHING, ECONNRESET },
    { CURLE_SEND_ERROR, ECONNRESET },
    { CURLE_RECV_ERROR, ECONNRESET },
    { CURLE_SEND_FAIL_REWIND, ECONNRESET },
    { CURLE_HTTP2_STREAM, ECONNRESET },
    { CURLE_HTTP2, EPROTO },
    { CURLE_UNSUPPORTED_PROTOCOL, EPROTO }, /* "Received HTTP/0.9" */
    { CURLE_WEIRD_SERVER_REPLY, EPROTO },
    { CURLE_BAD_CONTENT_ENCODING, EPROTO },
    { CURLE_SSL_CONNECT_ERROR, EPROTO },
    { CURLE_PEER_FAILED_VERIFICATION, EPROTO },
    { CURLE_SSL_CACERT_BADFILE, EPROTO },
    { CURLE_SSL_CERTPROBLEM, EPROTO },
    { CURLE_SSL_CIPHER, EPROTO },
    { CURLE_SSL_ISSUER_ERROR, EPROTO },
    { CURLE_SSL_INVALIDCERTSTATUS, EPROTO },
    { CURLE_URL_MALFORMAT, EINVAL },
    { CURLE_OUT_OF_MEMORY, ENOMEM },
};

/* Parts of libcurl's message that tell apart what its code lumps together. */
static const struct {
    CURLcode code;
    const char *part;
    int errnum;
} curl_messages[] = {
    { CURLE_RECV_ERROR, "chunked-encoding", EPROTO },
    { CURLE_RECV_ERROR, "CONNECT tunnel failed", EHOSTUNREACH },
    { CURLE_SSL_CONNECT_ERROR, "SSL_ERROR_SYSCALL", ECONNRESET },
    { CURLE_SSL_CONNECT_ERROR, "Connection reset", ECONNRESET },
};

static int errno_from_curl(CURLcode code, const char *message)
{
    for (size_t i = 0; i < ARRAY_LEN(curl_messages); i++)
        if (curl_messages[i].code == code && strstr(message, curl_messages[i].part))
            return curl_messages[i].errnum;
    for (size_t i = 0; i < ARRAY_LEN(curl_errors); i++)
        if (curl_errors[i].code == code)
            return curl_errors[i].errnum;
    return EIO;
}

static void fill_response(struct http_transfer *t)
{
    curl_off_t up = 0, down = 0;
    long request_size = 0;

    (void)curl_easy_getinfo(t->easy, CURLINFO_SIZE_UPLOAD_T, &up);
    (void)curl_easy_getinfo(t->easy, CURLINFO_SIZE_DOWNLOAD_T, &down);
    (void)curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &request_size);
    t->resp.bytes_sent = (uint64_t)up;
    t->resp.bytes_received = (uint64_t)down;
    t->resp.sent_any = request_size > 0;
}

/* The answer was complete; that its sender takes no more of the body does not matter. */
static bool answered_early(const struct http_transfer *t, CURLcode result)
{
    return result == CURLE_SEND_ERROR && t->end_body && t->resp.head.content_length >= 0 &&
           t->resp.bytes_received == (uint64_t)t->resp.head.content_length;
}

void transfer_finish(struct http_transfer *t, CURLcode result)
{
    loop_timer_stop(engine_loop(t->engine), &t->deadline);
    t->resp.elapsed_ms = now_ms(t) - t->started_ms;
    if (t->easy)
        fill_response(t);
    if (result != CURLE_OK && !answered_early(t, result))
        e2b_fail(&t->err, errno_from_curl(result, t->curl_message), "%s: %s", t->host,
                 t->curl_message[0] ? t->curl_message : curl_easy_strerror(result));
    /* libcurl takes an answer without a status line of its own for complete. */
    if (t->err.errnum == 0 && !t->head_done && t->resp.head.status)
        e2b_fail(&t->err, ECONNRESET, "%s: closed in the middle of the answer's head", t->host);
    if (t->err.errnum == 0 && !t->head_done)
        e2b_fail(&t->err, EPROTO, "%s: the answer is not HTTP", t->host);
    t->err.http_status = t->err.errnum ? t->resp.head.status : 0;
    log_debug("http",
              "id=%llu call=%s method=%s host=%s status=%d sent=%llu received=%llu ms=%lld%s%s",
              (unsigned long long)t->id, t->label, t->method, t->host ? t->host : "-",
              t->resp.head.status, (unsigned long long)t->resp.bytes_sent,
              (unsigned long long)t->resp.bytes_received, (long long)t->resp.elapsed_ms,
              t->err.errnum ? " error=" : "", t->err.msg);
}
