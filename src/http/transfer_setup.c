/* SPDX-License-Identifier: MIT */
/* From a request to libcurl's easy handle. */
#include "http/transfer.h"

#include "util/xalloc.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

enum { KEEPALIVE_IDLE_S = 30, KEEPALIVE_INTERVAL_S = 15 };

#define RECV_BUFFER KIB(128) /* for bodies that are streamed */
#define SEND_BUFFER KIB(256)

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
    if (rc != CURLUE_OK) {
        e2b_fail(&t->err, EINVAL, "bad URL: %s", curl_url_strerror(rc));
        return -EINVAL;
    }
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
        if (t->body.len <= TRANSFER_SMALL_BODY)
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
        t->shares_connection = true;
    }
    if (is_loopback(url->host))
        SET(CURLOPT_PROXY, "");
    else if (config->proxy)
        SET(CURLOPT_PROXY, config->proxy);
    if (config->ca_file)
        SET(CURLOPT_CAINFO, config->ca_file);
    SET(CURLOPT_SHARE, engine_share(t->engine)); /* names and TLS sessions; no locks */
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
    if (req->on_data)
        SET(CURLOPT_BUFFERSIZE, (long)RECV_BUFFER);
    if (req->accept_gzip)
        SET(CURLOPT_ACCEPT_ENCODING, "gzip");
}

int transfer_prepare(struct http_transfer *t, const struct http_request *req)
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
