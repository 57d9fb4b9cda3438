/* SPDX-License-Identifier: MIT */
#include "endpoints.h"

#include <errno.h>
#include <string.h>

enum {
    SECOND = 1000,
    METADATA_MS = 10 * SECOND, /* design 11 */
    /* Servers finish a request within 75 s (control-plane.md 4.2): creating, and killing what
     * is in transition, can really take that long. */
    SLOW_MS = 75 * SECOND,
    /* SendInput answers when the process has read: a process may take its time, and its own
     * stream notices a dead connection long before. */
    INPUT_MS = 24 * 3600 * SECOND,
    ONLY_STALL = -1, /* no limit for the answer's head (http/request.h) */
};

/* File errors whose text names no errno (envd.md 11, step 3). */
/* A row reads best as written. */
/* clang-format off */
#define FILE_MISSING { .http_status = 404, .text = "does not exist", .errnum = ENOENT }
#define FILE_IS_DIR { .http_status = 400, .text = "is a directory", .errnum = EISDIR }
#define PARENT_IS_FILE { .text = "path is a file: ", .errnum = ENOTDIR }
#define NO_USER_CONNECT { .code = E2B_CONNECT_UNAUTHENTICATED, .errnum = EACCES }
#define NO_USER_FILES { .http_status = 401, .text = "looking up user", .errnum = EACCES }
#define NO_PROCESS(e) { .code = E2B_CONNECT_NOT_FOUND, .errnum = (e) }

