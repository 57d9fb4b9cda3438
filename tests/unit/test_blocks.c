/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "cache/blocks.h"
#include "cache/download.h"
#include "cache/pattern.h"
#include "util/xalloc.h"

#include <errno.h>

enum { KB = 1024, MB = 1024 * 1024, B = BLOCK_SIZE };

/* ---- a source that sends what the test lets it send ---- */

struct fake_call {
    char *path;
    int64_t off, len, pos; /* the next byte to send is at pos */
    bool has_mtime, may_pause;
    struct timespec if_mtime;
    e2b_data_fn *on_data;
    e2b_read_fn *fn;
    void *arg;
    bool is_paused, is_cancelled, is_over;
    int resumed;
};

static struct {
    struct fake_call *calls[512];
    size_t n;
    /* the file as it is there */
    int64_t size;
    struct timespec mtime;
    unsigned version;
    size_t chunk;
} fake;

/* The bytes of the file at `off`; borrowed, CONTENT_MAX of them at most. */
static const char *content(int64_t off, unsigned version)
{
    enum { PERIOD = 65521, CONTENT_MAX = 512 * KB }; /* a prime: no two blocks are equal */
    static char table[PERIOD + CONTENT_MAX];

    for (size_t i = 0; !table[1] && i < sizeof(table); i++)
        table[i] = (char)(i % PERIOD * 31 + (i % PERIOD >> 8) * 7);
    return table + (off % PERIOD + version * 977) % PERIOD;
}

static struct e2b_call *fake_read(struct e2b_client *client, const char *id,
                                  const struct e2b_read *read, e2b_data_fn *on_data,
                                  e2b_read_fn *fn, void *arg)
{
    struct fake_call *call = xcalloc(1, sizeof(*call));

    (void)client;
    CHECK_STR(id, "box");
    *call = (struct fake_call){
        .path = xstrdup(read->path),
        .off = read->off,
        .len = read->len,
        .pos = read->off,
        .has_mtime = read->if_mtime != NULL,
        .may_pause = read->may_pause,
        .on_data = on_data,
        .fn = fn,
        .arg = arg,
    };
    if (read->if_mtime)
        call->if_mtime = *read->if_mtime;
    if (fake.n == ARRAY_LEN(fake.calls))
        abort();
    fake.calls[fake.n++] = call;
    return (struct e2b_call *)call;
}

static void fake_resume(struct e2b_call *opaque)
{
    struct fake_call *call = (struct fake_call *)opaque;

    CHECK(call->is_paused);
    call->is_paused = false;
    call->resumed++;
}

static void fake_cancel(struct e2b_call *call)
{
    ((struct fake_call *)call)->is_cancelled = true;
}

static const struct file_source source = {
    .read = fake_read,
    .resume = fake_resume,
    .cancel = fake_cancel,
};

static void finish_error(struct fake_call *call, int errnum)
{
    struct e2b_err err = { 0 };

    e2b_fail(&err, errnum, "the test says so");
    call->is_over = true;
    call->fn(call->arg, NULL, &err);
}

static void finish(struct fake_call *call)
{
    struct e2b_read_info info = { .size = fake.size, .mtime = fake.mtime.tv_sec };

    call->is_over = true;
    call->fn(call->arg, &info, NULL);
}

/* Sends at most `most` bytes, in chunks; returns how many were taken. */
static int64_t feed(struct fake_call *call, int64_t most)
{
    int64_t end = call->off + call->len < fake.size ? call->off + call->len : fake.size;
    int64_t start = call->pos;

    while (!call->is_over && !call->is_paused && !call->is_cancelled && call->pos < end &&
           call->pos - start < most) {
        size_t n = fake.chunk;
        int r;

        if ((int64_t)n > end - call->pos)
            n = (size_t)(end - call->pos);
        if ((int64_t)n > most - (call->pos - start))
            n = (size_t)(most - (call->pos - start));
        r = call->on_data(call->arg, content(call->pos, fake.version), n);
        if (r == E2B_READ_PAUSE) {
            CHECK(call->may_pause);
            call->is_paused = true;
        } else if (r < 0) {
            finish_error(call, -r);
        } else {
            call->pos += (int64_t)n;
        }
    }
    return call->pos - start;
}

/* Sends what is taken, and ends what has ended.  True if anything happened. */
static bool serve(struct fake_call *call)
{
    int64_t end = call->off + call->len < fake.size ? call->off + call->len : fake.size;
    int64_t n;

    if (call->is_over)
        return false;
    if (call->is_cancelled) {
        finish_error(call, ECANCELED);
        return true;
    }
    if (call->has_mtime && call->pos == call->off &&
        fake.mtime.tv_sec > call->if_mtime.tv_sec) {
        finish_error(call, ESTALE);
        return true;
    }
    n = feed(call, INT64_MAX);
    if (call->pos >= end && !call->is_over && !call->is_cancelled) {
        finish(call);
        return true;
    }
    return n > 0;
}

/* ---- the file under test ---- */

static struct loop *loop;
static struct blocks *blocks;
static struct blocks_file *file;

static struct blocks_stats stats(void)
{
    struct blocks_stats s;

    blocks_stats(blocks, &s);
    return s;
}

static void turn(void)
{
    loop_turn(loop, 0);
    blocks_check(blocks);
}

static void turns(void)
{
    for (int i = 0; i < 4; i++)
        turn();
}

/* Serves everything until nothing moves any more. */
static void settle(void)
{
    bool moved = true;

    while (moved) {
        moved = false;
        turns();
        for (size_t i = 0; i < fake.n; i++)
            moved |= serve(fake.calls[i]);
        blocks_check(blocks);
    }
}

static void start(size_t max_bytes, int64_t size)
{
    loop = loop_new(NULL);
    loop_use_manual_clock(loop);
    blocks = blocks_new(loop, NULL, max_bytes);
    blocks_use_source(blocks, &source);
    fake.size = size;
    fake.mtime = (struct timespec){ .tv_sec = 1700000000, .tv_nsec = 5 };
    fake.version = 1;
    fake.chunk = 16 * KB;
    file = blocks_open(blocks, "box", "/f", size, fake.mtime);
}

