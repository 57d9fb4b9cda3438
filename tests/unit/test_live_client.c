/* SPDX-License-Identifier: MIT */
/* The client library against a running server: what a file system and a tool ask of it. */
#include "live.h"

#include "util/loop.h"

#include <sys/stat.h>

/* A directory of this run's own in the sandbox. */
static char root[64];

static const char *at(const char *name)
{
    static char paths[8][256];
    static int next;
    char *path = paths[next++ % 8];

    (void)snprintf(path, sizeof(paths[0]), "%s%s%s", root, *name ? "/" : "", name);
    return path;
}

#define NEED_SERVER                                                                          \
    do {                                                                                     \
        if (!live_client()) {                                                                \
            CHECK(!"the server answers");                                                    \
            return;                                                                          \
        }                                                                                    \
        if (!root[0]) {                                                                      \
            struct e2b_entry made_;                                                          \
            (void)snprintf(root, sizeof(root), "/home/user/live-%d", (int)getpid());         \
            CHECK_INT(live_op(E2B_FOP_MKDIR,                                                 \
                              &(struct e2b_fop_args){ .path = root, .mode = 0755 }, &made_), \
                      0);                                                                    \
            e2b_entry_clear(&made_);                                                         \
        }                                                                                    \
    } while (0)

/* A client on a loop of the test's, so that several calls run at once. */
struct rig {
    struct loop *loop;
    struct e2b_client *client;
};

static bool rig_up(struct rig *r)
{
    struct e2b_config config = { 0 };

    r->loop = loop_new(NULL);
    if (e2b_config_load(NULL, &config, &live_err) < 0)
        return false;
    r->client = e2b_client_new(&config, r->loop, &live_err);
    e2b_config_clear(&config);
    return r->client != NULL;
}

static void rig_down(struct rig *r)
{
    e2b_client_free(r->client);
    loop_free(r->loop);
}

TEST(get_tells_what_list_tells)
{
    struct e2b_sandbox s = { 0 };

    NEED_SERVER;
    CHECK_INT(live_wait(e2b_sandbox_get(live.client, live.id, e2b_sandbox_keep, &s)), 0);
    CHECK_STR(s.id, live.id);
    CHECK_INT(s.state, E2B_STATE_RUNNING);
    CHECK(s.is_detail);
    CHECK_CONTAINS(s.json, "\"sandboxID\"");
    CHECK(!strstr(s.json, "envdAccessToken"));
    e2b_sandbox_clear(&s);
}

TEST(an_unknown_sandbox_is_enoent_for_the_api_and_estale_for_its_files)
{
    struct e2b_sandbox s = { 0 };
    struct e2b_entry e = { 0 };

    NEED_SERVER;
    CHECK_INT(
        live_wait(e2b_sandbox_get(live.client, "inosuchsandbox0000000", e2b_sandbox_keep, &s)),
        -ENOENT);
    CHECK_INT(
        live_wait(e2b_file_stat(live.client, "inosuchsandbox0000000", "/", e2b_entry_keep, &e)),
        -ESTALE);
    CHECK_CONTAINS(live_err.msg, "inosuchsandbox0000000");
    CHECK_INT(live_wait(e2b_sandbox_get(live.client, "../x", e2b_sandbox_keep, &s)), -EINVAL);
}

TEST(make_dirs_makes_parents_and_says_what_is_there)
{
    struct e2b_entry e = { 0 };

    NEED_SERVER;
    CHECK_INT(live_wait(e2b_file_make_dirs(live.client, live.id, "/home/user/made/a/b",
                                           e2b_entry_keep, &e)),
              0);
    CHECK_STR(e.name, "b");
    CHECK_INT(e.mode, S_IFDIR | 0755);
    e2b_entry_clear(&e);
    CHECK_INT(live_wait(e2b_file_make_dirs(live.client, live.id, "/home/user/made",
                                           e2b_entry_keep, &e)),
              -EEXIST);
    CHECK_INT(
        live_wait(e2b_file_make_dirs(live.client, live.id, "/etc/passwd", e2b_entry_keep, &e)),
        -EEXIST);
    CHECK_INT(live_wait(e2b_file_make_dirs(live.client, live.id, "/etc/passwd/x",
                                           e2b_entry_keep, &e)),
              -ENOTDIR);
    CHECK_INT(live_wait(e2b_file_make_dirs(live.client, live.id, "", e2b_entry_keep, &e)),
              -EINVAL);
}

TEST(stat_tells_kinds_modes_and_sizes)
{
    struct live_exec sh;
    struct e2b_entry e;
    char line[1024];
    static const struct {
        const char *name;
        mode_t mode;
        int64_t size;
    } cases[] = {
        { "file", S_IFREG | 0640, 5 },
        { "suid", S_IFREG | S_ISUID | 0755, 0 },
        { "dir", S_IFDIR | S_ISVTX | 01777, -1 },
        { "link", S_IFLNK | 0777, 4 },
        { "dangling", S_IFLNK | 0777, 12 },
        { "fifo", S_IFIFO | 0644, 0 },
        { "none", S_IFREG, 0 },
    };

    NEED_SERVER;
    (void)snprintf(
        line, sizeof(line),
        "cd %s && printf hello >file && chmod 640 file && touch suid none && "
        "chmod 4755 suid && mkdir dir && chmod 1777 dir && ln -s file link && "
        "ln -s not/anywhere dangling && mkfifo fifo && chmod 644 fifo && chmod 0 none && "
        "touch -d @1234567890.123456789 file",
        root);
    CHECK_INT(live_sh("user", line, &sh), 0);
    CHECK_INT(sh.exit_code, 0);
    CHECK_STR(sh.err_text, "");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CASE("%s", cases[i].name);
        CHECK_INT(live_stat(at(cases[i].name), &e), 0);
        CHECK_INT(e.mode, cases[i].mode);
        if (cases[i].size >= 0)
            CHECK_INT(e.size, cases[i].size);
        CHECK_STR(e.name, cases[i].name);
        CHECK_STR(e.owner, "user");
        if (i == 0) {
            CHECK_INT(e.mtime.tv_sec, 1234567890);
            CHECK_INT(e.mtime.tv_nsec, 123456789);
        }
        e2b_entry_clear(&e);
    }
    CASE("root");
    CHECK_INT(live_stat("/", &e), 0);
    CHECK(S_ISDIR(e.mode));
    CHECK_STR(e.name, "/");
    e2b_entry_clear(&e);
}

