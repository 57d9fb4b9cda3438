/* SPDX-License-Identifier: MIT */
/*
 * POST /files and /files/compose (envd.md 7 and 8).
 *
 * The order of effects is kept: the target is opened (and emptied) when the headers are there,
 * data is written as it arrives, and a connection that breaks leaves what was written.
 */
#include "api.h"
#include "api_files.h"
#include "gzip.h"
#include "util/json.h"
#include "util/path.h"
#include "util/xalloc.h"

#include <ctype.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/xattr.h>
#include <unistd.h>

#define XATTR_PREFIX "user.e2b."

struct upload {
    struct request *rq;
    int fd; /* the file being written; -1: none */
    char *path;
    json_t *done; /* owned: the answer's array */
    json_t *metadata;
    struct MHD_PostProcessor *form; /* NULL: raw body */
    char *form_name;                /* the filename of the part being written */
    struct gunzip *gunzip;          /* NULL: the body isn't compressed */
    bool form_has_data;             /* some of that part was written */
    int failed_status;              /* the first failure; the rest of the body is dropped */
    char *failed_text;
};

static void upload_free(void *state)
{
    struct upload *u = state;

    if (u->form)
        MHD_destroy_post_processor(u->form);
    gunzip_free(u->gunzip);
    if (u->fd >= 0)
        close(u->fd);
    json_decref(u->done);
    json_decref(u->metadata);
    free(u->path);
    free(u->form_name);
    free(u->failed_text);
    free(u);
}

