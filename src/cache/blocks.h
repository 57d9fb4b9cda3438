/* SPDX-License-Identifier: MIT */
/*
 * blocks: the cached bytes of remote files.
 *
 * A file version (size, mtime) is cut into blocks of BLOCK_SIZE bytes.  A block is in one
 * state:
 *
 *   state     in LRU?       has data?  waiters?   leaves by
 *   ABSENT    no            no         no         blocks_want
 *   LOADING   no            partly     maybe      data, failure, abandonment
 *   READY     if no waiter  yes        maybe      eviction, a new version
 *
 * How bytes come: a file of at most BLOCKS_WHOLE bytes is fetched by one request.  A
 * sequential reader gets one ranged stream to the end of the file (download.h) that runs ahead
 * of it by a window of 1 MiB, doubling to 16 MiB as it is used, paused at the window's edge (so
 * the first read of 128 KiB brings 1 MiB + 128 KiB).  Readers of one region share a stream; a
 * block is matched by its number, so read-ahead may come in any order.  A read that no stream
 * will come by is a miss; after 3 of them the file is read at random: exactly the missing
 * blocks, by bounded requests, until two runs follow each other again (pattern.h).  Requests
 * start at the end of the turn in which they were wanted, neighbours together.
 *
 * Every request is pinned to the version.  ESTALE means: the file is another one now, for what
 * is not cached yet.  Look at the directory again, blocks_set_version, and ask again.
 *
 * Threads:   loop only.
 * Memory:    all files together stay under max_bytes, always.  What is wanted and does not fit
 *            waits, in order, until others are done with theirs; what could never fit is
 * ENOMEM. Windows take at most half of max_bytes together and shrink as streams are added. What
 * was read already is evicted first, oldest first, then what was fetched ahead. A block that
 * somebody waits for is not evicted before the completion has run. Errors:    delivered to the
 * waiters; the blocks become ABSENT.  The file remembers its last error for BLOCKS_ERROR_MS,
 * since the kernel may send two READs for one that failed. Ownership: the owner of a struct
 * blocks_file calls blocks_close; waits must be over by then (cancel them and let them
 * complete).
 */
#ifndef CACHE_BLOCKS_H
#define CACHE_BLOCKS_H

#include "cache/source.h"
#include "util/loop.h"

#include <e2b/file.h>
#include <sys/uio.h>

enum {
    BLOCK_SIZE = 128 * 1024,
    BLOCKS_WHOLE = 256 * 1024,
    BLOCKS_IOV = 16,
    BLOCKS_LEN_MAX = 1024 * 1024, /* of one peek or want */
    BLOCKS_ERROR_MS = 1000,
};

struct blocks;
struct blocks_file;
struct blocks_wait;

struct blocks *blocks_new(struct loop *loop, struct e2b_client *client, size_t max_bytes);
/* All files must be closed.  Not from a completion. */
void blocks_free(struct blocks *blocks);

/* For tests: asks `source` (borrowed) instead of libe2b. */
void blocks_use_source(struct blocks *blocks, const struct file_source *source);

/* One per inode, shared by its handles.  size (>= 0) and mtime are the version as listed. */
struct blocks_file *blocks_open(struct blocks *blocks, const char *sandbox, const char *path,
                                int64_t size, struct timespec mtime);
void blocks_close(struct blocks_file *file);
/* The same file under another name; requests in flight go on. */
void blocks_rename(struct blocks_file *file, const char *path);
/*
 * What a newer listing says; another version drops the blocks and the remembered error, and
 * who waits gets the new version's bytes.  True if it was another one.
 */
bool blocks_set_version(struct blocks_file *file, int64_t size, struct timespec mtime);

/*
 * The bytes [off, off + len), cut at the end of the file, if all are here: fills iov (at most
 * BLOCKS_IOV pieces; len <= BLOCKS_LEN_MAX) and returns how many (0 at or past the end); else
 * -1.  Borrowed until the next call into this module or the next callback of the loop.
 */
int blocks_peek(struct blocks_file *file, off_t off, size_t len, struct iovec *iov);

/* The completion comes once, on a later turn: a blocks_peek of the same range inside it
 * succeeds, or there is an error. */
typedef void blocks_fn(void *arg, const struct e2b_err *err);
struct blocks_wait *blocks_want(struct blocks_file *file, off_t off, size_t len, blocks_fn *fn,
                                void *arg);
/*
 * Asks; the completion still comes (ECANCELED).  A bounded request, and a stream that brought
 * nothing yet, end with their last waiter; a stream that flows ends some time after its last
 * reader left.
 */
void blocks_cancel(struct blocks_wait *wait);

struct blocks_stats {
    uint64_t hits, misses, evicted, requests, bytes_fetched;
    size_t bytes, blocks, streams;
};
void blocks_stats(const struct blocks *blocks, struct blocks_stats *out);

/* Asserts everything that must hold between calls (slow). */
void blocks_check(const struct blocks *blocks);

#endif