static void stop(void)
{
    blocks_check(blocks);
    blocks_close(file);
    CHECK_INT(stats().bytes, 0);
    CHECK_INT(stats().streams, 0);
    blocks_free(blocks);
    for (size_t i = 0; i < fake.n; i++) {
        if (!fake.calls[i]->is_over) {
            CHECK(fake.calls[i]->is_cancelled);
            finish_error(fake.calls[i], ECANCELED);
        }
        free(fake.calls[i]->path);
        free(fake.calls[i]);
    }
    fake.n = 0;
    loop_free(loop);
}

/* ---- one who reads ---- */

struct reader {
    struct blocks_wait *wait;
    off_t off;
    size_t len;
    int done, errnum;
    int64_t got; /* bytes, all of them right; -1: not known */
    void (*then)(struct reader *r);
};

/* The number of bytes that blocks_peek gives, checked; -1 if they are not here. */
static int64_t peek(off_t off, size_t len)
{
    struct iovec iov[BLOCKS_IOV];
    int n = blocks_peek(file, off, len, iov);
    int64_t got = 0;

    CHECK(n <= BLOCKS_IOV);
    for (int i = 0; i < n; i++) {
        if (memcmp(iov[i].iov_base, content(off + got, fake.version), iov[i].iov_len) != 0) {
            test_fail(__FILE__, __LINE__, "wrong bytes at %" PRId64, (int64_t)off + got);
            return -1;
        }
        got += (int64_t)iov[i].iov_len;
    }
    return n < 0 ? -1 : got;
}

static void on_done(void *arg, const struct e2b_err *err)
{
    struct reader *r = arg;

    r->done++;
    r->errnum = err ? err->errnum : 0;
    r->got = err ? -1 : peek(r->off, r->len);
    if (!err)
        CHECK(r->got >= 0);
    if (r->then)
        r->then(r);
}

static void want(struct reader *r, off_t off, size_t len)
{
    r->off = off;
    r->len = len;
    r->done = 0;
    r->got = -1;
    r->wait = blocks_want(file, off, len, on_done, r);
    blocks_check(blocks);
}

/* Reads as fs does; returns the number of bytes or -errno. */
static int64_t read_at(off_t off, size_t len)
{
    struct reader r = { 0 };
    int64_t got = peek(off, len);

    if (got >= 0)
        return got;
    want(&r, off, len);
    settle();
    CHECK_INT(r.done, 1);
    return r.errnum ? -r.errnum : r.got;
}

/* ---- small files ---- */

TEST(files_of_all_small_sizes_are_one_request_each)
{
    static const int64_t sizes[] = { 1, 4095, B - 1, B, B + 1, 2 * B - 1, 2 * B };

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        CASE("size %" PRId64, sizes[i]);
        start(4 * MB, sizes[i]);
        CHECK_INT(peek(0, 100), -1);
        CHECK_INT(read_at(0, 1), 1);
        CHECK_INT(read_at(0, MB), sizes[i]);
        CHECK_INT(read_at(sizes[i] - 1, 4096), 1);
        CHECK_INT(read_at(sizes[i], 4096), 0);
        CHECK_INT(fake.n, 1);
        CHECK_INT(fake.calls[0]->len, sizes[i]);
        CHECK(!fake.calls[0]->may_pause);
        CHECK(fake.calls[0]->has_mtime);
        CHECK_INT(fake.calls[0]->if_mtime.tv_sec, fake.mtime.tv_sec);
        CHECK_INT(stats().bytes_fetched, sizes[i]);
        stop();
    }
}

TEST(the_end_of_a_file_and_an_empty_one_need_no_request)
{
    struct reader r = { 0 };

    start(4 * MB, 0);
    CHECK_INT(peek(0, 4096), 0);
    want(&r, 0, 4096);
    CHECK_INT(r.done, 0);
    turns();
    CHECK_INT(r.done, 1);
    CHECK_INT(r.got, 0);
    stop();

    start(4 * MB, 5000);
    CHECK_INT(peek(5000, 4096), 0);
    CHECK_INT(peek(1LL << 60, 4096), 0);
    CHECK_INT(peek(0, 0), 0);
    want(&r, 1LL << 60, 4096);
    turns();
    CHECK_INT(r.got, 0);
    CHECK_INT(fake.n, 0);
    stop();
}

TEST(a_completion_comes_on_a_later_turn_even_if_all_is_here)
{
    struct reader r = { 0 };

    start(4 * MB, 1000);
    CHECK_INT(read_at(0, 1000), 1000);
    want(&r, 0, 1000);
    CHECK_INT(r.done, 0);
    turns();
    CHECK_INT(r.done, 1);
    CHECK_INT(fake.n, 1);
    stop();
}

TEST(a_small_file_is_not_shown_before_its_version_is_known)
{
    struct reader r = { 0 };

    start(4 * MB, 1000);
    want(&r, 0, 1000);
    turns();
    feed(fake.calls[0], 1000);
    turns();
    CHECK_INT(r.done, 0);
    fake.size = 1001; /* it grew in the second of its listing: only the size tells */
    finish(fake.calls[0]);
    turns();
    CHECK_INT(r.errnum, ESTALE);
    stop();
}

TEST(times_before_1970_are_not_sent)
{
    start(4 * MB, 1000);
    blocks_close(file);
    fake.mtime = (struct timespec){ .tv_sec = -5 };
    file = blocks_open(blocks, "box", "/f", 1000, fake.mtime);
    CHECK_INT(read_at(0, 1000), 1000);
    CHECK(!fake.calls[0]->has_mtime);
    stop();
}

/* ---- waiters ---- */

TEST(equal_reads_share_one_request)
{
    struct reader r[3] = { 0 };

    start(4 * MB, 1000);
    want(&r[0], 0, 1000);
    want(&r[1], 500, 1000);
    turns();
    want(&r[2], 0, 10);
    settle();
    CHECK_INT(fake.n, 1);
    CHECK_INT(r[0].got, 1000);
    CHECK_INT(r[1].got, 500);
    CHECK_INT(r[2].got, 10);
    stop();
}

