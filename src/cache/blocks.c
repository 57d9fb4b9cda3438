/* SPDX-License-Identifier: MIT */
/*
 * The life of a wait: blocks_want -> ASKED -> (end of the turn, and there is memory) admit: its
 * blocks exist and are pinned -> LOADING -> (the last block is ready, or one failed) -> DUE ->
 * (next turn) the completion.  Everything that may call back runs in on_turn, which is posted
 * whenever there is something for it to do; what brings bytes only moves waits between queues.
 */
#include "cache/blocks.h"

#include "cache/download.h"
#include "cache/pattern.h"
#include "cache/store.h"
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
    LIST_HEAD(, download) downloads;
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
    LIST_HEAD(, download) streams;
    size_t n_streams;
    bool is_posted; /* on_turn is */
    bool is_planning;
    bool is_delivering;
    uint64_t turn;
    struct blocks_stats stats;
};

static void on_turn(void *arg);

static void post_turn(struct blocks *blocks)
{
    if (!blocks->is_posted)
        loop_post(blocks->loop, on_turn, blocks);
    blocks->is_posted = true;
}

/* Memory became free, or evictable: somebody may wait for it.  (Whoever waits for memory while
 * a plan is made waits for blocks in flight, whose end comes through here again.) */
static void room_grew(struct blocks *blocks)
{
    if (!blocks->is_planning && !TAILQ_EMPTY(&blocks->asked))
        post_turn(blocks);
}

/* ---- ranges ---- */

struct range {
    int64_t off, end;    /* bytes; empty if off == end */
    int64_t first, last; /* blocks; last < first if empty */
};

static struct range range_of(const struct blocks_file *file, off_t off, size_t len)
{
    struct range r = { .off = off, .end = file->size, .last = -1 };

    assert(off >= 0 && len <= BLOCKS_LEN_MAX);
    if (off >= file->size || len == 0) {
        r.end = r.off;
        return r;
    }
    if ((int64_t)len < file->size - off)
        r.end = off + (int64_t)len;
    r.first = r.off / BLOCK_SIZE;
    r.last = (r.end - 1) / BLOCK_SIZE;
    return r;
}

static int64_t block_end(const struct blocks_file *file, int64_t index)
{
    int64_t end = (index + 1) * BLOCK_SIZE;

    return end < file->size ? end : file->size;
}

static size_t block_len(const struct blocks_file *file, int64_t index)
{
    return (size_t)(block_end(file, index) - index * BLOCK_SIZE);
}

/* ---- downloads of a file ---- */