TEST(stat_names_the_errno_of_the_sandbox)
{
    char longest[400];
    struct e2b_entry e;

    NEED_SERVER;
    CHECK_INT(live_stat(at("missing"), &e), -ENOENT);
    CHECK_CONTAINS(live_err.msg, "missing");
    CHECK_INT(live_stat(at("file/below"), &e), -ENOTDIR);
    CHECK_INT(live_stat("relative", &e), -EINVAL);
    CHECK_INT(live_stat("", &e), -EINVAL);
    CHECK_INT(live_stat("/a/../b", &e), -EINVAL);
    CHECK_INT(live_stat("/a/", &e), -EINVAL);
    (void)snprintf(longest, sizeof(longest), "%s/%0300d", root, 0);
    CHECK(live_stat(longest, &e) < 0);
}

TEST(list_is_sorted_and_whole)
{
    struct e2b_entry_list list;

    NEED_SERVER;
    CHECK_INT(live_list(root, &list), 0);
    CHECK_INT(list.n, 7);
    for (size_t i = 1; i < list.n; i++)
        CHECK(strcmp(list.v[i - 1].name, list.v[i].name) < 0);
    e2b_entry_list_clear(&list);
    CHECK_INT(live_list(at("missing"), &list), -ENOENT);
    CHECK_INT(live_list(at("file"), &list), -ENOTDIR);
    CHECK_INT(live_list(at("dir"), &list), 0);
    CHECK_INT(list.n, 0);
    e2b_entry_list_clear(&list);
    CHECK_INT(live_list("/", &list), 0);
    CHECK(list.n > 3);
    e2b_entry_list_clear(&list);
}

/* envd can't write such a name down: find lists it. */
TEST(a_name_that_is_not_utf8_does_not_poison_its_directory)
{
    struct e2b_entry_list list;
    struct live_exec sh;
    char line[256];

    NEED_SERVER;
    (void)snprintf(line, sizeof(line),
                   "mkdir %s/odd && cd %s/odd && touch \"$(printf 'a\\377b')\" plain && "
                   "ln -s 'x\ty' tab",
                   root, root);
    CHECK_INT(live_sh("user", line, &sh), 0);
    CHECK_INT(sh.exit_code, 0);
    CHECK_INT(live_list(at("odd"), &list), 0);
    CHECK_INT(list.n, 3);
    if (list.n == 3) {
        CHECK_STR(list.v[0].name, "a\377b");
        CHECK(list.v[0].is_rich);
        CHECK_STR(list.v[1].name, "plain");
        CHECK_INT(list.v[1].mode, S_IFREG | 0644);
        CHECK(list.v[1].uid > 0 && list.v[1].nlink == 1);
        CHECK_STR(list.v[1].owner, "user");
        CHECK_STR(list.v[2].link_text, "x\ty");
    }
    e2b_entry_list_clear(&list);
}

TEST(what_was_written_is_read_in_any_piece)
{
    enum { SIZE = 3000000 };
    static const struct {
        int64_t off, len, expected;
    } cases[] = {
        { 0, 0, SIZE },      { 0, 1, 1 },           { 5, 0, SIZE - 5 }, { 4096, 4096, 4096 },
        { SIZE - 3, 10, 3 }, { SIZE, 10, 0 },       { SIZE + 7, 1, 0 }, { SIZE - 1, 0, 1 },
        { 0, SIZE, SIZE },   { 0, SIZE + 1, SIZE },
    };
    autofree char *data = xmalloc(SIZE);
    struct live_read got;

    NEED_SERVER;
    for (int i = 0; i < SIZE; i++)
        data[i] = (char)(i * 7 + i / 251);
    CHECK_INT(live_write(at("big"), data, SIZE), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CASE("off %lld len %lld", (long long)cases[i].off, (long long)cases[i].len);
        CHECK_INT(live_read(at("big"), cases[i].off, cases[i].len, &got), 0);
        CHECK_INT(got.len, cases[i].expected);
        CHECK_INT(got.info.size, SIZE);
        if (got.len > 0 && (int64_t)got.len == cases[i].expected)
            CHECK(memcmp(got.data, data + cases[i].off, got.len) == 0);
        free(got.data);
    }
}

