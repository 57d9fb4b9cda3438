/* SPDX-License-Identifier: MIT */
/*
 * The spool against a model: random writes, truncations, commits, failures, reopenings and a
 * tight ceiling.  At every moment a reader sees what was written; after a commit that succeeded
 * the sandbox has it; after one that failed it has that or what it had before.
 */
#include "cache/spool.h"
#include "fake_files.h"

enum { SIZE_MAX_BYTES = 200000, STEPS = 600 };

static struct {
    char dir[64];
    struct loop *loop;
    struct workers *workers;
    struct spool *spool;
    struct spool_file *f;
    unsigned seed;
    struct buf want; /* what a reader must see */
    struct buf had;  /* what the sandbox had after the last commit that succeeded */
    bool had_file;
    int errnum, calls;
} t;

static int pick(int n)
{
    return rand_r(&t.seed) % n;
}

static void resize(struct buf *b, size_t size)
{
    size_t old = b->len;
    char *at;

    if (size > old) {
        if (buf_reserve(b, size - old, &at) < 0)
            abort();
        memset(at, 0, size - old);
    }
    b->len = size;
}

static void copy(struct buf *to, const struct buf *from)
{
    buf_reset(to);
    if (from->len > 0)
        buf_append(to, from->data, from->len);
}

static bool equal(const struct buf *a, const struct buf *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

static void do_write(void)
{
    static const int lengths[] = { 1, 10, 1000, 70000 };
    bool is_append = pick(3) == 0;
    size_t len = 1 + (size_t)pick(lengths[pick(4)]);
    size_t off = is_append || pick(4) == 0 ? t.want.len : (size_t)pick((int)t.want.len + 500);
    autofree char *data = xmalloc(len);

    if (off + len > SIZE_MAX_BYTES)
        return;
    memset(data, 'a' + pick(26), len);
    if (spool_write(t.f, data, len, (off_t)off, is_append, NULL) == -ENOSPC)
        return;
    if (t.want.len < off + len)
        resize(&t.want, off + len);
    memcpy(t.want.data + off, data, len);
}

static void do_truncate(void)
{
    size_t size = pick(3) == 0 ? 0 : (size_t)pick((int)t.want.len + 300);

    CHECK_INT(spool_truncate(t.f, (int64_t)size, NULL), 0);
    resize(&t.want, size);
}

static void committed(void *arg, const struct e2b_entry *entry, const struct e2b_err *err)
{
    (void)arg;
    t.calls++;
    t.errnum = err ? err->errnum : 0;
    if (entry)
        CHECK(entry->size >= 0);
}

static void check_sandbox(void)
{
    struct fake_file *file = fake_find("/d/f");

    if (t.errnum == 0) {
        CHECK(file && equal(&file->data, &t.want));
        copy(&t.had, &t.want);
        t.had_file = true;
    } else if (t.had_file && t.had.len > 0) {
        CHECK(file && (equal(&file->data, &t.had) || equal(&file->data, &t.want)));
        if (file)
            copy(&t.had, &file->data);
    }
    CHECK(fake_count() <= 1);
}

static void under_upload(void)
{
    if (pick(3) == 0)
        do_write();
    else if (pick(6) == 0)
        do_truncate();
}

static void do_commit(void)
{
    static const int errnums[] = { ECONNRESET, ENOSPC, EIO };

    if (pick(3) == 0)
        fake_fault(1 + pick(3), errnums[pick(3)], (enum fake_mode)pick(3));
    t.calls = 0;
    spool_commit(t.f, committed, NULL);
    fake_run();
    CHECK_INT(t.calls, 1);
    fake.fault_times = 0;
    check_sandbox();
}

/* Writers that don't wait: the commit after it must put everything right. */
static void do_busy_commit(void)
{
    fake.during_upload = fake.during_read = under_upload;
    t.calls = 0;
    spool_commit(t.f, committed, NULL);
    fake_run();
    fake.during_upload = fake.during_read = NULL;
    CHECK_INT(t.calls, 1);
    if (t.errnum == 0) {
        struct fake_file *file = fake_find("/d/f");

        CHECK(file != NULL);
        t.had_file = file != NULL;
        if (file)
            copy(&t.had, &file->data);
    }
}

static void open_file(void)
{
    struct fake_file *file = fake_find("/d/f");
    struct e2b_entry base;
    struct spool_open how = {
        .sandbox = "sbx", .path = "/d/f", .mode = 0644, .truncate = pick(3) == 0
    };

    if (file) {
        base = fake_entry(file);
        how.base = &base;
    }
    if (!file || how.truncate)
        resize(&t.want, 0);
    CHECK_INT(spool_open(t.spool, &how, &t.f, NULL), 0);
}

static void do_reopen(void)
{
    int tries = 0;

    while (spool_is_dirty(t.f) && tries++ < 5)
        do_commit();
    if (spool_is_dirty(t.f))
        return;
    spool_close(t.f);
    open_file();
}

/* The whole file, from wherever spool_map says. */
static void check_view(void)
{
    static char text[SIZE_MAX_BYTES];
    struct fake_file *file = fake_find("/d/f");
    int64_t off = 0;

    CHECK_INT(spool_size(t.f), t.want.len);
    while (off < spool_size(t.f)) {
        size_t len = sizeof(text);
        enum spool_where where = spool_map(t.f, off, &len);

        if (where == SPOOL_LOCAL)
            CHECK_INT(pread(spool_fd(t.f), text + off, len, off), len);
        else if (where == SPOOL_HOLE)
            memset(text + off, 0, len);
        else if (where == SPOOL_BASE && file && (size_t)off + len <= file->data.len)
            memcpy(text + off, file->data.data + off, len);
        else
            CHECK(!"a piece of another kind");
        off += (int64_t)len;
    }
    CHECK(t.want.len == 0 || memcmp(text, t.want.data, t.want.len) == 0);
}

static void start(unsigned seed)
{
    struct spool_config config = { .dir = t.dir };

    memset(&t, 0, sizeof(t));
    (void)snprintf(t.dir, sizeof(t.dir), "/tmp/e2bfs-test-XXXXXX");
    if (!mkdtemp(t.dir))
        abort();
    t.seed = seed;
    t.loop = loop_new(NULL);
    loop_use_manual_clock(t.loop);
    t.workers = workers_new(t.loop, 1, NULL);
    fake_reset(t.loop);
    config.max_bytes = seed % 2 ? 0 : SIZE_MAX_BYTES;
    t.spool = spool_new(t.loop, t.workers, NULL, &config, NULL);
}

static void stop(void)
{
    spool_detach(t.f);
    spool_close(t.f);
    spool_free(t.spool);
    fake_reset(t.loop);
    workers_free(t.workers);
    loop_free(t.loop);
    buf_clear(&t.want);
    buf_clear(&t.had);
    CHECK_INT(rmdir(t.dir), 0); /* nothing is left in it */
}

static void play(unsigned seed)
{
    start(seed);
    open_file();
    for (int step = 0; step < STEPS && !test_state.failed; step++) {
        int what = pick(20);

        CASE("seed %u, step %d, kind %d", seed, step, what);
        if (what < 11)
            do_write();
        else if (what < 13)
            do_truncate();
        else if (what < 18)
            do_commit();
        else if (what < 19)
            do_busy_commit();
        else
            do_reopen();
        check_view();
    }
    stop();
}

TEST(random_changes_and_failures_agree_with_a_model)
{
    for (unsigned seed = 1; seed <= 8; seed++)
        play(seed);
}
