/* SPDX-License-Identifier: MIT */
/* The contents of files: GET and POST /files (envd.md 6, 7). */
#include "client.h"
#include "httpdate.h"
#include "paths.h"
#include "sandboxes.h"

#include "util/xalloc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
    /* An answer without ranges begins at 0: so much is thrown away to get to `off`. */
    SKIP_MAX = 1024 * 1024,
    /* A transfer that breaks off goes on from there, as long as each try brings something. */
    RESUMES_MAX = 8,
};

/* ---- read ---- */

struct read_op {
    struct e2b_call call;
    e2b_data_fn *on_data;
    e2b_read_fn *fn;
    void *arg;
    char *id, *path;
    int64_t off, len; /* len 0: to the end */
    bool has_if_mtime, may_pause;
    time_t if_mtime;

    struct e2b_read_info info;
    int64_t skip;     /* bytes still to throw away */
    int64_t expected; /* bytes that this answer has for the caller; -1: unknown */
    int64_t given;
    int resumes;
    int64_t size_before; /* of the file, when it broke off; -1: unknown */
    bool has_enough;     /* we end the transfer ourselves: that is no failure */
    struct e2b_err err;  /* what was wrong with the answer's head */
};

static void read_end(struct e2b_call *call, const struct e2b_err *err)
{
    struct read_op *op = (struct read_op *)call;

    op->fn(op->arg, err ? NULL : &op->info, err);
    free(op->id);
    free(op->path);
}

/* "bytes 5-9/100": the range must be the one that was asked for. */
static int parse_content_range(const char *s, int64_t *first, int64_t *last, int64_t *size)
{
    int used = 0;

    if (!s ||
        sscanf(s, "bytes %" SCNd64 "-%" SCNd64 "/%" SCNd64 "%n", first, last, size, &used) != 3)
        return -EPROTO;
    if (s[used] != '\0' || *first < 0 || *last < *first || *size <= *last)
        return -EPROTO;
    return 0;
}

static int head_wrong(struct read_op *op, int errnum, const char *why)
{
    return e2b_fail(&op->err, errnum, "sandbox %s: read %s: %s", op->id, op->path, why);
}

static int head_partial(struct read_op *op, const struct http_head *head)
{
    int64_t first, last, size;

    if (parse_content_range(http_header(head, "Content-Range"), &first, &last, &size) < 0 ||
        first != op->off || (op->len > 0 && last - first >= op->len))
        return head_wrong(op, EPROTO, "the answer is another range than the one asked for");
    if (op->resumes > 0 && op->size_before >= 0 && size != op->size_before)
        return head_wrong(op, ESTALE, "the file has changed");
    op->info.size = size;
    op->expected = last - first + 1;
    return 0;
}

/* The whole file, from its beginning: an empty one, or a server that knows no ranges. */
static int head_whole(struct read_op *op, const struct http_head *head)
{
    op->info.size = head->content_length;
    op->skip = op->off;
    op->expected = -1;
    if (head->content_length >= 0) {
        op->expected = head->content_length > op->off ? head->content_length - op->off : 0;
        if (op->len > 0 && op->expected > op->len)
            op->expected = op->len;
        if (op->expected == 0)
            return 0; /* nothing to give: the body is read to its end and dropped */
    }
    if (op->skip > SKIP_MAX)
        return head_wrong(op, EPROTO, "the server does not answer with ranges");
    return 0;
}

static int read_head(void *arg, const struct http_head *head)
{
    struct read_op *op = arg;
    const char *date = http_header(head, "Last-Modified");
    const char *coding = http_header(head, "Content-Encoding");

    if (head->status >= 400)
        return 0; /* its text is collected */
    op->info.mtime = 0;
    if (date)
        (void)httpdate_parse(date, &op->info.mtime); /* unreadable: unknown */
    if (op->has_if_mtime && op->info.mtime > op->if_mtime)
        return head_wrong(op, ESTALE, "the file has changed");
    op->given = 0;
    op->skip = 0;
    /* Never asked for: its bytes would not be the file's. */
    if (coding && strcasecmp(coding, "identity") != 0)
        return head_wrong(op, EPROTO, "an encoded answer that was not asked for");
    if (head->status == 206)
        return head_partial(op, head);
    if (head->status == 200)
        return head_whole(op, head);
    return head_wrong(op, EPROTO, "an answer that is no file");
}