TEST(the_last_waiter_to_leave_ends_a_bounded_request)
{
    struct reader r[3] = { 0 };

    start(4 * MB, 1000);
    want(&r[0], 0, 1000);
    want(&r[1], 0, 1000);
    turns();
    blocks_cancel(r[0].wait);
    blocks_cancel(r[0].wait);
    blocks_check(blocks);
    CHECK_INT(r[0].done, 0);
    CHECK(!fake.calls[0]->is_cancelled);
    turns();
    CHECK_INT(r[0].errnum, ECANCELED);
    blocks_cancel(r[1].wait);
    CHECK(fake.calls[0]->is_cancelled);
    want(&r[2], 0, 1000); /* does not join what was cancelled */
    turns();
    CHECK_INT(r[1].errnum, ECANCELED);
    CHECK_INT(fake.n, 2);
    settle();
    CHECK_INT(r[2].got, 1000);
    CHECK_INT(r[0].done, 1);
    stop();
}

TEST(a_wait_cancelled_before_its_request_starts_none)
{
    struct reader r = { 0 };

    start(4 * MB, 1000);
    want(&r, 0, 1000);
    blocks_cancel(r.wait);
    turns();
    CHECK_INT(r.done, 1);
    CHECK_INT(r.errnum, ECANCELED);
    CHECK_INT(fake.n, 0);
    stop();
}

TEST(a_result_that_is_there_already_beats_a_cancel)
{
    struct reader r = { 0 };

    start(4 * MB, 1000);
    want(&r, 0, 1000);
    turns();
    feed(fake.calls[0], 1000);
    finish(fake.calls[0]);
    blocks_cancel(r.wait);
    turns();
    CHECK_INT(r.errnum, 0);
    CHECK_INT(r.got, 1000);
    stop();
}

TEST(a_stream_that_brought_nothing_ends_with_its_last_waiter)
{
    struct reader r = { 0 };

    start(64 * MB, 64 * MB);
    want(&r, 0, B);
    turns();
    CHECK_INT(stats().streams, 1);
    blocks_cancel(r.wait);
    CHECK(fake.calls[0]->is_cancelled);
    CHECK_INT(stats().streams, 0);
    turns();
    stop();
}

static struct reader *other;

static void want_other(struct reader *r)
{
    (void)r;
    want(other, 0, 1000);
}

static void cancel_other(struct reader *r)
{
    blocks_cancel(r->wait); /* has no effect any more */
    blocks_cancel(other->wait);
}

static void close_file(struct reader *r)
{
    (void)r;
    blocks_close(file);
    file = blocks_open(blocks, "box", "/f", fake.size, fake.mtime);
}

TEST(a_completion_may_ask_again_cancel_others_and_close_the_file)
{
    struct reader r[4] = { 0 };

    start(4 * MB, 1000);
    other = &r[1];
    r[0].then = want_other;
    want(&r[0], 0, 1000);
    settle();
    CHECK_INT(r[1].got, 1000);

    r[0].then = cancel_other;
    want(&r[0], 0, 1000);
    want(&r[1], 5000, 1000);
    settle();
    CHECK_INT(r[0].got, 1000);
    CHECK_INT(r[1].done, 1);

    r[0].then = close_file;
    want(&r[0], 0, 1000);
    settle();
    CHECK_INT(r[0].got, 1000);
    CHECK_INT(peek(0, 10), -1);
    CHECK_INT(fake.n, 1);
    stop();
}

/* ---- errors ---- */

TEST(an_error_reaches_all_waiters_and_is_remembered_for_a_second)
{
    struct reader r[3] = { 0 };

    start(4 * MB, 1000);
    want(&r[0], 0, 1000);
    want(&r[1], 10, 10);
    turns();
    finish_error(fake.calls[0], EHOSTUNREACH);
    CHECK_INT(r[0].done, 0);
    turns();
    CHECK_INT(r[0].errnum, EHOSTUNREACH);
    CHECK_INT(r[1].errnum, EHOSTUNREACH);
    CHECK_INT(stats().bytes, 0);
    loop_advance(loop, BLOCKS_ERROR_MS - 1);
    CHECK_INT(read_at(0, 10), -EHOSTUNREACH);
    CHECK_INT(fake.n, 1);
    loop_advance(loop, 1);
    CHECK_INT(read_at(0, 10), 10);
    CHECK_INT(fake.n, 2);
    stop();
}

TEST(a_cancelled_request_is_not_remembered)
{
    struct reader r = { 0 };

    start(64 * MB, 1000);
    want(&r, 0, 10);
    turns();
    finish_error(fake.calls[0], ECANCELED); /* not by us: the client is shutting down */
    turns();
    CHECK_INT(r.errnum, ECANCELED);
    CHECK_INT(read_at(0, 10), 10);
    stop();
}

TEST(what_is_cached_is_read_in_spite_of_a_remembered_error)
{
    struct reader r = { 0 };

    start(64 * MB, 64 * MB);
    CHECK_INT(read_at(0, B), B);
    want(&r, 40 * MB, B);
    turns();
    finish_error(fake.calls[1], ETIMEDOUT);
    turns();
    CHECK_INT(r.errnum, ETIMEDOUT);
    CHECK_INT(read_at(0, B), B);
    want(&r, 0, B);
    turns();
    CHECK_INT(r.got, B);
    CHECK_INT(read_at(50 * MB, B), -ETIMEDOUT);
    CHECK_INT(fake.n, 2);
    stop();
}

TEST(an_error_in_mid_stream_leaves_what_came_before)
{
    struct reader r = { 0 };

    start(64 * MB, 64 * MB);
    want(&r, 0, 4 * B);
    turns();
    feed(fake.calls[0], 2 * B + 1000);
    finish_error(fake.calls[0], ECONNRESET);
    turns();
    CHECK_INT(r.errnum, ECONNRESET);
    CHECK_INT(read_at(0, 2 * B), 2 * B);
    CHECK_INT(read_at(2 * B, B), -ECONNRESET);
    CHECK_INT(stats().streams, 0);
    stop();
}

