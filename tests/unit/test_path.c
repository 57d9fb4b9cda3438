/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "util/path.h"
#include "util/xalloc.h"

TEST(joining_puts_one_slash_between)
{
    autofree char *a = path_join("/", "b");
    autofree char *b = path_join("/a", "b");
    autofree char *c = path_join("/a/b", "..c");

    CHECK_STR(a, "/b");
    CHECK_STR(b, "/a/b");
    CHECK_STR(c, "/a/b/..c");
}

TEST(names_are_single_components)
{
    static const struct {
        const char *name;
        bool ok;
    } cases[] = {
        { "a", true },  { "...", true }, { ".a", true },       { "a b\n", true },
        { "", false },  { ".", false },  { "..", false },      { "a/b", false },
        { "/", false }, { "a/", false }, { "\xff\xfe", true },
    };
    char longest[257];

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CASE("'%s'", cases[i].name);
        CHECK_INT(path_name_ok(cases[i].name), cases[i].ok);
    }
    memset(longest, 'x', sizeof(longest));
    longest[256] = '\0';
    CHECK(!path_name_ok(longest));
    CHECK(path_name_ok(longest + 1));
}

TEST(normal_paths_are_recognised_and_others_made_normal)
{
    static const struct {
        const char *path, *normal;
    } cases[] = {
        { "/", "/" },
        { "/a", "/a" },
        { "/a/b", "/a/b" },
        { "/a/", "/a" },
        { "//", "/" },
        { "//a//b//", "/a/b" },
        { "/./a/./b/.", "/a/b" },
        { "/a/../b", "/b" },
        { "/..", "/" },
        { "/../../a", "/a" },
        { "/a/b/../../..", "/" },
        { "/a/b/..", "/a" },
        { "/...", "/..." },
        { "/a/..b", "/a/..b" },
        { "/.", "/" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        autofree char *normal = path_normalise(cases[i].path);

        CASE("%s", cases[i].path);
        CHECK_STR(normal, cases[i].normal);
        CHECK_INT(path_is_normal(cases[i].path), strcmp(cases[i].path, cases[i].normal) == 0);
        CHECK(path_is_normal(normal));
    }
}

TEST(what_is_not_absolute_has_no_normal_form)
{
    static const char *const cases[] = { "", "a", "./a", "..", "~/x" };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CASE("'%s'", cases[i]);
        CHECK(path_normalise(cases[i]) == NULL);
        CHECK(!path_is_normal(cases[i]));
    }
}

TEST(a_path_splits_into_directory_and_base)
{
    static const struct {
        const char *path, *dir, *base;
    } cases[] = {
        { "/", "/", "/" },
        { "/a", "/", "a" },
        { "/a/b", "/a", "b" },
        { "/a/b/c", "/a/b", "c" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        autofree char *dir = path_dir(cases[i].path);

        CHECK_STR(dir, cases[i].dir);
        CHECK_STR(path_base(cases[i].path), cases[i].base);
    }
}

TEST(below_means_whole_components)
{
    CHECK(path_is_below("/a", "/"));
    CHECK(path_is_below("/", "/"));
    CHECK(path_is_below("/a/b", "/a"));
    CHECK(path_is_below("/a", "/a"));
    CHECK(!path_is_below("/ab", "/a"));
    CHECK(!path_is_below("/", "/a"));
    CHECK(!path_is_below("/b/a", "/a"));
}