static int read_data(void *arg, const char *data, size_t len)
{
    struct read_op *op = arg;
    size_t skip = (size_t)op->skip < len ? (size_t)op->skip : len;
    size_t n = len - skip;
    int64_t left = -1;
    int r;

    if (op->expected >= 0)
        left = op->expected - op->given;
    else if (op->len > 0)
        left = op->len - op->given;
    if (left >= 0 && (int64_t)n > left)
        n = (size_t)left;
    if (n > 0) {
        /* Counters move only when the caller took the bytes: after a pause they come again. */
        r = op->on_data(op->arg, data + skip, n);
        if (r != 0)
            return r == E2B_READ_PAUSE ? HTTP_PAUSE : r;
    }
    op->skip -= (int64_t)skip;
    op->given += (int64_t)n;
    if (op->len > 0 && op->given == op->len && len - skip > n) {
        op->has_enough = true;
        return -ECANCELED;
    }
    return 0;
}

/* "bytes * /100" of a 416. */
static void size_of_416(struct read_op *op, const struct http_response *resp)
{
    const char *range = http_header(&resp->head, "Content-Range");

    if (!range || sscanf(range, "bytes */%" SCNd64, &op->info.size) != 1 || op->info.size < 0)
        op->info.size = -1;
}

static void read_send(struct read_op *op);

/*
 * What has been delivered stays delivered: asks for the rest, of the same version.  A server
 * that does not date its files can't promise that.
 */
static bool read_resume(struct read_op *op, const struct e2b_err *err)
{
    if (err->errnum != ECONNRESET || op->given == 0 || op->info.mtime <= 0 ||
        op->call.is_cancelled || op->resumes == RESUMES_MAX)
        return false;
    op->resumes++;
    op->size_before = op->info.size;
    op->off += op->given;
    if (op->len > 0)
        op->len -= op->given; /* not 0: then it would have been complete */
    op->given = 0;
    op->has_if_mtime = true;
    op->if_mtime = op->info.mtime;
    op->err = (struct e2b_err){ 0 };
    read_send(op);
    return true;
}

static void read_answer(struct e2b_call *call, const struct answer *answer)
{
    struct read_op *op = (struct read_op *)call;
    bool stopped = op->has_enough && !call->is_cancelled;
    struct e2b_err err = op->err;

    if (err.errnum) {
        /* said already */
    } else if (answer->err && answer->err->http_status == 416) {
        size_of_416(op, answer->resp);
    } else if (answer->err && answer->err->http_status == 412) {
        head_wrong(op, ESTALE, "the file has changed");
        err = op->err;
    } else if (answer->err && !stopped) {
        err = *answer->err;
    } else if (op->expected >= 0 && op->given < op->expected) {
        head_wrong(op, ECONNRESET, "the answer ended early");
        err = op->err;
    }
    if (!err.errnum || !read_resume(op, &err))
        call_end(call, err.errnum ? &err : NULL);
}

static void read_request(struct read_op *op, struct call_request *req)
{
    struct buf query = BUF_INIT;
    char date[HTTPDATE_MAX];
    int n = 0;

    query_add(&query, "path", op->path);
    query_add(&query, "username", client_user(op->call.client, NULL));
    req->query = buf_steal(&query);
    if (op->len > 0)
        req->headers[n++] =
            xasprintf("Range: bytes=%" PRId64 "-%" PRId64, op->off, op->off + op->len - 1);
    else if (op->off > 0)
        req->headers[n++] = xasprintf("Range: bytes=%" PRId64 "-", op->off);
    /* Go ignores the condition for files of 1970 and earlier; what it answers is checked. */
    if (op->has_if_mtime && op->if_mtime > 0 && *httpdate_format(op->if_mtime, date))
        req->headers[n++] = xasprintf("If-Unmodified-Since: %s", date);
}

static void read_send(struct read_op *op)
{
    struct call_request req = { .endpoint = EP_FILE_READ,
                                .id = op->id,
                                .subject = op->path,
                                .on_head = read_head,
                                .on_data = read_data,
                                .on_answer = read_answer,
                                .may_pause = op->may_pause };

    read_request(op, &req);
    call_send(&op->call, &req);
}

