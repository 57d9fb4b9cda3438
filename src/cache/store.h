/* SPDX-License-Identifier: MIT */
/*
 * store: the memory of blocks, under one ceiling for all files.
 *
 *   state     has data?        in a queue?      leaves by
 *   (absent)  no struct        -                store_load
 *   LOADING   `filled` bytes   the owner's      store_ready, store_drop
 *   READY     all              if not pinned    eviction, store_drop
 *
 * A pinned block is never evicted.  Of the others go first what was read already (the kernel
 * has it in its page cache), then what was fetched ahead and nobody has read yet, each oldest
 * first.
 *
 * Memory:    `bytes` never exceeds `max`: store_load refuses instead.
 * Ownership: a block belongs to the map that it was added to; eviction removes it there.
 */
#ifndef CACHE_STORE_H
#define CACHE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uthash.h>

struct download;

enum block_state { BLOCK_LOADING, BLOCK_READY };

struct block {
    int64_t index; /* key in the map */
    struct block **map;
    enum block_state state;
    size_t len, filled;
    char *data;    /* owned */
    unsigned pins; /* waits that include it */
    bool was_read;
    struct download *download; /* brings it; NULL: none yet, or READY */
    TAILQ_ENTRY(block) link;   /* LOADING: the owner's; READY: read or unread */
    UT_hash_handle hh;
};

TAILQ_HEAD(block_queue, block);

struct store {
    size_t max, bytes, blocks;
    uint64_t evicted;
    struct block_queue read, unread;
};

void store_init(struct store *store, size_t max);

struct block *block_find(struct block *const *map, int64_t index);

/* Evicts until `bytes` more fit; false if what is left is pinned or loading. */
bool store_make_room(struct store *store, size_t bytes);

/* A new LOADING block without pins; NULL with errno EAGAIN (no room) or ENOMEM. */
struct block *store_load(struct store *store, struct block **map, int64_t index, size_t len);
/* It is filled. */
void store_ready(struct store *store, struct block *b);

void store_pin(struct store *store, struct block *b);
void store_unpin(struct store *store, struct block *b);
/* Somebody reads it (READY). */
void store_touch(struct store *store, struct block *b);
/* It was fetched ahead in vain (READY): goes before all others. */
void store_chill(struct store *store, struct block *b);

/* Frees it whatever its state and pins; if it is LOADING the owner has unlinked it. */
void store_drop(struct store *store, struct block *b);

/* Asserts the table above for one block. */
void block_check(const struct block *b);

#endif
