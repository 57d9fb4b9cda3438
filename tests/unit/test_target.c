/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "cli/prefix.h"
#include "cli/target.h"
#include "util/mounts.h"
#include "util/xalloc.h"

#include <errno.h>

static struct e2b_sandbox boxes[] = {
    { .id = (char *)"iaaaabbbbccccddddeeee" },
    { .id = (char *)"iaaaabbbbxxxxddddeeee" },
    { .id = (char *)"izzzzbbbbccccddddeeee" },
    { .id = (char *)"ishort" },
    { .id = (char *)"ishorter" },
};
static const struct e2b_sandbox_list list = { boxes, ARRAY_LEN(boxes) };

TEST(a_prefix_names_one_sandbox_or_says_why_not)
{
    static const struct {
        const char *text;
        size_t least;
        int result;
        const char *id, *message;
    } cases[] = {
        { "izz", PREFIX_MIN, 0, "izzzzbbbbccccddddeeee", "" },
        { "iaaaabbbbc", PREFIX_MIN, 0, "iaaaabbbbccccddddeeee", "" },
        { "iaaaabbbbc", PREFIX_MIN_DESTRUCTIVE, 0, "iaaaabbbbccccddddeeee", "" },
        { "iaaaa", PREFIX_MIN, -EINVAL, NULL,
          "iaaaa is the beginning of 2 ids: iaaaabbbbccccddddeeee, iaaaabbbbxxxxddddeeee" },
        { "izzzz", PREFIX_MIN_DESTRUCTIVE, -EINVAL, NULL, "needs 8 characters" },
        { "iz", PREFIX_MIN, -EINVAL, NULL, "needs 3 characters" },
        { "ishort", PREFIX_MIN_DESTRUCTIVE, 0, "ishort", "" },
        { "nope", PREFIX_MIN, -ENOENT, NULL, "no sandbox nope" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct e2b_sandbox *found = NULL;
        struct e2b_err err = { 0 };

        CASE("%s, %zu", cases[i].text, cases[i].least);
        CHECK_INT(prefix_find(&list, cases[i].text, cases[i].least, &found, &err),
                  cases[i].result);
        CHECK_STR(found ? found->id : NULL, cases[i].id);
        CHECK_CONTAINS(err.msg, cases[i].message);
    }
}

TEST(ids_are_told_from_everything_else)
{
    static const struct {
        const char *text;
        bool is_id;
    } cases[] = {
        { "i0123456789abcdefghij", true },
        { "abc", true },
        { "abc-6532622b", true },
        { "", false },
        { "-", false },
        { "abc-", false },
        { "-abc", false },
        { "a-b-c", false },
        { "ABC", false },
        { "sbx_abc123", false },
        { "a b", false },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CASE("'%s'", cases[i].text);
        CHECK_INT(prefix_is_id(cases[i].text), cases[i].is_id);
    }
}

TEST(a_path_in_a_mount_gives_sandbox_and_directory)
{
    static const struct {
        const char *inside;
        int result;
        const char *id, *remote;
    } cases[] = {
        { "/iabc", 0, "iabc", NULL },     { "/iabc/metrics", 0, "iabc", NULL },
        { "/iabc/fs", 0, "iabc", "/" },   { "/iabc/fs/home/user", 0, "iabc", "/home/user" },
        { "/iabc/fsx", 0, "iabc", NULL }, { "/", -ENOENT, NULL, NULL },
        { "/.e2b", -ENOENT, NULL, NULL }, { "/.e2b/by-name", -ENOENT, NULL, NULL },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *id = NULL, *remote = NULL;

        CASE("%s", cases[i].inside);
        CHECK_INT(target_split(cases[i].inside, &id, &remote), cases[i].result);
        CHECK_STR(id, cases[i].id);
        CHECK_STR(remote, cases[i].remote);
        free(id);
        free(remote);
    }
}

TEST(lines_of_the_mount_table)
{
    struct mount_info m = { 0 };

    REQUIRE(mounts_parse("36 35 0:52 / /mnt/a\\040b rw,noatime shared:1 - fuse.e2bfs e2b:h rw",
                         &m) == 0);
    CHECK_INT(m.id, 36);
    CHECK_STR(m.device, "0:52");
    CHECK_STR(m.root, "/");
    CHECK_STR(m.mountpoint, "/mnt/a b");
    CHECK_STR(m.type, "fuse.e2bfs");
    CHECK_STR(m.source, "e2b:h");
    mount_info_clear(&m);

    CHECK_INT(mounts_parse("", &m), -EPROTO);
    CHECK_INT(mounts_parse("36 35 0:52 / /mnt rw", &m), -EPROTO);
    CHECK_INT(mounts_parse("36 35", &m), -EPROTO);
}

TEST(a_path_is_located_in_the_mount_that_it_lies_in)
{
    struct mount_info m = { 0 };
    char *inside = NULL;
    struct e2b_err err = { 0 };

    REQUIRE(mounts_locate("/proc/self/../version", &m, &inside, NULL) == 0);
    CHECK_STR(m.type, "proc");
    CHECK_STR(inside, "/version");
    mount_info_clear(&m);
    free(inside);
    CHECK_INT(mounts_locate("/proc/no-such-file", &m, &inside, &err), -ENOENT);
}

TEST(results_of_several_become_one_exit_code)
{
    static const struct {
        int codes[3];
        int exit;
    } cases[] = {
        { { 0, 0, 0 }, 0 },
        { { 0, 3, 0 }, E2B_EXIT_PARTIAL },
        { { 3, 3, 3 }, 3 },
        { { 3, 4, 3 }, E2B_EXIT_PARTIAL },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cli_tally tally = { 0 };

        CASE("%zu", i);
        for (size_t k = 0; k < 3; k++)
            cli_tally_add(&tally, cases[i].codes[k]);
        CHECK_INT(cli_tally_exit(&tally), cases[i].exit);
    }
}
