/* SPDX-License-Identifier: MIT */
/*
 * exec_output: bytes to a descriptor that may be slow, without blocking the loop and without
 * making the descriptor non-blocking (it is shared with whoever started us).
 *
 * What can't be written at once is queued; the owner then asks its source to pause until
 * on_drained.  What arrives nevertheless is queued up to SINK_MAX, more is -EFBIG.
 *
 * Threads: loop only.
 */
#ifndef CLI_EXEC_OUTPUT_H
#define CLI_EXEC_OUTPUT_H

#include "util/buf.h"
#include "util/loop.h"

#include <stdbool.h>

#define SINK_MAX MIB(32)

struct sink {
    struct loop *loop;    /* borrowed */
    struct loop_fd watch; /* active while something is queued */
    int fd;               /* borrowed */
    bool is_pollable, is_socket, is_escaping;
    char held[4];
    size_t n_held;
    struct buf queue;
    int error;          /* negative errno once writing failed; everything after it is dropped */
    loop_fn *on_change; /* the queue became empty, or writing failed */
    void *arg;
};

void sink_init(struct sink *s, struct loop *loop, int fd, bool is_escaping, loop_fn *on_change,
               void *arg);
void sink_clear(struct sink *s);

/* 0, or the negative errno of this or an earlier write. */
int sink_write(struct sink *s, const char *data, size_t len);
/* The stream has ended: a character that was cut is written, too. */
int sink_finish(struct sink *s);
bool sink_is_drained(const struct sink *s);

#endif