TEST(the_failure_of_what_nobody_waits_for_is_not_remembered)
{
    start(64 * MB, 64 * MB);
    CHECK_INT(read_at(0, B), B);
    CHECK(fake.calls[0]->is_paused);
    finish_error(fake.calls[0], ECONNRESET);
    turns();
    CHECK_INT(read_at(20 * B, B), B);
    CHECK_INT(fake.n, 2);
    stop();
}

TEST(one_failure_of_two_requests_fails_the_wait_and_ends_the_other)
{
    struct reader r = { 0 };

    start(64 * MB, 64 * MB);
    for (int i = 0; i < 6; i++) /* make it random */
        read_at(((off_t)i * 10 + 3) * MB, 100);
    CHECK_INT(read_at(60 * MB + 2 * B, 100), 100); /* splits the next range */
    want(&r, 60 * MB, 5 * B);
    turns();
    CHECK_INT(fake.n, 9);
    finish_error(fake.calls[7], EACCES);
    CHECK(fake.calls[8]->is_cancelled);
    turns();
    CHECK_INT(r.errnum, EACCES);
    stop();
}

/* ---- versions ---- */

TEST(another_version_drops_the_blocks)
{
    start(64 * MB, 1000);
    CHECK_INT(read_at(0, 1000), 1000);
    CHECK(!blocks_set_version(file, 1000, fake.mtime));
    CHECK_INT(peek(0, 1000), 1000);
    fake.version = 2;
    fake.mtime.tv_nsec++;
    CHECK(blocks_set_version(file, 1000, fake.mtime));
    CHECK_INT(peek(0, 1000), -1);
    CHECK_INT(read_at(0, 1000), 1000);
    fake.size = 2000;
    CHECK(blocks_set_version(file, 2000, fake.mtime));
    CHECK_INT(read_at(0, 4000), 2000);
    CHECK_INT(fake.n, 3);
    stop();
}

TEST(a_newer_file_is_estale_for_what_is_not_cached)
{
    start(64 * MB, 64 * MB);
    CHECK_INT(read_at(0, B), B);
    fake.mtime.tv_sec++;
    CHECK_INT(read_at(B, B), B);
    CHECK_INT(read_at(40 * MB, B), -ESTALE);
    CHECK_INT(read_at(2 * B, B), B);
    fake.version = 2;
    CHECK(blocks_set_version(file, 64 * MB, fake.mtime)); /* forgets the error too */
    CHECK_INT(read_at(40 * MB, B), B);
    stop();
}

TEST(a_file_that_shrank_is_estale)
{
    struct reader r[2] = { 0 };

    start(64 * MB, 64 * MB);
    want(&r[0], 0, B);
    want(&r[1], 0, MB);
    fake.size = 3 * B;
    settle();
    CHECK_INT(r[0].errnum, ESTALE);
    CHECK_INT(r[1].errnum, ESTALE);
    CHECK_INT(read_at(0, 1), -ESTALE); /* what came before may be of either version */
    CHECK_INT(read_at(3 * B, 1), -ESTALE);
    CHECK_INT(fake.n, 1);
    stop();
}

TEST(a_file_that_changed_behind_a_stream_is_forgotten)
{
    int64_t last = 0;

    start(64 * MB, 4 * MB);
    CHECK_INT(read_at(0, B), B);
    CHECK(fake.calls[0]->is_paused);
    fake.size += 100;
    for (off_t off = B; off < 4 * MB; off += B)
        last = read_at(off, B);
    CHECK(last == B || last == -ESTALE);
    CHECK(fake.calls[0]->is_over);
    CHECK_INT(peek(0, 1), -1);
    CHECK_INT(stats().blocks, 0);
    stop();
}

TEST(an_absurd_size_is_only_a_number)
{
    start(64 * MB, INT64_MAX);
    CHECK_INT(read_at(INT64_MAX - 100, 4096), 100);
    CHECK_INT(read_at(INT64_MAX - 4 * MB, MB), MB);
    CHECK_INT(read_at(0, MB), MB);
    CHECK_INT(read_at(INT64_MAX, 1), 0);
    fake.mtime.tv_sec = INT64_MAX;
    CHECK(blocks_set_version(file, INT64_MAX - 1, fake.mtime));
    stop();
}

TEST(a_short_answer_is_estale_even_if_it_tells_no_size)
{
    struct e2b_read_info unknown = { .size = -1 };
    struct reader r = { 0 };

    start(64 * MB, 1000);
    want(&r, 0, 1000);
    turns();
    feed(fake.calls[0], 999);
    fake.calls[0]->is_over = true;
    fake.calls[0]->fn(fake.calls[0]->arg, &unknown, NULL);
    turns();
    CHECK_INT(r.errnum, ESTALE);
    loop_advance(loop, BLOCKS_ERROR_MS);

    want(&r, 0, 1000);
    turns();
    feed(fake.calls[1], 1000);
    fake.calls[1]->is_over = true;
    fake.calls[1]->fn(fake.calls[1]->arg, &unknown, NULL);
    turns();
    CHECK_INT(r.got, 1000);
    stop();
}

TEST(an_older_file_is_estale_too)
{
    start(64 * MB, 1000);
    fake.mtime.tv_sec -= 100; /* restored by somebody: no server would refuse that */
    CHECK_INT(read_at(0, 1000), -ESTALE);
    stop();
}

TEST(more_bytes_than_the_version_has_are_estale)
{
    struct reader r = { 0 };
    char data[2000] = { 0 };

    start(64 * MB, 1000);
    want(&r, 0, 1000);
    turns();
    CHECK_INT(fake.calls[0]->on_data(fake.calls[0]->arg, data, sizeof(data)), -ESTALE);
    finish_error(fake.calls[0], ESTALE);
    turns();
    CHECK_INT(r.errnum, ESTALE);
    stop();
}

