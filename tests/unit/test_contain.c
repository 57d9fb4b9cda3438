/* SPDX-License-Identifier: MIT */
/* contain: no text of a symlink leads out of fs/. */
#include "test.h"

#include "fs/contain.h"
#include "util/xalloc.h"

static const struct {
    const char *dir, *text, *shown; /* NULL: refused */
} cases[] = {
    /* What can't leave is shown as it is. */
    { "/home/user", "file", "file" },
    { "/home/user", "./a/b", "./a/b" },
    { "/home/user", "../x", "../x" },
    { "/home/user", "../../etc/passwd", "../../etc/passwd" },
    { "/home/user", "../..", "../.." },
    { "/home/user", "a//b/", "a//b/" },
    { "/", "etc", "etc" },
    { "/", "...", "..." },
    { "/a", "..b/c", "..b/c" },
    /* Absolute: the sandbox's root, not ours. */
    { "/home/user", "/etc/passwd", "../../etc/passwd" },
    { "/home/user", "/", "../.." },
    { "/", "/", "." },
    { "/", "/etc", "etc" },
    { "/a/b/c", "//x//y/", "../../../x/y" },
    { "/a", "/./b/../c", "../c" },
    { "/a", "/../../../etc", "../etc" },
    /* Too many "..": "/" is its own parent. */
    { "/home/user", "../../../etc/passwd", "../../etc/passwd" },
    { "/home/user", "../../../../../../../etc", "../../etc" },
    { "/", "..", "." },
    { "/", "../x", "x" },
    { "/a", "../..", ".." },
    /* ".." after a name: the name may be a link to somewhere shallower. */
    { "/home/user", "a/../b", "../../home/user/b" },
    { "/home/user", "a/../../../../etc/passwd", "../../etc/passwd" },
    { "/home/user", "a/..", "../../home/user" },
    { "/d", "./a/./../..", ".." },
    { "/d", "a/b/../../../../../../x", "../x" },
    { "/d", "../d/../../x", "../x" },
    /* No link at all. */
    { "/a", "", NULL },
};

TEST(links_are_shown_so_that_they_stay_inside)
{
    for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
        autofree char *shown = contain_link(cases[k].dir, cases[k].text, strlen(cases[k].text));

        CASE("%s in %s", cases[k].text, cases[k].dir);
        if (cases[k].shown)
            CHECK_STR(shown, cases[k].shown);
        else
            CHECK(!shown);
    }
}

/*
 * What a link's text does to a kernel that starts `depth` directories below fs/ and may find
 * that any name is a link to fs/ itself: how far above fs/ it can get.
 */
static int worst_escape(const char *text, int depth)
{
    bool named = false;
    int above = 0;

    if (*text == '/')
        return 1000;
    while (*text) {
        size_t n = strcspn(text, "/");

        if (n == 2 && strncmp(text, "..", 2) == 0)
            depth--;
        else if (n > 0 && !(n == 1 && *text == '.'))
            named = true, depth = 0; /* the worst case */
        if (-depth > above)
            above = -depth;
        text += n + strspn(text + n, "/");
    }
    (void)named;
    return above;
}

TEST(no_mixture_of_components_escapes)
{
    static const char *const parts[] = { "..", ".", "a", "", "/..", "b.", "...", "../.." };
    static const char *const dirs[] = { "/", "/a", "/a/b", "/a/b/c" };
    char text[256];

    for (unsigned seed = 0; seed < 8 * 8 * 8 * 8 * 8; seed++) {
        unsigned s = seed;

        text[0] = '\0';
        for (int k = 0; k < 5; k++, s /= 8) {
            if (k)
                strcat(text, "/");
            strcat(text, parts[s % 8]);
        }
        for (int depth = 0; depth < 4; depth++) {
            autofree char *shown = contain_link(dirs[depth], text, strlen(text));

            if (shown && worst_escape(shown, depth) > 0) {
                CASE("%s in %s shown as %s", text, dirs[depth], shown);
                CHECK(!"stays inside");
            }
        }
    }
}

TEST(texts_that_cannot_be_a_path_are_refused)
{
    char text[5000];
    char *shown;

    CHECK(!contain_link("/a", "a\0b", 3));
    memset(text, 'x', sizeof(text));
    CHECK(!contain_link("/a", text, sizeof(text)));
    CHECK(!contain_link("/a", text, 4096));
    shown = contain_link("/a", text, 4095);
    CHECK(shown);
    free(shown);
    text[0] = '/'; /* fits as it is, but not once it is relative */
    CHECK(!contain_link("/a/b", text, 4095));
}
