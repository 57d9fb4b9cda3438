/* SPDX-License-Identifier: MIT */
/* identity: what an account may do, by owner, groups and bits. */
#include "test.h"

#include "fs/identity.h"
#include "util/xalloc.h"

#include <sys/stat.h>
#include <unistd.h>

#define MAY IDENTITY_MAY
#define NOT IDENTITY_MAY_NOT
#define ASK IDENTITY_NEEDS_GROUPS

static const struct {
    const char *user, *owner, *group;
    mode_t mode;
    int want;
    enum identity_answer unasked, outside, inside; /* groups unknown; not in it; in it */
} cases[] = {
    /* The owner has the owner's bits alone. */
    { "user", "user", "user", 0700, R_OK | W_OK | X_OK, MAY, MAY, MAY },
    { "user", "user", "user", 0077, R_OK, NOT, NOT, NOT },
    { "user", "user", "staff", 0477, W_OK, NOT, NOT, NOT },
    { "user", "user", "staff", 0600, R_OK | W_OK, MAY, MAY, MAY },
    { "user", "user", "staff", 0600, X_OK, NOT, NOT, NOT },
    /* Strangers: where group and others agree nobody has to be asked. */
    { "user", "root", "root", 0644, R_OK, MAY, MAY, MAY },
    { "user", "root", "root", 0644, W_OK, NOT, NOT, NOT },
    { "user", "root", "root", 0644, R_OK | W_OK, NOT, NOT, NOT },
    { "user", "root", "root", 0755, R_OK | X_OK, MAY, MAY, MAY },
    { "user", "root", "root", 0700, X_OK, NOT, NOT, NOT },
    { "user", "root", "staff", 02775, R_OK | X_OK, MAY, MAY, MAY },
    { "user", "root", "staff", 0744, X_OK, NOT, NOT, NOT },
    /* A group that matters. */
    { "user", "root", "staff", 02775, W_OK | X_OK, ASK, NOT, MAY },
    { "user", "root", "staff", 0640, R_OK, ASK, NOT, MAY },
    { "user", "root", "staff", 0640, W_OK, NOT, NOT, NOT },
    { "user", "root", "staff", 0604, R_OK, ASK, MAY, NOT },
    /* Both bits are needed of one class. */
    { "user", "root", "staff", 0742, R_OK | W_OK, NOT, NOT, NOT },
    /* The group that is called like the user is his. */
    { "user", "root", "user", 0640, R_OK, MAY, MAY, MAY },
    { "user", "root", "user", 0604, R_OK, NOT, NOT, NOT },
    /* root, and those who are not. */
    { "root", "user", "user", 0, R_OK | W_OK | X_OK, MAY, MAY, MAY },
    { "rooty", "root", "root", 0700, R_OK, NOT, NOT, NOT },
    { "user", "", "", 0770, R_OK, ASK, NOT, NOT },
    { "user", "0", "0", 0755, W_OK, NOT, NOT, NOT },
    /* Nothing is wanted. */
    { "user", "root", "root", 0, 0, MAY, MAY, MAY },
};

TEST(the_first_class_that_fits_decides)
{
    struct identity_groups outside, inside;

    identity_groups_parse("user video\n", 11, &outside);
    identity_groups_parse("user video staff\n", 17, &inside);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct e2b_entry entry = { .owner = (char *)cases[i].owner,
                                   .group = (char *)cases[i].group,
                                   .mode = S_IFREG | cases[i].mode };
        struct identity who = { .user = cases[i].user };

        CASE("%zu: %s wants %d of %s:%s %04o", i, cases[i].user, cases[i].want, cases[i].owner,
             cases[i].group, (unsigned)cases[i].mode);
        CHECK_INT(identity_may(&who, &entry, cases[i].want), cases[i].unasked);
        who.groups = &outside;
        CHECK_INT(identity_may(&who, &entry, cases[i].want), cases[i].outside);
        who.groups = &inside;
        CHECK_INT(identity_may(&who, &entry, cases[i].want), cases[i].inside);
    }
    identity_groups_clear(&outside);
    identity_groups_clear(&inside);
}

TEST(an_entry_without_names_belongs_to_a_stranger)
{
    struct e2b_entry entry = { .mode = S_IFREG | 0700 };
    struct identity who = { .user = "user" };

    CHECK(!identity_owns(&who, &entry));
    CHECK_INT(identity_may(&who, &entry, R_OK), NOT);
}

TEST(in_a_sticky_directory_names_are_their_owners)
{
    static const struct {
        const char *user, *owner;
        mode_t mode;
        bool must_own;
    } dirs[] = {
        { "user", "root", 01777, true },  { "user", "root", 0777, false },
        { "user", "user", 01777, false }, { "root", "user", 01777, false },
        { "other", "user", 01770, true },
    };

    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        struct e2b_entry dir = { .owner = (char *)dirs[i].owner,
                                 .mode = S_IFDIR | dirs[i].mode };
        struct identity who = { .user = dirs[i].user };

        CASE("%zu", i);
        CHECK_INT(identity_must_own(&who, &dir), dirs[i].must_own);
    }
}

TEST(what_id_prints_is_names)
{
    static const struct {
        const char *text, *joined; /* with '|' behind each */
    } texts[] = {
        { "user\n", "user|" },
        { "user sudo docker\n", "user|sudo|docker|" },
        { "user 1234\n", "user|1234|" },
        { " user  sudo", "user|sudo|" },
        { "", "" },
        { "\n", "" },
        { "a\nb\tc\n\n", "a|b|c|" },
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct identity_groups groups;

        CASE("%zu", i);
        identity_groups_parse(texts[i].text, strlen(texts[i].text), &groups);
        for (size_t k = 0; k < groups.len; k++) {
            if (!groups.names[k])
                groups.names[k] = '|';
        }
        REQUIRE(groups.len == strlen(texts[i].joined));
        CHECK(memcmp(groups.names, texts[i].joined, groups.len) == 0);
        identity_groups_clear(&groups);
    }
    /* NULs are no names either. */
    {
        struct identity_groups groups;

        identity_groups_parse("\0a\0\0b", 5, &groups);
        CHECK_INT(groups.len, 4);
        identity_groups_clear(&groups);
    }
}
