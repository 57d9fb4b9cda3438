/* SPDX-License-Identifier: MIT */
#include "answer.h"

#include "util/error.h"
#include "util/json.h"

#include <errno.h>
#include <string.h>

int answer_connect_errno(const struct endpoint *ep, int status, enum e2b_connect_code code,
                         const char *message)
{
    int errnum = endpoint_errno(ep, status, code, message);

    if (errnum)
        return errnum;
    /* No structured errno exists: EACCES, ENOSPC, EXDEV all arrive as `internal` and differ
     * in their last words only (envd.md 9.5).  A more telling code decides by itself. */
    if (code == E2B_CONNECT_INTERNAL || code == E2B_CONNECT_UNKNOWN ||
        code == E2B_CONNECT_INVALID_ARGUMENT || code == E2B_CONNECT_NONE) {
        errnum = errno_from_text(message);
        if (errnum)
            return errnum;
    }
    return code == E2B_CONNECT_NONE ? EIO : errno_from_connect(code);
}

static const char *string_member(const json_t *obj, const char *key)
{
    const char *s = json_string_value(json_object_get(obj, key));

    return s ? s : "";
}

/* A body that is not ours to parse: its first line is all that people can use. */
static void fail_plain(int errnum, int status, const char *body, size_t len,
                       struct e2b_err *err)
{
    size_t line = 0;

    while (line < len && line < 120 && body[line] != '\n' && body[line] != '\r')
        line++;
    /* A page of HTML says nothing in its first line. */
    if (line == 0 || body[0] == '<')
        e2b_fail(err, errnum, "HTTP %d", status);
    else
        e2b_fail(err, errnum, "%.*s (HTTP %d)", (int)line, body, status);
}

static enum answer_kind control_error(const struct endpoint *ep, int status,
                                      const char *message, struct e2b_err *err)
{
    int errnum = endpoint_errno(ep, status, E2B_CONNECT_NONE, message);

    e2b_fail(err, errnum ? errnum : errno_from_http(status), "%s (HTTP %d)", message, status);
    /* How an older server says that it lacks a route or a method (control-plane.md 4.1). */
    if ((status == 404 && strstr(message, "no matching operation")) || status == 405 ||
        (status == 400 && strstr(message, "method not allowed")))
        return ANSWER_NO_ROUTE;
    return ANSWER_SERVICE;
}

/* A status of envd's or the edge's without a body that speaks about the operation. */
static int bare_errno(int status)
{
    int errnum = errno_from_http(status);

    /* Not a file's: an unknown route is no missing file, a refused token no missing right of
     * the account. */
    if (errnum == ENOENT || errnum == EINVAL)
        return EIO;
    return errnum == EKEYREJECTED ? EACCES : errnum;
}

/* The edge: its errno is a first guess, for when the control plane says "running". */
static enum answer_kind edge_error(int status, const char *message, struct e2b_err *err)
{
    if (status == 502 && strstr(message, "port is not open")) {
        e2b_fail(err, ECONNREFUSED, "%s (HTTP %d)", message, status);
        return ANSWER_PORT_CLOSED;
    }
    e2b_fail(err, bare_errno(status), "%s (HTTP %d)", message, status);
    return ANSWER_EDGE;
}

static enum answer_kind files_error(const struct endpoint *ep, int status, const char *message,
                                    struct e2b_err *err)
{
    int errnum = endpoint_errno(ep, status, E2B_CONNECT_NONE, message);
    bool is_user = errnum == EACCES;

    if (!errnum)
        errnum = errno_from_text(message);
    if (!errnum)
        errnum = status == 400 ? EINVAL : bare_errno(status);
    e2b_fail(err, errnum, "%s (HTTP %d)", message, status);
    return status == 401 && !is_user ? ANSWER_TOKEN : ANSWER_SERVICE;
}

static enum answer_kind envd_error(const struct endpoint *ep, int status, const json_t *root,
                                   struct e2b_err *err)
{
    const char *message = string_member(root, "message");
    enum e2b_connect_code code = connect_code_parse(string_member(root, "code"));

    if (json_object_get(root, "sandboxId"))
        return edge_error(status, message, err);
    if (ep->wire != WIRE_FILES && code != E2B_CONNECT_NONE) {
        err->code = code;
        e2b_fail(err, answer_connect_errno(ep, status, code, message), "%s (%s)",
                 *message ? message : "failed", e2b_connect_code_name(code));
        return ANSWER_SERVICE;
    }
    /* `path` marks the edge's refusal of an internal route. */
    if (ep->wire == WIRE_FILES && *message && !json_object_get(root, "path"))
        return files_error(ep, status, message, err);
    e2b_fail(err, bare_errno(status), "%s (HTTP %d)", *message ? message : "failed", status);
    return status == 401 ? ANSWER_TOKEN : ANSWER_OTHER;
}

enum answer_kind answer_error(const struct endpoint *ep, int status, const char *body,
                              size_t len, struct e2b_err *err)
{
    autojson json_t *root = NULL;
    enum answer_kind kind;

    if (jparse(body, len, &root, NULL) < 0 || !json_is_object(root)) {
        bool is_control = ep->plane == PLANE_CONTROL;

        fail_plain(is_control ? errno_from_http(status) : bare_errno(status), status, body, len,
                   err);
        kind = is_control && status == 405 ? ANSWER_NO_ROUTE : ANSWER_OTHER;
        /* Text of /proc's files (envd.md 6.3) has no JSON around it. */
        if (!is_control && status == 401)
            kind = ANSWER_TOKEN;
    } else if (ep->plane == PLANE_CONTROL) {
        const char *message = string_member(root, "message");

        kind = control_error(ep, status, *message ? message : "refused", err);
    } else {
        kind = envd_error(ep, status, root, err);
    }
    err->http_status = status;
    return kind;
}
