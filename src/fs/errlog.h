/* SPDX-License-Identifier: MIT */
/*
 * errlog: the last 16 failures of each sandbox and of the mount, as `error` shows them:
 *
 *   2026-08-20T09:12:31Z write ia0b/ctl EHOSTDOWN: sandbox is paused; try: echo 'resume 10m' >
 * ctl
 *
 * Remote text is cleaned of control characters; nothing secret is ever passed in.
 *
 * Threads: loop only.
 */
#ifndef FS_ERRLOG_H
#define FS_ERRLOG_H

#include "util/buf.h"

#include <e2b/error.h>
#include <time.h>

enum { ERRLOG_LINES = 16 };

struct errlog_ring;
struct errlog {
    struct errlog_ring *rings; /* by sandbox id; "" is the mount's own */
};

void errlog_init(struct errlog *log);
void errlog_clear(struct errlog *log);
/* sandbox NULL: the mount's own.  The mount's ring also gets every sandbox's line. */
void errlog_add(struct errlog *log, const char *sandbox, const char *op, const char *path,
                const struct e2b_err *err);
/* A note that is no failure ("timeout capped by the plan: ends ..."). */
void errlog_note(struct errlog *log, const char *sandbox, const char *op, const char *path,
                 const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* Appends the lines, newest first, and says when the newest came. */
struct timespec errlog_render(const struct errlog *log, const char *sandbox, struct buf *out);
/* Appends only the texts of the notes, newest first, each behind `prefix`; for the mount those
 * of its own. */
void errlog_notes(const struct errlog *log, const char *sandbox, const char *prefix,
                  struct buf *out);
void errlog_forget(struct errlog *log,
                   const char *sandbox); /* the sandbox is gone, or "clear" */

#endif
