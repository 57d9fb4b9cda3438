/* SPDX-License-Identifier: MIT */
/*
 * e2b/error: how failures travel.
 *
 * A function that can fail returns 0 (or a count) on success and a negative errno on failure,
 * and then also fills the caller's struct e2b_err.  The struct belongs to whoever wants to
 * know; no function allocates one.  Every `err` parameter may be NULL.
 *
 * First error wins: filling a filled struct does nothing, so that clean-up code cannot blur
 * the cause.  Callers add what they know in front with e2b_wrap().
 *
 * Threads:   any; a struct belongs to one thread at a time.
 * Ownership: plain data, copied by assignment, nothing to free.
 */
#ifndef E2B_ERROR_H
#define E2B_ERROR_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The error codes of the Connect protocol (connectrpc.com/docs/protocol), in its order. */
enum e2b_connect_code {
    E2B_CONNECT_NONE,
    E2B_CONNECT_CANCELED,
    E2B_CONNECT_UNKNOWN,
    E2B_CONNECT_INVALID_ARGUMENT,
    E2B_CONNECT_DEADLINE_EXCEEDED,
    E2B_CONNECT_NOT_FOUND,
    E2B_CONNECT_ALREADY_EXISTS,
    E2B_CONNECT_PERMISSION_DENIED,
    E2B_CONNECT_RESOURCE_EXHAUSTED,
    E2B_CONNECT_FAILED_PRECONDITION,
    E2B_CONNECT_ABORTED,
    E2B_CONNECT_OUT_OF_RANGE,
    E2B_CONNECT_UNIMPLEMENTED,
    E2B_CONNECT_INTERNAL,
    E2B_CONNECT_UNAVAILABLE,
    E2B_CONNECT_DATA_LOSS,
    E2B_CONNECT_UNAUTHENTICATED,
};

enum { E2B_ERR_MSG_MAX = 240 };

struct e2b_err {
    int errnum;                 /* errno value, positive; 0 means "no error" */
    int http_status;            /* 0 unless a server answered */
    enum e2b_connect_code code; /* E2B_CONNECT_NONE unless a Connect error came back */
    char msg[E2B_ERR_MSG_MAX];  /* one line, no newline, context first, cause last */
};

/* Exit codes of programs (design 8); e2b_err_exit_code() picks one of the first nine. */
enum e2b_exit {
    E2B_EXIT_OK = 0,
    E2B_EXIT_FAILURE = 1,
    E2B_EXIT_USAGE = 2,
    E2B_EXIT_NOT_FOUND = 3,
    E2B_EXIT_AUTH = 4,
    E2B_EXIT_TEMPORARY = 5,
    E2B_EXIT_STATE = 6,
    E2B_EXIT_PARTIAL = 7,
    E2B_EXIT_SPACE = 8,
    E2B_EXIT_TIMEOUT = 124,
    E2B_EXIT_OURS = 125, /* exec and its like: our own failure, not the remote program's */
    E2B_EXIT_INTERRUPTED = 130,
};

/*
 * Fills `err` (unless NULL or already filled) and returns -errnum.  The message says what was
 * attempted, on what, and why it failed; control characters in it are replaced by '?', what
 * does not fit is cut.
 */
int e2b_fail(struct e2b_err *err, int errnum, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Puts "context: " in front of a filled err's message and returns r, which is the negative
 * errno that the failing call returned.  If both do not fit, the end of the cause is cut.
 */
int e2b_wrap(struct e2b_err *err, int r, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Forgets the error, so that the struct can be filled again. */
void e2b_err_clear(struct e2b_err *err);

/* What a program should exit with for this error; the table is in src/util/error.c. */
int e2b_err_exit_code(const struct e2b_err *err);

/* What the user can do about it, as a short phrase ("try: ..."), or NULL.  Static storage. */
const char *e2b_err_hint(const struct e2b_err *err);

/* "not_found" and so on; "none" for E2B_CONNECT_NONE.  Static storage. */
const char *e2b_connect_code_name(enum e2b_connect_code code);

#ifdef __cplusplus
}
#endif
#endif