TEST(an_empty_file_is_read_and_written)
{
    struct live_read got;

    NEED_SERVER;
    CHECK_INT(live_write(at("empty"), "", 0), 0);
    CHECK_INT(live_read(at("empty"), 0, 0, &got), 0);
    CHECK_INT(got.len, 0);
    CHECK_INT(live_read(at("empty"), 0, 100, &got), 0);
    CHECK_INT(got.len, 0);
    CHECK_INT(live_read(at("empty"), 50, 100, &got), 0);
    CHECK_INT(got.len, 0);
    CHECK_INT(got.info.size, 0);
}

TEST(reading_what_is_no_file_says_so)
{
    struct live_read got;

    NEED_SERVER;
    CHECK_INT(live_read(at("missing"), 0, 10, &got), -ENOENT);
    CHECK_INT(live_read(root, 0, 10, &got), -EISDIR);
    CHECK_INT(live_read(at("file/below"), 0, 10, &got), -ENOTDIR);
    CHECK_INT(live_write(root, "x", 1), -EISDIR);
    CHECK_INT(live_write(at("file/below"), "x", 1), -ENOTDIR);
}

TEST(a_file_that_is_newer_than_expected_is_estale)
{
    struct timespec old = { .tv_sec = 1000000000 };
    struct e2b_read read = { .path = at("big"), .if_mtime = &old };
    struct live_read got = { 0 };
    struct e2b_entry e;

    NEED_SERVER;
    read.path = at("big");
    CHECK_INT(live_wait(e2b_file_read(live.client, live.id, &read, live_read_data,
                                      live_read_done, &got)),
              -ESTALE);
    CHECK_INT(got.len, 0);
    free(got.data);
    got = (struct live_read){ 0 };
    CHECK_INT(live_stat(at("big"), &e), 0);
    read.if_mtime = &e.mtime;
    read.len = 10;
    CHECK_INT(live_wait(e2b_file_read(live.client, live.id, &read, live_read_data,
                                      live_read_done, &got)),
              0);
    CHECK_INT(got.len, 10);
    CHECK_INT(got.info.mtime, e.mtime.tv_sec);
    free(got.data);
    e2b_entry_clear(&e);
}

static void resume_soon(void *arg)
{
    struct live_read *r = arg;

    if (r->call)
        e2b_file_read_resume(r->call);
}

TEST(a_paused_read_goes_on_where_it_was)
{
    struct live_read got = { .pause_every = 3 };
    struct e2b_read read = { .may_pause = true };
    struct rig rig;
    int pauses = 0;

    NEED_SERVER;
    REQUIRE(rig_up(&rig));
    read.path = at("big");
    got.call = e2b_file_read(rig.client, live.id, &read, live_read_data, live_read_done, &got);
    CHECK_SOON(!got.call, {
        loop_turn(rig.loop, 100);
        if (got.pauses > pauses) {
            pauses = got.pauses;
            loop_post(rig.loop, resume_soon, &got);
        }
    });
    CHECK_INT(got.len, 3000000);
    CHECK(got.pauses > 0);
    free(got.data);
    rig_down(&rig);
}

TEST(move_is_rename)
{
    struct e2b_entry e;
    struct live_exec sh;
    char line[256];
    static const struct {
        const char *from, *to;
        int result;
    } cases[] = {
        { "m1", "m1-new", 0 },
        { "m1", "m2", -ENOENT },
        { "m2", "m1-new", 0 },
        { "mdir", "mempty", 0 },
        { "mfull", "mfull2", -ENOTEMPTY },
        { "m1-new", "mfull", -EISDIR },
        { "mfull", "m1-new", -ENOTDIR },
        { "mfull", "mfull/below", -EINVAL },
    };

    NEED_SERVER;
    (void)snprintf(line, sizeof(line),
                   "cd %s && touch m1 m2 && mkdir -p mdir mempty mfull/x mfull2/x", root);
    CHECK_INT(live_sh("user", line, &sh), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CASE("%s to %s", cases[i].from, cases[i].to);
        CHECK_INT(live_wait(e2b_file_move(live.client, live.id, at(cases[i].from),
                                          at(cases[i].to), e2b_done_ignore, NULL)),
                  cases[i].result);
    }
    CASE("%s", "");
    CHECK_INT(live_stat(at("m1-new"), &e), 0);
    e2b_entry_clear(&e);
    CHECK_INT(live_stat(at("mdir"), &e), -ENOENT);
}