static void upload_fail(struct upload *u, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void upload_fail(struct upload *u, int status, const char *fmt, ...)
{
    va_list ap;

    if (u->failed_status)
        return;
    u->failed_status = status;
    va_start(ap, fmt);
    u->failed_text = xvasprintf(fmt, ap);
    va_end(ap);
}

/* Opens the target through the agent; false if the upload failed. */
static bool open_target(struct upload *u, const char *path)
{
    automsg struct msg request = MSG_INIT, reply = MSG_INIT;
    const char *text;
    int code;

    request.kind = MSG_OPEN_WRITE;
    msg_put_str(&request, files_user(u->rq));
    msg_put_str(&request, path);
    if (agent_ask(u->rq, &request, &reply, &code, &text) < 0) {
        u->failed_status = 1; /* given up: there is nobody to answer */
        return false;
    }
    if (code) {
        upload_fail(u, code, "%s", text);
        return false;
    }
    free(u->path);
    u->path = xstrdup(msg_get_str(&reply, NULL));
    u->fd = msg_take_fd(&reply, 0);
    if (u->fd < 0)
        upload_fail(u, 500, "error opening file: open %s", u->path);
    return u->fd >= 0;
}

static void write_data(struct upload *u, const char *data, size_t len)
{
    while (len > 0 && !u->failed_status) {
        ssize_t n = write(u->fd, data, len);

        if (n >= 0) {
            data += n;
            len -= (size_t)n;
        } else if (errno == ENOSPC) {
            const char *announced = request_header(u->rq, "Content-Length");

            if (announced && atoll(announced) > 0)
                upload_fail(u, 507,
                            "attempted to write %s bytes: not enough disk space available",
                            announced);
            else
                upload_fail(u, 507, "not enough disk space available");
        } else if (errno != EINTR) {
            upload_fail(u, 500, "error writing file: write %s: %s", u->path, strerror(errno));
        }
    }
}

/* --- metadata: X-Metadata-* headers become user.e2b.* attributes -------------------------- */

static enum MHD_Result collect_metadata(void *cls, enum MHD_ValueKind kind, const char *name,
                                        const char *value)
{
    static const char prefix[] = "X-Metadata-";
    json_t *map = cls;
    autofree char *key = NULL;

    (void)kind;
    if (strncasecmp(name, prefix, sizeof(prefix) - 1) != 0)
        return MHD_YES;
    key = xstrdup(name + sizeof(prefix) - 1);
    for (char *p = key; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    if (!json_object_get(map, key))
        json_object_set_new(map, key, json_string(value ? value : ""));
    return MHD_YES;
}

static bool read_metadata(struct upload *u)
{
    const char *key;
    json_t *value;
    size_t total = 0;

    u->metadata = json_object();
    MHD_get_connection_values(u->rq->conn, MHD_HEADER_KIND, collect_metadata, u->metadata);
    json_object_foreach(u->metadata, key, value)
    {
        const char *text = json_string_value(value);
        bool is_printable = text != NULL;

        for (const char *p = text; is_printable && *p; p++)
            is_printable = *p >= 0x20 && *p < 0x7f;
        total += strlen(XATTR_PREFIX) + strlen(key) + json_string_length(value);
        if (!is_printable || strlen(key) > 246)
            upload_fail(u, 400, "invalid metadata: key or value of '%.64s' is not allowed",
                        key);
    }
    if (total > 4096)
        upload_fail(u, 400, "invalid metadata: more than 4096 bytes");
    return !u->failed_status;
}

/* Every upload replaces all of them; file systems without attributes are ignored. */
static void write_metadata(struct upload *u)
{
    char names[KIB(8)];
    ssize_t len = flistxattr(u->fd, names, sizeof(names));
    const char *key;
    json_t *value;

    for (const char *name = names; len > 0 && name < names + len; name += strlen(name) + 1)
        if (strncmp(name, XATTR_PREFIX, strlen(XATTR_PREFIX)) == 0)
            fremovexattr(u->fd, name);
    json_object_foreach(u->metadata, key, value)
    {
        autofree char *name = xasprintf(XATTR_PREFIX "%s", key);

        fsetxattr(u->fd, name, json_string_value(value), json_string_length(value), 0);
    }
}

static void finish_file(struct upload *u)
{
    json_t *entry;

    if (u->fd < 0)
        return;
    if (!u->failed_status) {
        write_metadata(u);
        entry = json_pack("{s:s,s:s,s:s}", "name", path_base(u->path), "path", u->path, "type",
                          "file");
        if (entry && json_object_size(u->metadata) > 0)
            json_object_set(entry, "metadata", u->metadata);
        if (entry)
            json_array_append_new(u->done, entry);
    }
    close(u->fd);
    u->fd = -1;
}

/* --- multipart: only parts called "file" are written -------------------------------------- */

static bool was_written(const struct upload *u, const char *path)
{
    json_t *entry;
    size_t i;

    json_array_foreach(u->done, i,
                       entry) if (strcmp(json_string_value(json_object_get(entry, "path")),
                                         path) == 0) return true;
    return false;
}

/*
 * At offset 0: the library has no other sign of a new part, and when a part's headers arrive
 * before its data it calls twice, first with nothing.
 */
static bool is_new_part(const struct upload *u, const char *filename)
{
    return u->fd < 0 || u->form_has_data || strcmp(u->form_name, filename ? filename : "") != 0;
}

static enum MHD_Result on_part(void *cls, enum MHD_ValueKind kind, const char *key,
                               const char *filename, const char *type, const char *encoding,
                               const char *data, uint64_t off, size_t size)
{
    struct upload *u = cls;
    const char *path = query_get(&u->rq->query, "path");

    (void)kind;
    (void)type;
    (void)encoding;
    if (u->failed_status || !key || strcmp(key, "file") != 0)
        return MHD_YES;
    if (off == 0 && is_new_part(u, filename)) {
        finish_file(u);
        free(u->form_name);
        u->form_name = xstrdup(filename ? filename : "");
        u->form_has_data = false;
        if (!path && (!filename || !filename[0])) {
            upload_fail(u, 400, "no path query parameter and no file name");
            return MHD_YES;
        }
        if (!open_target(u, path ? path : filename))
            return MHD_YES;
        if (was_written(u, u->path)) {
            upload_fail(u, 400, "you cannot upload multiple files to the same path '%s'",
                        u->path);
            return MHD_YES;
        }
    }
    u->form_has_data |= size > 0;
    write_data(u, data, size);
    return MHD_YES;
}

/* --- the route ---------------------------------------------------------------------------- */

static bool is_type(const char *type, const char *wanted)
{
    return type && strncasecmp(type, wanted, strlen(wanted)) == 0;
}

static void answer_failure(struct upload *u)
{
    if (u->failed_status > 1)
        envd_error(u->rq, u->failed_status, "%s", u->failed_text);
}

void envd_files_begin(struct request *rq)
{
    const char *type = request_header(rq, "Content-Type");
    const char *path = query_get(&rq->query, "path");
    const char *encoding = request_header(rq, "Content-Encoding");
    struct upload *u;
    bool is_gzip;

    if (query_count(&rq->query, "path") > 1) {
        respond_text(rq, 400, "Invalid format for parameter path: multiple values\n");
        return;
    }
    if (!files_authorised(rq, "write"))
        return;
    is_gzip = encoding && strcasecmp(encoding, "gzip") == 0;
    if (encoding && encoding[0] && !is_gzip && strcasecmp(encoding, "identity") != 0) {
        envd_error(rq, 400, "unsupported content encoding: %s", encoding);
        return;
    }
    u = xcalloc(1, sizeof(*u));
    u->rq = rq;
    u->fd = -1;
    u->done = json_array();
    u->gunzip = is_gzip ? gunzip_new() : NULL;
    rq->state = u;
    rq->free_state = upload_free;
    if (!read_metadata(u)) {
        answer_failure(u);
    } else if (is_type(type, "multipart/")) {
        u->form = MHD_create_post_processor(rq->conn, KIB(64), on_part, u);
        if (!u->form)
            envd_error(rq, 400, "error parsing multipart form");
    } else if (!is_type(type, "application/octet-stream")) {
        envd_error(rq, 400,
                   "unsupported content type: %s, expected multipart/form-data or "
                   "application/octet-stream",
                   type ? type : "");
    } else if (!path) {
        envd_error(rq, 400, "path query parameter is required for raw body upload");
    } else if (!is_gzip && !open_target(u, path)) {
        answer_failure(u);
        rq->is_cut = !rq->is_answered;
    }
}

/* A piece of the body as it is meant; false if the rest doesn't matter. */
static bool take_plain(void *arg, const char *data, size_t len)
{
    struct upload *u = arg;

    if (u->form) {
        if (MHD_post_process(u->form, data, len) != MHD_YES)
            upload_fail(u, 400, "error parsing multipart form");
    } else if (u->fd >= 0 || open_target(u, query_get(&u->rq->query, "path"))) {
        write_data(u, data, len);
    }
    return !u->failed_status;
}

/* Something that isn't gzip has no effect at all; what breaks later leaves what it had. */
static void fail_gunzip(struct upload *u)
{
    if (gunzip_has_header(u->gunzip))
        upload_fail(u, 500, "error writing file: unexpected EOF");
    else
        upload_fail(u, 400, "error decoding request body: gzip: invalid header");
}

void envd_files_body(struct request *rq, const char *data, size_t len)
{
    struct upload *u = rq->state;

    if (!u->gunzip)
        take_plain(u, data, len);
    else if (!u->failed_status && gunzip_push(u->gunzip, data, len, take_plain, u) == -EPROTO)
        fail_gunzip(u);
}

void envd_files_post(struct request *rq)
{
    struct upload *u = rq->state;
    autobuf struct buf text = BUF_MAX(MIB(4));

    if (u->gunzip && !u->failed_status && !gunzip_is_complete(u->gunzip))
        fail_gunzip(u);
    else if (u->gunzip && !u->form && u->fd < 0 && !u->failed_status)
        take_plain(u, "", 0); /* an empty file */
    if (u->form) {
        if (MHD_destroy_post_processor(u->form) != MHD_YES)
            upload_fail(u, 400, "error parsing multipart form");
        u->form = NULL;
    }
    finish_file(u);
    if (u->failed_status) {
        answer_failure(u);
        return;
    }
    if (jdump(u->done, &text) < 0) {
        envd_error(rq, 500, "the path is not UTF-8");
        return;
    }
    /* The real one's Content-Type, by accident. */
    respond_text(rq, 200, buf_str(&text));
}

void envd_compose(struct request *rq)
{
    automsg struct msg request = MSG_INIT, reply = MSG_INIT;
    autojson json_t *in = NULL;
    json_t *sources, *source;
    const char *text, *to, *user, *path;
    size_t i;
    int code;

    if (jparse(buf_str(&rq->body), rq->body.len, &in, NULL) < 0 || !json_is_object(in)) {
        envd_error(rq, 400, "error decoding request body");
        return;
    }
    sources = json_object_get(in, "source_paths");
    to = json_string_value(json_object_get(in, "destination"));
    user = json_string_value(json_object_get(in, "username"));
    if (json_array_size(sources) == 0) {
        envd_error(rq, 400, "source_paths must not be empty");
        return;
    }
    if (!to || !to[0]) {
        envd_error(rq, 400, "destination is required");
        return;
    }
    request.kind = MSG_COMPOSE;
    msg_put_str(&request, user && user[0] ? user : "user");
    msg_put_str(&request, to);
    msg_put_u32(&request, (uint32_t)json_array_size(sources));
    json_array_foreach(sources, i, source) msg_put_str(&request, json_string_value(source));
    if (agent_ask(rq, &request, &reply, &code, &text) < 0)
        return;
    if (code) {
        envd_error(rq, code, "%s", text);
        return;
    }
    path = msg_get_str(&reply, NULL);
    respond_json(
        rq, 200,
        json_pack("{s:s,s:s,s:s}", "name", path_base(path), "path", path, "type", "file"));
}
