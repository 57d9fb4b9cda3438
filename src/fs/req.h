/* SPDX-License-Identifier: MIT */
/*
 * req: one FUSE request, answered exactly once.
 *
 * A struct fsreq wraps libfuse's fuse_req_t from dispatch to reply.  Every reply_ function
 * consumes it; replying twice or dropping it without a reply asserts.
 *
 * Interrupts.  The kernel sends FUSE_INTERRUPT for every signal that its task gets while it
 * waits, an interval timer's included, and only the first time.  So INTERRUPT does not mean
 * "give up": it starts a check, repeated each 50 ms, whether a signal that should end the wait
 * is pending at the caller (caller.h).  Only then on_interrupt runs, again and again until the
 * request ends.  It asks for a cancel, and the completion replies (ECANCELED goes out as
 * EINTR); or it replies itself and leaves its wait behind.
 *
 * A program that handles Ctrl-C may ask the very same again without looking (bash's cd tries
 * its directory twice): for AGAIN_MS after such an end that ends at once, too.
 *
 * Threads:   loop only.
 * Ownership: whoever holds the pointer must reply; what fuse passed to the handler (names,
 *            data) is dead after the handler returned.
 */
#ifndef FS_REQ_H
#define FS_REQ_H

#define FUSE_USE_VERSION 314

#include "util/loop.h"

#include <e2b/error.h>
#include <fuse_lowlevel.h>
#include <sys/queue.h>
#include <sys/statvfs.h>
#include <sys/uio.h>

struct fs;
struct inode;
struct handle;

/* A wait that was ended by a signal of the user's, and until when asking again is answered so.
 */
struct fsreq_ended {
    pid_t pid;
    const char *op; /* static */
    uint64_t nodeid;
    int64_t until_ms;
};
enum { FSREQ_ENDED = 8 };

struct fsreq {
    struct fs *fs; /* borrowed */
    fuse_req_t fuse;
    const char *op; /* static: "lookup" */
    char *what;     /* owned: path for log and `error`, or NULL */
    struct inode
        *inode;  /* the node that the request is about; it holds a reference until the reply */
    uint64_t id; /* for the log */
    int64_t started_ms;
    pid_t pid; /* the calling thread; 0 for the kernel's own requests */
    loop_fn *on_interrupt;
    void *interrupt_arg;
    bool is_interrupted; /* an INTERRUPT came, or fuse knew of one already */
    bool wants_out;      /* and a signal that ends the wait is pending */
    struct loop_timer check;
    TAILQ_ENTRY(fsreq) link;
};

struct fsreq *fsreq_new(struct fs *fs, fuse_req_t fuse, const char *op, struct inode *inode,
                        const char *name);

/* While the request waits: fn(arg) asks for a cancel.  Replaces an earlier one; NULL: none. */
void fsreq_on_interrupt(struct fsreq *req, loop_fn *fn, void *arg);

/* Failures.  reply_err logs to the sandbox's `error` what a user should know of. */
void fsreq_reply_err(struct fsreq *req, const struct e2b_err *err);
void fsreq_reply_errno(struct fsreq *req,
                       int errnum); /* expected ones: ENOENT, EPERM; 0: done */

/* Successes.  Each returns 0, or negative if the kernel had given up: then a lookup count or a
 * handle that the reply carried must be taken back (these functions do it for entries). */
void fsreq_reply_entry(struct fsreq *req, struct inode *inode, int64_t timeout_ms);
void fsreq_reply_negative(struct fsreq *req, int64_t timeout_ms);
void fsreq_reply_attr(struct fsreq *req, const struct stat *st, int64_t timeout_ms);
int fsreq_reply_open(struct fsreq *req, const struct fuse_file_info *fi);
int fsreq_reply_create(struct fsreq *req, struct inode *inode, int64_t timeout_ms,
                       const struct fuse_file_info *fi);
void fsreq_reply_write(struct fsreq *req, size_t count);
void fsreq_reply_buf(struct fsreq *req, const void *data, size_t len);
void fsreq_reply_iov(struct fsreq *req, const struct iovec *iov, int n);
void fsreq_reply_readlink(struct fsreq *req, const char *text);
void fsreq_reply_statfs(struct fsreq *req, const struct statvfs *st);
void fsreq_reply_xattr(struct fsreq *req, size_t size);
/* The caller answered req->fuse itself (directory buffers): ends the request. */
void fsreq_replied(struct fsreq *req);

#endif
