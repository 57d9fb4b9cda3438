/* SPDX-License-Identifier: MIT */
/*
 * blocks_fetch: which requests bring the blocks that are wanted, and what comes of them.
 *
 * Threads: loop only.  Part of blocks (blocks_impl.h).
 */
#ifndef CACHE_BLOCKS_FETCH_H
#define CACHE_BLOCKS_FETCH_H

#include "cache/blocks_impl.h"

/* Gives every block in file->fresh to a download: one that passes there, or a new one. */
void fetch_fresh(struct blocks_file *file);

/* Somebody needs this LOADING block: the stream that brings it must run on to its end. */
void fetch_join(struct blocks_file *file, struct block *b);

/* Readers are at byte `end`: lets the streams there run on. */
void fetch_note_read(struct blocks_file *file, int64_t end);

/* Ends a download whose blocks nobody waits for. */
void fetch_drop(struct blocks_file *file, struct download *d);

/* Ends all downloads and drops all blocks of a file, whoever waits for them. */
void fetch_drop_all(struct blocks_file *file);

/* Ends the stream that was longest of no use to anybody, of this file (NULL: of all). */
bool fetch_give_up_one(struct blocks *blocks, const struct blocks_file *file);

#endif
