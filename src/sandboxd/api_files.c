/* SPDX-License-Identifier: MIT */
/* GET /files (envd.md 6) and the credentials that both methods of /files check themselves. */
#include "api_files.h"

#include "api.h"
#include "gzip_stored.h"
#include "mime.h"
#include "range.h"
#include "util/codec.h"
#include "util/path.h"
#include "util/xalloc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- credentials -------------------------------------------------------------------------- */

/* "v1_" and base64 of SHA-256 without padding (envd.md 3.5). */
static char *signature(const char *raw)
{
    char hex[SHA256_HEX];
    unsigned char sum[32];
    autobuf struct buf text = BUF_MAX(KIB(1));
    unsigned byte;

    sha256_hex(raw, strlen(raw), hex);
    for (int i = 0; i < 32; i++) {
        (void)sscanf(hex + 2 * i, "%2x", &byte);
        sum[i] = (unsigned char)byte;
    }
    base64_encode(sum, sizeof(sum), &text);
    while (text.len > 0 && text.data[text.len - 1] == '=')
        text.data[--text.len] = '\0';
    return xasprintf("v1_%s", buf_str(&text));
}

bool files_authorised(struct request *rq, const char *operation)
{
    const char *token = rq->sandbox->envd_token;
    const char *header = request_header(rq, "X-Access-Token");
    const char *path = query_get(&rq->query, "path");
    const char *user = query_get(&rq->query, "username");
    const char *given = query_get(&rq->query, "signature");
    const char *expires = query_get(&rq->query, "signature_expiration");
    autofree char *raw = NULL, *wanted = NULL;
    char *end = NULL;
    long long expiry = 0;

    if (!token)
        return true;
    if (header) {
        if (strcmp(header, token) == 0)
            return true;
        envd_error(rq, 401, "access token present in header but does not match");
        return false;
    }
    if (!given) {
        envd_error(rq, 401, "missing signature query parameter");
        return false;
    }
    if (expires) {
        expiry = strtoll(expires, &end, 10);
        if (end == expires || *end) {
            respond_text(rq, 400, "Invalid format for parameter signature_expiration\n");
            return false;
        }
    }
    raw = xasprintf("%s:%s:%s:%s%s%s", path ? path : "", operation, user ? user : "", token,
                    expires ? ":" : "", expires ? expires : "");
    wanted = signature(raw);
    if (strcmp(given, wanted) != 0) {
        envd_error(rq, 401, "invalid signature");
        return false;
    }
    if (expires && expiry < time(NULL)) {
        envd_error(rq, 401, "signature is already expired");
        return false;
    }
    return true;
}

const char *files_user(struct request *rq)
{
    const char *user = query_get(&rq->query, "username");

    return user && user[0] ? user : "user";
}

/* --- the body ----------------------------------------------------------------------------- */

struct download {
    int fd;
    off_t at;
    int64_t left; /* -1: until the end (gzip) */
    struct gzip_stored gzip;
};

static void download_free(void *state)
{
    struct download *d = state;

    close(d->fd);
    free(d);
}

static ssize_t download_read(void *state, struct request *rq, char *out, size_t max)
{
    struct download *d = state;
    ssize_t n;

    (void)rq;
    if (d->left == 0)
        return 0;
    if ((uint64_t)d->left < max)
        max = (size_t)d->left;
    n = pread(d->fd, out, max, d->at);
    /* A file that got shorter: the connection breaks, nothing is padded. */
    if (n <= 0)
        return -1;
    d->at += n;
    d->left -= n;
    return n;
}

/* The plain copy loop of the real one: works where seeking doesn't, hides read errors. */
static ssize_t download_gzip(void *state, struct request *rq, char *out, size_t max)
{
    struct download *d = state;

    (void)rq;
    return gzip_stored_read(&d->gzip, d->fd, out, max);
}

static void send_file(struct request *rq, int status, const char *type, int fd, int64_t start,
                      int64_t len)
{
    struct download *d = xcalloc(1, sizeof(*d));

    d->fd = fd;
    d->at = start;
    d->left = len;
    respond_stream(rq, status, type, len, download_read, download_free, d);
}

/* --- headers ------------------------------------------------------------------------------ */

/* True if gzip is what the client wants first; q-values other than 0 don't matter here. */
static bool wants_gzip(struct request *rq)
{
    const char *header = request_header(rq, "Accept-Encoding");
    autofree char *copy = xstrdup(header);
    char *rest = copy, *item;

    while (rest && (item = strsep(&rest, ","))) {
        size_t len;

        item += strspn(item, " \t");
        len = strcspn(item, " \t;");
        if (len == 4 && strncasecmp(item, "gzip", 4) == 0 && !strstr(item, "q=0;") &&
            !(strstr(item, "q=0") && !strstr(item, "q=0.")))
            return true;
        if (len == 8 && strncasecmp(item, "identity", 8) == 0)
            return false;
    }
    return false;
}

