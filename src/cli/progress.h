/* SPDX-License-Identifier: MIT */
/*
 * progress: one line on the terminal about a transfer that takes longer than half a second:
 * bytes, share, rate over all of it, and what that means for the rest.
 *
 * Nothing is shown with -q, or if standard error is no terminal.
 *
 * Threads: loop only.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "cli/cli.h"
#include "util/buf.h"
#include "util/loop.h"

typedef int64_t progress_fn(void *arg); /* bytes so far */

struct progress {
    /* private */
    struct loop *loop;
    struct loop_timer timer;
    progress_fn *done;
    void *arg;
    int64_t total, started_ms;
    size_t width; /* of the line on the terminal */
};

/* `total` -1: unknown.  End with progress_stop, which wipes the line. */
void progress_start(struct progress *p, const struct cli *cli, int64_t total, progress_fn *done,
                    void *arg);
void progress_stop(struct progress *p);

/* The line, appended: "1.5 MiB of 6.0 MiB, 25 %, 512.0 KiB/s, 9s left". */
void progress_text(struct buf *out, int64_t done, int64_t total, int64_t elapsed_ms);

#endif
