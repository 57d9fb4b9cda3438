/* SPDX-License-Identifier: MIT */
#include "cache/spool.h"

#include <dirent.h>
#include <sys/wait.h>

#include "fake_files.h"

/* ---- the stage ---- */

static struct {
    char dir[64];
    struct loop *loop;
    struct workers *workers;
    struct spool *spool;
} t;

static void open_spool(uint64_t max_bytes)
{
    struct spool_config config = { .dir = t.dir, .max_bytes = max_bytes };
    struct e2b_err err = { 0 };

    t.spool = spool_new(t.loop, t.workers, NULL, &config, &err);
    CHECK_STR(err.msg, "");
}

static void start(void)
{
    (void)snprintf(t.dir, sizeof(t.dir), "/tmp/e2bfs-test-XXXXXX");
    if (!mkdtemp(t.dir))
        abort();
    t.loop = loop_new(NULL);
    loop_use_manual_clock(t.loop);
    t.workers = workers_new(t.loop, 1, NULL);
    fake_reset(t.loop);
    open_spool(1 << 30);
}

static void shell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *fmt, ...)
{
    autofree char *command = NULL;
    va_list ap;

    va_start(ap, fmt);
    command = xvasprintf(fmt, ap);
    va_end(ap);
    if (system(command) != 0)
        test_fail(__FILE__, __LINE__, "%s", command);
}

static void stop(void)
{
    spool_free(t.spool);
    fake_run();
    fake_reset(t.loop);
    workers_free(t.workers);
    loop_free(t.loop);
    shell("rm -rf %s", t.dir);
}

/* Names in the spool's directory that end so. */
static int count_files(const char *suffix)
{
    char command[256], out[32] = "";
    FILE *f;

    (void)snprintf(command, sizeof(command), "find %s -name '*%s' | wc -l", t.dir, suffix);
    f = popen(command, "r");
    if (!f || !fgets(out, sizeof(out), f))
        abort();
    pclose(f);
    return atoi(out);
}

/* ---- one file ---- */

/* NULL: the remote file does not exist; the base is what it is now. */
static struct spool_file *open_file(const char *path, mode_t mode, bool truncate)
{
    struct fake_file *file = fake_find(path);
    struct e2b_entry base;
    struct spool_open how = {
        .sandbox = "sbx", .path = path, .mode = mode, .truncate = truncate
    };
    struct spool_file *f = NULL;
    struct e2b_err err = { 0 };

    if (file) {
        base = fake_entry(file);
        how.base = &base;
    }
    CHECK_INT(spool_open(t.spool, &how, &f, &err), 0);
    CHECK_STR(err.msg, "");
    return f;
}

static void put(struct spool_file *f, off_t off, const char *text)
{
    CHECK_INT(spool_write(f, text, strlen(text), off, false, NULL), 0);
}

static void append(struct spool_file *f, const char *text)
{
    CHECK_INT(spool_write(f, text, strlen(text), 0, true, NULL), 0);
}

static void put_many(struct spool_file *f, off_t off, char byte, size_t len, bool is_append)
{
    char *data = xmalloc(len);

    memset(data, byte, len);
    CHECK_INT(spool_write(f, data, len, off, is_append, NULL), 0);
    free(data);
}

struct outcome {
    int calls;
    bool has_entry;
    int64_t size;
    mode_t mode;
    int errnum;
};

static void keep(void *arg, const struct e2b_entry *entry, const struct e2b_err *err)
{
    struct outcome *out = arg;

    out->calls++;
    out->errnum = err ? err->errnum : 0;
    out->has_entry = entry != NULL;
    out->size = entry ? entry->size : -1;
    out->mode = entry ? entry->mode : 0;
}

static struct outcome commit(struct spool_file *f)
{
    struct outcome out = { 0 };

    spool_commit(f, keep, &out);
    CHECK_INT(out.calls, 0); /* never from inside */
    fake_run();
    CHECK_INT(out.calls, 1);
    return out;
}

/* What a reader would see, with the sandbox's bytes where spool_map says so. */
static const char *view(struct spool_file *f, const char *path)
{
    static char text[4096];
    struct fake_file *base = fake_find(path);
    int64_t off = 0, size = spool_size(f);

    memset(text, 0, sizeof(text));
    while (off < size && size < (int64_t)sizeof(text)) {
        size_t len = sizeof(text);

        switch (spool_map(f, off, &len)) {
        case SPOOL_LOCAL:
            CHECK_INT(pread(spool_fd(f), text + off, len, off), len);
            break;
        case SPOOL_BASE:
            if (base && (size_t)off + len <= base->data.len)
                memcpy(text + off, base->data.data + off, len);
            else
                test_fail(__FILE__, __LINE__, "reads a base that isn't there");
            break;
        case SPOOL_HOLE:
            memset(text + off, '.', len);
            break;
        case SPOOL_END:
            test_fail(__FILE__, __LINE__, "ends too early");
            return text;
        }
        off += (int64_t)len;
    }
    return text;
}

/* ---- the methods ---- */

TEST(a_new_file_is_one_post)
{
    struct spool_file *f;
    struct outcome out;

    start();
    f = open_file("/a/f", 0644, false);
    CHECK(spool_is_dirty(f));
    CHECK(!spool_is_remote(f));
    put(f, 0, "hello");
    CHECK_INT(fake.n_calls, 0);
    CHECK_INT(count_files(".json"), 1);
    out = commit(f);
    CHECK_INT(out.errnum, 0);
    CHECK(!out.has_entry);
    CHECK_STR(fake_take_log(), "post /a/f 5\n");
    CHECK_STR(fake_get("/a/f"), "hello");
    CHECK_STR(fake_find("/a/f")->owner, "user");
    CHECK(!spool_is_dirty(f));
    CHECK(spool_is_remote(f));
    CHECK_INT(count_files(".json"), 0);
    CHECK_INT(count_files(".data"), 1);
    CHECK_INT(commit(f).errnum, 0);
    CHECK_STR(fake_take_log(), "");
    spool_close(f);
    CHECK_INT(count_files(".data"), 0);
    spool_free(t.spool);
    CHECK_INT(count_files("sbx"), 0);
    open_spool(0);
    stop();
}

