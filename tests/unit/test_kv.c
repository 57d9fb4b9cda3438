/* SPDX-License-Identifier: MIT */
#include "util/kv.h"

#include <errno.h>

#include "test.h"
#include "util/xalloc.h"

static struct kv *reread(const struct kv *kv)
{
    autobuf struct buf text = BUF_INIT;
    struct kv *out = NULL;

    CHECK_INT(kv_print(kv, &text), 0);
    CHECK_INT(kv_parse(buf_str(&text), text.len, &out, NULL), 0);
    return out;
}

TEST(what_was_set_is_read_back_whatever_its_bytes)
{
    static const char *const values[] = {
        "", "x", "a\nb\"\\", "\xc3\xa4", "\xff\xfe/\x80", "\xed\xa0\x80", "long \xe2\x82"
    };

    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        autokv struct kv *kv = kv_new();
        autokv struct kv *again = NULL;

        CASE("value %zu", i);
        kv_set(kv, "k", "something else");
        kv_set(kv, "k", values[i]);
        kv_set_int(kv, "n", INT64_MIN);
        again = reread(kv);
        CHECK_STR(kv_get(again, "k"), values[i]);
        CHECK_INT(kv_get_int(again, "n", 0), INT64_MIN);
    }
}

TEST(a_value_that_becomes_text_again_leaves_nothing_behind)
{
    autokv struct kv *kv = kv_new();
    autokv struct kv *again = NULL;

    kv_set(kv, "k", "\xff");
    kv_set(kv, "k", "text");
    kv_set(kv, "gone", "\xff");
    kv_set(kv, "gone", NULL);
    again = reread(kv);
    CHECK_STR(kv_get(again, "k"), "text");
    CHECK_STR(kv_get(again, "gone"), NULL);
}

TEST(what_is_absent_or_of_another_type_is_not_there)
{
    static const char text[] = "{\"s\":\"x\",\"i\":7,\"f\":1.5,\"o\":{},\"z\":null,"
                               "\"b.base64\":\"!\",\"n.base64\":\"eAB5\"}";
    autokv struct kv *kv = NULL;

    REQUIRE(kv_parse(text, sizeof(text) - 1, &kv, NULL) == 0);
    CHECK_STR(kv_get(kv, "s"), "x");
    CHECK_STR(kv_get(kv, "i"), NULL);
    CHECK_STR(kv_get(kv, "o"), NULL);
    CHECK_STR(kv_get(kv, "z"), NULL);
    CHECK_STR(kv_get(kv, "b"), NULL); /* not base64 */
    CHECK_STR(kv_get(kv, "n"), NULL); /* a NUL inside */
    CHECK_INT(kv_get_int(kv, "i", -1), 7);
    CHECK_INT(kv_get_int(kv, "s", -1), -1);
    CHECK_INT(kv_get_int(kv, "f", -1), -1);
    CHECK_INT(kv_get_int(kv, "x", -1), -1);
}

TEST(what_is_not_one_object_is_refused)
{
    static const char *const texts[] = { "", "[]", "7", "{", "{} x", "null", "{\"a\":}" };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct kv *kv = NULL;
        struct e2b_err err = { 0 };

        CASE("%s", texts[i]);
        CHECK_INT(kv_parse(texts[i], strlen(texts[i]), &kv, &err), -EPROTO);
        CHECK_INT(err.errnum, EPROTO);
        CHECK(kv == NULL);
    }
}
