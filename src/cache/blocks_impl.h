/* SPDX-License-Identifier: MIT */
/*
 * blocks_impl: what blocks.c (who waits), blocks_fetch.c (what is requested for them) and
 * blocks_check.c share.  For nobody else.
 *
 * The life of a wait: blocks_want -> ASKED -> (end of the turn, and there is memory) its blocks
 * exist and are pinned -> LOADING -> (the last block is ready, or one failed) -> DUE -> (next
 * turn) the completion.  Everything that calls back runs in one posted function, on_turn; what
 * brings bytes only moves waits between queues.
 */
#ifndef CACHE_BLOCKS_IMPL_H
#define CACHE_BLOCKS_IMPL_H

#include "cache/blocks.h"
#include "cache/download.h"
#include "cache/pattern.h"
#include "cache/store.h"

enum wait_state { WAIT_ASKED, WAIT_LOADING, WAIT_DUE, WAIT_RUNNING };

struct blocks_wait {
    struct blocks_file *file;
    off_t off;
    size_t len;
    blocks_fn *fn;
    void *arg;
    enum wait_state state;
    bool is_admitted; /* all blocks of its range exist, and are pinned by it */
    size_t missing;   /* of them, not READY */
    uint64_t turn;    /* in which it became due */
    struct e2b_err err;
    TAILQ_ENTRY(blocks_wait) queue; /* ASKED, DUE: in blocks->asked or ->due */
    TAILQ_ENTRY(blocks_wait) in_file;
};

TAILQ_HEAD(wait_queue, blocks_wait);

struct blocks_file {
    struct blocks *blocks;
    char *sandbox, *path; /* owned */
    int64_t size;
    struct timespec mtime;
    struct block *map;
    struct block_queue fresh; /* LOADING without a download, by index; empty between turns */
    struct wait_queue waits;
    LIST_HEAD(download_list, download) downloads;
    size_t streams;
    struct pattern pattern;
    struct e2b_err err; /* the last failure, until err_until_ms */
    int64_t err_until_ms;
    bool is_planned; /* in blocks->planned: has something in `fresh` */
    TAILQ_ENTRY(blocks_file) planned;
    TAILQ_ENTRY(blocks_file) link;
};

TAILQ_HEAD(file_queue, blocks_file);

struct blocks {
    struct loop *loop;
    struct e2b_client *client;
    const struct file_source *source;
    struct store store;
    struct file_queue files, planned;
    struct wait_queue asked, due;
    LIST_HEAD(stream_list, download) streams; /* of all files, the last used first */
    size_t n_streams;
    bool is_posted; /* on_turn is */
    bool is_planning;
    bool is_delivering;
    uint64_t turn;
    struct blocks_stats stats;
};

struct range {
    int64_t off, end;    /* bytes; empty if off == end */
    int64_t first, last; /* blocks; last < first if empty */
};

/* [off, off + len) cut at the end of the file. */
struct range range_of(const struct blocks_file *file, off_t off, size_t len);
int64_t block_end(const struct blocks_file *file, int64_t index);
size_t block_len(const struct blocks_file *file, int64_t index);

/* blocks_fetch.c tells blocks.c: */

/* A block is filled: who waits for it may go on. */
void blocks_ready(struct blocks_file *file, struct block *b);
/* The LOADING blocks that no download brings any more (`all`: all that are READY, too) go, and
 * the waits that need them fail.  True if there was one. */
bool blocks_fail(struct blocks_file *file, const struct e2b_err *err, bool all);
/* Memory became free, or evictable: somebody may wait for it. */
void blocks_room_grew(struct blocks *blocks);

#endif
