/* SPDX-License-Identifier: MIT */
/* ctl: the grammar of design 4.2, and what is not in it. */
#include "test.h"

#include "fs/ctl.h"
#include "util/xalloc.h"

#include <errno.h>

static int parse_in(enum ctl_place place, const char *text, size_t len, struct ctl_line *out,
                    struct e2b_err *err)
{
    /* A copy without a NUL behind it, so that a sanitizer sees every byte read too much. */
    char *exact = xmemdup(text, len ? len : 1);
    int r = ctl_parse(place, exact, len, out, err);

    free(exact);
    return r;
}

static int parse(const char *text, size_t len, struct ctl_line *out, struct e2b_err *err)
{
    return parse_in(CTL_SANDBOX, text, len, out, err);
}

static const struct {
    const char *text;
    enum ctl_verb verb;
    int64_t number; /* seconds or count */
    const char *arg;
} good[] = {
    { "", CTL_NOTHING, 0, NULL },
    { "#", CTL_NOTHING, 0, NULL },
    { "# kill", CTL_NOTHING, 0, NULL },
    { "#\001\377", CTL_NOTHING, 0, NULL },
    { "kill", CTL_KILL, 0, NULL },
    { "1", CTL_TIMEOUT, 1, NULL },
    { "600", CTL_TIMEOUT, 600, NULL },
    { "007", CTL_TIMEOUT, 7, NULL },
    { "90s", CTL_TIMEOUT, 90, NULL },
    { "10m", CTL_TIMEOUT, 600, NULL },
    { "2h", CTL_TIMEOUT, 7200, NULL },
    { "timeout 90s", CTL_TIMEOUT, 90, NULL },
    { "timeout 2147483647", CTL_TIMEOUT, 2147483647, NULL },
    { "extend 1m", CTL_EXTEND, 60, NULL },
    { "pause", CTL_PAUSE, 0, NULL },
    { "resume", CTL_RESUME, 300, NULL },
    { "resume 1h", CTL_RESUME, 3600, NULL },
    { "snapshot", CTL_SNAPSHOT, 0, NULL },
    { "snapshot team/name:v1.2", CTL_SNAPSHOT, 0, "team/name:v1.2" },
    { "fork", CTL_FORK, 1, NULL },
    { "fork 100", CTL_FORK, 100, NULL },
    { "network {\"a\": [1, 2]}", CTL_NETWORK, 0, "{\"a\": [1, 2]}" },
    { "refresh", CTL_REFRESH, 0, NULL },
    { "flush", CTL_FLUSH, 0, NULL },
};

TEST(every_verb_is_understood_with_and_without_a_newline)
{
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        for (int newline = 0; newline < 2; newline++) {
            size_t len = strlen(good[i].text);
            autofree char *text = xasprintf("%s%s", good[i].text, newline ? "\nkill" : "");
            struct ctl_line line = { 0 };
            struct e2b_err err = { 0 };

            if (len == 0 && !newline)
                continue;
            CASE("%s", good[i].text);
            CHECK_INT(parse(text, strlen(text), &line, &err), len + (newline ? 1 : 0));
            CHECK_STR(err.msg, "");
            CHECK_INT(line.verb, good[i].verb);
            CHECK_INT(line.seconds + line.count, good[i].number);
            CHECK_STR(line.text, good[i].arg);
            ctl_line_clear(&line);
        }
    }
}

#define BAD(s)           \
    {                    \
        s, sizeof(s) - 1 \
    }
static const struct {
    const char *text;
    size_t len;
} bad[] = {
    BAD("kil"),
    BAD("kill "),
    BAD(" kill"),
    BAD("kill now"),
    BAD("kill\t"),
    BAD("kill\r"),
    BAD("kill\0"),
    BAD("kill\0now"),
    BAD("kill;kill"),
    BAD("KILL"),
    BAD("killall"),
    BAD("0"),
    BAD("00"),
    BAD("0s"),
    BAD("0h"),
    BAD("-1"),
    BAD("+5"),
    BAD("1.5"),
    BAD("1e3"),
    BAD("0x10"),
    BAD("5x"),
    BAD("5 m"),
    BAD("5mm"),
    BAD("5M"),
    BAD("m"),
    BAD("s"),
    BAD("60 kill"),
    BAD("2147483648"),
    BAD("35791395m"),
    BAD("596524h"),
    BAD("9223372036854775807"),
    BAD("9223372036854775808"),
    BAD("18446744073709551617"),
    BAD("99999999999999999999"),
    BAD("timeout"),
    BAD("timeout "),
    BAD("timeout 0"),
    BAD("timeout -5"),
    BAD("timeout  5"),
    BAD("timeout 5 6"),
    BAD("timeout 5 "),
    BAD("extend"),
    BAD("extend 0"),
    BAD("extend x"),
    BAD("pause 5"),
    BAD("resume 0"),
    BAD("resume  "),
    BAD("snapshot "),
    BAD("snapshot a b"),
    BAD("snapshot a\1b"),
    BAD("snapshot a\0b"),
    BAD("snapshot \303\244"),
    BAD("fork 0"),
    BAD("fork 101"),
    BAD("fork 1x"),
    BAD("fork -1"),
    BAD("network"),
    BAD("network "),
    BAD("network {"),
    BAD("network []"),
    BAD("network {\0}"),
    BAD("refresh x"),
    BAD("flush now"),
    BAD("rm -rf /"),
    BAD(" "),
    BAD("\t"),
    BAD("\0"),
    BAD("\377\376"),
    BAD("\033[31mkill"),
};