TEST(names_are_made_and_taken_away_exclusively)
{
    struct e2b_entry e;
    static const struct {
        enum e2b_fop op;
        const char *path, *to, *text;
        mode_t mode;
        int result;
        mode_t made;
    } cases[] = {
        { E2B_FOP_MKDIR, "d1", NULL, NULL, 0700, 0, S_IFDIR | 0700 },
        { E2B_FOP_MKDIR, "d1", NULL, NULL, 0700, -EEXIST, 0 },
        { E2B_FOP_MKDIR, "nowhere/d", NULL, NULL, 0700, -ENOENT, 0 },
        { E2B_FOP_CREATE, "c1", NULL, NULL, 0600, 0, S_IFREG | 0600 },
        { E2B_FOP_CREATE, "c2", NULL, NULL, 0755, 0, S_IFREG | 0755 },
        { E2B_FOP_CREATE, "c1", NULL, NULL, 0600, -EEXIST, 0 },
        { E2B_FOP_CREATE, "nowhere/c", NULL, NULL, 0600, -ENOENT, 0 },
        { E2B_FOP_SYMLINK, "s1", NULL, "../any thing", 0, 0, S_IFLNK | 0777 },
        { E2B_FOP_SYMLINK, "s1", NULL, "x", 0, -EEXIST, 0 },
        { E2B_FOP_LINK, "c1", "c1-link", NULL, 0, 0, S_IFREG | 0600 },
        { E2B_FOP_LINK, "c1", "c1-link", NULL, 0, -EEXIST, 0 },
        { E2B_FOP_LINK, "d1", "d1-link", NULL, 0, -EPERM, 0 },
        { E2B_FOP_RMDIR, "c1", NULL, NULL, 0, -ENOTDIR, 0 },
        { E2B_FOP_UNLINK, "d1", NULL, NULL, 0, -EISDIR, 0 },
        { E2B_FOP_UNLINK, "c1", NULL, NULL, 0, 0, 0 },
        { E2B_FOP_UNLINK, "c1", NULL, NULL, 0, -ENOENT, 0 },
        { E2B_FOP_RMDIR, "d1", NULL, NULL, 0, 0, 0 },
        { E2B_FOP_RMDIR, "mfull2", NULL, NULL, 0, -ENOTEMPTY, 0 },
        { E2B_FOP_SYNC, "c2", NULL, NULL, 0, 0, 0 },
    };

    NEED_SERVER;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct e2b_fop_args args = { .path = at(cases[i].path),
                                     .to = cases[i].to ? at(cases[i].to) : NULL,
                                     .text = cases[i].text,
                                     .mode = cases[i].mode };

        CASE("%zu: %s", i, cases[i].path);
        CHECK_INT(live_op(cases[i].op, &args, &e), cases[i].result);
        CHECK_INT(e.mode, cases[i].made);
        if (cases[i].made) {
            CHECK(e.is_rich);
            CHECK_STR(e.owner, "user");
        }
        e2b_entry_clear(&e);
    }
}

TEST(an_exclusive_rename_replaces_nothing)
{
    struct e2b_entry e;
    struct live_exec sh = { 0 };
    char line[512];
    static const struct {
        const char *from, *to;
        int result;
    } cases[] = {
        { "r1", "r2", -EEXIST },      { "r1", "rdir", -EEXIST },     { "rdir", "r1", -EEXIST },
        { "rdir", "rdir2", -EEXIST }, { "rnone", "r3", -ENOENT },    { "r1", "rno/r", -ENOENT },
        { "rdir", "rno/r", -ENOENT }, { "rdir", "rdir/x", -EINVAL }, { "r1", "r3", 0 },
        { "rlink", "rlink2", 0 },     { "rdir", "rdir3", 0 },
    };

    NEED_SERVER;
    (void)snprintf(line, sizeof(line),
                   "cd %s && echo 1 >r1 && echo 2 >r2 && mkdir rdir rdir2 && touch rdir/f && "
                   "ln -s nowhere rlink",
                   root);
    CHECK_INT(live_sh("user", line, &sh), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct e2b_fop_args args = { .path = at(cases[i].from), .to = at(cases[i].to) };

        CASE("%s to %s", cases[i].from, cases[i].to);
        CHECK_INT(live_op(E2B_FOP_RENAME, &args, &e), cases[i].result);
        CHECK_STR(e.name, cases[i].result ? NULL : cases[i].to);
        e2b_entry_clear(&e);
    }
    CASE("%s", "");
    (void)snprintf(line, sizeof(line), "cd %s && ls -d r* && cat r2 r3 && ls rdir3", root);
    CHECK_INT(live_sh("user", line, &sh), 0);
    CHECK_STR(sh.out, "r2\nr3\nrdir2\nrdir3\nrlink2\n2\n1\nf\n");
}

static void keep_text(void *arg, const char *text, size_t len, const struct e2b_err *err)
{
    (void)snprintf(arg, 256, "%.*s", err ? 0 : (int)len, err ? "" : text);
}

TEST(readlink_gives_the_raw_text)
{
    char text[256];

    NEED_SERVER;
    CHECK_INT(live_wait(e2b_file_readlink(live.client, live.id, at("s1"), keep_text, text)), 0);
    CHECK_STR(text, "../any thing");
    CHECK_INT(live_wait(e2b_file_readlink(live.client, live.id, at("c2"), keep_text, text)),
              -EINVAL);
    CHECK_INT(live_wait(e2b_file_readlink(live.client, live.id, at("gone"), keep_text, text)),
              -ENOENT);
}

