/* SPDX-License-Identifier: MIT */
/* view: values as names, and the sandboxes sorted by them. */
#include "test.h"

#include "fs/view.h"
#include "fs/view_name.h"
#include "util/buf.h"
#include "util/path.h"
#include "util/utf8.h"
#include "util/xalloc.h"

#include <uthash.h>

static const struct {
    const char *value, *name;
} names[] = {
    { "plain", "plain" },
    { "two words", "two words" },
    { "a/b", "a%2Fb" },
    { "/", "%2F" },
    { "../../etc", "%2E.%2F..%2Fetc" },
    { "100%", "100%25" },
    { "%2F", "%252F" },
    { "", "%" },
    { "%", "%25" },
    { ".", "%2E" },
    { "..", "%2E." },
    { ".hidden", "%2Ehidden" },
    { "v1.2", "v1.2" },
    { "a~b", "a%7Eb" },
    { "a\nb\tc\033[31m\177", "a%0Ab%09c%1B[31m%7F" },
    { "\303\244", "\303\244" },
    { "\377\376", "%FF%FE" },
    { "\302\205", "%C2%85" },            /* NEL, a C1 control */
    { "a\342\200\256b", "a%E2%80%AEb" }, /* right-to-left override */
    { "x\355\240\200", "x%ED%A0%80" },   /* a surrogate */
};

TEST(values_become_names_that_can_do_no_harm)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        autofree char *name = view_name(names[i].value);

        CASE("%zu", i);
        CHECK_STR(name, names[i].name);
        CHECK(path_name_ok(name));
    }
}

TEST(long_values_are_cut_between_characters_and_stay_apart)
{
    char value[2048];
    autofree char *a = NULL, *b = NULL, *c = NULL, *d = NULL;

    memset(value, 'x', sizeof(value));
    value[VIEW_NAME_MAX] = '\0';
    a = view_name(value);
    CHECK_STR(a, value);
    value[VIEW_NAME_MAX] = 'x';
    value[VIEW_NAME_MAX + 1] = '\0';
    b = view_name(value);
    CHECK_INT(strlen(b), VIEW_NAME_MAX + 9);
    CHECK_INT(b[VIEW_NAME_MAX], '~');
    value[VIEW_NAME_MAX] = 'y';
    c = view_name(value);
    CHECK_INT(strlen(c), VIEW_NAME_MAX + 9);
    CHECK(strcmp(b, c) != 0);
    for (size_t i = 0; i < 2046; i += 3)
        memcpy(value + i, "\342\202\254", 3);
    value[2046] = '\0';
    d = view_name(value);
    CHECK_INT(strlen(d), VIEW_NAME_MAX / 3 * 3 + 9);
}

/* Any bytes: a name is one, and two short values never share one. */
TEST(no_bytes_make_a_bad_name)
{
    char value[4] = "";
    uint32_t state = 1;

    for (int i = 0; i < 200000; i++) {
        autofree char *name = NULL;
        uint32_t cp = 0;
        size_t len;

        state = state * 1664525 + 1013904223;
        memcpy(value, &state, 3);
        name = view_name(value);
        len = strlen(name);
        if (!path_name_ok(name) || name[0] == '.' || strchr(name, '~'))
            CHECK_STR(name, "a good name");
        for (size_t at = 0, n; at < len; at += n) {
            n = utf8_next(name + at, len - at, &cp);
            REQUIRE(n > 0 && !utf8_is_unsafe(cp));
        }
    }
}

/* --- the directories ---------------------------------------------------------------------- */

static struct e2b_sandbox sandbox(const char *id, struct e2b_pair *metadata, size_t n)
{
    return (struct e2b_sandbox){ .id = (char *)id,
                                 .template_id = (char *)"tpl",
                                 .state = E2B_STATE_RUNNING,
                                 .metadata = metadata,
                                 .n_metadata = n };
}

static void collect(void *arg, const char *name, bool is_dir)
{
    struct buf *out = arg;

    buf_printf(out, "%s%s ", name, is_dir ? "/" : "");
}

#define CHECK_LISTED(dir, expected)           \
    do {                                      \
        autobuf struct buf text_ = BUF_INIT;  \
        view_each(dir, collect, &text_);      \
        CHECK_STR(buf_str(&text_), expected); \
    } while (0)

