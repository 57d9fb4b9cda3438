/* SPDX-License-Identifier: MIT */
/*
 * error: the one table between causes, HTTP statuses, Connect codes, errnos and exit codes
 * (design 4.3 and 8).  include/e2b/error.h has the type; this header is for the layers that
 * turn a server's answer into an errno.
 *
 * Threads: any.  All functions are pure.
 */
#ifndef UTIL_ERROR_H
#define UTIL_ERROR_H

#include <e2b/error.h>
#include <stdarg.h>

/* Positive errno for an HTTP status >= 400 of the control plane; EIO if nothing fits. */
int errno_from_http(int status);

/* Positive errno for a Connect code; EIO for codes that name no cause. */
int errno_from_connect(enum e2b_connect_code code);

/* E2B_CONNECT_NONE if `name` is no known code. */
enum e2b_connect_code connect_code_parse(const char *name);

/* The code that Connect's clients assume for an HTTP status without a Connect body. */
enum e2b_connect_code connect_code_from_http(int status);

/*
 * The errno that the text after the last ": " of a message of Go's or glibc's names ("open
 * /x: no space left on device"), compared without case; 0 if it names none (envd.md 11).
 */
int errno_from_text(const char *message);

/* e2b_fail and e2b_wrap with a va_list, for functions that add arguments of their own. */
int e2b_vfail(struct e2b_err *err, int errnum, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));

/* strerrorname_np(), but never NULL: "ENOENT"; "EIO" for numbers that have no name. */
const char *errno_name(int errnum);

#endif