TEST(a_new_file_gets_its_mode)
{
    static const struct {
        mode_t mode;
        const char *text, *log;
    } cases[] = {
        { 0644, "", "create /f 644\n" },
        { 0600, "", "create /f 600\n" },
        { 0755, "x", "post /f 1\nchmod /f 755\n" },
        { 0666, "x", "post /f 1\nchmod /f 666\n" },
        { 0600, "x", "create /f 600\npost /f 1\n" },
        { 0640, "x", "create /f 640\npost /f 1\n" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct spool_file *f;
        struct outcome out;

        CASE("mode %o, \"%s\"", (unsigned)cases[i].mode, cases[i].text);
        start();
        f = open_file("/f", cases[i].mode, false);
        put(f, 0, cases[i].text);
        out = commit(f);
        CHECK_INT(out.errnum, 0);
        CHECK_STR(fake_take_log(), cases[i].log);
        CHECK_STR(fake_get("/f"), cases[i].text);
        CHECK_INT(fake_find("/f")->mode, cases[i].mode);
        CHECK((cases[i].mode & 0004) || !fake_find("/f")->was_readable);
        /* A helper at the end tells the attributes; an upload at the end doesn't. */
        CHECK_INT(out.has_entry,
                  !strstr(cases[i].log, "post") || strstr(cases[i].log, "chmod"));
        spool_close(f);
        stop();
    }
}

TEST(the_mode_of_a_new_file_can_change_until_it_is_sent)
{
    struct spool_file *f;

    start();
    f = open_file("/f", 0600, false);
    CHECK(spool_set_mode(f, 0755));
    put(f, 0, "x");
    commit(f);
    CHECK_INT(fake_find("/f")->mode, 0755);
    CHECK(!spool_set_mode(f, 0700));
    spool_close(f);
    stop();
}

TEST(an_existing_file_is_replaced_through_a_sibling)
{
    struct spool_file *f;
    struct outcome out;

    start();
    fake_put("/a/f", "the old content");
    fake_find("/a/f")->mode = 0755;
    free(fake_find("/a/f")->owner);
    fake_find("/a/f")->owner = xstrdup("root");
    f = open_file("/a/f", 0, true);
    CHECK_INT(spool_size(f), 0);
    put(f, 0, "new");
    out = commit(f);
    CHECK_INT(out.errnum, 0);
    CHECK_INT(out.size, 3);
    CHECK_INT(out.mode & 07777, 0755);
    CHECK_STR(fake_take_log(), "post /a/TEMP 3\nreplace /a/TEMP\n");
    CHECK_STR(fake_get("/a/f"), "new");
    CHECK_STR(fake_find("/a/f")->owner, "root");
    CHECK_INT(fake_count(), 1);
    CHECK_INT(spool_mtime(f).tv_sec, fake_find("/a/f")->mtime);
    spool_close(f);
    stop();
}

TEST(a_private_file_is_never_readable_on_the_way)
{
    struct spool_file *f;

    start();
    fake_put("/f", "")->mode = 0600;
    fake_put("/f", "old secret");
    f = open_file("/f", 0, true);
    put(f, 0, "new secret");
    CHECK_INT(commit(f).errnum, 0);
    CHECK_STR(fake_take_log(), "create /TEMP 600\npost /TEMP 10\nreplace /TEMP\n");
    CHECK_STR(fake_get("/f"), "new secret");
    CHECK(!fake_find("/f")->was_readable);
    spool_close(f);
    stop();
}

TEST(an_owner_without_a_name_is_left_to_the_rename)
{
    struct spool_file *f;

    start();
    fake_put("/f", "old");
    free(fake_find("/f")->owner);
    fake_find("/f")->owner = xstrdup("1234");
    f = open_file("/f", 0, true);
    put(f, 0, "new");
    CHECK_INT(commit(f).errnum, 0);
    CHECK_STR(fake_find("/f")->owner, "1234");
    spool_close(f);
    stop();
}

TEST(bytes_that_nobody_wrote_are_fetched)
{
    struct spool_file *f;

    start();
    fake_put("/f", "0123456789");
    f = open_file("/f", 0, false);
    CHECK(!spool_is_dirty(f));
    CHECK_INT(count_files(".data"), 0);
    put(f, 2, "ab");
    put(f, 7, "cd");
    CHECK_STR(view(f, "/f"), "01ab456cd9");
    CHECK_INT(commit(f).errnum, 0);
    CHECK_STR(fake_take_log(), "read /f 0+10\npost /TEMP 10\nreplace /TEMP\n");
    CHECK_STR(fake_get("/f"), "01ab456cd9");
    CHECK_STR(view(f, "/f"), "01ab456cd9");
    put(f, 0, "X");
    CHECK_INT(commit(f).errnum, 0);
    CHECK_STR(fake_take_log(), "post /TEMP 10\nreplace /TEMP\n");
    CHECK_STR(fake_get("/f"), "X1ab456cd9");
    spool_close(f);
    stop();
}

TEST(gaps_far_apart_are_fetched_separately)
{
    enum { SIZE = 3 << 20 };
    struct spool_file *f;
    struct fake_file *file;

    start();
    file = fake_put("/f", "");
    fake_set(file, SIZE - 1, "z", 1);
    f = open_file("/f", 0, false);
    put_many(f, 10, 'x', SIZE - 20, false);
    CHECK_INT(commit(f).errnum, 0);
    CHECK_STR(fake_take_log(), "read /f 0+10\nread /f 3145718+10\n"
                               "post /TEMP 3145728\nreplace /TEMP\n");
    CHECK_INT(fake_find("/f")->data.len, SIZE);
    CHECK_INT(fake_find("/f")->data.data[SIZE - 1], 'z');
    spool_close(f);
    stop();
}

TEST(growth_at_the_end_is_sent_alone)
{
    static const struct {
        size_t len;
        bool is_append;
        const char *log;
    } cases[] = {
        { 6, false, "pwrite /f 3+6\n" },
        { 6, true, "append /f 6\n" },
        { E2B_FOP_DATA_MAX, true, "append /f 65536\n" },
        { E2B_FOP_DATA_MAX + 1, true, "post /TEMP 65537\nsplice /TEMP -1\n" },
        { E2B_FOP_DATA_MAX + 1, false, "post /TEMP 65537\nsplice /TEMP 3\n" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct spool_file *f;
        struct outcome out;

        CASE("%zu bytes, append %d", cases[i].len, cases[i].is_append);
        start();
        fake_put("/f", "old");
        f = open_file("/f", 0, false);
        put_many(f, 3, 'x', cases[i].len, cases[i].is_append);
        out = commit(f);
        CHECK_INT(out.errnum, 0);
        CHECK_INT(out.size, 3 + cases[i].len);
        CHECK_STR(fake_take_log(), cases[i].log);
        CHECK_INT(fake_find("/f")->data.len, 3 + cases[i].len);
        CHECK_INT(strncmp(fake_get("/f"), "oldxxx", 6), 0);
        CHECK_INT(fake_count(), 1);
        spool_close(f);
        stop();
    }
}

TEST(a_hundred_echoes_are_a_hundred_small_commits)
{
    struct spool_file *f;

    start();
    f = open_file("/f", 0644, false);
    CHECK_INT(commit(f).errnum, 0);
    for (int i = 0; i < 100; i++) {
        put(f, 2 * i, "x\n");
        CHECK_INT(commit(f).errnum, 0);
        CHECK_INT(commit(f).errnum, 0);
    }
    CHECK_INT(fake.n_calls, 101);
    CHECK_INT(fake_find("/f")->data.len, 200);
    spool_close(f);
    CHECK_INT(fake.n_calls, 101);
    stop();
}

TEST(only_another_size_is_one_helper)
{
    static const struct {
        int64_t size;
        const char *log, *after;
    } cases[] = {
        { 0, "truncate /f 0\n", "" },
        { 2, "truncate /f 2\n", "ol" },
        { 5, "truncate /f 5\n", "old" }, /* and two zeros */
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct spool_file *f;
        struct outcome out;

        CASE("size %" PRId64, cases[i].size);
        start();
        fake_put("/f", "old");
        f = open_file("/f", 0, false);
        CHECK_INT(spool_truncate(f, cases[i].size, NULL), 0);
        out = commit(f);
        CHECK_INT(out.errnum, 0);
        CHECK_INT(out.size, cases[i].size);
        CHECK_STR(fake_take_log(), cases[i].log);
        CHECK_STR(fake_get("/f"), cases[i].after);
        spool_close(f);
        stop();
    }
}

TEST(a_truncated_file_that_stays_empty_is_truncated)
{
    struct spool_file *f;

    start();
    fake_put("/f", "old");
    f = open_file("/f", 0, true);
    CHECK(spool_is_dirty(f));
    CHECK_INT(commit(f).errnum, 0);
    CHECK_STR(fake_take_log(), "truncate /f 0\n");
    CHECK_STR(fake_get("/f"), "");
    put(f, 0, "new");
    CHECK_INT(commit(f).errnum, 0);
    CHECK_STR(fake_take_log(), "pwrite /f 0+3\n");
    CHECK_STR(fake_get("/f"), "new");
    spool_close(f);
    stop();
}

TEST(cut_and_grown_again_reads_zeros_in_between)
{
    struct spool_file *f;

    start();
    fake_put("/f", "0123456789");
    f = open_file("/f", 0, false);
    CHECK_INT(spool_truncate(f, 4, NULL), 0);
    CHECK_INT(spool_truncate(f, 8, NULL), 0);
    CHECK_STR(view(f, "/f"), "0123....");
    CHECK_INT(commit(f).errnum, 0);
    CHECK_STR(fake_take_log(), "read /f 0+4\npost /TEMP 8\nreplace /TEMP\n");
    CHECK_INT(fake_find("/f")->data.len, 8);
    CHECK_INT(memcmp(fake_get("/f"), "0123\0\0\0\0", 8), 0);
    spool_close(f);
    stop();
}

TEST(local_bytes_that_were_cut_off_do_not_come_back)
{
    struct spool_file *f;

    start();
    f = open_file("/f", 0644, false);
    put(f, 0, "0123456789");
    CHECK_INT(spool_truncate(f, 2, NULL), 0);
    put(f, 5, "x");
    CHECK_STR(view(f, "/f"), "01...x");
    CHECK_INT(commit(f).errnum, 0);
    CHECK_INT(memcmp(fake_get("/f"), "01\0\0\0x", 6), 0);
    spool_close(f);
    stop();
}

TEST(a_hole_costs_nothing_here)
{
    struct spool_file *f;
    struct spool_stats stats;
    size_t len = 4096;

    start();
    f = open_file("/f", 0644, false);
    CHECK_INT(spool_truncate(f, INT64_C(1) << 40, NULL), 0);
    put(f, (INT64_C(1) << 40) - 5, "x");
    spool_stats(t.spool, &stats);
    CHECK_INT(stats.bytes_held, 1);
    CHECK_INT(spool_map(f, 100, &len), SPOOL_HOLE);
    CHECK_INT(len, 4096);
    spool_detach(f);
    spool_close(f);
    stop();
}

TEST(a_tail_behind_a_hole_is_sent_where_it_begins)
{
    struct spool_file *f;

    start();
    fake_put("/f", "old");
    f = open_file("/f", 0, false);
    put(f, 100000, "end");
    CHECK_INT(commit(f).errnum, 0);
    CHECK_STR(fake_take_log(), "pwrite /f 100000+3\n");
    CHECK_INT(fake_find("/f")->data.len, 100003);
    CHECK_INT(fake_get("/f")[3], 0);
    CHECK_STR(fake_get("/f") + 100000, "end");
    spool_close(f);
    stop();
}

TEST(a_large_body_for_an_empty_file_needs_no_sibling)
{
    struct spool_file *f;

    start();
    fake_put("/f", "");
    fake_find("/f")->mode = 0750;
    f = open_file("/f", 0, false);
    put_many(f, 0, 'x', 100000, false);
    CHECK_INT(commit(f).errnum, 0);
    CHECK_STR(fake_take_log(), "post /f 100000\n");
    CHECK_INT(fake_find("/f")->mode, 0750);
    spool_close(f);
    stop();
}

/* ---- waiters ---- */

TEST(several_waiters_share_a_commit)
{
    struct outcome out[3] = { 0 };
    struct spool_file *f;

    start();
    f = open_file("/f", 0644, false);
    put(f, 0, "x");
    for (int i = 0; i < 3; i++)
        spool_commit(f, keep, &out[i]);
    fake_run();
    for (int i = 0; i < 3; i++)
        CHECK_INT(out[i].calls, 1);
    CHECK_STR(fake_take_log(), "post /f 1\n");
    spool_close(f);
    stop();
}

TEST(a_waiter_gets_what_was_written_before_it_asked)
{
    struct outcome first = { 0 }, second = { 0 };
    struct spool_file *f;

    start();
    f = open_file("/f", 0644, false);
    put(f, 0, "one");
    spool_commit(f, keep, &first);
    loop_turn(t.loop, 0);
    put(f, 3, "two"); /* behind what is being sent */
    spool_commit(f, keep, &second);
    CHECK(spool_is_committing(f));
    fake_step();
    loop_turn(t.loop, 0);
    CHECK_INT(first.calls, 1);
    CHECK_INT(second.calls, 0);
    CHECK_STR(fake_get("/f"), "one");
    CHECK(spool_is_dirty(f));
    fake_run();
    CHECK_INT(second.calls, 1);
    CHECK_STR(fake_get("/f"), "onetwo");
    CHECK_STR(fake_take_log(), "post /f 3\npwrite /f 3+3\n");
    spool_close(f);
    stop();
}

TEST(a_waiter_that_leaves_does_not_stop_the_commit)
{
    struct outcome out = { 0 };
    struct spool_file *f;
    struct spool_wait *w;

    start();
    f = open_file("/f", 0644, false);
    put(f, 0, "x");
    w = spool_commit(f, keep, &out);
    spool_cancel_wait(w);
    spool_cancel_wait(w);
    CHECK_INT(out.calls, 0);
    loop_turn(t.loop, 0);
    CHECK_INT(out.calls, 1);
    CHECK_INT(out.errnum, ECANCELED);
    CHECK(spool_is_committing(f));
    fake_run();
    CHECK_STR(fake_get("/f"), "x");
    CHECK(!spool_is_dirty(f));
    spool_close(f);
    stop();
}

static void close_it(void *arg, const struct e2b_entry *entry, const struct e2b_err *err)
{
    (void)entry;
    (void)err;
    spool_close(arg);
}

TEST(a_waiter_may_close_the_file)
{
    struct spool_file *f;

    start();
    f = open_file("/f", 0644, false);
    put(f, 0, "x");
    spool_commit(f, close_it, f);
    fake_run();
    CHECK_STR(fake_get("/f"), "x");
    CHECK_INT(count_files(".data"), 0);
    stop();
}

/* ---- writes while it is sent ---- */

static struct spool_file *written_to;
static int writes_left;

static void write_under_upload(void)
{
    if (writes_left-- > 0) {
        put(written_to, 0, "N");
        put(written_to, 9, "N");
    }
}

static void truncate_under_upload(void)
{
    if (writes_left-- > 0)
        CHECK_INT(spool_truncate(written_to, 3, NULL), 0);
}

TEST(a_torn_upload_is_repeated_before_it_takes_effect)
{
    static const struct {
        const char *old; /* NULL: a new file */
        const char *log;
    } cases[] = {
        { NULL, "post /f 10\npost /f 10\n" },
        { "previous content", "post /TEMP 10\npost /TEMP 10\nreplace /TEMP\n" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct spool_file *f;

        CASE("%s", cases[i].old ? cases[i].old : "new");
        start();
        if (cases[i].old)
            fake_put("/f", cases[i].old);
        f = open_file("/f", 0644, true);
        put(f, 0, "oooooooooo");
        fake.during_upload = write_under_upload;
        written_to = f;
        writes_left = 1;
        CHECK_INT(commit(f).errnum, 0);
        CHECK_STR(fake_take_log(), cases[i].log);
        CHECK_STR(fake_get("/f"), "NooooooooN");
        CHECK(!spool_is_dirty(f));
        spool_close(f);
        stop();
    }
}

TEST(a_small_file_that_never_rests_is_sent_from_a_copy)
{
    struct spool_file *f;

    start();
    fake_put("/f", "previous content");
    f = open_file("/f", 0644, true);
    put(f, 0, "oooooooooo");
    fake.during_upload = write_under_upload;
    written_to = f;
    writes_left = 1000;
    CHECK_INT(commit(f).errnum, 0);
    CHECK_STR(fake_take_log(), "post /TEMP 10\npost /TEMP 10\nreplace /TEMP\n");
    CHECK_STR(fake_get("/f"), "NooooooooN");
    CHECK(spool_is_dirty(f)); /* what was written during the second */
    fake.during_upload = NULL;
    CHECK_INT(commit(f).errnum, 0);
    CHECK(!spool_is_dirty(f));
    spool_close(f);
    stop();
}

TEST(a_large_file_that_never_rests_is_sent_at_the_fourth_try)
{
    struct spool_file *f;

    start();
    f = open_file("/f", 0644, false);
    put_many(f, 0, 'o', 2 << 20, false);
    fake.during_upload = write_under_upload;
    written_to = f;
    writes_left = 1000;
    CHECK_INT(commit(f).errnum, 0);
    CHECK_INT(fake.n_calls, 4);
    CHECK(spool_is_dirty(f));
    fake.during_upload = NULL;
    CHECK_INT(commit(f).errnum, 0);
    CHECK(!spool_is_dirty(f));
    CHECK_INT(fake_get("/f")[9], 'N');
    spool_close(f);
    stop();
}

TEST(a_file_that_shrinks_while_it_is_sent_is_sent_again)
{
    struct spool_file *f;

    start();
    fake_put("/f", "previous content");
    f = open_file("/f", 0644, true);
    put(f, 0, "0123456789");
    fake.during_upload = truncate_under_upload;
    written_to = f;
    writes_left = 1;
    CHECK_INT(commit(f).errnum, 0);
    CHECK_STR(fake_take_log(), "post /TEMP 10\npost /TEMP 3\nreplace /TEMP\n");
    CHECK_STR(fake_get("/f"), "012");
    CHECK_INT(fake_count(), 1);
    spool_close(f);
    stop();
}

static void write_under_fetch(void)
{
    if (writes_left-- > 0) {
        put(written_to, 0, "N");
        CHECK_INT(spool_truncate(written_to, 8, NULL), 0);
    }
}

TEST(what_is_written_during_a_fetch_wins)
{
    struct spool_file *f;

    start();
    fake_put("/f", "0123456789");
    f = open_file("/f", 0644, false);
    put(f, 5, "x");
    fake.during_read = write_under_fetch;
    written_to = f;
    writes_left = 1;
    CHECK_INT(commit(f).errnum, 0);
    CHECK_STR(fake_get("/f"), "N1234x67");
    CHECK(!spool_is_dirty(f));
    spool_close(f);
    stop();
}

static void cut_under_upload(void)
{
    if (writes_left-- > 0)
        CHECK_INT(spool_truncate(written_to, 1000, NULL), 0);
}

TEST(a_method_that_is_no_longer_right_leaves_nothing_behind)
{
    static const struct {
        const char *old, *log;
        bool is_append;
    } cases[] = {
        { "old", "post /TEMP 100000\npwrite /f 3+997\nunlink /TEMP\n", false },
        { "old", "post /TEMP 100000\nappend /f 997\nunlink /TEMP\n", true },
        { "", "post /f 100000\npost /TEMP 1000\nreplace /TEMP\n", false },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct spool_file *f;

        CASE("case %zu", i);
        start();
        fake_put("/f", cases[i].old);
        f = open_file("/f", 0644, false);
        put_many(f, (off_t)strlen(cases[i].old), 'x', 100000, cases[i].is_append);
        fake.during_upload = cut_under_upload;
        written_to = f;
        writes_left = 1;
        CHECK_INT(commit(f).errnum, 0);
        CHECK_STR(fake_take_log(), cases[i].log);
        CHECK_INT(fake_find("/f")->data.len, 1000);
        CHECK_INT(fake_count(), 1);
        CHECK(!spool_is_dirty(f));
        spool_close(f);
        stop();
    }
}

/* ---- somebody else ---- */

TEST(a_foreign_append_is_kept_and_shown)
{
    struct spool_file *f;
    struct outcome out;

    start();
    fake_put("/f", "one ");
    f = open_file("/f", 0, false);
    append(f, "three");
    fake_put("/f", "one two ");
    CHECK_STR(view(f, "/f"), "one three");
    out = commit(f);
    CHECK_INT(out.errnum, 0);
    CHECK_INT(out.size, 13);
    CHECK_STR(fake_get("/f"), "one two three");
    CHECK_INT(spool_size(f), 13);
    CHECK_STR(view(f, "/f"), "one two three");
    append(f, " four");
    CHECK_INT(commit(f).size, 18);
    CHECK_STR(fake_get("/f"), "one two three four");
    CHECK_STR(view(f, "/f"), "one two three four");
    spool_close(f);
    stop();
}

static void append_under_commit(void *arg)
{
    append(arg, "!");
}

TEST(appends_go_on_while_a_foreign_one_is_found)
{
    struct outcome out = { 0 }, last = { 0 };
    struct spool_file *f;

    start();
    fake_put("/f", "one ");
    f = open_file("/f", 0, false);
    append(f, "three");
    fake_put("/f", "one two ");
    spool_commit(f, keep, &out);
    append_under_commit(f);
    spool_commit(f, keep, &last);
    fake_run();
    CHECK_INT(out.calls + last.calls, 2);
    CHECK_STR(fake_take_log(), "append /f 5\nappend /f 1\n");
    CHECK_STR(fake_get("/f"), "one two three!");
    CHECK_STR(view(f, "/f"), "one two three!");
    spool_close(f);
    stop();
}

TEST(another_version_is_fetched_anew)
{
    struct spool_file *f;

    start();
    fake_put("/f", "0123456789");
    f = open_file("/f", 0, false);
    put(f, 2, "x");
    fake_put("/f", "abcde");
    CHECK_INT(commit(f).errnum, 0);
    CHECK_STR(fake_take_log(),
              "read /f 0+10\nstat /f\nread /f 0+5\npost /TEMP 10\nreplace /TEMP\n");
    CHECK_INT(memcmp(fake_get("/f"), "abxde\0\0\0\0\0", 10), 0);
    spool_close(f);
    stop();
}

TEST(a_version_that_goes_away_between_two_fetches_is_forgotten)
{
    enum { SIZE = 3 << 20 };
    struct outcome out = { 0 };
    struct spool_file *f;
    struct fake_file *file;

    start();
    file = fake_put("/f", "zzzzzzzzzz");
    fake_set(file, SIZE - 1, "z", 1);
    f = open_file("/f", 0, false);
    put_many(f, 10, 'x', SIZE - 20, false);
    spool_commit(f, keep, &out);
    fake_step(); /* the first gap has arrived */
    fake_put("/f", "abc");
    fake_run();
    CHECK_INT(out.calls, 1);
    CHECK_INT(out.errnum, 0);
    CHECK_INT(fake_find("/f")->data.len, SIZE);
    CHECK_INT(memcmp(fake_get("/f"), "abc\0\0\0\0\0\0\0xx", 12), 0);
    CHECK_INT(fake_get("/f")[SIZE - 1], 0);
    spool_close(f);
    stop();
}

TEST(a_file_that_keeps_changing_is_not_mixed)
{
    struct spool_file *f;
    struct outcome out = { 0 };

    start();
    fake_put("/f", "0123456789");
    f = open_file("/f", 0, false);
    put(f, 2, "x");
    fake_put("/f", "abcde");
    spool_commit(f, keep, &out);
    fake_step(); /* the read: another version */
    fake_step(); /* the stat */
    fake_put("/f", "ABCDE");
    fake_run();
    CHECK_INT(out.errnum, ESTALE);
    CHECK_STR(fake_get("/f"), "ABCDE");
    spool_close(f);
    stop();
}

TEST(a_file_removed_in_the_sandbox_is_not_made_anew_from_a_part)
{
    static const struct {
        off_t off;
        int64_t size;
    } cases[] = { { 3, -1 }, { 1, -1 }, { 0, 1 } };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct spool_file *f;

        CASE("case %zu", i);
        start();
        fake_put("/f", "old");
        f = open_file("/f", 0, false);
        if (cases[i].size >= 0)
            CHECK_INT(spool_truncate(f, cases[i].size, NULL), 0);
        else
            put(f, cases[i].off, "x");
        fake_remove(fake_find("/f"));
        CHECK_INT(commit(f).errnum, ESTALE);
        CHECK_INT(fake_count(), 0);
        spool_close(f);
        CHECK_INT(count_files(".json"), 1);
        stop();
    }
}

TEST(a_complete_file_removed_in_the_sandbox_is_made_anew)
{
    struct spool_file *f;

    start();
    fake_put("/f", "old");
    f = open_file("/f", 0, true);
    put(f, 0, "new");
    fake_remove(fake_find("/f"));
    CHECK_INT(commit(f).errnum, 0);
    CHECK_STR(fake_get("/f"), "new");
    spool_close(f);
    stop();
}

TEST(a_new_file_that_exists_after_all_is_replaced)
{
    static const char *const texts[] = { "", "secret" };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct spool_file *f;

        CASE("\"%s\"", texts[i]);
        start();
        f = open_file("/f", 0600, false);
        put(f, 0, texts[i]);
        fake_put("/f", "somebody else's, and longer");
        CHECK_INT(commit(f).errnum, 0);
        CHECK_STR(fake_get("/f"), texts[i]);
        CHECK_INT(fake_count(), 1);
        spool_close(f);
        stop();
    }
}

/* ---- failures ---- */

/* Each scenario is committed with each of its calls failing, in each way. */
static const struct scenario {
    const char *name;
    const char *old; /* NULL: a new file */
    mode_t mode;
    bool truncate;
    off_t off; /* -1: append */
    size_t len;
} scenarios[] = {
    { "empty", NULL, 0644, false, 0, 0 },
    { "create", NULL, 0644, false, 0, 1000 },
    { "create executable", NULL, 0755, false, 0, 1000 },
    { "create private", NULL, 0600, false, 0, 1000 },
    { "fill", "", 0644, false, 0, 100000 },
    { "truncate", "old content", 0644, true, 0, 0 },
    { "replace", "old content", 0644, true, 0, 1000 },
    { "replace private", "old content", 0600, true, 0, 1000 },
    { "patch", "old content", 0644, false, 2, 5 },
    { "tail", "old content", 0644, false, 11, 5 },
    { "append", "old content", 0644, false, -1, 5 },
    { "large tail", "old content", 0644, false, 11, 100000 },
    { "large append", "old content", 0644, false, -1, 100000 },
};

static struct spool_file *play(const struct scenario *s, struct buf *expected)
{
    struct spool_file *f;
    size_t old_len = s->old ? strlen(s->old) : 0, off;

    if (s->old) {
        fake_put("/d/f", "");
        fake_find("/d/f")->mode = s->mode;
        fake_put("/d/f", s->old);
    }
    f = open_file("/d/f", s->mode, s->truncate);
    off = s->off < 0 ? old_len : (size_t)s->off;
    if (!s->truncate && s->old)
        buf_puts(expected, s->old);
    while (expected->len < off + s->len)
        buf_putc(expected, 'n');
    if (expected->data && s->len > 0)
        memset(expected->data + off, 'n', s->len);
    if (s->len > 0)
        put_many(f, s->off < 0 ? 0 : s->off, 'n', s->len, s->off < 0);
    return f;
}

static int count_calls(const struct scenario *s)
{
    struct buf expected = BUF_INIT;
    struct spool_file *f;
    int n;

    start();
    f = play(s, &expected);
    CHECK_INT(commit(f).errnum, 0);
    n = fake.n_calls;
    CHECK_STR(fake_get("/d/f"), buf_str(&expected));
    spool_close(f);
    buf_clear(&expected);
    stop();
    return n;
}

static void fail_once(const struct scenario *s, int nth, enum fake_mode mode)
{
    struct buf expected = BUF_INIT;
    struct spool_file *f;
    struct fake_file *file;
    struct outcome out;
    bool is_old, is_new;

    start();
    f = play(s, &expected);
    fake_fault(nth, ENOSPC, mode);
    out = commit(f);
    CHECK_INT(out.errnum, ENOSPC);
    CHECK_INT(spool_failures(f, NULL), 1);
    CHECK(spool_is_dirty(f));
    CHECK_INT(count_files(".json"), 1);

    /* The old content or the new one; a part only where there was nothing. */
    file = fake_find("/d/f");
    if (s->old && *s->old && !file)
        test_fail(__FILE__, __LINE__, "the old file is gone");
    if (file) {
        is_old = s->old && strcmp(buf_str(&file->data), s->old) == 0;
        is_new = file->data.len == expected.len &&
                 memcmp(buf_str(&file->data), buf_str(&expected), expected.len) == 0;
        if (s->old && *s->old)
            CHECK(is_old || is_new);
    }
    CHECK(fake_count() <= 1); /* nothing half-written lies about */

    /* The program tries again. */
    CHECK_INT(commit(f).errnum, 0);
    CHECK_STR(fake_get("/d/f"), buf_str(&expected));
    CHECK_INT(fake_find("/d/f")->mode, s->mode);
    CHECK_INT(fake_count(), 1);
    CHECK(!spool_is_dirty(f));
    CHECK_INT(spool_failures(f, NULL), 1);
    spool_close(f);
    CHECK_INT(count_files(".data"), 0);
    buf_clear(&expected);
    stop();
}

TEST(whatever_step_fails_the_old_content_or_the_new_is_there)
{
    for (size_t i = 0; i < ARRAY_LEN(scenarios); i++) {
        int n = count_calls(&scenarios[i]);

        for (int nth = 1; nth <= n; nth++) {
            for (enum fake_mode mode = FAKE_BEFORE; mode <= FAKE_PARTIAL; mode++) {
                CASE("%s: call %d of %d, mode %d", scenarios[i].name, nth, n, mode);
                fail_once(&scenarios[i], nth, mode);
            }
        }
    }
}

TEST(an_append_whose_answer_was_lost_is_not_done_twice)
{
    struct spool_file *f;

    start();
    fake_put("/f", "one ");
    f = open_file("/f", 0, false);
    append(f, "two ");
    fake_fault(1, ECONNRESET, FAKE_AFTER);
    CHECK_INT(commit(f).errnum, ECONNRESET);
    CHECK_STR(fake_get("/f"), "one two ");
    append(f, "three");
    fake_take_log();
    CHECK_INT(commit(f).errnum, 0);
    CHECK_STR(fake_take_log(), "stat /f\npwrite /f 4+9\n");
    CHECK_STR(fake_get("/f"), "one two three");
    spool_close(f);
    stop();
}

TEST(what_a_failed_commit_did_all_the_same_is_cut_off_again)
{
    static const struct {
        int64_t cut;
        off_t then; /* write one byte there; -1: nothing */
        const char *after;
        size_t len;
    } cases[] = {
        { 4, -1, "oldx", 4 },
        { 4, 4, "oldxN", 5 },
        { 4, 8, "oldx\0\0\0\0N", 9 },
        { 4, 20, "oldx\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0N", 21 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (int is_append = 0; is_append < 2; is_append++) {
            struct spool_file *f;

            CASE("case %zu, append %d", i, is_append);
            start();
            fake_put("/f", "old");
            f = open_file("/f", 0, false);
            put_many(f, 3, 'x', 10, is_append);
            fake_fault(1, ECONNRESET, FAKE_AFTER);
            CHECK_INT(commit(f).errnum, ECONNRESET);
            CHECK_STR(fake_get("/f"), "oldxxxxxxxxxx");
            CHECK_INT(spool_truncate(f, cases[i].cut, NULL), 0);
            if (cases[i].then >= 0)
                put(f, cases[i].then, "N");
            CHECK_INT(commit(f).errnum, 0);
            CHECK_INT(fake_find("/f")->data.len, cases[i].len);
            CHECK_INT(memcmp(fake_get("/f"), cases[i].after, cases[i].len), 0);
            CHECK_INT(spool_size(f), cases[i].len);
            spool_close(f);
            stop();
        }
    }
}

TEST(failures_stay_until_each_handle_saw_them)
{
    struct spool_file *f;
    struct e2b_err last = { 0 };
    struct spool_stats stats;

    start();
    f = open_file("/f", 0644, false);
    CHECK_INT(spool_failures(f, &last), 0);
    put(f, 0, "x");
    fake_fault(1, ENOSPC, FAKE_BEFORE);
    CHECK_INT(commit(f).errnum, ENOSPC);
    fake_fault(1, EDQUOT, FAKE_BEFORE);
    CHECK_INT(commit(f).errnum, EDQUOT);
    CHECK_INT(spool_failures(f, &last), 2);
    CHECK_INT(last.errnum, EDQUOT);
    CHECK_INT(commit(f).errnum, 0);
    CHECK_INT(spool_failures(f, &last), 2);
    spool_stats(t.spool, &stats);
    CHECK_INT(stats.failures, 2);
    CHECK_INT(stats.commits, 1);
    CHECK_INT(stats.dirty, 0);
    spool_close(f);
    stop();
}

TEST(nothing_is_cleaned_up_where_nobody_answers)
{
    static const int errnums[] = { EHOSTUNREACH, EHOSTDOWN, ECONNREFUSED, ECANCELED };

    for (size_t i = 0; i < ARRAY_LEN(errnums); i++) {
        struct spool_file *f;

        CASE("%s", strerrorname_np(errnums[i]));
        start();
        fake_put("/f", "old");
        f = open_file("/f", 0, true);
        put(f, 0, "new");
        fake_fault(1, errnums[i], FAKE_BEFORE);
        CHECK_INT(commit(f).errnum, errnums[i]);
        CHECK_STR(fake_take_log(), "post /TEMP 3\n");
        spool_close(f);
        CHECK_STR(fake_take_log(), "");
        stop();
    }
}

TEST(a_part_of_a_new_file_is_removed_only_if_it_is_ours)
{
    struct spool_file *f;

    start();
    f = open_file("/f", 0644, false);
    put(f, 0, "content");
    fake_fault(1, ECONNRESET, FAKE_PARTIAL);
    CHECK_INT(commit(f).errnum, ECONNRESET);
    CHECK_STR(fake_take_log(), "post /f 7\nunlink /f\n");
    CHECK_INT(fake_count(), 0);
    fake_put("/f", "somebody else's");
    fake_fault(1, ECONNRESET, FAKE_BEFORE);
    CHECK_INT(commit(f).errnum, ECONNRESET);
    CHECK_STR(fake_take_log(), "post /f 7\n");
    CHECK_STR(fake_get("/f"), "somebody else's");
    spool_close(f);
    stop();
}

/* ---- pending ---- */

struct pendings {
    int n;
    struct {
        uint64_t number;
        char sandbox[64], path[256], reason[512], file[256];
        int64_t bytes, since;
    } v[8];
};

static void list_one(void *arg, const struct spool_pending *p)
{
    struct pendings *list = arg;

    if (list->n == (int)ARRAY_LEN(list->v))
        abort();
    list->v[list->n].number = p->number;
    (void)snprintf(list->v[list->n].sandbox, 64, "%s", p->sandbox);
    (void)snprintf(list->v[list->n].path, 256, "%s", p->path);
    (void)snprintf(list->v[list->n].reason, 512, "%s", p->reason);
    (void)snprintf(list->v[list->n].file, 256, "%s", p->file);
    list->v[list->n].bytes = p->bytes;
    list->v[list->n++].since = p->since.tv_sec;
}

static struct pendings pendings(void)
{
    struct pendings list = { 0 };

    spool_pending_each(t.spool, list_one, &list);
    return list;
}

static const char *slurp(const char *path)
{
    static char text[4096];
    FILE *f = fopen(path, "r");
    size_t n;

    if (!f)
        return NULL;
    n = fread(text, 1, sizeof(text) - 1, f);
    text[n] = '\0';
    (void)fclose(f);
    return text;
}

static void fail_and_close(const char *path, const char *text)
{
    struct spool_file *f = open_file(path, 0644, true);

    put(f, 0, text);
    fake_fault(1, ENOSPC, FAKE_BEFORE);
    CHECK_INT(commit(f).errnum, ENOSPC);
    spool_close(f);
}

TEST(what_failed_is_kept_when_it_is_closed)
{
    struct pendings list;
    struct spool_stats stats;

    start();
    fail_and_close("/d/f", "precious");
    fail_and_close("/d/\xff", "more");
    list = pendings();
    CHECK_INT(list.n, 2);
    CHECK_INT(list.v[0].number, 1);
    CHECK_STR(list.v[0].sandbox, "sbx");
    CHECK_STR(list.v[0].path, "/d/f");
    CHECK_CONTAINS(list.v[0].reason, "ENOSPC: ");
    CHECK_INT(list.v[0].bytes, 8);
    CHECK(list.v[0].since > 1000000000);
    CHECK_STR(slurp(list.v[0].file), "precious");
    CHECK_INT(list.v[1].number, 2);
    spool_stats(t.spool, &stats);
    CHECK_INT(stats.pending, 2);
    CHECK_INT(stats.dirty, 0);
    CHECK(stats.bytes_held > 0);

    /* The next daemon adopts them, under the same numbers. */
    spool_free(t.spool);
    open_spool(0);
    CHECK_INT(pendings().n, 2);
    for (int i = 0; i < 2; i++) {
        int at = pendings().v[i].number == 1 ? 0 : 1;

        CHECK_STR(pendings().v[i].path, list.v[at].path);
        CHECK_STR(pendings().v[i].reason, list.v[at].reason);
        CHECK_STR(pendings().v[i].file, list.v[at].file);
        CHECK_INT(pendings().v[i].since, list.v[at].since);
    }
    CHECK_INT(spool_pending_drop(t.spool, 1, NULL), 0);
    CHECK_INT(spool_pending_drop(t.spool, 1, NULL), -ENOENT);
    CHECK_INT(pendings().n, 1);
    CHECK_INT(count_files(".data"), 1);
    fail_and_close("/d/g", "later");
    CHECK_INT(pendings().v[1].number, 3); /* never a number twice */
    stop();
}

TEST(a_part_says_that_it_is_one)
{
    struct pendings list;
    struct spool_file *f;

    start();
    fake_put("/f", "0123456789");
    f = open_file("/f", 0, false);
    put(f, 3, "xy");
    fake_fault(1, EHOSTUNREACH, FAKE_BEFORE);
    commit(f);
    spool_close(f);
    list = pendings();
    CHECK_INT(list.n, 1);
    CHECK_CONTAINS(list.v[0].reason, "bytes 3-5");
    stop();
}

/* The daemon dies with three files open: one never tried, one failed, one clean. */
static void die_with_open_files(void)
{
    struct spool_file *f;

    open_spool(0);
    f = open_file("/dirty", 0644, true);
    put(f, 0, "dirty content");
    f = open_file("/failed", 0600, true);
    put(f, 0, "failed content");
    fake_fault(1, ENOSPC, FAKE_BEFORE);
    commit(f);
    f = open_file("/clean", 0644, true);
    put(f, 0, "clean content");
    commit(f);
    (void)fflush(NULL);
    _exit(test_state.failed);
}

TEST(what_a_crashed_daemon_left_is_adopted)
{
    struct pendings list;
    int status;
    pid_t pid;

    start();
    spool_free(t.spool);
    workers_free(t.workers);
    t.workers = NULL;
    pid = fork();
    if (pid == 0)
        die_with_open_files();
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
    CHECK_INT(count_files(".data"), 3);
    open_spool(0);
    list = pendings();
    CHECK_INT(list.n, 2);
    for (int i = 0; i < list.n; i++) {
        bool is_dirty = strcmp(list.v[i].path, "/dirty") == 0;

        CHECK_STR(slurp(list.v[i].file), is_dirty ? "dirty content" : "failed content");
        CHECK_CONTAINS(list.v[i].reason, is_dirty ? "the mount ended" : "ENOSPC: ");
        CHECK(list.v[i].number == 1 || list.v[i].number == 2);
    }
    CHECK_INT(count_files(".data"), 2); /* the clean one is gone */
    CHECK_INT(fake.n_calls, 0);         /* nothing is sent by itself */
    stop();
}

TEST(what_a_living_daemon_holds_is_left_alone)
{
    struct spool_config config = { .dir = t.dir };
    struct spool *other;
    struct spool_file *f;
    struct pendings list = { 0 };

    start();
    f = open_file("/f", 0644, false);
    put(f, 0, "x");
    fail_and_close("/g", "y");
    other = spool_new(t.loop, t.workers, NULL, &config, NULL);
    spool_pending_each(other, list_one, &list);
    CHECK_INT(list.n, 0);
    spool_free(other);
    CHECK_INT(commit(f).errnum, 0);
    spool_close(f);
    CHECK_INT(pendings().n, 1);
    stop();
}

TEST(two_daemons_share_a_directory)
{
    struct spool_config config = { .dir = t.dir };
    struct spool *mine, *other;
    struct pendings list = { 0 };

    start();
    mine = t.spool;
    other = spool_new(t.loop, t.workers, NULL, &config, NULL);
    fail_and_close("/a", "1");
    t.spool = other;
    fail_and_close("/b", "2");
    spool_pending_each(other, list_one, &list);
    CHECK_INT(list.n, 1);
    CHECK_INT(list.v[0].number, 2); /* numbers are the directory's */
    t.spool = mine;
    CHECK_INT(pendings().v[0].number, 1);
    spool_free(other);
    stop();
}

TEST(what_is_not_ours_in_the_directory_is_ignored)
{
    struct pendings list;

    start();
    fail_and_close("/good", "good");
    spool_free(t.spool);
    shell("cd %s && mkdir -m 700 empty '..x' 'a b' real && ln -s real link && ln -s / root &&"
          "echo victim >victim && echo '{}' >real/notes.txt && echo x >real/01.data &&"
          "echo x >real/1.dat && echo x >real/-1.data && echo x "
          ">real/99999999999999999999.data &&"
          "ln -s ../victim real/5.data && echo '{}' >real/5.json && mkdir real/6.data &&"
          "ln victim real/7.data && echo '{}' >real/7.json && echo '{}' >real/8.json &&"
          "mkfifo real/9.data && echo keep >real/10.data && mkfifo real/10.json &&"
          "echo junk >real/11.data && echo 'not json' >real/11.json &&"
          "echo other >real/12.data && cp sbx/1.json real/12.json && echo sbx >file",
          t.dir);
    open_spool(0);
    list = pendings();
    CHECK_INT(list.n, 4); /* the good one, and three whose journal can't be believed */
    for (int i = 0; i < list.n; i++) {
        if (strcmp(list.v[i].path, "/good") == 0) {
            CHECK_STR(slurp(list.v[i].file), "good");
            continue;
        }
        CHECK_STR(list.v[i].path, "/unknown");
        CHECK_STR(list.v[i].sandbox, "real");
        CHECK_CONTAINS(list.v[i].reason, "EPROTO");
    }
    shell(
        "cd %s && [ \"$(cat victim)\" = victim ] && [ -e real/notes.txt ] && [ -L link ] &&"
        "[ -e real/01.data ] && [ -L real/5.data ] && [ -e real/7.data ] && [ -p real/9.data ]",
        t.dir);
    stop();
}

TEST(a_directory_that_is_not_private_is_refused)
{
    static const struct {
        const char *setup, *dir;
        int errnum;
    } cases[] = {
        { "mkdir -m 755 x", "x", EPERM },
        { "mkdir -m 710 x", "x", EPERM },
        { "mkdir -m 700 y && ln -s y x", "x", 0 },
        { "echo >x", "x", ENOTDIR },
        { "true", "a/b/c", 0 },
        { "mkdir -m 500 x", "x/y", 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct spool_config config = { 0 };
        struct e2b_err err = { 0 };
        struct spool *spool;
        char dir[256];

        CASE("%s", cases[i].setup);
        start();
        shell("cd %s && %s", t.dir, cases[i].setup);
        (void)snprintf(dir, sizeof(dir), "%s/%s", t.dir, cases[i].dir);
        config.dir = dir;
        spool = spool_new(t.loop, t.workers, NULL, &config, &err);
        if (strcmp(cases[i].dir, "x/y") != 0 || geteuid() == 0)
            CHECK_INT(err.errnum, cases[i].errnum);
        CHECK_INT(spool != NULL, err.errnum == 0);
        spool_free(spool);
        shell("chmod -R u+rwx %s", t.dir);
        stop();
    }
    {
        struct spool_config config = { .dir = "relative" };

        CHECK(spool_new(NULL, NULL, NULL, &config, NULL) == NULL);
    }
}

/* ---- the ceiling ---- */

TEST(a_full_spool_is_enospc)
{
    struct spool_file *f, *g;
    struct e2b_err err = { 0 };

    start();
    spool_free(t.spool);
    open_spool(10);
    f = open_file("/f", 0644, false);
    put(f, 0, "12345678");
    CHECK_INT(spool_write(f, "abc", 3, 8, false, &err), -ENOSPC);
    CHECK_CONTAINS(err.msg, "full");
    CHECK_INT(spool_size(f), 8);
    put(f, 0, "87654321"); /* overwriting needs nothing */
    put(f, 6, "1234");
    CHECK_INT(spool_truncate(f, 4, NULL), 0);
    put(f, 4, "abcdef");
    CHECK_STR(view(f, "/f"), "8765abcdef");

    /* What the sandbox has can go. */
    CHECK_INT(commit(f).errnum, 0);
    g = open_file("/g", 0644, false);
    CHECK_INT(spool_write(g, "0123456789", 10, 0, false, &err), -ENOSPC); /* version unknown */
    put(f, 0, "8");
    CHECK_INT(commit(f).errnum, 0);
    put(g, 0, "0123456789");
    CHECK_STR(view(f, "/f"), "8765abcdef");
    CHECK_INT(commit(g).errnum, 0);
    spool_close(g);
    put(f, 2, "X");
    fake_take_log();
    CHECK_INT(commit(f).errnum, 0);
    CHECK_STR(fake_take_log(), "read /f 0+10\npost /TEMP 10\nreplace /TEMP\n");
    CHECK_STR(fake_get("/f"), "87X5abcdef");
    spool_close(f);
    stop();
}

TEST(a_log_that_grows_for_days_does_not_fill_the_spool)
{
    struct spool_file *f;

    start();
    spool_free(t.spool);
    open_spool(10);
    f = open_file("/f", 0644, false);
    for (int i = 0; i < 20; i++) {
        append(f, "12345");
        CHECK_INT(commit(f).errnum, 0);
    }
    CHECK_INT(fake_find("/f")->data.len, 100);
    spool_close(f);
    stop();
}

TEST(a_fetch_that_finds_no_room_fails_the_commit)
{
    struct spool_file *f;

    start();
    spool_free(t.spool);
    open_spool(5);
    fake_put("/f", "0123456789");
    f = open_file("/f", 0, false);
    put(f, 0, "abc");
    CHECK_INT(commit(f).errnum, ENOSPC);
    CHECK_STR(fake_get("/f"), "0123456789");
    spool_close(f);
    stop();
}

/* ---- other things done to a file ---- */

TEST(an_unlinked_file_stays_usable_and_is_not_sent)
{
    struct spool_file *f;
    struct outcome out;

    start();
    f = open_file("/f", 0644, false);
    put(f, 0, "hello");
    CHECK_INT(commit(f).errnum, 0);
    fake_remove(fake_find("/f"));
    spool_detach(f);
    put(f, 0, "J");
    CHECK_STR(view(f, "/f"), "Jello");
    CHECK(!spool_is_dirty(f));
    CHECK(!spool_is_remote(f));
    fake_take_log();
    out = commit(f);
    CHECK_INT(out.errnum, 0);
    CHECK(!out.has_entry);
    CHECK_STR(fake_take_log(), "");
    CHECK_INT(count_files(".json"), 0);
    spool_close(f);
    CHECK_INT(count_files(".data"), 0);
    CHECK_INT(pendings().n, 0);
    stop();
}

TEST(a_file_unlinked_during_its_commit_leaves_nothing)
{
    struct spool_file *f;
    struct outcome out = { 0 };

    start();
    fake_put("/f", "old");
    f = open_file("/f", 0, true);
    put(f, 0, "new");
    spool_commit(f, keep, &out);
    CHECK(fake_step()); /* the temporary is there */
    fake_remove(fake_find("/f"));
    spool_detach(f);
    fake_run();
    CHECK_INT(out.calls, 1);
    CHECK_INT(out.errnum, 0);
    CHECK_INT(fake_count(), 0);
    spool_close(f);
    stop();
}

TEST(a_renamed_file_is_committed_under_its_new_name)
{
    struct spool_file *f;

    start();
    f = open_file("/f", 0644, false);
    put(f, 0, "x");
    spool_rename(f, "/g");
    CHECK_INT(commit(f).errnum, 0);
    CHECK_STR(fake_get("/g"), "x");
    CHECK_INT(fake_count(), 1);
    spool_close(f);
    stop();
}

TEST(a_file_renamed_during_its_commit_is_committed_again)
{
    struct spool_file *f;
    struct outcome out = { 0 };

    start();
    f = open_file("/f", 0644, false);
    put(f, 0, "x");
    spool_commit(f, keep, &out);
    fake_put("/g", "whatever the rename made");
    spool_rename(f, "/g");
    fake_run();
    CHECK(spool_is_dirty(f));
    CHECK_INT(commit(f).errnum, 0);
    CHECK_STR(fake_get("/g"), "x");
    spool_close(f);
    stop();
}

TEST(closing_commits_what_nobody_tried_to_commit)
{
    struct spool_file *f;

    start();
    f = open_file("/f", 0644, false);
    put(f, 0, "x");
    spool_close(f);
    fake_run();
    CHECK_STR(fake_get("/f"), "x");
    CHECK_INT(count_files(".data"), 0);
    stop();
}

TEST(closing_during_a_commit_finishes_it)
{
    struct outcome out = { 0 };
    struct spool_file *f;

    start();
    f = open_file("/f", 0644, false);
    put(f, 0, "x");
    spool_commit(f, keep, &out);
    put(f, 1, "y");
    spool_close(f);
    fake_run();
    CHECK_INT(out.calls, 1);
    CHECK_STR(fake_get("/f"), "xy");
    CHECK_INT(count_files(".data"), 0);

    f = open_file("/g", 0644, false);
    put(f, 0, "x");
    fake_fault(1, ENOSPC, FAKE_BEFORE);
    spool_close(f);
    fake_run();
    CHECK_INT(pendings().n, 1);
    CHECK_STR(pendings().v[0].path, "/g");
    stop();
}

TEST(what_can_not_be_spooled_is_refused)
{
    static const struct {
        const char *sandbox, *path;
        mode_t kind;
    } cases[] = {
        { "sbx", "f", 0 },        { "sbx", "", 0 },         { "sbx", "/", 0 },
        { "sbx", "/a/../b", 0 },  { "../x", "/f", 0 },      { "", "/f", 0 },
        { ".", "/f", 0 },         { "a/b", "/f", 0 },       { "sbx", "/f", S_IFIFO },
        { "sbx", "/f", S_IFDIR }, { "sbx", "/f", S_IFCHR },
    };

    start();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct e2b_entry base = { .mode = cases[i].kind | 0644 };
        struct spool_open how = { .sandbox = cases[i].sandbox,
                                  .path = cases[i].path,
                                  .base = cases[i].kind ? &base : NULL,
                                  .mode = 0644 };
        struct spool_file *f = NULL;
        struct e2b_err err = { 0 };

        CASE("%s %s", how.sandbox, how.path);
        CHECK_INT(spool_open(t.spool, &how, &f, &err), -EINVAL);
        CHECK(f == NULL);
        CHECK_INT(err.errnum, EINVAL);
    }
    CHECK_INT(count_files(".data"), 0);
    stop();
}

TEST(impossible_offsets_are_refused)
{
    struct spool_file *f;

    start();
    f = open_file("/f", 0644, false);
    CHECK_INT(spool_write(f, "xx", 2, INT64_MAX - 1, false, NULL), -EFBIG);
    CHECK_INT(spool_write(f, "x", 1, -1, false, NULL), -EFBIG);
    CHECK_INT(spool_truncate(f, -1, NULL), -EINVAL);
    CHECK_INT(spool_truncate(f, INT64_MAX, NULL), -EFBIG);
    CHECK_INT(spool_size(f), 0);
    spool_detach(f);
    spool_close(f);
    stop();
}

/* ---- drain ---- */

struct drained {
    int calls;
    size_t left;
};

static void on_drained(void *arg, size_t left)
{
    struct drained *d = arg;

    d->calls++;
    d->left = left;
}

TEST(draining_commits_everything)
{
    struct spool_file *f[3];
    struct drained d = { 0 };

    start();
    spool_drain(t.spool, 1000, on_drained, &d);
    CHECK_INT(d.calls, 0);
    fake_run();
    CHECK_INT(d.calls, 1);
    CHECK_INT(d.left, 0);

    for (int i = 0; i < 3; i++) {
        char path[] = "/0";

        path[1] = (char)('0' + i);
        f[i] = open_file(path, 0644, false);
        put(f[i], 0, "x");
    }
    CHECK_INT(commit(f[1]).errnum, 0);
    fake_fault(2, ENOSPC, FAKE_BEFORE);
    d = (struct drained){ 0 };
    spool_drain(t.spool, 1000, on_drained, &d);
    fake_run();
    CHECK_INT(d.calls, 1);
    CHECK_INT(d.left, 1);
    CHECK_STR(fake_get("/0"), "x");
    for (int i = 0; i < 3; i++)
        spool_close(f[i]);
    CHECK_INT(pendings().n, 1);
    stop();
}

TEST(draining_ends_at_its_bound)
{
    struct spool_file *f;
    struct drained d = { 0 };

    start();
    f = open_file("/f", 0644, false);
    put(f, 0, "x");
    spool_drain(t.spool, 1000, on_drained, &d);
    loop_advance(t.loop, 999);
    CHECK_INT(d.calls, 0);
    loop_advance(t.loop, 1);
    CHECK_INT(d.calls, 1);
    CHECK_INT(d.left, 1);
    loop_turn(t.loop, 0);

    /* Shutdown: the client ends its calls, then the rest is kept. */
    spool_stop(t.spool);
    spool_close(f);
    CHECK(!TAILQ_EMPTY(&fake.calls));
    TAILQ_FIRST(&fake.calls)->is_cancelled = true;
    fake_take_log();
    fake_run();
    CHECK_STR(fake_take_log(), ""); /* no clean-up through a client that is going away */
    CHECK_INT(d.calls, 1);
    CHECK_INT(pendings().n, 1);
    CHECK_INT(count_files(".json"), 1);
    stop();
}

TEST(a_stopped_spool_sends_nothing)
{
    struct spool_file *f, *g;

    start();
    f = open_file("/f", 0644, false);
    g = open_file("/g", 0644, false);
    spool_stop(t.spool);
    CHECK_INT(commit(f).errnum, ECANCELED);
    spool_close(f);
    spool_close(g);
    CHECK_INT(fake.n_calls, 0);
    CHECK_INT(pendings().n, 2);
    for (int i = 0; i < 2; i++)
        CHECK_CONTAINS(pendings().v[i].reason, "ECANCELED: the mount ended");
    stop();
}

TEST(freeing_keeps_what_is_dirty)
{
    struct spool_file *f;

    start();
    f = open_file("/f", 0644, false);
    put(f, 0, "x");
    spool_free(t.spool);
    open_spool(0);
    CHECK_INT(pendings().n, 1);
    CHECK_CONTAINS(pendings().v[0].reason, "the mount ended");
    stop();
}
