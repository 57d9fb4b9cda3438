/* SPDX-License-Identifier: MIT */
/* Programs that stand in for file operations: their command lines, output and errors. */
#include "test.h"

#include "e2b/find.h"
#include "e2b/fops.h"
#include "e2b/helper.h"
#include "util/error.h"
#include "util/xalloc.h"

#include <errno.h>
#include <sys/stat.h>

/* The words of a row, without the part that reports attributes. */
static char *words(const struct fops_argv *argv)
{
    struct buf text = BUF_INIT;
    size_t i = 0;

    if (argv->n > 5 && strstr(argv->v[2], "find"))
        i = 5;
    for (; i < argv->n; i++)
        buf_printf(&text, "%s%s", text.len ? " " : "", argv->v[i]);
    return buf_steal(&text);
}

TEST(command_lines_are_fixed_but_for_whole_arguments)
{
    static const struct {
        enum e2b_fop op;
        struct e2b_fop_args args;
        const char *words;
    } cases[] = {
        { E2B_FOP_MKDIR, { .path = "/a b", .mode = 0700 }, "mkdir -m 00700 -- /a b" },
        { E2B_FOP_UNLINK, { .path = "/a" }, "unlink -- /a" },
        { E2B_FOP_RMDIR, { .path = "/a" }, "rmdir -- /a" },
        { E2B_FOP_CHMOD, { .path = "/a", .mode = 04755 }, "chmod -- 04755 /a" },
        { E2B_FOP_CHOWN, { .path = "/a", .uid = 0, .gid = 5 }, "chown -h -- 0:5 /a" },
        { E2B_FOP_CHOWN, { .path = "/a", .uid = -1, .gid = 5 }, "chown -h -- :5 /a" },
        { E2B_FOP_CHOWN, { .path = "/a", .uid = 7, .gid = -1 }, "chown -h -- 7 /a" },
        { E2B_FOP_TRUNCATE,
          { .path = "/a", .size = 5000000000 },
          "dd if=/dev/null of=/a bs=1 count=0 oflag=seek_bytes seek=5000000000 conv=nocreat "
          "status=none" },
        { E2B_FOP_SYMLINK, { .path = "/a", .text = "-x y" }, "ln -s -T -- -x y /a" },
        { E2B_FOP_LINK, { .path = "/a", .to = "/b" }, "ln -P -T -- /a /b" },
        { E2B_FOP_SYNC, { .path = "/a" }, "sync -- /a" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fops_argv argv = { 0 };
        autofree char *text = NULL;

        CASE("%zu", i);
        CHECK_INT(fops_argv(cases[i].op, &cases[i].args, &argv, NULL), 0);
        text = words(&argv);
        CHECK_STR(text, cases[i].words);
        fops_argv_clear(&argv);
    }
}

/* Whatever a path looks like, the script's text stays the same. */
TEST(a_path_is_never_part_of_a_script)
{
    static const enum e2b_fop scripts[] = { E2B_FOP_CREATE, E2B_FOP_UTIMENS, E2B_FOP_REPLACE,
                                            E2B_FOP_APPEND, E2B_FOP_PWRITE,  E2B_FOP_SPLICE,
                                            E2B_FOP_RENAME };
    static const char evil[] = "/$(touch x)/`id`/\"; rm -rf *; '{path}";

    for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
        struct e2b_fop_args plain = { .path = "/p", .to = "/q", .data = "d", .len = 1 };
        struct e2b_fop_args bad = { .path = evil, .to = evil, .data = "d", .len = 1 };
        struct fops_argv a = { 0 }, b = { 0 };
        int n = 0;

        CASE("row %d", (int)scripts[i]);
        CHECK_INT(fops_argv(scripts[i], &plain, &a, NULL), 0);
        CHECK_INT(fops_argv(scripts[i], &bad, &b, NULL), 0);
        CHECK_INT(a.n, b.n);
        for (size_t k = 0; k < a.n && k < b.n; k++) {
            if (strcmp(b.v[k], evil) == 0)
                n++; /* a whole argument */
            else
                CHECK_STR(b.v[k], a.v[k]);
        }
        CHECK(n > 0);
        fops_argv_clear(&a);
        fops_argv_clear(&b);
    }
}

