/* SPDX-License-Identifier: MIT */
#include "cache/blocks_fetch.h"

#include "util/xalloc.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum {
    STREAMS_MAX = 32, /* in all; each has a connection of its own */
    STREAMS_PER_FILE = 8,
    SKIP_MAX = 1024 * 1024, /* a stream passes over that much to reach a reader */
    EXACT_BLOCKS = 8,       /* of one bounded request */
};

/* ---- downloads of a file ---- */

/* The readers of a stream that ends early have gone: what it brought ahead goes next. */
static void chill_rest(struct blocks_file *file, const struct download *d)
{
    struct block *b;

    for (int64_t i = d->asked / BLOCK_SIZE; d->pos > 0 && i <= (d->pos - 1) / BLOCK_SIZE; i++) {
        b = block_find(&file->map, i);
        if (b && b->state == BLOCK_READY)
            store_chill(&file->blocks->store, b);
    }
}

static void unlink_download(struct blocks_file *file, struct download *d)
{
    file->blocks->stats.bytes_fetched += (uint64_t)(d->pos - d->off);
    LIST_REMOVE(d, in_file);
    if (!d->is_stream)
        return;
    LIST_REMOVE(d, in_all);
    file->streams--;
    file->blocks->n_streams--;
    if (d->pos < d->end)
        chill_rest(file, d);
}

void fetch_drop(struct blocks_file *file, struct download *d)
{
    struct block *b, *next;

    assert(d->holders == 0);
    unlink_download(file, d);
    for (b = file->map; b; b = next) {
        next = b->hh.next;
        if (b->download == d)
            store_drop(&file->blocks->store, b);
    }
    download_drop(d);
    blocks_room_grew(file->blocks);
}

void fetch_drop_all(struct blocks_file *file)
{
    struct download *d;
    struct block *b, *next;

    while ((d = LIST_FIRST(&file->downloads))) {
        unlink_download(file, d);
        download_drop(d);
    }
    for (b = file->map; b; b = next) {
        next = b->hh.next;
        store_drop(&file->blocks->store, b);
    }
    blocks_room_grew(file->blocks);
}

/* ---- streams ---- */

static size_t streams_max(const struct blocks *blocks)
{
    size_t most = blocks->store.max / (4 * BLOCK_SIZE);

    return most < STREAMS_MAX ? most : STREAMS_MAX;
}

/* The largest window of each stream, so that all together take half of the memory; with
 * streams_max at least two blocks. */
static int64_t window_limit(const struct blocks *blocks)
{
    size_t n = blocks->n_streams ? blocks->n_streams : 1;
    size_t share = blocks->store.max / 2 / n / BLOCK_SIZE * BLOCK_SIZE;

    return share < WINDOW_MAX ? (int64_t)share : WINDOW_MAX;
}

bool fetch_give_up_one(struct blocks *blocks, const struct blocks_file *file)
{
    struct download *d, *idle = NULL;

    for (d = LIST_FIRST(&blocks->streams); d; d = LIST_NEXT(d, in_all))
        if (d->holders == 0 && (!file || d->arg == file))
            idle = d;
    if (idle)
        fetch_drop(idle->arg, idle);
    return idle != NULL;
}

/* True if one more stream may be started, at the cost of an idle one if need be. */
static bool stream_slot(struct blocks_file *file)
{
    struct blocks *blocks = file->blocks;

    if (streams_max(blocks) == 0)
        return false;
    if (file->streams >= STREAMS_PER_FILE)
        return fetch_give_up_one(blocks, file);
    return blocks->n_streams < streams_max(blocks) || fetch_give_up_one(blocks, NULL);
}

/* The stream is of use up to byte `end`. */
static void ask_stream(struct blocks_file *file, struct download *d, int64_t end)
{
    LIST_REMOVE(d, in_all);
    LIST_INSERT_HEAD(&file->blocks->streams, d, in_all);
    if (download_asked(d, end, window_limit(file->blocks)))
        pattern_proved(&file->pattern);
}