TEST(who_waits_when_the_version_changes_gets_the_new_one)
{
    struct reader r[4] = { 0 };

    start(64 * MB, 64 * MB);
    want(&r[0], 0, MB);
    want(&r[1], 30 * MB, MB);
    want(&r[2], 0, B);
    turns();
    feed(fake.calls[0], 3 * B);
    feed(fake.calls[1], 100);
    /* r[2] has its bytes, but was not told yet */
    want(&r[3], 8 * MB, B);
    fake.version = 2;
    fake.size = 20 * MB;
    CHECK(blocks_set_version(file, fake.size, fake.mtime));
    blocks_check(blocks);
    CHECK(fake.calls[0]->is_cancelled && fake.calls[1]->is_cancelled);
    settle();
    CHECK_INT(r[0].got, MB);
    CHECK_INT(r[1].got, 0);
    CHECK_INT(r[2].got, B);
    CHECK_INT(r[3].got, B);
    stop();
}

TEST(a_renamed_file_is_read_under_its_new_name)
{
    start(64 * MB, 64 * MB);
    CHECK_INT(read_at(0, B), B);
    blocks_rename(file, "/g");
    CHECK_INT(read_at(5 * B, B), B);
    CHECK_INT(fake.n, 1);
    CHECK_INT(read_at(40 * MB, B), B);
    CHECK_STR(fake.calls[1]->path, "/g");
    stop();
}

/* ---- reading in sequence ---- */

TEST(the_first_read_brings_a_mebibyte_and_what_was_asked)
{
    start(64 * MB, 64 * MB);
    CHECK_INT(read_at(0, B), B);
    CHECK_INT(fake.n, 1);
    CHECK_INT(fake.calls[0]->off, 0);
    CHECK_INT(fake.calls[0]->len, 64 * MB);
    CHECK(fake.calls[0]->is_paused);
    CHECK_INT(fake.calls[0]->pos, MB + B);
    CHECK_INT(peek(B, MB), MB);
    CHECK_INT(stats().bytes, MB + B);
    stop();
}

TEST(a_sequential_reader_is_one_request_and_its_window_doubles_to_16_mib)
{
    const int64_t size = 64 * (int64_t)MB;
    int64_t most = 0, ahead;

    start(256 * MB, size);
    for (off_t off = 0; off < size; off += B) {
        CHECK_INT(read_at(off, B), B);
        settle();
        ahead = fake.calls[0]->pos - (off + B);
        most = ahead > most ? ahead : most;
        if (off == 0)
            CHECK_INT(ahead, MB);
        if (off == 4 * MB)
            CHECK(ahead > MB && ahead <= 4 * MB);
    }
    CHECK_INT(most, 16 * MB);
    CHECK_INT(fake.n, 1);
    CHECK(fake.calls[0]->is_over);
    /* Pausing and resuming is not free: at most twice a window. */
    CHECK(fake.calls[0]->resumed < 40);
    CHECK_INT(stats().streams, 0);
    CHECK_INT(read_at(size - 100, B), 100);
    stop();
}

TEST(memory_stays_flat_however_long_the_file_is)
{
    static const size_t ceilings[] = { B, 2 * B, 5 * B, MB, 4 * MB, 8 * MB };

    for (size_t i = 0; i < ARRAY_LEN(ceilings); i++) {
        const int64_t size = 16 * (int64_t)MB + 12345;
        size_t most = 0;

        CASE("ceiling %zu", ceilings[i]);
        start(ceilings[i], size);
        fake.chunk = 100000; /* not a divisor of a block */
        for (off_t off = 0; off < size; off += B) {
            int64_t n = size - off < B ? size - off : B;

            CHECK_INT(read_at(off, B), n);
            most = stats().bytes > most ? stats().bytes : most;
        }
        CHECK(most <= ceilings[i]);
        CHECK(stats().evicted > 0);
        if (ceilings[i] >= MB) {
            CHECK_INT(fake.n, 1);
            CHECK_INT(stats().bytes_fetched, size);
        }
        stop();
    }
}

TEST(the_edge_holds_while_nobody_reads)
{
    start(64 * MB, 64 * MB);
    CHECK_INT(read_at(0, B), B);
    for (int i = 0; i < 10; i++) {
        CHECK_INT(read_at(0, B), B);
        settle();
    }
    CHECK_INT(fake.calls[0]->pos, MB + B);
    CHECK_INT(fake.calls[0]->resumed, 0);
    stop();
}

TEST(read_ahead_in_any_order_is_one_stream)
{
    static const int order[] = { 3, 1, 0, 2, 7, 5, 6, 4, 9, 8 };
    struct reader r[10] = { 0 };

    start(64 * MB, 64 * MB);
    for (size_t i = 0; i < ARRAY_LEN(order); i++)
        want(&r[i], (off_t)order[i] * B, B);
    settle();
    for (size_t i = 0; i < ARRAY_LEN(order); i++)
        CHECK_INT(r[i].got, B);
    CHECK_INT(fake.n, 1);
    CHECK_INT(fake.calls[0]->off, 0);
    stop();
}

TEST(read_ahead_in_any_order_over_many_turns_stays_sequential)
{
    enum { WINDOW = 8, BATCHES = 60 };
    static const int order[WINDOW] = { 2, 0, 1, 5, 3, 7, 4, 6 };
    struct reader r[WINDOW];

    start(64 * MB, WINDOW * BATCHES * B);
    for (int batch = 0; batch < BATCHES; batch++) {
        memset(r, 0, sizeof(r));
        for (int i = 0; i < WINDOW; i++) {
            want(&r[i], ((off_t)batch * WINDOW + order[i]) * B, B);
            turn();
        }
        settle();
        for (int i = 0; i < WINDOW; i++)
            CHECK_INT(r[i].got, B);
    }
    /* Two stragglers at the start; from then on the stream is ahead of them all. */
    CHECK_INT(fake.n, 3);
    CHECK_INT(fake.calls[0]->len, WINDOW * BATCHES * B - 2 * B);
    CHECK_INT(fake.calls[1]->len + fake.calls[2]->len, 2 * B);
    CHECK_INT(stats().bytes_fetched, WINDOW * BATCHES * B);
    stop();
}

