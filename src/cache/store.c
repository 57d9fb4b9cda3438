/* SPDX-License-Identifier: MIT */
#include "cache/store.h"

#include "util/xalloc.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

void store_init(struct store *store, size_t max)
{
    *store = (struct store){ .max = max };
    TAILQ_INIT(&store->read);
    TAILQ_INIT(&store->unread);
}

void block_check(const struct block *b)
{
    assert(b->data && b->filled <= b->len);
    assert(b->state == BLOCK_LOADING || (b->filled == b->len && !b->download));
    (void)b;
}

struct block *block_find(struct block *const *map, int64_t index)
{
    struct block *b;

    HASH_FIND(hh, *map, &index, sizeof(index), b);
    return b;
}

static struct block_queue *queue_of(struct store *store, const struct block *b)
{
    return b->was_read ? &store->read : &store->unread;
}

static bool is_evictable(const struct block *b)
{
    return b->state == BLOCK_READY && b->pins == 0;
}

void store_drop(struct store *store, struct block *b)
{
    if (is_evictable(b))
        TAILQ_REMOVE(queue_of(store, b), b, link);
    HASH_DEL(*b->map, b);
    store->bytes -= b->len;
    store->blocks--;
    free(b->data);
    free(b);
}

bool store_make_room(struct store *store, size_t bytes)
{
    struct block *oldest;

    while (bytes > store->max || store->bytes > store->max - bytes) {
        oldest = TAILQ_FIRST(&store->read);
        if (!oldest)
            oldest = TAILQ_FIRST(&store->unread);
        if (!oldest)
            return false;
        store_drop(store, oldest);
        store->evicted++;
    }
    return true;
}

struct block *store_load(struct store *store, struct block **map, int64_t index, size_t len)
{
    struct block *b;
    char *data;

    errno = EAGAIN;
    if (!store_make_room(store, len))
        return NULL;
    data = malloc(len);
    if (!data)
        return NULL;
    b = xcalloc(1, sizeof(*b));
    b->index = index;
    b->map = map;
    b->len = len;
    b->data = data;
    HASH_ADD(hh, *map, index, sizeof(b->index), b);
    store->bytes += len;
    store->blocks++;
    block_check(b);
    return b;
}

void store_ready(struct store *store, struct block *b)
{
    assert(b->state == BLOCK_LOADING);
    b->state = BLOCK_READY;
    b->download = NULL;
    if (b->pins == 0)
        TAILQ_INSERT_TAIL(queue_of(store, b), b, link);
    block_check(b);
}

void store_pin(struct store *store, struct block *b)
{
    if (is_evictable(b))
        TAILQ_REMOVE(queue_of(store, b), b, link);
    b->pins++;
}

void store_unpin(struct store *store, struct block *b)
{
    assert(b->pins > 0);
    b->pins--;
    if (is_evictable(b))
        TAILQ_INSERT_TAIL(queue_of(store, b), b, link);
}

void store_touch(struct store *store, struct block *b)
{
    assert(b->state == BLOCK_READY);
    if (b->pins == 0)
        TAILQ_REMOVE(queue_of(store, b), b, link);
    b->was_read = true;
    if (b->pins == 0)
        TAILQ_INSERT_TAIL(queue_of(store, b), b, link);
}

void store_chill(struct store *store, struct block *b)
{
    assert(b->state == BLOCK_READY);
    if (b->pins > 0 || b->was_read)
        return;
    TAILQ_REMOVE(&store->unread, b, link);
    b->was_read = true;
    TAILQ_INSERT_HEAD(&store->read, b, link);
}