void fetch_join(struct blocks_file *file, struct block *b)
{
    if (b->download && b->download->is_stream)
        ask_stream(file, b->download, block_end(file, b->index));
}

void fetch_note_read(struct blocks_file *file, int64_t end)
{
    struct download *d;

    for (d = LIST_FIRST(&file->downloads); d; d = LIST_NEXT(d, in_file))
        if (d->is_stream && end > d->asked && end <= d->edge)
            ask_stream(file, d, end);
}

/* ---- what downloads tell ---- */

/*
 * The block that the byte at `off` goes into; NULL: nobody needs it.  A block that nobody asked
 * for is begun where it begins, if there is memory.
 */
static struct block *block_for(struct blocks_file *file, struct download *d, int64_t off,
                               bool *is_full)
{
    struct block *b = block_find(&file->map, off / BLOCK_SIZE);

    *is_full = false;
    if (!b && d->is_stream && off % BLOCK_SIZE == 0) {
        b = store_load(&file->blocks->store, &file->map, off / BLOCK_SIZE,
                       block_len(file, off / BLOCK_SIZE));
        *is_full = !b;
        if (b)
            b->download = d;
    }
    return b && b->download == d ? b : NULL;
}

static int on_bytes(void *arg, struct download *d, int64_t off, const char *data, size_t len)
{
    struct blocks_file *file = arg;

    while (len > 0) {
        size_t at = (size_t)(off % BLOCK_SIZE);
        size_t n = block_len(file, off / BLOCK_SIZE) - at;
        bool is_full;
        struct block *b = block_for(file, d, off, &is_full);

        /* With somebody waiting further on, what has no room is passed over instead. */
        if (is_full && d->may_pause && d->holders == 0)
            return E2B_READ_PAUSE;
        n = n < len ? n : len;
        if (b) {
            /* A pause comes only where a block begins, so what came before it was whole. */
            assert(b->filled == at);
            memcpy(b->data + at, data, n);
            b->filled += n;
            /* Bounded requests are short: their version is checked before anybody reads. */
            if (b->filled == b->len && d->is_stream)
                blocks_ready(file, b);
        }
        off += (int64_t)n;
        data += n;
        len -= n;
    }
    return 0;
}

/* A bounded request has brought the version that it should. */
static void finish_blocks(struct blocks_file *file, struct download *d)
{
    struct block *b;

    for (int64_t i = d->off / BLOCK_SIZE; i <= (d->end - 1) / BLOCK_SIZE; i++) {
        b = block_find(&file->map, i);
        if (b && b->download == d)
            blocks_ready(file, b);
    }
}

static void on_download_done(void *arg, struct download *d, const struct e2b_err *err)
{
    struct blocks_file *file = arg;
    struct blocks *blocks = file->blocks;
    struct e2b_err wrapped;
    struct block *b;
    bool is_torn;

    unlink_download(file, d);
    if (!err) {
        if (!d->is_stream)
            finish_blocks(file, d);
        return;
    }
    for (b = file->map; b; b = b->hh.next)
        if (b->download == d)
            b->download = NULL;
    wrapped = *err;
    e2b_wrap(&wrapped, -err->errnum, "reading %s", file->path);
    /* The file became another one under a request: what came before may be torn as well. */
    is_torn = err->errnum == ESTALE && d->pos > d->off;
    if (blocks_fail(file, &wrapped, is_torn) && err->errnum != ECANCELED) {
        file->err = wrapped;
        file->err_until_ms = loop_now_ms(blocks->loop) + BLOCKS_ERROR_MS;
    }
    blocks_room_grew(blocks);
}

/* ---- which requests to start ---- */

