/* SPDX-License-Identifier: MIT */
#include "sandboxd/query.h"

#include "sandboxd/metadata_filter.h"
#include "test.h"
#include "util/xalloc.h"

TEST(percent_escapes_are_decoded_or_refused)
{
    static const struct {
        const char *in;
        bool form;
        const char *out;
    } cases[] = {
        { "", true, "" },        { "abc", true, "abc" },       { "a+b", true, "a b" },
        { "a+b", false, "a+b" }, { "%41%2f%2F", true, "A//" }, { "%ff", true, "\xff" },
        { "%", true, NULL },     { "%4", true, NULL },         { "%zz", true, NULL },
        { "a%00b", true, NULL },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        autofree char *out = percent_decode(cases[i].in, cases[i].form);

        CASE("%s", cases[i].in);
        CHECK_STR(out, cases[i].out);
    }
}

TEST(pairs_that_go_would_drop_are_dropped)
{
    struct query q = { 0 };

    query_parse(&q, "path=/a%20b&x=1;y=2&bad=%zz&path=/c&empty=&&flag");
    CHECK_INT(q.count, 4);
    CHECK_STR(query_get(&q, "path"), "/a b");
    CHECK_INT(query_count(&q, "path"), 2);
    CHECK_STR(query_get(&q, "empty"), "");
    CHECK_STR(query_get(&q, "flag"), "");
    CHECK_STR(query_get(&q, "x"), NULL);
    CHECK_STR(query_get(&q, "bad"), NULL);
    query_clear(&q);
}

TEST(metadata_filters_have_three_layers)
{
    /* What is left of the wire's text (control-plane.md 6.2) after the query was decoded. */
    static const struct {
        const char *text, *name, *value;
    } cases[] = {
        { "app=prod", "app", "prod" }, { "app=a%2520b", "app", "a b" },
        { "u=x%2526y", "u", "x&y" },   { "p=100%2525", "p", "100%" },
        { "e=a%253Db", "e", "a=b" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct metadata_filter f;
        json_t *metadata = json_pack("{s:s,s:s}", cases[i].name, cases[i].value, "z", "1");

        CASE("%s", cases[i].text);
        CHECK(metadata_filter_parse(&f, cases[i].text));
        CHECK(metadata_filter_fits(&f, metadata));
        CHECK(!metadata_filter_fits(&f, NULL));
        json_object_set_new(metadata, cases[i].name, json_string("other"));
        CHECK(!metadata_filter_fits(&f, metadata));
        metadata_filter_clear(&f);
        json_decref(metadata);
    }
}

TEST(metadata_pairs_need_exactly_one_equals_sign)
{
    static const char *const bad[] = { "app", "a=b=c", "a=b&c", "a=%zz", "%" };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct metadata_filter f;

        CASE("%s", bad[i]);
        CHECK(!metadata_filter_parse(&f, bad[i]));
        CHECK_INT(f.count, 0);
    }
}

TEST(all_pairs_of_a_filter_must_fit)
{
    struct metadata_filter f;
    json_t *metadata = json_pack("{s:s}", "a", "1");

    CHECK(metadata_filter_parse(&f, "a=1&b=2"));
    CHECK(!metadata_filter_fits(&f, metadata));
    json_object_set_new(metadata, "b", json_string("2"));
    CHECK(metadata_filter_fits(&f, metadata));
    metadata_filter_clear(&f);
    json_decref(metadata);
}
