/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "util/json.h"
#include "util/xalloc.h"

#include <errno.h>

static json_t *parse(const char *text)
{
    json_t *v = NULL;
    struct e2b_err err = { 0 };

    if (jparse(text, strlen(text), &v, &err) < 0)
        test_fail(__FILE__, __LINE__, "%s", err.msg);
    return v;
}

TEST(one_value_is_parsed_and_anything_else_refused)
{
    static const struct {
        const char *text;
        int result;
    } cases[] = {
        { "{}", 0 },
        { " [1, 2] \n", 0 },
        { "\"x\"", 0 },
        { "null", 0 },
        { "", -EPROTO },
        { "{", -EPROTO },
        { "{} x", -EPROTO },
        { "{}{}", -EPROTO },
        { "{\"a\":}", -EPROTO },
        { "\"\xff\"", -EPROTO },
        { "<html>", -EPROTO },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        autojson json_t *v = NULL;
        struct e2b_err err = { 0 };

        CASE("%s", cases[i].text);
        CHECK_INT(jparse(cases[i].text, strlen(cases[i].text), &v, &err), cases[i].result);
        CHECK_INT(err.errnum, -cases[i].result);
        CHECK((v != NULL) == (cases[i].result == 0));
    }
}

TEST(deep_nesting_is_refused)
{
    autobuf struct buf text = BUF_INIT;
    autojson json_t *v = NULL;

    for (int i = 0; i < 100000; i++)
        buf_putc(&text, '[');
    CHECK_INT(jparse(text.data, text.len, &v, NULL), -EPROTO);
}

TEST(messages_do_not_quote_the_input)
{
    autojson json_t *v = NULL;
    struct e2b_err err = { 0 };

    CHECK_INT(jparse("{\"token\": hush-hush}", 20, &v, &err), -EPROTO);
    CHECK(!strstr(err.msg, "hush"));
    CHECK_CONTAINS(err.msg, "not JSON: line 1");
}