/* The blocks first to last, which are the head of `fresh`, will come with `d`. */
static void give_fresh(struct blocks_file *file, struct download *d, int64_t last)
{
    struct block *b;

    while ((b = TAILQ_FIRST(&file->fresh)) && b->index <= last) {
        TAILQ_REMOVE(&file->fresh, b, link);
        b->download = d;
        if (b->pins > 0)
            download_hold(d);
    }
}

static void start_download(struct blocks_file *file, int64_t first, int64_t last,
                           bool is_stream)
{
    struct blocks *blocks = file->blocks;
    struct download_how how = {
        .loop = blocks->loop,
        .client = blocks->client,
        .source = blocks->source,
        .sandbox = file->sandbox,
        .path = file->path,
        .size = file->size,
        .mtime = file->mtime,
        .off = first * BLOCK_SIZE,
        .end = is_stream ? file->size : block_end(file, last),
        .asked = block_end(file, last),
        .is_stream = is_stream,
        .bytes = on_bytes,
        .done = on_download_done,
        .arg = file,
    };
    struct download *d;

    if (is_stream) {
        file->streams++;
        blocks->n_streams++;
    }
    how.limit = window_limit(blocks);
    d = download_start(&how);
    LIST_INSERT_HEAD(&file->downloads, d, in_file);
    if (is_stream)
        LIST_INSERT_HEAD(&blocks->streams, d, in_all);
    blocks->stats.requests++;
    give_fresh(file, d, last);
}

static struct download *stream_for(const struct blocks_file *file, int64_t index)
{
    int64_t slack = pattern_is_random(&file->pattern) ? -1 : SKIP_MAX;
    struct download *d = LIST_FIRST(&file->downloads);

    while (d && !download_covers(d, index * BLOCK_SIZE, slack))
        d = LIST_NEXT(d, in_file);
    return d;
}

/* A small file comes as a whole: adds the blocks that nobody asked for, if there is memory. */
static void extend_to_whole(struct blocks_file *file)
{
    struct block *b = TAILQ_FIRST(&file->fresh), *more;
    int64_t count = (file->size + BLOCK_SIZE - 1) / BLOCK_SIZE;

    for (int64_t i = 0; i < count; i++) {
        if (block_find(&file->map, i))
            continue;
        more = store_load(&file->blocks->store, &file->map, i, block_len(file, i));
        if (!more)
            continue;
        if (i < b->index)
            TAILQ_INSERT_BEFORE(b, more, link);
        else
            TAILQ_INSERT_AFTER(&file->fresh, b, more, link);
    }
}

/* Finds a way for the first run of neighbours in `fresh`. */
static void fetch_run(struct blocks_file *file)
{
    int64_t first = TAILQ_FIRST(&file->fresh)->index, last = first;
    struct download *d = stream_for(file, first);
    struct block *b;

    if (d) {
        /* Those behind it are reached by the same stream. */
        for (b = TAILQ_FIRST(&file->fresh); b && b->index <= last + 1; b = TAILQ_NEXT(b, link))
            last = b->index;
        give_fresh(file, d, last);
        pattern_note(&file->pattern, last);
        ask_stream(file, d, block_end(file, last));
        return;
    }
    for (b = TAILQ_FIRST(&file->fresh);
         b && b->index <= last + 1 && !stream_for(file, b->index); b = TAILQ_NEXT(b, link))
        last = b->index;
    if (file->size > BLOCKS_WHOLE &&
        pattern_wants_stream(&file->pattern, first, last, block_find(&file->map, last + 1)) &&
        stream_slot(file)) {
        start_download(file, first, last, true);
        return;
    }
    for (; first <= last; first += EXACT_BLOCKS)
        start_download(file, first,
                       first + EXACT_BLOCKS - 1 < last ? first + EXACT_BLOCKS - 1 : last,
                       false);
}

void fetch_fresh(struct blocks_file *file)
{
    if (file->size <= BLOCKS_WHOLE && !TAILQ_EMPTY(&file->fresh))
        extend_to_whole(file);
    while (!TAILQ_EMPTY(&file->fresh))
        fetch_run(file);
}