struct e2b_call *e2b_file_read(struct e2b_client *client, const char *id,
                               const struct e2b_read *read, e2b_data_fn *on_data,
                               e2b_read_fn *fn, void *arg)
{
    struct read_op *op = call_new(client, sizeof(*op), read_end);
    struct e2b_err err = { 0 };

    op->fn = fn;
    op->arg = arg;
    op->may_pause = read->may_pause;
    op->on_data = on_data;
    op->off = read->off;
    op->len = read->len;
    op->info.size = -1;
    op->expected = -1;
    if (read->if_mtime) {
        op->has_if_mtime = true;
        op->if_mtime = read->if_mtime->tv_sec;
    }
    if (file_target(id, read->path, &op->id, &op->path, &err) < 0)
        return call_end_later(&op->call, &err);
    if (op->off < 0 || op->len < 0 || op->off > INT64_MAX - op->len) {
        e2b_fail(&err, EINVAL, "sandbox %s: read %s: impossible range", op->id, op->path);
        return call_end_later(&op->call, &err);
    }
    read_send(op);
    return &op->call;
}

void e2b_file_read_resume(struct e2b_call *call)
{
    struct http_transfer *transfer = call_transfer(call);

    if (transfer)
        http_resume(transfer);
}

/* ---- write ---- */

struct write_op {
    struct e2b_call call;
    e2b_done_fn *fn;
    void *arg;
    char *id, *path;
};

static void write_end(struct e2b_call *call, const struct e2b_err *err)
{
    struct write_op *op = (struct write_op *)call;

    op->fn(op->arg, err);
    free(op->id);
    free(op->path);
}

/* [{"name", "path", "type"}]: that the file which was written is the one that was meant. */
static int write_decode(struct e2b_call *call, const json_t *json, struct e2b_err *err)
{
    struct write_op *op = (struct write_op *)call;
    const json_t *first = json_array_get(json, 0);
    const char *path = json_string_value(json_object_get(first, "path"));

    if (json_array_size(json) != 1 || !path)
        return e2b_fail(err, EPROTO, "the server does not say that the file was written");
    /* A name that is not UTF-8 comes back with replacement characters. */
    if (strcmp(path, op->path) != 0 && !strstr(path, "\xef\xbf\xbd"))
        return e2b_fail(err, EPROTO, "the server wrote another file");
    return 0;
}

static void write_answer(struct e2b_call *call, const struct answer *answer)
{
    call_end(call, answer->err);
}

struct e2b_call *e2b_file_write(struct e2b_client *client, const char *id,
                                const struct e2b_write *write, e2b_done_fn *fn, void *arg)
{
    struct write_op *op = call_new(client, sizeof(*op), write_end);
    struct buf query = BUF_INIT;
    struct e2b_err err = { 0 };
    struct call_request req = { .endpoint = EP_FILE_WRITE,
                                .decode = write_decode,
                                .on_answer = write_answer,
                                .has_fd = true,
                                .fd = write->fd,
                                .fd_off = write->off,
                                .fd_len = write->len };

    op->fn = fn;
    op->arg = arg;
    if (file_target(id, write->path, &op->id, &op->path, &err) < 0)
        return call_end_later(&op->call, &err);
    if (write->off < 0 || write->len < 0)
        e2b_fail(&err, EINVAL, "sandbox %s: write %s: impossible range", op->id, op->path);
    else if (access_envd_before(access_find(client, op->id), 0, 5, 7))
        e2b_fail(&err, EOPNOTSUPP,
                 "sandbox %s: its envd is older than 0.5.7 and takes no files", op->id);
    if (err.errnum)
        return call_end_later(&op->call, &err);
    query_add(&query, "path", op->path);
    query_add(&query, "username", client_user(client, write->owner));
    req.query = buf_steal(&query);
    req.id = op->id;
    req.subject = op->path;
    call_send(&op->call, &req);
    return &op->call;
}

int64_t e2b_file_write_sent(struct e2b_call *call)
{
    const struct http_transfer *transfer = call_transfer(call);

    return transfer ? (int64_t)http_sent(transfer) : 0;
}