TEST(required_members_are_named_when_they_are_missing_or_wrong)
{
    autojson json_t *o =
        parse("{\"s\":\"x\",\"n\":5,\"i\":\"-9\",\"z\":null,\"a\":[1],\"f\":1.5}");
    static const struct {
        const char *key, *message;
    } strings[] = {
        { "s", "" },
        { "n", "field 'n': expected string" },
        { "z", "field 'z': expected string" },
        { "missing", "field 'missing': expected string" },
    };
    static const struct {
        const char *key, *message;
        int64_t value;
    } integers[] = {
        { "n", "", 5 },
        { "i", "", -9 },
        { "s", "field 's': expected integer", 0 },
        { "f", "field 'f': expected integer", 0 },
        { "z", "field 'z': expected integer", 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(strings); i++) {
        autofree char *s = NULL;
        struct e2b_err err = { 0 };

        CHECK_INT(jget_string(o, strings[i].key, &s, &err),
                  strings[i].message[0] ? -EPROTO : 0);
        CHECK_STR(err.msg, strings[i].message);
        CHECK_STR(s, strings[i].message[0] ? NULL : "x");
    }
    for (size_t i = 0; i < ARRAY_LEN(integers); i++) {
        int64_t v = 0;
        struct e2b_err err = { 0 };

        CHECK_INT(jget_int64(o, integers[i].key, &v, &err),
                  integers[i].message[0] ? -EPROTO : 0);
        CHECK_STR(err.msg, integers[i].message);
        CHECK_INT(v, integers[i].value);
    }
}

TEST(optional_members_may_be_absent_but_not_wrong)
{
    autojson json_t *o = parse("{\"z\":null,\"b\":true,\"d\":1.5,\"n\":3,\"o\":{},"
                               "\"t\":\"2024-02-29T12:34:56.5Z\",\"s\":\"x\"}");
    struct e2b_err err = { 0 };
    struct timespec t = { 7, 7 };
    json_t *object = NULL;
    char *s = NULL;
    int64_t n = 7;
    double d = 7;
    bool b = false;

    CHECK_INT(jget_string_opt(o, "z", &s, &err), 0);
    CHECK_INT(jget_int64_opt(o, "none", &n, &err), 0);
    CHECK_INT(jget_double_opt(o, "z", &d, &err), 0);
    CHECK_INT(jget_bool_opt(o, "z", &b, &err), 0);
    CHECK_INT(jget_time_opt(o, "none", &t, &err), 0);
    CHECK_INT(jget_object_opt(o, "z", &object, &err), 0);
    CHECK(s == NULL && n == 7 && d == 7 && !b && t.tv_sec == 7 && object == NULL);

    CHECK_INT(jget_bool_opt(o, "b", &b, &err), 0);
    CHECK_INT(jget_double_opt(o, "n", &d, &err), 0);
    CHECK_INT(jget_time_opt(o, "t", &t, &err), 0);
    CHECK_INT(jget_object_opt(o, "o", &object, &err), 0);
    CHECK(b && d == 3 && t.tv_nsec == 500000000 && object != NULL);
    CHECK_INT(err.errnum, 0);

    CHECK_INT(jget_bool_opt(o, "n", &b, NULL), -EPROTO);
    CHECK_INT(jget_double_opt(o, "s", &d, NULL), -EPROTO);
    CHECK_INT(jget_time_opt(o, "s", &t, NULL), -EPROTO);
    CHECK_INT(jget_object_opt(o, "s", &object, NULL), -EPROTO);
    CHECK_INT(jget_array(o, "o", &object, NULL), -EPROTO);
    CHECK_INT(jget_array(o, "none", &object, NULL), -EPROTO);
}

TEST(a_parent_that_is_no_object_is_a_protocol_error)
{
    autojson json_t *array = parse("[1]");
    int64_t n = 7;

    CHECK_INT(jget_int64_opt(array, "x", &n, NULL), -EPROTO);
    CHECK_INT(jget_int64(NULL, "x", &n, NULL), -EPROTO);
    CHECK_INT(n, 7);
}

TEST(integers_as_strings_are_exact_or_refused)
{
    static const struct {
        const char *text;
        int result;
        int64_t value;
    } cases[] = {
        { "{\"n\":\"4398046511104\"}", 0, 4398046511104 },
        { "{\"n\":\"9223372036854775807\"}", 0, INT64_MAX },
        { "{\"n\":\"9223372036854775808\"}", -EPROTO, 0 },
        { "{\"n\":\"\"}", -EPROTO, 0 },
        { "{\"n\":\" 1\"}", -EPROTO, 0 },
        { "{\"n\":\"+1\"}", -EPROTO, 0 },
        { "{\"n\":\"1x\"}", -EPROTO, 0 },
        { "{\"n\":\"-\"}", -EPROTO, 0 },
        { "{\"n\":\"1\\u00002\"}", -EPROTO, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        autojson json_t *o = parse(cases[i].text);
        int64_t n = 0;

        CASE("%s", cases[i].text);
        CHECK_INT(jget_int64(o, "n", &n, NULL), cases[i].result);
        CHECK_INT(n, cases[i].value);
    }
}

TEST(strings_with_NUL_are_refused)
{
    autojson json_t *o = parse("{\"s\":\"a\\u0000b\"}");
    char *s = NULL;

    CHECK_INT(jget_string(o, "s", &s, NULL), -EPROTO);
    CHECK(s == NULL);
}

TEST(dumping_keeps_to_the_ceiling)
{
    autojson json_t *o = parse("{\"a\":[1,2]}");
    autobuf struct buf compact = BUF_INIT;
    autobuf struct buf pretty = BUF_INIT;
    autobuf struct buf small = BUF_MAX(8);

    CHECK_INT(jdump(o, &compact), 0);
    CHECK_STR(buf_str(&compact), "{\"a\":[1,2]}");
    CHECK_INT(jdump_pretty(o, &pretty), 0);
    CHECK_STR(buf_str(&pretty), "{\n  \"a\": [\n    1,\n    2\n  ]\n}\n");
    buf_puts(&small, "x");
    CHECK_INT(jdump(o, &small), -EFBIG);
    CHECK_STR(buf_str(&small), "x");
}

TEST(setting_up_keeps_everything_working)
{
    json_setup();
    {
        autojson json_t *o = parse("{\"a\":1}");
        int64_t n = 0;

        CHECK_INT(jget_int64(o, "a", &n, NULL), 0);
        CHECK_INT(n, 1);
    }
}