TEST(several_readers_share_one_download)
{
    struct reader r[4] = { 0 };

    start(64 * MB, 32 * MB);
    for (off_t off = 0; off < 32 * MB; off += B) {
        for (int i = 0; i < 4; i++)
            if (off >= i * B)
                want(&r[i], off - i * B, B);
        settle();
        for (int i = 0; i < 4; i++)
            if (off >= i * B)
                CHECK_INT(r[i].got, B);
    }
    CHECK_INT(fake.n, 1);
    CHECK_INT(stats().bytes_fetched, 32 * MB);
    stop();
}

TEST(a_reader_far_behind_the_first_gets_a_stream_of_its_own)
{
    start(8 * MB, 64 * MB);
    for (off_t off = 0; off < 24 * MB; off += B)
        CHECK_INT(read_at(off, B), B);
    CHECK_INT(fake.n, 1);
    for (off_t off = 0; off < 8 * MB; off += B) {
        CHECK_INT(read_at(off, B), B);
        CHECK_INT(read_at(24 * MB + off, B), B);
    }
    CHECK_INT(fake.n, 2);
    CHECK_INT(stats().streams, 2);
    CHECK(stats().bytes <= 8 * MB);
    stop();
}

TEST(a_short_skip_ahead_stays_in_the_stream)
{
    start(64 * MB, 64 * MB);
    CHECK_INT(read_at(0, B), B);
    CHECK_INT(read_at(MB + B + MB - B, B), B); /* just less than 1 MiB beyond the edge */
    CHECK_INT(fake.n, 1);
    CHECK_INT(read_at(20 * MB, B), B);
    CHECK_INT(fake.n, 2);
    stop();
}

TEST(the_rest_of_a_file_that_fits_the_window_needs_no_pause)
{
    start(64 * MB, MB + B);
    CHECK_INT(read_at(0, B), B);
    CHECK_INT(fake.n, 1);
    CHECK(!fake.calls[0]->may_pause);
    CHECK(fake.calls[0]->is_over);
    CHECK_INT(read_at(MB, MB), B);
    CHECK_INT(fake.n, 1);
    stop();
}

TEST(reads_of_odd_sizes_see_the_right_bytes)
{
    const int64_t size = 9 * (int64_t)MB + 77;
    off_t off = 0;
    unsigned seed = 1;

    start(3 * MB, size);
    fake.chunk = 7777;
    while (off < size) {
        size_t len = (seed = seed * 1103515245 + 12345) / 65536 % BLOCKS_LEN_MAX + 1;
        int64_t expected = (int64_t)len < size - off ? (int64_t)len : size - off;

        CHECK_INT(read_at(off, len), expected);
        off += expected;
    }
    CHECK_INT(fake.n, 1);
    stop();
}

/* ---- abandoning ---- */

TEST(a_stream_that_nobody_reads_is_abandoned_after_a_time)
{
    start(64 * MB, 64 * MB);
    CHECK_INT(read_at(0, B), B);
    loop_advance(loop, DOWNLOAD_IDLE_MS - 1);
    CHECK_INT(read_at(B, B), B); /* is asking, too */
    loop_advance(loop, DOWNLOAD_IDLE_MS - 1);
    blocks_check(blocks);
    CHECK(!fake.calls[0]->is_cancelled);
    loop_advance(loop, 1);
    blocks_check(blocks);
    CHECK(fake.calls[0]->is_cancelled);
    CHECK_INT(stats().streams, 0);
    /* What it brought is kept, and reading on starts a new one. */
    CHECK_INT(read_at(MB, B), B);
    CHECK_INT(fake.n, 1);
    CHECK_INT(read_at(MB + B, B), B);
    CHECK_INT(fake.n, 2);
    CHECK(fake.calls[1]->may_pause);
    stop();
}

TEST(a_stream_that_somebody_waits_for_is_not_abandoned)
{
    struct reader r = { 0 };

    start(64 * MB, 64 * MB);
    want(&r, 0, B);
    turns();
    feed(fake.calls[0], 1000);
    loop_advance(loop, 10 * DOWNLOAD_IDLE_MS); /* its deadline is the request's own */
    CHECK(!fake.calls[0]->is_cancelled);
    blocks_cancel(r.wait);
    CHECK(!fake.calls[0]->is_cancelled);
    loop_advance(loop, DOWNLOAD_IDLE_MS);
    CHECK(fake.calls[0]->is_cancelled);
    CHECK_INT(r.errnum, ECANCELED);
    CHECK_INT(stats().bytes, 0);
    stop();
}

TEST(closing_ends_the_requests_and_outlives_their_completions)
{
    start(64 * MB, 64 * MB);
    CHECK_INT(read_at(0, B), B);
    CHECK(!fake.calls[0]->is_over);
    stop(); /* which completes it after blocks_free */
}

/* ---- reading at random ---- */

/* Far from each other, and from everything before. */
static off_t place(int i)
{
    return ((off_t)i * 37 % 100 + 10) * 4 * MB;
}

TEST(after_three_misses_exactly_the_wanted_blocks_are_fetched)
{
    start(64 * MB, 500 * (int64_t)MB);
    for (int i = 0; i < 40; i++) {
        CHECK_INT(read_at(place(i), 4096), 4096);
        CHECK_INT(fake.n, i + 1);
        CHECK(fake.calls[i]->may_pause == (i <= PATTERN_MISSES));
        if (i > PATTERN_MISSES)
            CHECK_INT(fake.calls[i]->len, B);
    }
    CHECK_INT(read_at(place(50) + 100, MB), MB); /* 9 blocks are two requests */
    CHECK_INT(fake.n, 42);
    CHECK_INT(fake.calls[40]->len, MB);
    CHECK_INT(fake.calls[41]->len, B);
    CHECK(stats().streams <= PATTERN_MISSES + 1);
    stop();
}

