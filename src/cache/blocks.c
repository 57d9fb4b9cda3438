/* SPDX-License-Identifier: MIT */
#include "cache/blocks.h"

#include "cache/blocks_fetch.h"
#include "cache/blocks_impl.h"
#include "util/xalloc.h"

#include <assert.h>
#include <errno.h>

static void on_turn(void *arg);

static void post_turn(struct blocks *blocks)
{
    if (!blocks->is_posted)
        loop_post(blocks->loop, on_turn, blocks);
    blocks->is_posted = true;
}

/* While a plan is made nobody is woken: what has no room waits for blocks in flight, and their
 * end comes through here again. */
void blocks_room_grew(struct blocks *blocks)
{
    if (!blocks->is_planning && !TAILQ_EMPTY(&blocks->asked))
        post_turn(blocks);
}

/* ---- ranges ---- */

struct range range_of(const struct blocks_file *file, off_t off, size_t len)
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

int64_t block_end(const struct blocks_file *file, int64_t index)
{
    int64_t start = index * BLOCK_SIZE;

    return file->size - start < BLOCK_SIZE ? file->size : start + BLOCK_SIZE;
}

size_t block_len(const struct blocks_file *file, int64_t index)
{
    return (size_t)(block_end(file, index) - index * BLOCK_SIZE);
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
        blocks_room_grew(file->blocks);
    } else if (!d) {
        store_drop(&file->blocks->store, b); /* its request failed */
        blocks_room_grew(file->blocks);
    } else {
        download_release(d);
        if (d->holders == 0 && (!d->is_stream || d->pos == d->off))
            fetch_drop(file, d);
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
    if (wait->state == WAIT_DUE)
        wait->err = *err;
    else
        make_due(wait, err);
}

void blocks_ready(struct blocks_file *file, struct block *b)
{
    struct download *d = b->download;
    struct blocks_wait *w;

    store_ready(&file->blocks->store, b);
    if (b->pins > 0)
        download_release(d);
    else
        blocks_room_grew(file->blocks);
    for (w = TAILQ_FIRST(&file->waits); w; w = TAILQ_NEXT(w, in_file)) {
        struct range r = range_of(file, w->off, w->len);

        if (w->state == WAIT_LOADING && r.first <= b->index && b->index <= r.last &&
            --w->missing == 0)
            make_due(w, NULL);
    }
}

static bool is_failed(const struct block *b, bool all)
{
    return b->state == BLOCK_READY ? all : !b->download;
}

static bool needs_failed(const struct blocks_wait *wait, bool all)
{
    struct range r = range_of(wait->file, wait->off, wait->len);

    for (int64_t i = r.first; wait->is_admitted && i <= r.last; i++)
        if (is_failed(block_find(&wait->file->map, i), all))
            return true;
    return false;
}

bool blocks_fail(struct blocks_file *file, const struct e2b_err *err, bool all)
{
    struct blocks_wait *w;
    struct block *b, *next;
    bool any = false;

    for (w = TAILQ_FIRST(&file->waits); w; w = TAILQ_NEXT(w, in_file)) {
        if (!needs_failed(w, all))
            continue;
        fail_wait(w, err);
        any = true;
    }
    for (b = file->map; b; b = next) {
        next = b->hh.next;
        if (is_failed(b, all))
            store_drop(&file->blocks->store, b);
    }
    return any;
}

/* ---- admission: memory for what is wanted ---- */

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
    while (!store_make_room(&blocks->store, bytes))
        if (!fetch_give_up_one(blocks, NULL))
            return false;
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
    for (int64_t i = r.first; i <= r.last; i++)
        fetch_join(file, block_find(&file->map, i));
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
        fetch_fresh(file);
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
    fetch_note_read(file, r.end);
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

void blocks_close(struct blocks_file *file)
{
    if (!file)
        return;
    loop_assert_here(file->blocks->loop);
    assert(TAILQ_EMPTY(&file->waits) && !file->is_planned);
    fetch_drop_all(file);
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
    fetch_drop_all(file);
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