static struct e2b_pair foo[] = { { (char *)"name", (char *)"foo" } };
static struct e2b_pair bar[] = { { (char *)"name", (char *)"bar" } };
static struct e2b_pair hostile[] = { { (char *)"", (char *)".." },
                                     { (char *)"../x", (char *)"" },
                                     { (char *)"name", (char *)"foo~bbbbbbbb" } };

TEST(sandboxes_are_found_by_what_the_list_says)
{
    struct e2b_sandbox v[] = { sandbox("aaaaaaaaaaaa", foo, 1), sandbox("bbbbbbbbbbbb", foo, 1),
                               sandbox("cccccccccccc", bar, 1),
                               sandbox("dddddddddddd", hostile, 3) };
    struct e2b_sandbox_list list = { v, ARRAY_LEN(v) };
    struct views *views = views_new();
    const struct view_dir *top;

    v[1].alias = (char *)"team/alias";
    v[2].state = E2B_STATE_PAUSED;
    top = views_top(views, VIEW_NAME, &list, 1);
    CHECK_LISTED(top, "bar foo%7Ebbbbbbbb foo~aaaaaaaa foo~bbbbbbbb ");
    CHECK(view_link(top, "bar") == &v[2]);
    CHECK(view_link(top, "foo~bbbbbbbb") == &v[1]);
    CHECK(!view_link(top, "foo"));
    CHECK(!view_link(top, "aaaaaaaaaaaa"));
    CHECK(!view_subdir(top, "bar"));

    top = views_top(views, VIEW_TEMPLATE, &list, 1);
    CHECK_LISTED(top, "tpl/ team%2Falias/ ");
    CHECK_LISTED(view_subdir(top, "tpl"), "aaaaaaaaaaaa cccccccccccc dddddddddddd ");
    CHECK(view_link(view_subdir(top, "tpl"), "cccccccccccc") == &v[2]);
    CHECK(!view_link(view_subdir(top, "tpl"), "bbbbbbbbbbbb"));
    CHECK(!view_link(top, "tpl"));

    top = views_top(views, VIEW_STATE, &list, 1);
    CHECK_LISTED(top, "running/ paused/ ");
    CHECK_LISTED(view_subdir(top, "paused"), "cccccccccccc ");

    top = views_top(views, VIEW_METADATA, &list, 1);
    CHECK_LISTED(top, "name/ %/ %2E.%2Fx/ ");
    CHECK_LISTED(view_subdir(top, "%"), "%2E./ ");
    CHECK_LISTED(view_subdir(view_subdir(top, "%"), "%2E."), "dddddddddddd ");
    CHECK_LISTED(view_subdir(view_subdir(top, "%2E.%2Fx"), "%"), "dddddddddddd ");
    CHECK_LISTED(view_subdir(view_subdir(top, "name"), "foo"), "aaaaaaaaaaaa bbbbbbbbbbbb ");
    views_free(views);
}

TEST(a_view_follows_the_list)
{
    struct e2b_sandbox v[] = { sandbox("a", foo, 1), sandbox("b", foo, 1) };
    struct e2b_sandbox_list list = { v, 2 };
    struct views *views = views_new();

    CHECK_LISTED(views_top(views, VIEW_NAME, &list, 1), "foo~a foo~b ");
    list.n = 1;
    CHECK_LISTED(views_top(views, VIEW_NAME, &list, 2), "foo ");
    list.n = 0;
    CHECK_LISTED(views_top(views, VIEW_STATE, &list, 3), "running/ paused/ ");
    CHECK_LISTED(views_top(views, VIEW_NAME, &list, 3), "");
    views_free(views);
}

/* Ids that agree in their first 8 characters: nobody is left out. */
TEST(names_and_ids_that_are_alike_still_get_a_link_each)
{
    struct e2b_sandbox v[] = { sandbox("aaaaaaaa1", foo, 1), sandbox("aaaaaaaa2", foo, 1),
                               sandbox("aaaaaaaa3", foo, 1) };
    struct e2b_sandbox_list list = { v, ARRAY_LEN(v) };
    struct views *views = views_new();

    CHECK_LISTED(views_top(views, VIEW_NAME, &list, 1),
                 "foo~aaaaaaaa foo~aaaaaaaa2 foo~aaaaaaaa3 ");
    views_free(views);
}