const struct endpoint endpoints[EP_COUNT] = {
    [EP_SANDBOX_LIST] = {
        .name = "list", .plane = PLANE_CONTROL, .wire = WIRE_REST,
        .method = "GET", .path = "/v2/sandboxes", .retry = RETRY_IDEMPOTENT,
        .first_byte_ms = METADATA_MS, .max_body = MIB(8), .accept_gzip = true,
    },
    [EP_SANDBOX_LIST_V1] = {
        .name = "list (v1)", .plane = PLANE_CONTROL, .wire = WIRE_REST,
        .method = "GET", .path = "/sandboxes", .retry = RETRY_IDEMPOTENT,
        .first_byte_ms = METADATA_MS, .max_body = MIB(64), .accept_gzip = true,
    },
    [EP_SANDBOX_GET] = {
        .name = "get", .plane = PLANE_CONTROL, .wire = WIRE_REST,
        .method = "GET", .path = "/sandboxes/{id}", .retry = RETRY_IDEMPOTENT,
        .first_byte_ms = METADATA_MS, .max_body = MIB(1),
    },
    [EP_SANDBOX_CREATE] = {
        .name = "create", .plane = PLANE_CONTROL, .wire = WIRE_REST,
        .method = "POST", .path = "/v2/sandboxes", .retry = RETRY_REFUSED,
        .first_byte_ms = SLOW_MS, .stall_ms = SLOW_MS, .max_body = MIB(1),
    },
    [EP_SANDBOX_CREATE_V1] = {
        .name = "create (v1)", .plane = PLANE_CONTROL, .wire = WIRE_REST,
        .method = "POST", .path = "/sandboxes", .retry = RETRY_REFUSED,
        .first_byte_ms = SLOW_MS, .stall_ms = SLOW_MS, .max_body = MIB(1),
    },
    /* A second DELETE after a lost answer finds nothing, which is what was wanted: kill_done
     * takes a 404 that follows an unanswered try for success. */
    [EP_SANDBOX_KILL] = {
        .name = "kill", .plane = PLANE_CONTROL, .wire = WIRE_REST,
        .method = "DELETE", .path = "/sandboxes/{id}", .retry = RETRY_IDEMPOTENT,
        .first_byte_ms = SLOW_MS, .stall_ms = SLOW_MS, .max_body = MIB(1),
    },
    /* "N seconds from now" twice is the same but for the pause between the tries. */
    [EP_SANDBOX_TIMEOUT] = {
        .name = "timeout", .plane = PLANE_CONTROL, .wire = WIRE_REST,
        .method = "POST", .path = "/sandboxes/{id}/timeout", .retry = RETRY_IDEMPOTENT,
        .first_byte_ms = METADATA_MS, .max_body = MIB(1),
    },
    /* A full memory snapshot takes about 4 s per GiB. */
    [EP_SANDBOX_PAUSE] = {
        .name = "pause", .plane = PLANE_CONTROL, .wire = WIRE_REST,
        .method = "POST", .path = "/sandboxes/{id}/pause", .retry = RETRY_REFUSED,
        .first_byte_ms = SLOW_MS, .stall_ms = SLOW_MS, .max_body = MIB(1),
    },
    [EP_SANDBOX_CONNECT] = {
        .name = "resume", .plane = PLANE_CONTROL, .wire = WIRE_REST,
        .method = "POST", .path = "/sandboxes/{id}/connect", .retry = RETRY_REFUSED,
        .first_byte_ms = SLOW_MS, .stall_ms = SLOW_MS, .max_body = MIB(1),
    },
    [EP_SANDBOX_CONNECT_V2] = {
        .name = "resume (v2)", .plane = PLANE_CONTROL, .wire = WIRE_REST,
        .method = "POST", .path = "/v2/sandboxes/{id}/connect", .retry = RETRY_REFUSED,
        .first_byte_ms = SLOW_MS, .stall_ms = SLOW_MS, .max_body = MIB(1),
    },
    [EP_SANDBOX_RESUME] = {
        .name = "resume (old)", .plane = PLANE_CONTROL, .wire = WIRE_REST,
        .method = "POST", .path = "/sandboxes/{id}/resume", .retry = RETRY_REFUSED,
        .first_byte_ms = SLOW_MS, .stall_ms = SLOW_MS, .max_body = MIB(1),
    },
    [EP_METRICS] = {
        .name = "metrics", .plane = PLANE_CONTROL, .wire = WIRE_REST,
        .method = "GET", .path = "/sandboxes/{id}/metrics", .retry = RETRY_IDEMPOTENT,
        .first_byte_ms = METADATA_MS, .max_body = MIB(16), .accept_gzip = true,
    },
    [EP_METRICS_BATCH] = {
        .name = "metrics of many", .plane = PLANE_CONTROL, .wire = WIRE_REST,
        .method = "GET", .path = "/sandboxes/metrics", .retry = RETRY_IDEMPOTENT,
        .first_byte_ms = METADATA_MS, .max_body = MIB(4), .accept_gzip = true,
    },

    [EP_STAT] = {
        .name = "stat", .plane = PLANE_ENVD, .wire = WIRE_UNARY,
        .method = "POST", .path = "/filesystem.Filesystem/Stat", .retry = RETRY_IDEMPOTENT,
        .first_byte_ms = METADATA_MS, .max_body = MIB(1),
        .errnos = { NO_USER_CONNECT },
    },
    [EP_LIST_DIR] = {
        .name = "list directory", .plane = PLANE_ENVD, .wire = WIRE_UNARY,
        .method = "POST", .path = "/filesystem.Filesystem/ListDir", .retry = RETRY_IDEMPOTENT,
        .first_byte_ms = METADATA_MS, .max_body = MIB(64), .accept_gzip = true,
        .errnos = {
            { .code = E2B_CONNECT_FAILED_PRECONDITION, .errnum = ELOOP },
            { .code = E2B_CONNECT_INVALID_ARGUMENT, .text = "is not a directory",
              .errnum = ENOTDIR },
            NO_USER_CONNECT,
        },
    },
    /* Not RETRY_IDEMPOTENT: after a lost answer the second try would say EEXIST. */
    [EP_MAKE_DIR] = {
        .name = "make directories", .plane = PLANE_ENVD, .wire = WIRE_UNARY,
        .method = "POST", .path = "/filesystem.Filesystem/MakeDir", .retry = RETRY_REFUSED,
        .first_byte_ms = METADATA_MS, .max_body = MIB(1),
        .errnos = {
            { .code = E2B_CONNECT_INVALID_ARGUMENT, .text = "already exists", .errnum = EEXIST },
            PARENT_IS_FILE, NO_USER_CONNECT,
        },
    },
    /* Not RETRY_IDEMPOTENT: after a lost answer the second try would say ENOENT. */
    [EP_MOVE] = {
        .name = "move", .plane = PLANE_ENVD, .wire = WIRE_UNARY,
        .method = "POST", .path = "/filesystem.Filesystem/Move", .retry = RETRY_REFUSED,
        .first_byte_ms = METADATA_MS, .max_body = MIB(1),
        .errnos = { PARENT_IS_FILE, NO_USER_CONNECT },
    },
    [EP_FILE_READ] = {
        .name = "read", .plane = PLANE_ENVD, .wire = WIRE_FILES,
        .method = "GET", .path = "/files", .retry = RETRY_IDEMPOTENT,
        .first_byte_ms = METADATA_MS, .max_body = MIB(1),
        .errnos = { FILE_MISSING, FILE_IS_DIR, NO_USER_FILES },
    },
    /* The same bytes once more are the same file: the descriptor is read again from `off`. */
    [EP_FILE_WRITE] = {
        .name = "write", .plane = PLANE_ENVD, .wire = WIRE_FILES,
        .method = "POST", .path = "/files", .retry = RETRY_IDEMPOTENT,
        .first_byte_ms = ONLY_STALL, .max_body = MIB(1),
        .errnos = {
            { .http_status = 507, .errnum = ENOSPC },
            FILE_IS_DIR, PARENT_IS_FILE, NO_USER_FILES,
        },
    },
    [EP_PROCESS_START] = {
        .name = "start", .plane = PLANE_ENVD, .wire = WIRE_STREAM,
        .method = "POST", .path = "/process.Process/Start", .retry = RETRY_NEVER,
        .first_byte_ms = METADATA_MS, .max_body = MIB(1),
        .errnos = {
            { .code = E2B_CONNECT_INVALID_ARGUMENT, .text = "does not exist",
              .errnum = ENOENT },
            NO_USER_CONNECT,
        },
    },
    [EP_PROCESS_INPUT] = {
        .name = "send input", .plane = PLANE_ENVD, .wire = WIRE_UNARY,
        .method = "POST", .path = "/process.Process/SendInput", .retry = RETRY_NEVER,
        .first_byte_ms = ONLY_STALL, .stall_ms = INPUT_MS, .max_body = MIB(1),
        .errnos = {
            { .text = "broken pipe", .errnum = EPIPE },
            { .text = "stdin not enabled or closed", .errnum = EPIPE },
            { .text = "file already closed", .errnum = EPIPE },
            NO_PROCESS(ENOENT),
        },
    },
    [EP_PROCESS_CLOSE_STDIN] = {
        .name = "close stdin", .plane = PLANE_ENVD, .wire = WIRE_UNARY,
        .method = "POST", .path = "/process.Process/CloseStdin", .retry = RETRY_IDEMPOTENT,
        .first_byte_ms = METADATA_MS, .max_body = MIB(1),
        .errnos = { NO_PROCESS(ESRCH) },
    },
    [EP_PROCESS_SIGNAL] = {
        .name = "signal", .plane = PLANE_ENVD, .wire = WIRE_UNARY,
        .method = "POST", .path = "/process.Process/SendSignal", .retry = RETRY_REFUSED,
        .first_byte_ms = METADATA_MS, .max_body = MIB(1),
        .errnos = {
            NO_PROCESS(ESRCH),
            { .text = "process already finished", .errnum = ESRCH },
        },
    },
};
/* clang-format on */

int endpoint_path(const struct endpoint *ep, const char *id, struct buf *out)
{
    static const char mark[] = "{id}";
    const char *at = strstr(ep->path, mark);
    int r;

    if (!at)
        return buf_puts(out, ep->path);
    r = buf_append(out, ep->path, (size_t)(at - ep->path));
    if (r == 0)
        r = buf_puts(out, id);
    if (r == 0)
        r = buf_puts(out, at + strlen(mark));
    return r;
}

int endpoint_errno(const struct endpoint *ep, int http_status, enum e2b_connect_code code,
                   const char *message)
{
    for (size_t i = 0; i < ENDPOINT_ERRNOS && ep->errnos[i].errnum; i++) {
        const struct endpoint_errno *row = &ep->errnos[i];

        if (row->code != E2B_CONNECT_NONE && row->code != code)
            continue;
        if (row->http_status && row->http_status != http_status)
            continue;
        if (row->text && !strstr(message, row->text))
            continue;
        return row->errnum;
    }
    return 0;
}