TEST(attributes_are_set_exactly)
{
    static const struct timespec times[] = {
        { 1234567890, 987654321 }, { -2, 500000000 }, { -1, 250000000 }, { 0, 1 },
        { 4102444800, 0 },
    };
    struct e2b_fop_args args = { .path = at("c2") };
    struct e2b_entry e;

    NEED_SERVER;
    args.path = at("c2");
    args.mode = 02751;
    CHECK_INT(live_op(E2B_FOP_CHMOD, &args, &e), 0);
    CHECK_INT(e.mode, S_IFREG | 02751);
    e2b_entry_clear(&e);
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        CASE("%lld.%09ld", (long long)times[i].tv_sec, times[i].tv_nsec);
        args.path = at("c2");
        args.mtime = times[i];
        args.atime = (struct timespec){ .tv_nsec = UTIME_OMIT };
        CHECK_INT(live_op(E2B_FOP_UTIMENS, &args, &e), 0);
        CHECK_INT(e.mtime.tv_sec, times[i].tv_sec);
        CHECK_INT(e.mtime.tv_nsec, times[i].tv_nsec);
        e2b_entry_clear(&e);
    }
    CASE("atime alone");
    args.path = at("c2");
    args.atime = (struct timespec){ 77, 5 };
    args.mtime = (struct timespec){ .tv_nsec = UTIME_OMIT };
    CHECK_INT(live_op(E2B_FOP_UTIMENS, &args, &e), 0);
    CHECK_INT(e.atime.tv_sec, 77);
    CHECK_INT(e.atime.tv_nsec, 5);
    CHECK_INT(e.mtime.tv_sec, 4102444800);
    e2b_entry_clear(&e);
    CASE("both now");
    args.path = at("c2");
    args.atime = args.mtime = (struct timespec){ .tv_nsec = UTIME_NOW };
    CHECK_INT(live_op(E2B_FOP_UTIMENS, &args, &e), 0);
    CHECK(e.mtime.tv_sec > 1700000000 && e.mtime.tv_sec < 4000000000);
    e2b_entry_clear(&e);
    CASE("missing");
    args.path = at("gone");
    CHECK_INT(live_op(E2B_FOP_UTIMENS, &args, &e), -ENOENT);
    CHECK_INT(live_op(E2B_FOP_CHMOD, &args, &e), -ENOENT);
    CHECK_INT(live_stat(at("gone"), &e), -ENOENT); /* touch made nothing */
}

TEST(data_is_patched_in_place)
{
    struct e2b_fop_args args = { 0 };
    struct live_read got;
    struct e2b_entry e;
    autofree char *binary = xmalloc(E2B_FOP_DATA_MAX);

    NEED_SERVER;
    for (int i = 0; i < E2B_FOP_DATA_MAX; i++)
        binary[i] = (char)(i * 31);
    CHECK_INT(live_write(at("patched"), "hello world", 11), 0);
    args = (struct e2b_fop_args){ .path = at("patched"), .data = "W", .len = 1, .size = 6 };
    CHECK_INT(live_op(E2B_FOP_PWRITE, &args, &e), 0);
    CHECK_INT(e.size, 11);
    e2b_entry_clear(&e);
    args = (struct e2b_fop_args){ .path = at("patched"), .data = "!\n", .len = 2 };
    CHECK_INT(live_op(E2B_FOP_APPEND, &args, &e), 0);
    CHECK_INT(e.size, 13);
    e2b_entry_clear(&e);
    CHECK_INT(live_read(at("patched"), 0, 0, &got), 0);
    CHECK(got.len == 13 && memcmp(got.data, "hello World!\n", 13) == 0);
    free(got.data);
    args = (struct e2b_fop_args){ .path = at("patched"), .size = 5 };
    CHECK_INT(live_op(E2B_FOP_TRUNCATE, &args, &e), 0);
    CHECK_INT(e.size, 5);
    e2b_entry_clear(&e);
    args =
        (struct e2b_fop_args){ .path = at("patched"), .data = binary, .len = E2B_FOP_DATA_MAX };
    CHECK_INT(live_op(E2B_FOP_APPEND, &args, &e), 0);
    CHECK_INT(e.size, 5 + E2B_FOP_DATA_MAX);
    e2b_entry_clear(&e);
    CHECK_INT(live_read(at("patched"), 5, 0, &got), 0);
    CHECK(got.len == E2B_FOP_DATA_MAX && memcmp(got.data, binary, got.len) == 0);
    free(got.data);
    /* Nothing is made where there is nothing. */
    args.path = at("gone");
    CHECK_INT(live_op(E2B_FOP_APPEND, &args, &e), -ENOENT);
    CHECK_INT(live_op(E2B_FOP_PWRITE, &args, &e), -ENOENT);
    CHECK_INT(live_op(E2B_FOP_TRUNCATE, &args, &e), -ENOENT);
}

TEST(a_part_is_spliced_into_a_file)
{
    struct e2b_fop_args args = { 0 };
    struct live_read got;
    struct e2b_entry e;

    NEED_SERVER;
    CHECK_INT(live_write(at("target"), "0123456789", 10), 0);
    CHECK_INT(live_write(at(".part"), "abc", 3), 0);
    args = (struct e2b_fop_args){ .path = at(".part"), .to = at("target"), .size = 2 };
    CHECK_INT(live_op(E2B_FOP_SPLICE, &args, &e), 0);
    CHECK_STR(e.name, "target");
    e2b_entry_clear(&e);
    CHECK_INT(live_stat(at(".part"), &e), -ENOENT);
    CHECK_INT(live_write(at(".part"), "xyz", 3), 0);
    args = (struct e2b_fop_args){ .path = at(".part"), .to = at("target"), .size = -1 };
    CHECK_INT(live_op(E2B_FOP_SPLICE, &args, &e), 0);
    e2b_entry_clear(&e);
    CHECK_INT(live_read(at("target"), 0, 0, &got), 0);
    CHECK(got.len == 13 && memcmp(got.data, "01abc56789xyz", 13) == 0);
    free(got.data);
}

