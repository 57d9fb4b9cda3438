/* SPDX-License-Identifier: MIT */
/*
 * download: one ranged request as a flow of bytes.
 *
 * A bounded download (is_stream false) runs to its end.  A stream runs ahead of its readers and
 * is paused at an edge:  edge = asked + window.  `asked` is the furthest byte that a reader
 * asked for; the window doubles from WINDOW_MIN to WINDOW_MAX each time that it was used up.
 *
 *   state    leaves by
 *   FLOWING  the edge, or a sink without room: PAUSED;  end, failure, being idle: gone
 *   PAUSED   download_asked: FLOWING;  failure, being idle: gone
 *
 * A stream that nobody holds or asks for DOWNLOAD_IDLE_MS is abandoned: `done` gets ECANCELED.
 * (Its connection would not survive a long pause anyway, and abandoning costs it.)
 *
 * Versions: the request is refused (ESTALE) if the file is newer than `mtime`; one that has
 * another size or time at the end, or fewer bytes than its listing said, is ESTALE too.
 *
 * Threads:   loop only.
 * Ownership: a download belongs to itself; it is valid from download_start until `done`
 * returned or download_drop was called.  `arg` is the owner's; nothing is called after that.
 * Errors:    in `done`, once.  No call happens before download_start returned.
 */
#ifndef CACHE_DOWNLOAD_H
#define CACHE_DOWNLOAD_H

#include "cache/source.h"
#include "util/buf.h"
#include "util/loop.h"

#include <sys/queue.h>

enum {
    WINDOW_MIN = 1024 * 1024,
    WINDOW_MAX = 16 * 1024 * 1024,
    DOWNLOAD_IDLE_MS = 10000,
};

struct download;

/* `off` is where `data` starts.  Returns 0 if it took all, or E2B_READ_PAUSE: the same bytes
 * come again after the next download_asked (only a stream that may pause is allowed to). */
typedef int download_bytes_fn(void *arg, struct download *d, int64_t off, const char *data,
                              size_t len);
typedef void download_done_fn(void *arg, struct download *d, const struct e2b_err *err);

struct download_how {
    struct loop *loop;
    struct e2b_client *client;
    const struct file_source *source;
    const char *sandbox, *path;
    int64_t size; /* the version */
    struct timespec mtime;
    int64_t off, end; /* bytes [off, end) of it */
    int64_t asked;    /* a stream's first readers want it up to here */
    int64_t limit;    /* as in download_asked */
    bool is_stream;
    download_bytes_fn *bytes;
    download_done_fn *done;
    void *arg;
};

struct download {
    /* for its owner's lists */
    LIST_ENTRY(download) in_file, in_all;
    void *arg;

    /* to be read by the owner */
    bool is_stream;
    bool may_pause;
    int64_t off, pos, end; /* the next byte to come is at pos */
    int64_t asked, edge;
    unsigned holders;

    /* private */
    struct loop *loop;
    const struct file_source *source;
    struct e2b_call *call;
    int64_t size;
    struct timespec mtime;
    int64_t window, mark; /* `asked` when the window last changed */
    bool is_paused, is_dropped;
    struct loop_timer idle;
    download_bytes_fn *bytes;
    download_done_fn *done;
};

struct download *download_start(const struct download_how *how);

/* Cancels it; nothing is called any more.  Fine inside `bytes` and `done` of others. */
void download_drop(struct download *d);

/* Readers asked for the bytes up to `end`; `limit` is the largest window that there is memory
 * for.  True if the window was used up (and grew, unless it is at its maximum). */
bool download_asked(struct download *d, int64_t end, int64_t limit);

/* True if a stream will come by `off`, at most `slack` bytes beyond its edge. */
bool download_covers(const struct download *d, int64_t off, int64_t slack);

/* A held stream is not abandoned. */
void download_hold(struct download *d);
void download_release(struct download *d);

#endif
