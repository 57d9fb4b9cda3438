/* SPDX-License-Identifier: MIT */
#include "sandboxd/faults.h"

#include "test.h"
#include "util/json.h"
#include "util/xalloc.h"

static int set(const char *text)
{
    autojson json_t *list = NULL;

    if (jparse(text, strlen(text), &list, NULL) < 0)
        return 1;
    return faults_set(list, NULL);
}

static enum fault_kind match(const char *sandbox, const char *plane, const char *method,
                             const char *path)
{
    return faults_match(sandbox, plane, method, path).kind;
}

TEST(every_part_of_a_match_must_fit)
{
    CHECK_INT(set("[{\"kind\":\"delay\",\"value\":5,\"match\":{\"sandbox\":\"a\","
                  "\"plane\":\"data\",\"method\":\"GET\",\"path\":\"/files\"}}]"),
              0);
    CHECK_INT(match("a", "data", "GET", "/files"), FAULT_DELAY);
    CHECK_INT(match("a", "data", "GET", "/files/x"), FAULT_DELAY);
    CHECK_INT(match("b", "data", "GET", "/files"), FAULT_NONE);
    CHECK_INT(match(NULL, "data", "GET", "/files"), FAULT_NONE);
    CHECK_INT(match("a", "control", "GET", "/files"), FAULT_NONE);
    CHECK_INT(match("a", "data", "POST", "/files"), FAULT_NONE);
    CHECK_INT(match("a", "data", "GET", "/file"), FAULT_NONE);
    CHECK_INT(set("[]"), 0);
    CHECK_INT(match("a", "data", "GET", "/files"), FAULT_NONE);
}

TEST(a_path_with_glob_characters_is_a_glob)
{
    CHECK_INT(set("[{\"kind\":\"stall\",\"match\":{\"path\":\"/sandboxes/*/pause\"}}]"), 0);
    CHECK_INT(match("a", "control", "POST", "/sandboxes/a/pause"), FAULT_STALL);
    CHECK_INT(match("a", "control", "POST", "/sandboxes/a"), FAULT_NONE);
    CHECK_INT(match("a", "control", "POST", "/sandboxes/a/pause/x"), FAULT_NONE);
}

TEST(times_are_used_up_in_order)
{
    CHECK_INT(set("[{\"kind\":\"reset\",\"times\":2},{\"kind\":\"garble\",\"times\":1}]"), 0);
    CHECK_INT(match(NULL, "data", "GET", "/"), FAULT_RESET);
    CHECK_INT(match(NULL, "data", "GET", "/"), FAULT_RESET);
    CHECK_INT(match(NULL, "data", "GET", "/"), FAULT_GARBLE);
    CHECK_INT(match(NULL, "data", "GET", "/"), FAULT_NONE);
}

TEST(a_list_with_a_mistake_changes_nothing)
{
    static const char *const bad[] = {
        "{}",
        "[1]",
        "[{}]",
        "[{\"kind\":\"nonsense\"}]",
        "[{\"kind\":\"status\",\"value\":99}]",
        "[{\"kind\":\"delay\",\"value\":-1}]",
        "[{\"kind\":\"delay\",\"value\":\"soon\"}]",
        "[{\"kind\":\"delay\",\"match\":{\"path\":1}}]",
    };

    CHECK_INT(set("[{\"kind\":\"refuse\"}]"), 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CASE("%s", bad[i]);
        CHECK(set(bad[i]) < 0);
        CHECK_INT(match(NULL, "data", "GET", "/"), FAULT_REFUSE);
    }
    CHECK_INT(set("[]"), 0);
}

TEST(a_fault_is_current_until_the_list_is_replaced)
{
    struct fault f;

    CHECK_INT(set("[{\"kind\":\"stall\"}]"), 0);
    f = faults_match(NULL, "data", "GET", "/");
    CHECK(fault_is_current(&f));
    CHECK_INT(set("[{\"kind\":\"stall\"}]"), 0);
    CHECK(!fault_is_current(&f));
    CHECK_INT(set("[]"), 0);
}