/* The readers of a stream that ends early have gone: what it brought ahead goes next. */
static void chill_rest(struct blocks_file *file, const struct download *d)
{
    struct block *b;

    for (int64_t i = d->asked / BLOCK_SIZE; i * BLOCK_SIZE < d->pos; i++) {
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

/* Nobody waits for what it would bring. */
static void drop_download(struct blocks_file *file, struct download *d)
{
    struct block *b, *next;

    assert(d->holders == 0);
    unlink_download(file, d);
    HASH_ITER(hh, file->map, b, next)
    if (b->download == d)
        store_drop(&file->blocks->store, b);
    download_drop(d);
    room_grew(file->blocks);
}

static size_t streams_max(const struct blocks *blocks)
{
    size_t most = blocks->store.max / (4 * BLOCK_SIZE);

    return most < STREAMS_MAX ? most : STREAMS_MAX;
}

/* The largest window of each stream, so that all together take half of the memory. */
static int64_t window_limit(const struct blocks *blocks)
{
    size_t n = blocks->n_streams ? blocks->n_streams : 1;
    size_t share = blocks->store.max / 2 / n / BLOCK_SIZE * BLOCK_SIZE;

    return share < BLOCK_SIZE ? BLOCK_SIZE : share > WINDOW_MAX ? WINDOW_MAX : (int64_t)share;
}

/* A stream that nobody waits for, of this file or of any; the one longest ago started. */
static struct download *idle_stream(const struct blocks *blocks, const struct blocks_file *file)
{
    struct download *d, *found = NULL;

    for (d = LIST_FIRST(&blocks->streams); d; d = LIST_NEXT(d, in_all))
        if (d->holders == 0 && (!file || d->arg == file))
            found = d;
    return found;
}

/* True if one more stream may be started, at the cost of an idle one if need be. */
static bool stream_slot(struct blocks_file *file)
{
    struct blocks *blocks = file->blocks;
    struct download *idle = NULL;

    if (streams_max(blocks) == 0)
        return false;
    if (file->streams >= STREAMS_PER_FILE)
        idle = idle_stream(blocks, file);
    else if (blocks->n_streams >= streams_max(blocks))
        idle = idle_stream(blocks, NULL);
    else
        return true;
    if (idle)
        drop_download(idle->arg, idle);
    return idle != NULL;
}

/* Readers are at `end`: lets the streams there run on. */
static void note_read(struct blocks_file *file, int64_t end)
{
    struct download *d;

    for (d = LIST_FIRST(&file->downloads); d; d = LIST_NEXT(d, in_file))
        if (d->is_stream && end > d->asked && end <= d->edge &&
            download_asked(d, end, window_limit(file->blocks)))
            pattern_proved(&file->pattern);
}

/* ---- waits and the blocks of their ranges ---- */

static void make_due(struct blocks_wait *wait, const struct e2b_err *err)
{
    struct blocks *blocks = wait->file->blocks;

    if (wait->state == WAIT_ASKED)
        TAILQ_REMOVE(&blocks->asked, wait, queue);
    wait->state = WAIT_DUE;
    wait->turn = blocks->turn;
    if (err)
        wait->err = *err;
    TAILQ_INSERT_TAIL(&blocks->due, wait, queue);
    post_turn(blocks);
}

static void pin(struct blocks_file *file, struct block *b)
{
    store_pin(&file->blocks->store, b);
    if (b->pins == 1 && b->download)
        download_hold(b->download);
}

/* The last one to leave ends what would be fetched for nobody. */
static void unpin(struct blocks_file *file, struct block *b)
{
    struct download *d = b->download;

    store_unpin(&file->blocks->store, b);
    if (b->pins > 0)
        return;
    if (b->state == BLOCK_READY) {
        room_grew(file->blocks);
    } else if (!d) {
        store_drop(&file->blocks->store, b); /* its request failed */
        room_grew(file->blocks);
    } else {
        download_release(d);
        if (d->holders == 0 && (!d->is_stream || d->pos == d->off))
            drop_download(file, d);
    }
}

static void unpin_range(struct blocks_wait *wait)
{
    struct range r = range_of(wait->file, wait->off, wait->len);
    struct block *b;

    wait->is_admitted = false;
    for (int64_t i = r.first; i <= r.last; i++) {
        b = block_find(&wait->file->map, i);
        if (b)
            unpin(wait->file, b);
    }
}

static void fail_wait(struct blocks_wait *wait, const struct e2b_err *err)
{
    if (wait->is_admitted)
        unpin_range(wait);
    make_due(wait, err);
}

static void block_is_ready(struct blocks_file *file, struct block *b)
{
    struct download *d = b->download;
    struct blocks_wait *w;

    store_ready(&file->blocks->store, b);
    if (b->pins > 0)
        download_release(d);
    else
        room_grew(file->blocks);
    for (w = TAILQ_FIRST(&file->waits); w; w = TAILQ_NEXT(w, in_file)) {
        struct range r = range_of(file, w->off, w->len);

        if (w->state == WAIT_LOADING && r.first <= b->index && b->index <= r.last &&
            --w->missing == 0)
            make_due(w, NULL);
    }
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
        /* After a pause the same bytes come again: only what continues the block is new. */
        if (b && at <= b->filled && b->filled < at + n) {
            memcpy(b->data + b->filled, data + (b->filled - at), at + n - b->filled);
            b->filled = at + n;
            /* Bounded requests are short: their version is checked before anybody reads. */
            if (b->filled == b->len && d->is_stream)
                block_is_ready(file, b);
        }
        off += (int64_t)n;
        data += n;
        len -= n;
    }
    return 0;
}

static void finish_blocks(struct blocks_file *file, struct download *d)
{
    struct block *b;

    for (int64_t i = d->off / BLOCK_SIZE; !d->is_stream && i * BLOCK_SIZE < d->end; i++) {
        b = block_find(&file->map, i);
        if (b && b->download == d)
            block_is_ready(file, b);
    }
}

/* The waits of the blocks that `d` has not brought fail; the blocks go. */
static bool fail_blocks(struct blocks_file *file, struct download *d, const struct e2b_err *err)
{
    struct blocks_wait *w, *next_wait;
    struct block *b, *next;
    bool any = false;

    HASH_ITER(hh, file->map, b, next)
    {
        if (b->download != d)
            continue;
        b->download = NULL;
        if (b->pins == 0)
            store_drop(&file->blocks->store, b);
    }
    for (w = TAILQ_FIRST(&file->waits); w; w = next_wait) {
        struct range r = range_of(file, w->off, w->len);
        bool is_hit = false;

        next_wait = TAILQ_NEXT(w, in_file);
        for (int64_t i = r.first; w->state == WAIT_LOADING && i <= r.last && !is_hit; i++) {
            b = block_find(&file->map, i);
            is_hit = b->state == BLOCK_LOADING && !b->download;
        }
        if (is_hit)
            fail_wait(w, err);
        any |= is_hit;
    }
    return any;
}

static void on_download_done(void *arg, struct download *d, const struct e2b_err *err)
{
    struct blocks_file *file = arg;
    struct blocks *blocks = file->blocks;
    struct e2b_err wrapped;

    unlink_download(file, d);
    if (!err) {
        finish_blocks(file, d);
        return;
    }
    wrapped = *err;
    e2b_wrap(&wrapped, -err->errnum, "reading %s", file->path);
    if (fail_blocks(file, d, &wrapped) && err->errnum != ECANCELED) {
        file->err = wrapped;
        file->err_until_ms = loop_now_ms(blocks->loop) + BLOCKS_ERROR_MS;
    }
    room_grew(blocks);
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
        if (download_asked(d, block_end(file, last), window_limit(file->blocks)))
            pattern_proved(&file->pattern);
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

static void plan_file(struct blocks_file *file)
{
    if (file->size <= BLOCKS_WHOLE && !TAILQ_EMPTY(&file->fresh))
        extend_to_whole(file);
    while (!TAILQ_EMPTY(&file->fresh))
        fetch_run(file);
}

static void add_fresh(struct blocks_file *file, struct block *b)
{
    struct block *before = TAILQ_LAST(&file->fresh, block_queue);

    while (before && before->index > b->index)
        before = TAILQ_PREV(before, block_queue, link);
    if (before)
        TAILQ_INSERT_AFTER(&file->fresh, before, b, link);
    else
        TAILQ_INSERT_HEAD(&file->fresh, b, link);
    if (!file->is_planned)
        TAILQ_INSERT_TAIL(&file->blocks->planned, file, planned);
    file->is_planned = true;
}

/* Evicts, and at last gives up streams that nobody waits for. */
static bool make_room(struct blocks *blocks, size_t bytes)
{
    struct download *idle;

    while (!store_make_room(&blocks->store, bytes)) {
        idle = idle_stream(blocks, NULL);
        if (!idle)
            return false;
        drop_download(idle->arg, idle);
    }
    return true;
}

/* Pins what is there of the range and adds up what is not. */
static size_t pin_range(struct blocks_wait *wait, const struct range *r, size_t *total)
{
    struct blocks_file *file = wait->file;
    size_t need = 0;

    *total = 0;
    wait->missing = 0;
    wait->is_admitted = true;
    for (int64_t i = r->first; i <= r->last; i++) {
        struct block *b = block_find(&file->map, i);

        *total += block_len(file, i);
        if (b)
            pin(file, b);
        else
            need += block_len(file, i);
        if (!b || b->state != BLOCK_READY)
            wait->missing++;
    }
    return need;
}

/* Streams that bring a part of the range already must run on to its end. */
static void join_streams(struct blocks_wait *wait, const struct range *r)
{
    struct blocks_file *file = wait->file;

    for (int64_t i = r->first; i <= r->last; i++) {
        struct block *b = block_find(&file->map, i);

        if (b && b->download &&
            download_asked(b->download, block_end(file, i), window_limit(file->blocks)))
            pattern_proved(&file->pattern);
    }
}

/* Makes the blocks of the range that are not there: all of them, or none (false: no memory). */
static bool load_missing(struct blocks_wait *wait, const struct range *r)
{
    struct blocks_file *file = wait->file;
    struct store *store = &file->blocks->store;
    struct block *made[BLOCKS_LEN_MAX / BLOCK_SIZE + 1];
    size_t n = 0;

    for (int64_t i = r->first; i <= r->last; i++) {
        if (block_find(&file->map, i))
            continue;
        made[n] = store_load(store, &file->map, i, block_len(file, i));
        if (!made[n]) {
            while (n > 0)
                store_drop(store, made[--n]);
            return false;
        }
        n++;
    }
    for (size_t i = 0; i < n; i++) {
        pin(file, made[i]);
        add_fresh(file, made[i]);
    }
    return true;
}

/* -EAGAIN: there is no room now.  Otherwise the wait has left the state ASKED. */
static int admit(struct blocks_wait *wait)
{
    struct blocks_file *file = wait->file;
    struct blocks *blocks = file->blocks;
    struct range r = range_of(file, wait->off, wait->len);
    struct e2b_err err = { 0 };
    size_t total, need = pin_range(wait, &r, &total);

    if (need > 0 && loop_now_ms(blocks->loop) < file->err_until_ms) {
        fail_wait(wait, &file->err);
        return 0;
    }
    if (total <= blocks->store.max && !make_room(blocks, need)) {
        unpin_range(wait);
        return -EAGAIN;
    }
    if (total > blocks->store.max || !load_missing(wait, &r)) {
        e2b_fail(&err, ENOMEM, "reading %s: no memory for %zu bytes", file->path, total);
        fail_wait(wait, &err);
        return 0;
    }
    if (wait->missing == 0) {
        make_due(wait, NULL);
        return 0;
    }
    blocks->stats.misses++;
    TAILQ_REMOVE(&blocks->asked, wait, queue);
    wait->state = WAIT_LOADING;
    join_streams(wait, &r);
    return 0;
}

static void plan(struct blocks *blocks)
{
    struct blocks_wait *wait;
    struct blocks_file *file;

    blocks->is_planning = true;
    while ((wait = TAILQ_FIRST(&blocks->asked)) && admit(wait) != -EAGAIN)
        ;
    while ((file = TAILQ_FIRST(&blocks->planned))) {
        TAILQ_REMOVE(&blocks->planned, file, planned);
        file->is_planned = false;
        plan_file(file);
    }
    blocks->is_planning = false;
}

/* ---- completions ---- */

static void deliver(struct blocks *blocks, struct blocks_wait *wait)
{
    TAILQ_REMOVE(&blocks->due, wait, queue);
    TAILQ_REMOVE(&wait->file->waits, wait, in_file);
    wait->state = WAIT_RUNNING;
    /* Only on_turn and arriving bytes evict, so the blocks outlive the completion unpinned. */
    if (wait->is_admitted)
        unpin_range(wait);
    wait->fn(wait->arg, wait->err.errnum ? &wait->err : NULL);
    free(wait);
}

static void on_turn(void *arg)
{
    struct blocks *blocks = arg;
    struct blocks_wait *wait;

    blocks->is_posted = false;
    blocks->turn++; /* what becomes due from here on is for a later turn */
    plan(blocks);
    blocks->is_delivering = true;
    while ((wait = TAILQ_FIRST(&blocks->due)) && wait->turn < blocks->turn)
        deliver(blocks, wait);
    blocks->is_delivering = false;
}

struct blocks_wait *blocks_want(struct blocks_file *file, off_t off, size_t len, blocks_fn *fn,
                                void *arg)
{
    struct blocks *blocks = file->blocks;
    struct blocks_wait *wait = xcalloc(1, sizeof(*wait));

    loop_assert_here(blocks->loop);
    assert(off >= 0 && len <= BLOCKS_LEN_MAX);
    *wait = (struct blocks_wait){ .file = file, .off = off, .len = len, .fn = fn, .arg = arg };
    TAILQ_INSERT_TAIL(&file->waits, wait, in_file);
    TAILQ_INSERT_TAIL(&blocks->asked, wait, queue);
    post_turn(blocks);
    return wait;
}

void blocks_cancel(struct blocks_wait *wait)
{
    struct e2b_err err = { 0 };

    loop_assert_here(wait->file->blocks->loop);
    if (wait->state == WAIT_DUE || wait->state == WAIT_RUNNING)
        return;
    e2b_fail(&err, ECANCELED, "reading %s: cancelled", wait->file->path);
    fail_wait(wait, &err);
}

int blocks_peek(struct blocks_file *file, off_t off, size_t len, struct iovec *iov)
{
    struct range r = range_of(file, off, len);
    struct block *b;
    int n = 0;

    loop_assert_here(file->blocks->loop);
    for (int64_t i = r.first; i <= r.last; i++) {
        size_t from = i == r.first ? (size_t)(r.off % BLOCK_SIZE) : 0;

        b = block_find(&file->map, i);
        if (!b || b->state != BLOCK_READY)
            return -1;
        iov[n].iov_base = b->data + from;
        iov[n++].iov_len = (size_t)(block_end(file, i) - i * BLOCK_SIZE) - from;
    }
    if (n == 0)
        return 0;
    iov[n - 1].iov_len -= (size_t)(block_end(file, r.last) - r.end);
    for (int64_t i = r.first; i <= r.last; i++)
        store_touch(&file->blocks->store, block_find(&file->map, i));
    pattern_note(&file->pattern, r.last);
    note_read(file, r.end);
    if (!file->blocks->is_delivering)
        file->blocks->stats.hits++;
    return n;
}

/* ---- files ---- */

struct blocks_file *blocks_open(struct blocks *blocks, const char *sandbox, const char *path,
                                int64_t size, struct timespec mtime)
{
    struct blocks_file *file = xcalloc(1, sizeof(*file));

    loop_assert_here(blocks->loop);
    assert(size >= 0);
    file->blocks = blocks;
    file->sandbox = xstrdup(sandbox);
    file->path = xstrdup(path);
    file->size = size;
    file->mtime = mtime;
    TAILQ_INIT(&file->fresh);
    TAILQ_INIT(&file->waits);
    LIST_INIT(&file->downloads);
    TAILQ_INSERT_TAIL(&blocks->files, file, link);
    return file;
}

/* Ends all requests and drops all blocks, whoever waits for them. */
static void drop_all(struct blocks_file *file)
{
    struct download *d;
    struct block *b, *next;

    while ((d = LIST_FIRST(&file->downloads))) {
        unlink_download(file, d);
        download_drop(d);
    }
    HASH_ITER(hh, file->map, b, next)
    store_drop(&file->blocks->store, b);
    room_grew(file->blocks);
}

void blocks_close(struct blocks_file *file)
{
    if (!file)
        return;
    loop_assert_here(file->blocks->loop);
    assert(TAILQ_EMPTY(&file->waits) && !file->is_planned);
    drop_all(file);
    TAILQ_REMOVE(&file->blocks->files, file, link);
    free(file->sandbox);
    free(file->path);
    free(file);
}

void blocks_rename(struct blocks_file *file, const char *path)
{
    free(file->path);
    file->path = xstrdup(path);
}

bool blocks_set_version(struct blocks_file *file, int64_t size, struct timespec mtime)
{
    struct blocks *blocks = file->blocks;
    struct blocks_wait *w;

    loop_assert_here(blocks->loop);
    assert(size >= 0);
    if (size == file->size && mtime.tv_sec == file->mtime.tv_sec &&
        mtime.tv_nsec == file->mtime.tv_nsec)
        return false;
    drop_all(file);
    file->size = size;
    file->mtime = mtime;
    file->pattern = (struct pattern){ 0 };
    file->err_until_ms = 0;
    file->err = (struct e2b_err){ 0 };
    for (w = TAILQ_FIRST(&file->waits); w; w = TAILQ_NEXT(w, in_file)) {
        if (!w->is_admitted)
            continue;
        w->is_admitted = false;
        if (w->state == WAIT_DUE)
            TAILQ_REMOVE(&blocks->due, w, queue);
        w->state = WAIT_ASKED;
        TAILQ_INSERT_TAIL(&blocks->asked, w, queue);
        post_turn(blocks);
    }
    return true;
}

/* ---- life ---- */

struct blocks *blocks_new(struct loop *loop, struct e2b_client *client, size_t max_bytes)
{
    struct blocks *blocks = xcalloc(1, sizeof(*blocks));

    blocks->loop = loop;
    blocks->client = client;
    blocks->source = &file_source_e2b;
    store_init(&blocks->store, max_bytes);
    TAILQ_INIT(&blocks->files);
    TAILQ_INIT(&blocks->planned);
    TAILQ_INIT(&blocks->asked);
    TAILQ_INIT(&blocks->due);
    LIST_INIT(&blocks->streams);
    return blocks;
}

void blocks_use_source(struct blocks *blocks, const struct file_source *source)
{
    blocks->source = source;
}

void blocks_free(struct blocks *blocks)
{
    if (!blocks)
        return;
    loop_assert_here(blocks->loop);
    assert(TAILQ_EMPTY(&blocks->files) && !blocks->is_posted && blocks->store.blocks == 0);
    free(blocks);
}

void blocks_stats(const struct blocks *blocks, struct blocks_stats *out)
{
    *out = blocks->stats;
    out->evicted = blocks->store.evicted;
    out->bytes = blocks->store.bytes;
    out->blocks = blocks->store.blocks;
    out->streams = blocks->n_streams;
}

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
