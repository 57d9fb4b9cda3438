/* SPDX-License-Identifier: MIT */
/*
 * blocks: the cached bytes of remote files.
 *
 * A file version (size, mtime) is cut into blocks of BLOCK_SIZE bytes.  A block is in one
 * state:
 *
 *   state     in LRU?  has data?  waiters?   leaves by
 *   ABSENT    no       no         no         blocks_want
 *   LOADING   no       partly     maybe      data, failure, abandonment
 *   READY     yes      yes        no         eviction, a new version
 *
 * How bytes come: a file of at most BLOCKS_WHOLE bytes is fetched by one request.  A
 * sequential reader gets one open-ended ranged stream (download.h) that runs ahead of it,
 * window 1 MiB + 128 KiB, doubling to 16 MiB as it is used, paused at the window's edge.  A
 * reader that jumps counts a miss; after 3 it gets exactly the blocks that it asks for, until
 * it reads two in sequence again.  Every request is pinned to the version: a newer file is
 * ESTALE for what is not cached yet, never a mix.
 *
 * Threads:   loop only.
 * Memory:    all files together stay under max_bytes: ready blocks are evicted oldest first; a
 *            block whose completion is running is never evicted.  Windows shrink under
 * pressure. Errors:    delivered to the waiters; the block becomes ABSENT.  The file remembers
 * its last error for 1 s, since the kernel may send two READs for one that failed. Ownership:
 * the owner of a struct blocks_file calls blocks_close; waits must be over by then (cancel them
 * and let them complete).
 */
#ifndef CACHE_BLOCKS_H
#define CACHE_BLOCKS_H

#include "util/loop.h"

#include <e2b/file.h>
#include <sys/uio.h>

enum { BLOCK_SIZE = 128 * 1024, BLOCKS_WHOLE = 256 * 1024, BLOCKS_IOV = 16 };

struct blocks;
struct blocks_file;
struct blocks_wait;

struct blocks *blocks_new(struct loop *loop, struct e2b_client *client, size_t max_bytes);
void blocks_free(struct blocks *blocks);

/* One per inode, shared by its handles.  size and mtime are the version as listed. */
struct blocks_file *blocks_open(struct blocks *blocks, const char *sandbox, const char *path,
                                int64_t size, struct timespec mtime);
void blocks_close(struct blocks_file *file);
/* The same file under another name; requests in flight go on. */
void blocks_rename(struct blocks_file *file, const char *path);
/* What a newer listing says; another version drops the blocks.  True if it was another one. */
bool blocks_set_version(struct blocks_file *file, int64_t size, struct timespec mtime);

/*
 * The bytes [off, off + len), cut at the end of the file, if all are here: fills iov (at most
 * BLOCKS_IOV pieces; len <= 1 MiB) and returns how many (0 at or past the end); else -1.
 * Borrowed until the next turn of the loop.
 */
int blocks_peek(struct blocks_file *file, off_t off, size_t len, struct iovec *iov);

/* The completion comes when blocks_peek of the same range will succeed, or with an error. */
typedef void blocks_fn(void *arg, const struct e2b_err *err);
struct blocks_wait *blocks_want(struct blocks_file *file, off_t off, size_t len, blocks_fn *fn,
                                void *arg);
/* Asks; ECANCELED comes.  A stream ends some time after its last reader left. */
void blocks_cancel(struct blocks_wait *wait);

struct blocks_stats {
    uint64_t hits, misses, evicted, requests, bytes_fetched;
    size_t bytes, blocks, streams;
};
void blocks_stats(const struct blocks *blocks, struct blocks_stats *out);

#endif
