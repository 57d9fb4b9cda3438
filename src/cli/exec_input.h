/* SPDX-License-Identifier: MIT */
/*
 * exec_input: a descriptor's bytes to a remote process's stdin.
 *
 *   state     reading?             in flight   leaves by
 *   IDLE      no                   -           feeder_start
 *   FEEDING   while there is room  one piece   end of file, failure
 *   CLOSING   no                   close       its completion
 *   DONE      no                   -
 *
 * One piece is under way at a time, which keeps the order, and at most FEEDER_CHUNK bytes wait
 * behind it.  A process that has gone or reads no more ends the feeding quietly, as a broken
 * pipe would; any other failure is reported, because nobody knows how much arrived.
 *
 * Threads: loop only.
 */
#ifndef CLI_EXEC_INPUT_H
#define CLI_EXEC_INPUT_H

#include "util/buf.h"
#include "util/loop.h"

#include <e2b/process.h>

#define FEEDER_CHUNK KIB(256)

enum feeder_state { FEEDER_IDLE, FEEDER_FEEDING, FEEDER_CLOSING, FEEDER_DONE };

typedef void feeder_failed_fn(void *arg, const struct e2b_err *err);

struct feeder {
    enum feeder_state state;
    struct e2b_client *client; /* borrowed, as the rest */
    struct loop *loop;
    const char *id;
    uint32_t pid;
    int fd;
    bool is_pollable, is_at_end;
    struct loop_fd watch;
    struct buf waiting;
    struct e2b_call *call; /* in flight, or NULL */
    feeder_failed_fn *on_failed;
    void *arg;
};

void feeder_init(struct feeder *f, struct e2b_client *client, struct loop *loop, const char *id,
                 int fd, feeder_failed_fn *on_failed, void *arg);
void feeder_start(struct feeder *f, uint32_t pid);
/* No more input; what is in flight is cancelled.  Clear once feeder_is_quiet. */
void feeder_stop(struct feeder *f);
bool feeder_is_quiet(const struct feeder *f);
void feeder_clear(struct feeder *f);

#endif
