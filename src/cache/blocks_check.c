/* SPDX-License-Identifier: MIT */
#include "cache/blocks_impl.h"

#include <assert.h>

/* Each pin is a wait's, each hold a pinned block's, each missing block is loading. */
static void file_check(const struct blocks_file *file, size_t *bytes, size_t *evictable)
{
    const struct blocks_wait *w;
    const struct download *d;
    const struct block *b;
    size_t pins = 0, held = 0, streams = 0;

    assert(TAILQ_EMPTY(&file->fresh) && !file->is_planned);
    for (w = TAILQ_FIRST(&file->waits); w; w = TAILQ_NEXT(w, in_file)) {
        struct range r = range_of(file, w->off, w->len);
        size_t missing = 0;

        assert(w->is_admitted ==
               (w->state == WAIT_LOADING || (w->state == WAIT_DUE && w->err.errnum == 0)));
        for (int64_t i = r.first; w->is_admitted && i <= r.last; i++) {
            b = block_find(&file->map, i);
            assert(b && b->pins > 0);
            pins++;
            missing += b->state != BLOCK_READY;
        }
        assert(!w->is_admitted || missing == w->missing);
        assert((w->state == WAIT_LOADING) == (missing > 0));
    }
    for (b = file->map; b; b = b->hh.next) {
        block_check(b);
        assert((b->state == BLOCK_LOADING) == (b->download != NULL));
        assert(b->map == &file->map && b->len == block_len(file, b->index));
        pins -= b->pins;
        held += b->state == BLOCK_LOADING && b->pins > 0;
        *evictable += b->state == BLOCK_READY && b->pins == 0;
        *bytes += b->len;
    }
    for (d = LIST_FIRST(&file->downloads); d; d = LIST_NEXT(d, in_file)) {
        assert(d->is_stream || d->holders > 0);
        held -= d->holders;
        streams += d->is_stream;
    }
    assert(pins == 0 && held == 0 && streams == file->streams);
    (void)streams;
}

void blocks_check(const struct blocks *blocks)
{
    const struct blocks_file *file;
    const struct block *b;
    const struct blocks_wait *w;
    size_t bytes = 0, evictable = 0;

    for (file = TAILQ_FIRST(&blocks->files); file; file = TAILQ_NEXT(file, link))
        file_check(file, &bytes, &evictable);
    assert(bytes == blocks->store.bytes && bytes <= blocks->store.max);
    for (b = TAILQ_FIRST(&blocks->store.read); b; b = TAILQ_NEXT(b, link), evictable--)
        assert(b->was_read);
    for (b = TAILQ_FIRST(&blocks->store.unread); b; b = TAILQ_NEXT(b, link), evictable--)
        assert(!b->was_read);
    assert(evictable == 0);
    for (w = TAILQ_FIRST(&blocks->asked); w; w = TAILQ_NEXT(w, queue))
        assert(w->state == WAIT_ASKED);
    for (w = TAILQ_FIRST(&blocks->due); w; w = TAILQ_NEXT(w, queue))
        assert(w->state == WAIT_DUE && blocks->is_posted);
}