TEST(times_before_1970_and_special_ones_are_written_as_touch_reads_them)
{
    static const struct {
        struct timespec t;
        const char *word;
    } cases[] = {
        { { 0, 0 }, "@0.000000000" },
        { { 1, 5 }, "@1.000000005" },
        { { -1, 0 }, "@-1.000000000" },
        { { -2, 500000000 }, "@-1.500000000" },
        { { -1, 250000000 }, "@-0.750000000" },
        { { 5, UTIME_OMIT }, "omit" },
        { { 5, UTIME_NOW }, "now" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct e2b_fop_args args = { .path = "/a",
                                     .mtime = cases[i].t,
                                     .atime = { .tv_nsec = UTIME_OMIT } };
        struct fops_argv argv = { 0 };

        CASE("%s", cases[i].word);
        CHECK_INT(fops_argv(E2B_FOP_UTIMENS, &args, &argv, NULL), 0);
        REQUIRE(argv.n >= 2);
        CHECK_STR(argv.v[argv.n - 2], cases[i].word);
        fops_argv_clear(&argv);
    }
}

TEST(impossible_arguments_send_nothing)
{
    static char big[E2B_FOP_DATA_MAX + 1];
    static const struct {
        enum e2b_fop op;
        struct e2b_fop_args args;
        int errnum;
    } cases[] = {
        { E2B_FOP_SYMLINK, { .path = "/a", .text = "" }, ENOENT },
        { E2B_FOP_SYMLINK, { .path = "/a" }, ENOENT },
        { E2B_FOP_LINK, { .path = "/a", .to = "b" }, EINVAL },
        { E2B_FOP_LINK, { .path = "/a" }, EINVAL },
        { E2B_FOP_REPLACE, { .path = "/a", .to = "/b/../c" }, EINVAL },
        { E2B_FOP_RENAME, { .path = "/a", .to = "/b/" }, EINVAL },
        { E2B_FOP_RENAME, { .path = "/a" }, EINVAL },
        { E2B_FOP_TRUNCATE, { .path = "/a", .size = -1 }, EINVAL },
        { E2B_FOP_PWRITE, { .path = "/a", .size = -1 }, EINVAL },
        { E2B_FOP_SPLICE, { .path = "/a", .to = "/b", .size = -2 }, EINVAL },
        { E2B_FOP_CHOWN, { .path = "/a", .uid = -1, .gid = -1 }, EINVAL },
        { E2B_FOP_CHOWN, { .path = "/a", .uid = -2, .gid = 0 }, EINVAL },
        { E2B_FOP_UTIMENS, { .path = "/a", .mtime = { 0, 1000000000 } }, EINVAL },
        { E2B_FOP_APPEND, { .path = "/a", .data = big, .len = sizeof(big) }, EFBIG },
        { (enum e2b_fop)99, { .path = "/a" }, EINVAL },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fops_argv argv = { 0 };
        struct e2b_err err = { 0 };

        CASE("%zu", i);
        CHECK_INT(fops_argv(cases[i].op, &cases[i].args, &argv, &err), -cases[i].errnum);
        CHECK(err.msg[0] && argv.n == 0);
    }
}

TEST(every_argument_fits_into_the_kernels_limit)
{
    static char data[E2B_FOP_DATA_MAX];
    struct e2b_fop_args args = { .path = "/a", .data = data, .len = sizeof(data) };
    struct fops_argv argv = { 0 };

    CHECK_INT(fops_argv(E2B_FOP_APPEND, &args, &argv, NULL), 0);
    for (size_t i = 0; i < argv.n; i++)
        CHECK(strlen(argv.v[i]) < 131072);
    fops_argv_clear(&argv);
}

TEST(stderr_names_the_errno)
{
    static const struct {
        const char *text;
        int exit_code, errnum;
    } cases[] = {
        { "mkdir: cannot create directory '/x': File exists\n", 1, EEXIST },
        { "mv: cannot move '/a' to '/b': Directory not empty\n", 1, ENOTEMPTY },
        { "mv: cannot overwrite directory '/b' with non-directory\n", 1, EISDIR },
        { "mv: cannot overwrite non-directory '/b' with directory '/a'\n", 1, ENOTDIR },
        { "mv: cannot move '/a' to a subdirectory of itself, '/a/b'\n", 1, EINVAL },
        { "ln: /d: hard link not allowed for directory\n", 1, EPERM },
        { "dd: failed to open '/x: Permission denied': No such file or directory\n", 1,
          ENOENT },
        { "sh: 1: dd: not found\n", 127, EOPNOTSUPP },
        { "nice: 'x': Permission denied\n", 126, EOPNOTSUPP },
        { "warning: something\nrm: cannot remove 'x': Read-only file system\n", 1, EROFS },
        { "what?\n", 1, EIO },
        { "", 1, EIO },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CASE("%s", cases[i].text);
        CHECK_STR(errno_name(helper_errno(cases[i].text, cases[i].exit_code)),
                  errno_name(cases[i].errnum));
    }
}

#define PLAIN "f\t644\tuser\tstaff\t1000\t50\t12\t1\t77\t8\t1.5\t2.25\t3.0"

TEST(find_output_is_read_whatever_the_names_are)
{
    static const char text[] =
        PLAIN "\t\0z\377\n\0"
              "l\t777\tu\tg\t0\t0\t3\t1\t78\t0\t-1.5000000000\t0.0\t0.0\ta\tb\0a b\0"
              "d\t1777\t4294967295\tg\t4294967295\t0\t4096\t2\t1\t8\t"
              "99999999999.1234567890\t0.0\t0.0\t\0m\0";
    struct e2b_entry_list list = { 0 };

    CHECK_INT(find_parse(text, sizeof(text) - 1, &list, NULL), 0);
    REQUIRE(list.n == 3);
    CHECK_STR(list.v[0].name, "a b");
    CHECK_STR(list.v[0].link_text, "a\tb");
    CHECK_INT(list.v[0].mode, S_IFLNK | 0777);
    CHECK_INT(list.v[0].mtime.tv_sec, -1);
    CHECK_INT(list.v[0].mtime.tv_nsec, 500000000);
    CHECK_STR(list.v[1].name, "m");
    CHECK_INT(list.v[1].mode, S_IFDIR | 01777);
    CHECK_INT(list.v[1].mtime.tv_sec, 99999999999);
    CHECK_INT(list.v[1].mtime.tv_nsec, 123456789);
    CHECK_STR(list.v[2].name, "z\377\n");
    CHECK_INT(list.v[2].uid, 1000);
    CHECK_INT(list.v[2].gid, 50);
    CHECK_STR(list.v[2].group, "staff");
    CHECK_STR(list.v[2].link_text, NULL);
    CHECK(list.v[2].is_rich);
    e2b_entry_list_clear(&list);
    CHECK_INT(find_parse("", 0, &list, NULL), 0);
    CHECK_INT(list.n, 0);
    e2b_entry_list_clear(&list);
}

TEST(find_output_that_is_not_finds_is_refused)
{
#define RECORD(s)        \
    {                    \
        s, sizeof(s) - 1 \
    }
    static const struct {
        const char *text;
        size_t len;
    } cases[] = {
        RECORD("x"),
        RECORD("\0"),
        RECORD("\0\0"),
        RECORD(PLAIN "\t\0a"),
        RECORD(PLAIN "\0a\0"),
        RECORD(PLAIN "\t\0..\0"),
        RECORD(PLAIN "\t\0a/b\0"),
        RECORD(PLAIN "\t\0\0"),
        RECORD(PLAIN "\t\0a\0" PLAIN "\t\0a\0"),
        RECORD("q\t644\tu\tg\t1\t1\t1\t1\t1\t1\t1\t1\t1\t\0a\0"),
        RECORD("ff\t644\tu\tg\t1\t1\t1\t1\t1\t1\t1\t1\t1\t\0a\0"),
        RECORD("f\t77777\tu\tg\t1\t1\t1\t1\t1\t1\t1\t1\t1\t\0a\0"),
        RECORD("f\t648\tu\tg\t1\t1\t1\t1\t1\t1\t1\t1\t1\t\0a\0"),
        RECORD("f\t644\tu\tg\t-1\t1\t1\t1\t1\t1\t1\t1\t1\t\0a\0"),
        RECORD("f\t644\tu\tg\t1\t1\t-5\t1\t1\t1\t1\t1\t1\t\0a\0"),
        RECORD("f\t644\tu\tg\t1\t1\t99999999999999999999\t1\t1\t1\t1\t1\t1\t\0a\0"),
        RECORD("f\t644\tu\tg\t1\t1\t1\t1\t1\t1\tnow\t1\t1\t\0a\0"),
        RECORD("f\t644\tu\tg\t1\t1\t1\t1\t1\t1\t1.5x\t1\t1\t\0a\0"),
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct e2b_entry_list list = { 0 };
        struct e2b_err err = { 0 };

        CASE("%zu", i);
        CHECK_INT(find_parse(cases[i].text, cases[i].len, &list, &err), -EPROTO);
        CHECK(!list.v);
    }
}
