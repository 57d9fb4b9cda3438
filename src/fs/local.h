/* SPDX-License-Identifier: MIT */
/*
 * local: a private e2b-sandboxd for one mount (--local).
 *
 * The server is the one beside our own binary, else the one in PATH.  It keeps its sandboxes
 * in a directory, says on a pipe where it answers and with which key, and ends when its
 * lifeline, a pipe whose other end is ours, closes: also when we are killed.
 *
 * Threads:   before any are made (local_start waits, at most LOCAL_START_S).
 * Ownership: the caller owns *out.
 */
#ifndef FS_LOCAL_H
#define FS_LOCAL_H

#include <e2b/client.h>

struct local;

enum { LOCAL_START_S = 60 };

/*
 * Starts the server on `dir` (absolute, exists) and fills *config with its account; the caller
 * clears that.  Errors: ENOENT there is no e2b-sandboxd; EBUSY another mount uses that
 * directory; ETIMEDOUT, EIO it did not start, with its own last words.
 */
int local_start(const char *dir, const struct e2b_config_flags *flags, bool is_debug,
                struct local **out, struct e2b_config *config, struct e2b_err *err);

/* Lets go of the lifeline and waits a bounded time for the server's end. NULL is fine. */
void local_stop(struct local *local);

#endif