static void put_disposition(struct request *rq, const char *path)
{
    const char *name = path_base(path);
    autobuf struct buf text = BUF_MAX(KIB(4));
    bool is_plain = true;

    for (const char *p = name; *p; p++)
        is_plain &= *p > 0x20 && *p < 0x7f && !strchr("\"\\;,()<>@:/[]?={}", *p);
    if (is_plain) {
        response_header(rq, "Content-Disposition", "inline; filename=%s", name);
        return;
    }
    for (const unsigned char *p = (const unsigned char *)name; *p; p++)
        buf_printf(&text, "%%%02X", *p);
    response_header(rq, "Content-Disposition", "inline; filename*=utf-8''%s", buf_str(&text));
}

enum precondition { GO_ON, NOT_MODIFIED, FAILED };

static enum precondition check_preconditions(struct request *rq, int64_t mtime)
{
    const char *match = request_header(rq, "If-Match");
    const char *none = request_header(rq, "If-None-Match");
    int64_t unmodified = http_date_parse(request_header(rq, "If-Unmodified-Since"));
    int64_t modified = http_date_parse(request_header(rq, "If-Modified-Since"));

    /* There are no entity tags: only "*" ever matches. */
    if (match && strcmp(match, "*") != 0)
        return FAILED;
    if (!match && unmodified >= 0 && mtime != 0 && mtime > unmodified)
        return FAILED;
    if (none)
        return strcmp(none, "*") == 0 ? NOT_MODIFIED : GO_ON;
    if (modified >= 0 && mtime != 0 && mtime <= modified)
        return NOT_MODIFIED;
    return GO_ON;
}

/* If-Range: the range counts only if the date is exactly the file's. */
static const char *range_header(struct request *rq, int64_t mtime)
{
    const char *condition = request_header(rq, "If-Range");

    if (condition && http_date_parse(condition) != mtime)
        return NULL;
    return request_header(rq, "Range");
}

/* Takes fd. */
static void serve_content(struct request *rq, int fd, const char *path)
{
    char date[HTTP_DATE_MAX], type[128];
    int64_t size = lseek(fd, 0, SEEK_END), start, len;
    enum precondition verdict;
    struct stat st;

    if (size < 0 || fstat(fd, &st) < 0) {
        close(fd);
        respond_text(rq, 500, "seeker can't seek\n");
        return;
    }
    mime_type(fd, path, type, sizeof(type));
    response_header(rq, "Vary", "Accept-Encoding");
    put_disposition(rq, path);
    if (st.st_mtime != 0)
        response_header(rq, "Last-Modified", "%s", http_date_format(st.st_mtime, date));
    verdict = check_preconditions(rq, st.st_mtime);
    if (verdict != GO_ON) {
        close(fd);
        respond(rq, verdict == FAILED ? 412 : 304, NULL, NULL, 0);
        return;
    }
    switch (range_parse(range_header(rq, st.st_mtime), size, &start, &len)) {
    case RANGE_ALL:
        response_header(rq, "Accept-Ranges", "bytes");
        send_file(rq, 200, type, fd, 0, size);
        return;
    case RANGE_PART:
        response_header(rq, "Accept-Ranges", "bytes");
        response_header(rq, "Content-Range", "bytes %lld-%lld/%lld", (long long)start,
                        (long long)(start + len - 1), (long long)size);
        send_file(rq, 206, type, fd, start, len);
        return;
    case RANGE_NO_OVERLAP:
        response_header(rq, "Content-Range", "bytes */%lld", (long long)size);
        respond_text(rq, 416, "invalid range: failed to overlap\n");
        break;
    case RANGE_BAD:
        respond_text(rq, 416, "invalid range\n");
        break;
    }
    close(fd);
}

static bool is_conditional(struct request *rq)
{
    return request_header(rq, "Range") || request_header(rq, "If-Modified-Since") ||
           request_header(rq, "If-None-Match") || request_header(rq, "If-Range");
}

void envd_files_get(struct request *rq)
{
    automsg struct msg request = MSG_INIT, reply = MSG_INIT;
    const char *path, *text;
    char type[128];
    int code, fd;

    if (query_count(&rq->query, "path") > 1) {
        respond_text(rq, 400, "Invalid format for parameter path: multiple values\n");
        return;
    }
    if (!files_authorised(rq, "read"))
        return;
    request.kind = MSG_OPEN_READ;
    msg_put_str(&request, files_user(rq));
    msg_put_str(&request, query_get(&rq->query, "path"));
    if (agent_ask(rq, &request, &reply, &code, &text) < 0)
        return;
    if (code) {
        envd_error(rq, code, "%s", text);
        return;
    }
    path = msg_get_str(&reply, NULL);
    fd = msg_take_fd(&reply, 0);
    if (fd < 0) {
        envd_error(rq, 500, "error opening file '%s'", path);
        return;
    }
    if (wants_gzip(rq) && !is_conditional(rq)) {
        struct download *d = xcalloc(1, sizeof(*d));

        mime_type(fd, path, type, sizeof(type));
        d->fd = fd;
        response_header(rq, "Content-Encoding", "gzip");
        response_header(rq, "Vary", "Accept-Encoding");
        put_disposition(rq, path);
        respond_stream(rq, 200, type, BODY_UNKNOWN_SIZE, download_gzip, download_free, d);
        return;
    }
    serve_content(rq, fd, path);
}