TEST(replacing_keeps_owner_mode_and_further_names)
{
    struct e2b_fop_args args = { 0 };
    struct live_exec sh;
    struct live_read got;
    struct e2b_entry e;
    char line[256];

    NEED_SERVER;
    (void)snprintf(line, sizeof(line),
                   "cd %s && echo old >plain && chmod 751 plain && echo old >linked && "
                   "ln linked linked2 && mkdir isdir",
                   root);
    CHECK_INT(live_sh("user", line, &sh), 0);
    CHECK_INT(live_write(at(".tmp1"), "new", 3), 0);
    args = (struct e2b_fop_args){ .path = at(".tmp1"), .to = at("plain"), .user = "root" };
    CHECK_INT(live_op(E2B_FOP_REPLACE, &args, &e), 0);
    CHECK_INT(e.mode, S_IFREG | 0751);
    CHECK_INT(e.size, 3);
    CHECK_STR(e.owner, "user");
    e2b_entry_clear(&e);
    CHECK_INT(live_stat(at(".tmp1"), &e), -ENOENT);

    CHECK_INT(live_write(at(".tmp2"), "new", 3), 0);
    args = (struct e2b_fop_args){ .path = at(".tmp2"), .to = at("linked"), .user = "root" };
    CHECK_INT(live_op(E2B_FOP_REPLACE, &args, &e), 0);
    CHECK_INT(e.nlink, 2);
    e2b_entry_clear(&e);
    CHECK_INT(live_read(at("linked2"), 0, 0, &got), 0);
    CHECK(got.len == 3 && memcmp(got.data, "new", 3) == 0);
    free(got.data);

    CHECK_INT(live_write(at(".tmp3"), "new", 3), 0);
    args = (struct e2b_fop_args){ .path = at(".tmp3"), .to = at("isdir"), .user = "root" };
    CHECK_INT(live_op(E2B_FOP_REPLACE, &args, &e), -EISDIR);
    CHECK_INT(live_stat(at(".tmp3"), &e), -ENOENT); /* nothing is left behind */

    CHECK_INT(live_write(at(".tmp4"), "new", 3), 0);
    args = (struct e2b_fop_args){ .path = at(".tmp4"), .to = at("fresh"), .user = "root" };
    CHECK_INT(live_op(E2B_FOP_REPLACE, &args, &e), 0);
    e2b_entry_clear(&e);
}

TEST(exec_passes_arguments_output_and_status)
{
    const char *const argv[] = { "printf", "%s|", "a b", "$HOME", "", "*", NULL };
    const char *const seven[] = { "sh", "-c", "echo out; echo err >&2; exit 7", NULL };
    const char *const none[] = { "no-such-program", NULL };
    struct e2b_pair path = { (char *)"PATH", (char *)"/usr/bin:/bin" };
    struct e2b_process_spec spec = { .argv = argv, .cwd = "/", .timeout_ms = 10000 };
    struct live_exec got = { 0 };

    NEED_SERVER;
    CHECK_INT(
        live_wait(e2b_process_exec(live.client, live.id, &spec, 4096, live_exec_keep, &got)),
        0);
    CHECK_STR(got.out, "a b|$HOME||*|");
    CHECK_INT(got.exit_code, 0);
    spec.argv = seven;
    CHECK_INT(
        live_wait(e2b_process_exec(live.client, live.id, &spec, 4096, live_exec_keep, &got)),
        0);
    CHECK_STR(got.out, "out\n");
    CHECK_STR(got.err_text, "err\n");
    CHECK_INT(got.exit_code, 7);
    spec.argv = none;
    spec.envs = &path;
    spec.n_envs = 1;
    CHECK_INT(
        live_wait(e2b_process_exec(live.client, live.id, &spec, 4096, live_exec_keep, &got)),
        0);
    CHECK_INT(got.exit_code, 127);
    spec.argv = seven;
    spec.cwd = "/no/such/directory";
    CHECK_INT(
        live_wait(e2b_process_exec(live.client, live.id, &spec, 4096, live_exec_keep, &got)),
        -ENOENT);
    spec.cwd = "/";
    spec.user = "nosuchuser";
    CHECK_INT(
        live_wait(e2b_process_exec(live.client, live.id, &spec, 4096, live_exec_keep, &got)),
        -EACCES);
}

TEST(output_beyond_the_ceiling_is_efbig)
{
    struct live_exec got = { 0 };
    const char *const argv[] = { "head", "-c", "100000", "/dev/zero", NULL };
    struct e2b_process_spec spec = { .argv = argv, .cwd = "/", .timeout_ms = 10000 };

    NEED_SERVER;
    CHECK_INT(
        live_wait(e2b_process_exec(live.client, live.id, &spec, 4096, live_exec_keep, &got)),
        -EFBIG);
}

TEST(a_process_that_takes_too_long_is_etimedout)
{
    const char *const argv[] = { "sleep", "60", NULL };
    struct e2b_process_spec spec = { .argv = argv, .cwd = "/", .timeout_ms = 300 };
    struct live_exec got = { 0 };

    NEED_SERVER;
    CHECK_INT(
        live_wait(e2b_process_exec(live.client, live.id, &spec, 4096, live_exec_keep, &got)),
        -ETIMEDOUT);
}

struct follow {
    struct e2b_call *call;
    uint32_t pid;
    size_t n_out;
    int exit_code, signal;
    int errnum;
    bool is_done;
    int told; /* completions of input and signals */
    int told_errnum;
};

static int follow_event(void *arg, const struct e2b_process_event *event)
{
    struct follow *f = arg;

    if (event->kind == E2B_PROCESS_START)
        f->pid = event->pid;
    else
        f->n_out += event->len;
    return 0;
}

static void follow_done(void *arg, const struct e2b_process_end *end, const struct e2b_err *err)
{
    struct follow *f = arg;

    f->errnum = err ? err->errnum : 0;
    f->exit_code = end ? end->exit_code : -1;
    f->signal = end ? end->signal : 0;
    f->is_done = true;
}