TEST(anything_else_is_invalid_and_leaves_the_result_alone)
{
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct ctl_line line = { .verb = CTL_FLUSH, .seconds = 77 };
        struct e2b_err err = { 0 };

        CASE("%s (%zu bytes)", bad[i].text, bad[i].len);
        CHECK_INT(parse(bad[i].text, bad[i].len, &line, &err), -EINVAL);
        CHECK_INT(err.errnum, EINVAL);
        CHECK(err.msg[0] != '\0');
        CHECK_INT(line.verb, CTL_FLUSH);
        CHECK_INT(line.seconds, 77);
        CHECK(line.text == NULL);
    }
}

TEST(messages_say_what_was_expected_and_quote_it_harmlessly)
{
    static const struct {
        const char *text, *part;
    } cases[] = {
        { "kil", "'kil' is no command here" },
        { "0", "'0' is not a duration" },
        { "timeout", "timeout needs a duration: 600, 90s, 10m or 2h" },
        { "kill now", "kill takes no argument, not 'now'" },
        { "fork 101", "fork: '101' is not a count from 1 to 100" },
        { "\033[31mred", "'?[31mred'" },
        { "kill\r", "'kill?'" },
        { "r\303\266st", "'r\303\266st'" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ctl_line line = { 0 };
        struct e2b_err err = { 0 };

        CASE("%s", cases[i].text);
        CHECK_INT(parse(cases[i].text, strlen(cases[i].text), &line, &err), -EINVAL);
        CHECK_CONTAINS(err.msg, cases[i].part);
    }
}

TEST(a_long_bad_line_is_cut_in_the_message)
{
    char text[CTL_MAX];
    struct ctl_line line = { 0 };
    struct e2b_err err = { 0 };

    memset(text, 'x', sizeof(text));
    CHECK_INT(parse(text, sizeof(text), &line, &err), -EINVAL);
    CHECK_CONTAINS(err.msg, "xxx...'");
    CHECK(strlen(err.msg) < 120);
    memset(text, '9', sizeof(text));
    CHECK_INT(parse(text, sizeof(text), &line, NULL), -EINVAL);
    memset(text, '#', sizeof(text));
    CHECK_INT(parse(text, sizeof(text), &line, NULL), CTL_MAX);
}

TEST(a_batch_is_read_line_by_line)
{
    const char *text = "# help\n\nextend 5m\nbad\nkill\n";
    size_t len = strlen(text), done = 0;
    struct ctl_line line = { 0 };
    int r;

    CHECK_INT(r = parse(text, len, &line, NULL), 7);
    done += (size_t)r;
    CHECK_INT(r = parse(text + done, len - done, &line, NULL), 1);
    done += (size_t)r;
    CHECK_INT(r = parse(text + done, len - done, &line, NULL), 10);
    CHECK_INT(line.verb, CTL_EXTEND);
    CHECK_INT(line.seconds, 300);
    done += (size_t)r;
    CHECK_INT(parse(text + done, len - done, &line, NULL), -EINVAL);
}

TEST(the_accounts_ctl_has_verbs_of_its_own)
{
    static const struct {
        const char *text;
        int verb; /* -1: refused */
        int64_t count;
    } cases[] = {
        { "kill-all 3", CTL_KILL_ALL, 3 },
        { "kill-all 2147483647", CTL_KILL_ALL, 2147483647 },
        { "drop 12", CTL_DROP, 12 },
        { "refresh", CTL_REFRESH, 0 },
        { "flush", CTL_FLUSH, 0 },
        { "# kill-all 3", CTL_NOTHING, 0 },
        { "kill-all", -1, 0 },
        { "kill-all 0", -1, 0 },
        { "kill-all -1", -1, 0 },
        { "kill-all all", -1, 0 },
        { "kill-all 3 ", -1, 0 },
        { "kill-all 2147483648", -1, 0 },
        { "drop", -1, 0 },
        { "drop 0", -1, 0 },
        { "drop 1-name", -1, 0 },
        { "kill", -1, 0 },
        { "pause", -1, 0 },
        { "600", -1, 0 },
        { "timeout 600", -1, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t len = strlen(cases[i].text);
        struct ctl_line line = { 0 };
        struct e2b_err err = { 0 };
        int r = parse_in(CTL_ACCOUNT, cases[i].text, len, &line, &err);

        CASE("%s", cases[i].text);
        CHECK_INT(r, cases[i].verb < 0 ? -EINVAL : (int)len);
        CHECK_INT(line.verb, cases[i].verb < 0 ? 0 : cases[i].verb);
        CHECK_INT(line.count, cases[i].count);
    }
    CHECK_INT(parse("kill-all 3", 10, &(struct ctl_line){ 0 }, NULL), -EINVAL);
    CHECK_INT(parse("drop 3", 6, &(struct ctl_line){ 0 }, NULL), -EINVAL);
    CHECK_CONTAINS(ctl_verb_help(CTL_ACCOUNT, 0), "kill-all N");
}

TEST(help_names_each_verb_that_can_be_run)
{
    size_t n = 0;

    for (const char *help; (help = ctl_verb_help(CTL_SANDBOX, n)); n++) {
        CHECK(strlen(help) > 10 && strlen(help) < 90);
        CHECK(!strchr(help, '\n'));
    }
    CHECK(n >= 5);
    CHECK_CONTAINS(ctl_verb_help(CTL_SANDBOX, 0), "kill");
    CHECK(!ctl_verb_help(CTL_SANDBOX, 1000));
}
