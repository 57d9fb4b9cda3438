/* SPDX-License-Identifier: MIT */
/*
 * endpoints: the table of every remote operation.
 *
 * A row says how an operation travels, how long it may take, how large its answer may be,
 * whether a second try is safe, and where its errors mean something else than usual.  To add
 * an operation, add a row and a function in its service's file.
 *
 * Source of facts: control-plane.md 6, 7, 22; envd.md 2.9, 6, 7, 9.5, 12.5.
 * Threads: any; constant data and pure functions.
 */
#ifndef E2B_ENDPOINTS_H
#define E2B_ENDPOINTS_H

#include "http/retry.h"
#include "util/buf.h"

enum plane { PLANE_CONTROL, PLANE_ENVD };

/* How a request and its answer are written. */
enum wire {
    WIRE_REST,   /* JSON; errors {"code": number, "message"} */
    WIRE_UNARY,  /* Connect, one JSON message each way (envd.md 2.4) */
    WIRE_STREAM, /* Connect, enveloped JSON messages (envd.md 2.5) */
    WIRE_FILES,  /* envd's /files: raw bytes; errors {"code": number, "message"} */
};

enum endpoint_id {
    EP_SANDBOX_LIST,
    EP_SANDBOX_LIST_V1,
    EP_SANDBOX_GET,
    EP_SANDBOX_CREATE,
    EP_SANDBOX_CREATE_V1,
    EP_SANDBOX_KILL,
    EP_SANDBOX_TIMEOUT,
    EP_SANDBOX_PAUSE,
    EP_SANDBOX_CONNECT,
    EP_SANDBOX_CONNECT_V2,
    EP_SANDBOX_RESUME,
    EP_METRICS,
    EP_METRICS_BATCH,
    EP_STAT,
    EP_LIST_DIR,
    EP_MAKE_DIR,
    EP_MOVE,
    EP_FILE_READ,
    EP_FILE_WRITE,
    EP_PROCESS_START,
    EP_PROCESS_INPUT,
    EP_PROCESS_CLOSE_STDIN,
    EP_PROCESS_SIGNAL,
    EP_COUNT
};

/*
 * "This answer means that errno here": the first row that fits wins over the general table
 * and over an errno named in the text.  A zero column fits everything; `text` is a part of the
 * message.  errnum 0 ends the rows.
 */
struct endpoint_errno {
    enum e2b_connect_code code;
    int http_status;
    const char *text;
    int errnum;
};

enum { ENDPOINT_ERRNOS = 6 };

struct endpoint {
    const char *name; /* for messages and the log: "stat" */
    enum plane plane;
    enum wire wire;
    const char *method;
    const char *path; /* "{id}" is replaced by the sandbox's id */
    enum retry_class retry;
    /* Milliseconds.  0: the engine's default.  first_byte -1: only the stall limit. */
    int64_t first_byte_ms, stall_ms;
    size_t max_body; /* ceiling of a collected answer */
    bool accept_gzip;
    struct endpoint_errno errnos[ENDPOINT_ERRNOS];
};

extern const struct endpoint endpoints[EP_COUNT];

/* Appends the row's path for a sandbox (id may be NULL if the path names none). */
int endpoint_path(const struct endpoint *ep, const char *id, struct buf *out);

/* Errno that the row gives to an error answer, or 0 if no row of its own fits. */
int endpoint_errno(const struct endpoint *ep, int http_status, enum e2b_connect_code code,
                   const char *message);

#endif