static void told(void *arg, const struct e2b_err *err)
{
    struct follow *f = arg;

    f->told++;
    f->told_errnum = err ? err->errnum : 0;
}

TEST(three_megabytes_of_input_come_back_as_output)
{
    const char *const argv[] = { "cat", NULL };
    struct e2b_process_spec spec = { .argv = argv, .cwd = "/", .has_stdin = true };
    enum { CHUNK = 64 * 1024, TOTAL = 3 * 1024 * 1024 };
    autofree char *chunk = xcalloc(1, CHUNK);
    struct follow f = { 0 };
    struct rig rig;

    NEED_SERVER;
    REQUIRE(rig_up(&rig));
    f.call = e2b_process_start(rig.client, live.id, &spec, follow_event, follow_done, &f);
    CHECK_SOON(f.pid || f.is_done, loop_turn(rig.loop, 100));
    for (int sent = 0; sent < TOTAL && !f.is_done; sent += CHUNK) {
        int before = f.told;

        e2b_process_input(rig.client, live.id, f.pid, chunk, CHUNK, told, &f);
        CHECK_SOON(f.told > before, loop_turn(rig.loop, 100));
        CHECK_INT(f.told_errnum, 0);
    }
    e2b_process_close_stdin(rig.client, live.id, f.pid, told, &f);
    CHECK_SOON(f.is_done, loop_turn(rig.loop, 100));
    CHECK_INT(f.n_out, TOTAL);
    CHECK_INT(f.exit_code, 0);
    CHECK_INT(f.errnum, 0);
    rig_down(&rig);
}

TEST(signals_reach_a_process_and_its_end_says_so)
{
    static const int signums[] = { SIGTERM, SIGKILL, SIGHUP, SIGUSR1 };
    const char *const argv[] = { "sleep", "1000", NULL };
    struct e2b_process_spec spec = { .argv = argv, .cwd = "/" };
    struct rig rig;

    NEED_SERVER;
    REQUIRE(rig_up(&rig));
    for (size_t i = 0; i < ARRAY_LEN(signums); i++) {
        static struct follow f; /* outlives a failed wait */

        f = (struct follow){ 0 };
        CASE("signal %d", signums[i]);
        f.call = e2b_process_start(rig.client, live.id, &spec, follow_event, follow_done, &f);
        CHECK_SOON(f.pid || f.is_done, loop_turn(rig.loop, 100));
        e2b_process_signal(rig.client, live.id, f.pid, signums[i], told, &f);
        CHECK_SOON(f.told && f.is_done, loop_turn(rig.loop, 100));
        CHECK_INT(f.told_errnum, 0);
        CHECK_INT(f.errnum, 0);
        CHECK_INT(f.signal, signums[i]);
        CHECK_INT(f.exit_code, 128 + signums[i]);
        f.told = 0;
        e2b_process_signal(rig.client, live.id, f.pid, signums[i], told, &f);
        CHECK_SOON(f.told, loop_turn(rig.loop, 100));
        CHECK_INT(f.told_errnum, ESRCH);
    }
    rig_down(&rig);
}

TEST(a_paused_process_waits_and_loses_nothing)
{
    const char *const argv[] = { "head", "-c", "3000000", "/dev/zero", NULL };
    struct e2b_process_spec spec = { .argv = argv, .cwd = "/" };
    struct follow f = { 0 };
    struct rig rig;
    size_t held;

    NEED_SERVER;
    REQUIRE(rig_up(&rig));
    f.call = e2b_process_start(rig.client, live.id, &spec, follow_event, follow_done, &f);
    e2b_process_pause(f.call);
    for (int i = 0; i < 20; i++) /* turns in which data could arrive */
        loop_turn(rig.loop, 10);
    held = f.n_out;
    CHECK(held < 1000000 && !f.is_done);
    e2b_process_resume(f.call);
    CHECK_SOON(f.is_done, loop_turn(rig.loop, 100));
    CHECK_INT(f.n_out, 3000000);
    rig_down(&rig);
}

TEST(cancelling_ends_a_call_soon_and_once)
{
    const char *const argv[] = { "sleep", "1000", NULL };
    struct e2b_process_spec spec = { .argv = argv, .cwd = "/" };
    struct follow f = { 0 };
    struct rig rig;
    int64_t start;

    NEED_SERVER;
    REQUIRE(rig_up(&rig));
    CASE("before anything was sent");
    f.call = e2b_process_start(rig.client, live.id, &spec, follow_event, follow_done, &f);
    e2b_call_cancel(f.call);
    e2b_call_cancel(f.call);
    CHECK(!f.is_done); /* never from inside */
    start = test_now_ms();
    CHECK_SOON(f.is_done, loop_turn(rig.loop, 100));
    CHECK_INT(f.errnum, ECANCELED);
    CHECK(test_now_ms() - start < 1000);
    CASE("while it runs");
    f = (struct follow){ 0 };
    f.call = e2b_process_start(rig.client, live.id, &spec, follow_event, follow_done, &f);
    CHECK_SOON(f.pid, loop_turn(rig.loop, 100));
    e2b_call_cancel(f.call);
    start = test_now_ms();
    CHECK_SOON(f.is_done, loop_turn(rig.loop, 100));
    CHECK_INT(f.errnum, ECANCELED);
    CHECK(test_now_ms() - start < 1000);
    CASE("by the client's end");
    e2b_process_signal(rig.client, live.id, f.pid, SIGKILL, told, &f);
    CHECK_SOON(f.told, loop_turn(rig.loop, 100));
    f = (struct follow){ 0 };
    f.call = e2b_process_start(rig.client, live.id, &spec, follow_event, follow_done, &f);
    rig_down(&rig);
    CHECK(f.is_done);
    CHECK_INT(f.errnum, ECANCELED);
}

