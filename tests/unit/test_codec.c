/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "util/codec.h"
#include "util/xalloc.h"

#include <errno.h>

TEST(base64_goes_both_ways)
{
    static const struct {
        const char *plain, *text;
    } cases[] = {
        { "", "" },
        { "f", "Zg==" },
        { "fo", "Zm8=" },
        { "foo", "Zm9v" },
        { "foob", "Zm9vYg==" },
        { "fooba", "Zm9vYmE=" },
        { "\xff\xef\xbe", "/+++" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        autobuf struct buf text = BUF_INIT;
        autobuf struct buf plain = BUF_INIT;

        CASE("%s", cases[i].text);
        buf_puts(&text, ">");
        CHECK_INT(base64_encode(cases[i].plain, strlen(cases[i].plain), &text), 0);
        CHECK_STR(buf_str(&text) + 1, cases[i].text);
        CHECK_INT(base64_decode(cases[i].text, strlen(cases[i].text), &plain), 0);
        CHECK_STR(buf_str(&plain), cases[i].plain);
    }
}

TEST(what_is_not_base64_is_refused_and_adds_nothing)
{
    static const char *const cases[] = {
        "Z",     "Zg",   "Zg=",  "Zm9vYg", "Z===",     "Zg==Zg", "Zm9!",     "-_-_",
        "Zm\n9", "    ", "====", "A===",   "\t\t\t\t", "Zm\r9",  "Zg==Zg==", "Zm 9v ab"
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        autobuf struct buf out = BUF_INIT;

        CASE("%s", cases[i]);
        buf_puts(&out, "kept");
        CHECK_INT(base64_decode(cases[i], strlen(cases[i]), &out), -EPROTO);
        CHECK_STR(buf_str(&out), "kept");
    }
}

TEST(base64_keeps_to_the_ceiling)
{
    autobuf struct buf out = BUF_MAX(6);

    CHECK_INT(base64_encode("fooba", 5, &out), -EFBIG);
    CHECK_INT(base64_decode("Zm9vYmFyZm9v", 12, &out), -EFBIG);
    CHECK_INT(out.len, 0);
}

TEST(digests_are_those_of_the_standards)
{
    char hex[SHA256_HEX];

    sha256_hex("abc", 3, hex);
    CHECK_STR(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256_hex("", 0, hex);
    CHECK_STR(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    /* RFC 4231, case 2 */
    hmac_sha256_hex("Jefe", 4, "what do ya want for nothing?", 28, hex);
    CHECK_STR(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(random_digits_differ_and_have_their_length)
{
    char a[2 * 40 + 1], b[2 * 40 + 1], none[1] = { 'x' };

    random_hex(a, 40);
    random_hex(b, 40);
    random_hex(none, 0);
    CHECK_INT(strlen(a), 80);
    CHECK_INT(strspn(a, "0123456789abcdef"), 80);
    CHECK(strcmp(a, b) != 0);
    CHECK_STR(none, "");
}

TEST(hashes_tell_where_one_string_ends)
{
    CHECK(hash64("ab", "c", NULL) != hash64("a", "bc", NULL));
    CHECK(hash64("ab", NULL) != hash64("ab", "", NULL));
    CHECK(hash64("ab", "c", NULL) == hash64("ab", "c", NULL));
    CHECK(hash64("", NULL) != 0);
}