TEST(two_runs_in_sequence_end_the_random_mode)
{
    start(64 * MB, 500 * (int64_t)MB);
    for (int i = 0; i < 10; i++)
        read_at(place(i), 4096);
    CHECK_INT(fake.n, 10);
    CHECK_INT(read_at(place(20), B), B);
    CHECK(!fake.calls[10]->may_pause);
    CHECK_INT(read_at(place(20) + B, B), B);
    CHECK(fake.calls[11]->may_pause);
    CHECK_INT(read_at(place(30), B), B); /* the first miss, again */
    CHECK(fake.calls[12]->may_pause);
    for (int i = 2; i < 60; i++)
        CHECK_INT(read_at(place(20) + i * (off_t)B, B), B);
    CHECK_INT(fake.n, 13);
    stop();
}

TEST(a_seeking_but_mostly_sequential_reader_is_not_random)
{
    start(64 * MB, 500 * (int64_t)MB);
    for (int seek = 0; seek < 20; seek++) {
        for (int i = 0; i < 20; i++)
            CHECK_INT(read_at(place(seek) + i * (off_t)B, B), B);
        CHECK_INT(fake.n, seek + 1);
    }
    CHECK(stats().streams <= 8);
    stop();
}

TEST(parallel_readers_of_one_file_each_get_a_stream)
{
    struct reader r[4] = { 0 };

    start(64 * MB, 500 * (int64_t)MB);
    for (int i = 0; i < 100; i++) {
        for (int k = 0; k < 4; k++)
            want(&r[k], k * 100 * (off_t)MB + i * (off_t)B, B);
        settle();
        for (int k = 0; k < 4; k++)
            CHECK_INT(r[k].got, B);
    }
    CHECK_INT(fake.n, 4);
    CHECK_INT(stats().streams, 4);
    stop();
}

TEST(reading_backwards_works)
{
    start(64 * MB, 6 * MB);
    for (off_t off = 6 * MB - B; off >= 0; off -= B)
        CHECK_INT(read_at(off, B), B);
    CHECK(stats().bytes_fetched <= 6 * MB);
    stop();
}

/* ---- memory ---- */

TEST(what_was_read_longest_ago_is_evicted_first)
{
    start(4 * B, 500 * (int64_t)MB);
    for (int i = 0; i < 10; i++)
        read_at(place(i), 10);
    loop_advance(loop, DOWNLOAD_IDLE_MS); /* what streams brought in vain goes first */
    CHECK_INT(stats().streams, 0);
    for (int i = 20; i < 24; i++)
        CHECK_INT(read_at(place(i), 10), 10);
    CHECK_INT(stats().blocks, 4);
    CHECK_INT(peek(place(20), 10), 10); /* now the youngest */
    CHECK_INT(read_at(place(30), 10), 10);
    CHECK_INT(peek(place(20), 10), 10);
    CHECK_INT(peek(place(21), 10), -1);
    CHECK_INT(peek(place(22), 10), 10);
    CHECK_INT(stats().bytes, 4 * B);
    stop();
}

TEST(what_does_not_fit_waits_for_its_turn)
{
    struct reader r[20] = { 0 };
    int done;

    start(2 * B, 500 * (int64_t)MB);
    for (int i = 0; i < 20; i++)
        want(&r[i], place(i), 2 * B);
    for (int served = 0; served < 20; served++) {
        turns();
        CHECK_INT(fake.n, served + 1);
        CHECK(stats().bytes <= 2 * B);
        serve(fake.calls[served]);
        turns();
        done = 0;
        for (int i = 0; i < 20; i++)
            done += r[i].done;
        CHECK_INT(done, served + 1);
    }
    for (int i = 0; i < 20; i++)
        CHECK_INT(r[i].got, 2 * B);
    stop();
}

TEST(who_waits_for_memory_can_be_cancelled)
{
    struct reader r[3] = { 0 };

    start(2 * B, 500 * (int64_t)MB);
    want(&r[0], place(0), 2 * B);
    want(&r[1], place(1), 2 * B);
    want(&r[2], place(2), 2 * B);
    turns();
    CHECK_INT(fake.n, 1);
    blocks_cancel(r[1].wait);
    turns();
    CHECK_INT(r[1].errnum, ECANCELED);
    CHECK_INT(fake.n, 1);
    blocks_cancel(r[0].wait); /* makes room */
    turns();
    CHECK_INT(fake.n, 2);
    settle();
    CHECK_INT(r[2].got, 2 * B);
    stop();
}

TEST(waiting_for_memory_costs_no_turns)
{
    struct reader r[2] = { 0 };
    int64_t start_ms;

    start(2 * B, 500 * (int64_t)MB);
    CHECK_INT(read_at(place(1), B), B);
    want(&r[0], place(0), B);
    turns();
    want(&r[1], place(1), 2 * B); /* one of the two is here */
    turns();
    CHECK_INT(fake.n, 2);
    start_ms = test_now_ms();
    loop_turn(loop, 50); /* would return at once if something were posted */
    CHECK(test_now_ms() - start_ms >= 45);
    settle();
    CHECK_INT(r[0].got, B);
    CHECK_INT(r[1].got, 2 * B);
    stop();
}

TEST(what_can_never_fit_is_enomem)
{
    start(B, 500 * (int64_t)MB);
    CHECK_INT(read_at(place(0), B), B);
    CHECK_INT(read_at(place(1), B + 1), -ENOMEM);
    CHECK_INT(read_at(place(1) + 5, B), -ENOMEM);
    CHECK_INT(read_at(place(1), B), B); /* and is not remembered */
    stop();

    start(0, 1000);
    CHECK_INT(read_at(0, 1000), -ENOMEM);
    CHECK_INT(read_at(1000, 1000), 0);
    stop();
}

TEST(a_stream_without_room_pauses_and_goes_on)
{
    struct reader r[2] = { 0 };
    struct blocks_file *first, *second;

    start(8 * B, 64 * MB);
    first = file;
    want(&r[0], 0, B);
    turns();
    feed(fake.calls[0], 1000);
    file = second = blocks_open(blocks, "box", "/g", 500 * (int64_t)MB, fake.mtime);
    want(&r[1], place(0), 7 * B); /* takes all memory that is left */
    turns();
    file = first;
    CHECK_INT(stats().bytes, 8 * B);
    feed(fake.calls[0], MB);
    CHECK(fake.calls[0]->is_paused);
    CHECK(fake.calls[0]->pos <= B); /* the chunk that brought the block's end comes again */
    blocks_cancel(r[1].wait);
    turns();
    CHECK_INT(r[0].got, B);
    blocks_close(second);
    for (off_t off = B; off < 8 * MB; off += B)
        CHECK_INT(read_at(off, B), B);
    CHECK_INT(fake.n, 2);
    stop();
}