static void count_entry(void *arg, const struct e2b_entry *entry, const struct e2b_err *err)
{
    struct follow *f = arg;

    f->told++;
    if (err || !entry)
        f->told_errnum = err ? err->errnum : -1;
}

TEST(waiters_share_one_look_at_the_sandbox)
{
    enum { N = 50 };
    struct e2b_client_stats stats;
    struct follow f = { 0 };
    struct rig rig;

    NEED_SERVER;
    REQUIRE(rig_up(&rig));
    for (int i = 0; i < N; i++)
        e2b_file_stat(rig.client, live.id, root, count_entry, &f);
    CHECK_SOON(f.told == N, loop_turn(rig.loop, 100));
    CHECK_INT(f.told_errnum, 0);
    e2b_client_stats(rig.client, &stats);
    CHECK_INT(stats.control_requests, 1);
    CHECK_INT(stats.data_requests, N);
    rig_down(&rig);
}

static void count_list(void *arg, const struct e2b_entry_list *list, const struct e2b_err *err)
{
    struct follow *f = arg;

    f->told++;
    f->n_out = list ? list->n : 0;
    f->told_errnum = err ? err->errnum : 0;
}

/* Its JSON is large enough to be read on a worker. */
TEST(a_big_listing_comes_whole_or_is_given_up)
{
    enum { N = 3000 };
    struct live_exec sh;
    struct follow f = { 0 };
    struct rig rig;
    char line[256];

    NEED_SERVER;
    (void)snprintf(line, sizeof(line), "mkdir %s/many && cd %s/many && seq %d | xargs touch",
                   root, root, N);
    CHECK_INT(live_sh("user", line, &sh), 0);
    CHECK_INT(sh.exit_code, 0);
    REQUIRE(rig_up(&rig));
    e2b_file_list(rig.client, live.id, at("many"), count_list, &f);
    CHECK_SOON(f.told == 1, loop_turn(rig.loop, 100));
    CHECK_INT(f.n_out, N);
    e2b_file_list(rig.client, live.id, at("many"), count_list, &f);
    for (int i = 0; i < 5; i++)
        loop_turn(rig.loop, 10);
    rig_down(&rig); /* wherever it is */
    CHECK_INT(f.told, 2);
    CHECK(f.n_out == N || f.told_errnum == ECANCELED);
}

TEST(a_created_sandbox_is_used_and_killed)
{
    struct e2b_pair metadata[] = { { (char *)"made by", (char *)"live & test=1%" } };
    struct e2b_create create = { .timeout_s = 120, .metadata = metadata, .n_metadata = 1 };
    struct e2b_sandbox_query query = { .metadata = metadata, .n_metadata = 1 };
    struct e2b_sandbox made = { 0 };
    struct e2b_sandbox_list list = { 0 };
    struct e2b_entry e = { 0 };

    NEED_SERVER;
    CHECK_INT(live_wait(e2b_sandbox_create(live.client, &create, e2b_sandbox_keep, &made)), 0);
    REQUIRE(made.id);
    CHECK_INT(live_wait(e2b_file_stat(live.client, made.id, "/", e2b_entry_keep, &e)), 0);
    e2b_entry_clear(&e);
    CHECK_INT(live_wait(e2b_sandbox_list(live.client, &query, e2b_sandbox_list_keep, &list)),
              0);
    CHECK_INT(list.n, 1);
    if (list.n == 1)
        CHECK_STR(e2b_sandbox_meta(&list.v[0], "made by"), "live & test=1%");
    e2b_sandbox_list_clear(&list);
    CHECK_INT(live_wait(e2b_sandbox_kill(live.client, made.id, e2b_done_ignore, NULL)), 0);
    CHECK_INT(live_wait(e2b_sandbox_kill(live.client, made.id, e2b_done_ignore, NULL)),
              -ENOENT);
    CHECK_INT(live_wait(e2b_file_stat(live.client, made.id, "/", e2b_entry_keep, &e)), -ESTALE);
    e2b_sandbox_clear(&made);
}

TEST(a_timeout_moves_the_end)
{
    struct e2b_sandbox s = { 0 };
    struct timespec now;

    NEED_SERVER;
    CHECK_INT(
        live_wait(e2b_sandbox_set_timeout(live.client, live.id, 0, e2b_done_ignore, NULL)),
        -EINVAL);
    if (!live.is_ours)
        return;
    CHECK_INT(
        live_wait(e2b_sandbox_set_timeout(live.client, live.id, 700, e2b_done_ignore, NULL)),
        0);
    CHECK_INT(live_wait(e2b_sandbox_get(live.client, live.id, e2b_sandbox_keep, &s)), 0);
    (void)clock_gettime(CLOCK_REALTIME, &now);
    CHECK(s.end_at.tv_sec - now.tv_sec > 690 && s.end_at.tv_sec - now.tv_sec <= 701);
    e2b_sandbox_clear(&s);
    CHECK_INT(live_wait(e2b_sandbox_set_timeout(live.client, "inosuchsandbox0000000", 10,
                                                e2b_done_ignore, NULL)),
              -ENOENT);
}