TEST(a_stream_passes_over_what_has_no_room_to_reach_a_waiter)
{
    struct reader r[2] = { 0 };

    start(8 * B, 64 * MB);
    want(&r[0], 0, 4 * B);
    turns();
    want(&r[1], 8 * (off_t)B, 4 * B); /* all memory is taken by the two */
    turns();
    CHECK_INT(fake.n, 1);
    settle();
    CHECK_INT(r[0].got, 4 * B);
    CHECK_INT(r[1].got, 4 * B);
    CHECK_INT(fake.n, 1);
    CHECK(stats().bytes <= 8 * B);
    stop();
}

TEST(the_half_block_of_an_idle_stream_makes_room)
{
    struct reader r = { 0 };

    start(4 * B, 64 * MB);
    CHECK_INT(read_at(0, B), B);
    want(&r, 3 * (off_t)B, B);
    turns();
    CHECK_INT(feed(fake.calls[0], 1000), 1000);
    blocks_cancel(r.wait);
    turns();
    blocks_check(blocks);
    CHECK_INT(read_at(40 * MB, 4 * B), 4 * B);
    CHECK(fake.calls[0]->is_cancelled);
    stop();
}

TEST(windows_shrink_as_streams_are_added)
{
    struct reader r[4] = { 0 };
    size_t ahead;

    start(16 * MB, 500 * (int64_t)MB);
    for (int i = 0; i < 200; i++) {
        for (int k = 0; k < 4; k++)
            want(&r[k], k * 100 * (off_t)MB + i * (off_t)B, B);
        settle();
        CHECK(stats().bytes <= 16 * MB);
    }
    CHECK_INT(fake.n, 4);
    for (size_t k = 0; k < 4; k++) {
        ahead = (size_t)(fake.calls[k]->pos - fake.calls[k]->off) - 200 * B;
        CHECK(ahead <= 2 * MB + fake.chunk);
        CHECK(ahead >= MB / 2);
    }
    stop();
}

TEST(streams_have_a_ceiling_in_number)
{
    struct blocks_file *files[60];

    start(256 * MB, 64 * MB);
    blocks_close(file);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        files[i] = file = blocks_open(blocks, "box", "/f", 64 * MB, fake.mtime);
        CHECK_INT(read_at(0, B), B);
        CHECK(stats().streams <= 32);
        file = files[0];
        CHECK_INT(read_at(i * (off_t)B, B), B);
    }
    file = files[ARRAY_LEN(files) - 1];
    CHECK_INT(stats().streams, 32);
    /* Those longest unused went first. */
    CHECK(!fake.calls[0]->is_cancelled);
    CHECK(fake.calls[1]->is_cancelled);
    CHECK(!fake.calls[59]->is_cancelled);
    for (size_t i = 0; i + 1 < ARRAY_LEN(files); i++)
        blocks_close(files[i]);
    stop();
}

TEST(counters_count)
{
    struct blocks_stats s;

    start(64 * MB, 64 * MB);
    CHECK_INT(read_at(0, B), B);
    CHECK_INT(read_at(0, B), B);
    CHECK_INT(read_at(B, B), B);
    s = stats();
    CHECK_INT(s.hits, 2);
    CHECK_INT(s.misses, 1);
    CHECK_INT(s.requests, 1);
    CHECK_INT(s.evicted, 0);
    CHECK_INT(s.streams, 1);
    CHECK_INT(s.blocks, 9);
    stop();
}

/* ---- everything at once ---- */

TEST(random_operations_keep_every_promise)
{
    enum { READERS = 24 };

    for (unsigned seed = 1; seed <= 15; seed++) {
        struct reader r[READERS] = { 0 };
        unsigned state = seed * 2654435761u;

        CASE("seed %u", seed);
        start((seed % 5 + 9) * B, 40 * MB + 321);
        fake.chunk = seed % 3 ? 16 * KB : 300 * KB;
        for (int step = 0; step < 1500; step++) {
            unsigned what = (state = state * 1103515245 + 12345) / 65536 % 100;
            unsigned pick = (state = state * 1103515245 + 12345) / 65536;
            struct reader *one = &r[pick % READERS];

            if (what < 40 && (!one->wait || one->done)) {
                off_t off = pick % 7 ? (off_t)(one->off + B) % fake.size
                                     : (off_t)pick * 4099 % fake.size;

                want(one, off, pick % BLOCKS_LEN_MAX + 1);
            } else if (what < 50 && one->wait && !one->done) {
                blocks_cancel(one->wait);
            } else if (what < 75 && fake.n > 0) {
                struct fake_call *call = fake.calls[pick % fake.n];

                if (call->is_cancelled && !call->is_over)
                    finish_error(call, ECANCELED);
                else
                    feed(call, pick % 5 * 100000);
            } else if (what < 85 && fake.n > 0) {
                serve(fake.calls[pick % fake.n]);
            } else if (what == 85 && fake.n > 0) {
                struct fake_call *call = fake.calls[pick % fake.n];

                if (!call->is_over && !call->is_cancelled)
                    finish_error(call, ECONNRESET);
            } else if (what == 86) {
                loop_advance(loop, pick % 12000);
            } else if (what == 87 && pick % 4 == 0) {
                fake.version++;
                fake.mtime.tv_sec++;
                fake.size = 30 * MB + (int64_t)(pick % 10) * MB;
                blocks_set_version(file, fake.size, fake.mtime);
            } else {
                turn();
            }
            blocks_check(blocks);
            if (fake.n > 400)
                break;
        }
        loop_advance(loop, 2000);
        settle();
        for (int i = 0; i < READERS; i++)
            CHECK(!r[i].wait || r[i].done == 1);
        stop();
    }
}
