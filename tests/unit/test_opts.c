/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "cli/opts.h"
#include "util/buf.h"
#include "util/xalloc.h"

#include <errno.h>

struct values {
    bool flag;
    const char *text;
    char *secret;
    struct opt_list pairs;
    int64_t count, ms;
    int choice;
};

static const char *const words[] = { "red", "green", NULL };

static const struct opt rows[] = {
    { OPT_FLAG, 'f', "flag", offsetof(struct values, flag), NULL, "a flag", NULL },
    { OPT_STRING, 't', "text", offsetof(struct values, text), "TEXT", "a text", NULL },
    { OPT_SECRET, 0, "secret", offsetof(struct values, secret), "KEY", "a secret", NULL },
    { OPT_PAIR, 'e', "env", offsetof(struct values, pairs), "K=V", "pairs", NULL },
    { OPT_COUNT, 0, "count", offsetof(struct values, count), "N", "a number", NULL },
    { OPT_DURATION, 0, "time", offsetof(struct values, ms), "TIME", "a time", NULL },
    { OPT_CHOICE, 'c', "colour", offsetof(struct values, choice), "WORD", "a word", words },
    { .kind = OPT_END },
};

/* argv in memory that may be written to, as the kernel gives it. */
struct args {
    int argc;
    char *argv[16];
};

static struct args split(const char *line)
{
    struct args a = { 0 };

    while (*line) {
        size_t len = strcspn(line, " ");

        a.argv[a.argc++] = xstrndup(line, len);
        line += len + strspn(line + len, " ");
    }
    return a;
}

static void free_args(struct args *a)
{
    for (int i = 0; i < a->argc; i++)
        free(a->argv[i]);
}

/* Parses `line`; the operands joined by '|' go to *ops, which is the caller's. */
static int parse(const char *line, enum opt_mode mode, struct values *v, char **ops,
                 struct opt_operands *raw, struct e2b_err *err)
{
    struct args a = split(line);
    struct opt_set set = { rows, v };
    struct opt_operands operands = { 0 };
    struct buf text = BUF_INIT;
    int r = opts_parse(a.argc, a.argv, &set, 1, mode, &operands, err);

    for (size_t i = 0; r == 0 && i < operands.n; i++)
        buf_printf(&text, "%s%s", i ? "|" : "", operands.v[i]);
    *ops = buf_steal(&text);
    if (raw)
        *raw = (struct opt_operands){ .n = operands.n,
                                      .n_before_dashes = operands.n_before_dashes,
                                      .has_dashes = operands.has_dashes };
    free(operands.v);
    v->text = v->text ? "given" : NULL; /* it pointed into argv */
    free_args(&a);
    opts_clear(&set, 1);
    return r;
}

TEST(options_and_operands_may_come_in_any_order)
{
    static const struct {
        const char *line;
        enum opt_mode mode;
        const char *operands;
    } cases[] = {
        { "p", OPTS_ANYWHERE, "" },
        { "p a -f b", OPTS_ANYWHERE, "a|b" },
        { "p -- -f b", OPTS_ANYWHERE, "-f|b" },
        { "p a -- -- b", OPTS_ANYWHERE, "a|--|b" },
        { "p -f list -x --nope", OPTS_UNTIL_OPERAND, "list|-x|--nope" },
        { "p - a", OPTS_ANYWHERE, "-|a" },
        { "p -fc green a", OPTS_ANYWHERE, "a" },
        { "p --colour=red a", OPTS_ANYWHERE, "a" },
        { "p id -- ls -l --flag", OPTS_REMOTE_ARGV, "id|ls|-l|--flag" },
        { "p id cmd --time 5", OPTS_REMOTE_ARGV, "id|cmd" },
        { "p id ls /tmp", OPTS_REMOTE_ARGV, "id|ls|/tmp" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct values v = { 0 };
        struct e2b_err err = { 0 };
        char *ops;

        CASE("%s", cases[i].line);
        CHECK_INT(parse(cases[i].line, cases[i].mode, &v, &ops, NULL, &err), 0);
        CHECK_STR(err.msg, "");
        CHECK_STR(ops, cases[i].operands);
        free(ops);
    }
}

TEST(mistakes_are_named)
{
    static const struct {
        const char *line;
        enum opt_mode mode;
        const char *message;
    } cases[] = {
        { "p --nope", OPTS_ANYWHERE, "unknown option --nope" },
        { "p --nope=e2b_secret", OPTS_ANYWHERE, "unknown option --nope" },
        { "p -x", OPTS_ANYWHERE, "unknown option -x" },
        { "p -fx", OPTS_ANYWHERE, "unknown option -x" },
        { "p --text", OPTS_ANYWHERE, "--text needs an argument (TEXT)" },
        { "p -t", OPTS_ANYWHERE, "--text needs an argument (TEXT)" },
        { "p --flag=1", OPTS_ANYWHERE, "--flag takes no argument" },
        { "p --count -1", OPTS_ANYWHERE, "--count: '-1' is not a number" },
        { "p --count 1x", OPTS_ANYWHERE, "--count: '1x' is not a number" },
        { "p -e nope", OPTS_ANYWHERE, "--env: 'nope' is not KEY=VALUE" },
        { "p -e =x", OPTS_ANYWHERE, "--env: '=x' is not KEY=VALUE" },
        { "p -c blue", OPTS_ANYWHERE, "--colour: 'blue' is not one of red, green" },
        { "p id ls -f", OPTS_REMOTE_ARGV, "option -f: put -- before" },
        { "p id ls a --flag", OPTS_REMOTE_ARGV, "option --flag: put -- before" },
        { "p id ls --flag a", OPTS_REMOTE_ARGV, "put -- before" },
        { "p id ls -l", OPTS_REMOTE_ARGV, "option -l: put -- before" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct values v = { 0 };
        struct e2b_err err = { 0 };
        char *ops;

        CASE("%s", cases[i].line);
        CHECK_INT(parse(cases[i].line, cases[i].mode, &v, &ops, NULL, &err), -EINVAL);
        CHECK_CONTAINS(err.msg, cases[i].message);
        CHECK(!strstr(err.msg, "e2b_secret"));
        free(ops);
    }
}

TEST(dashes_are_noticed)
{
    static const struct {
        const char *line;
        bool has_dashes;
        size_t before, n;
    } cases[] = {
        { "p id cmd", false, 2, 2 },
        { "p id -- cmd", true, 1, 2 },
        { "p id --", true, 1, 1 },
        { "p -- id cmd", true, 0, 2 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct opt_operands raw = { 0 };
        struct values v = { 0 };
        char *ops;

        CASE("%s", cases[i].line);
        CHECK_INT(parse(cases[i].line, OPTS_REMOTE_ARGV, &v, &ops, &raw, NULL), 0);
        CHECK_INT(raw.has_dashes, cases[i].has_dashes);
        CHECK_INT(raw.n_before_dashes, cases[i].before);
        CHECK_INT(raw.n, cases[i].n);
        free(ops);
    }
}

TEST(a_secret_is_copied_and_its_argument_overwritten)
{
    static const char *const lines[] = { "p --secret e2b_0123 a", "p --secret=e2b_0123 a" };

    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct args a = split(lines[i]);
        struct values v = { 0 };
        struct opt_set set = { rows, &v };
        struct opt_operands operands = { 0 };

        CASE("%s", lines[i]);
        REQUIRE(opts_parse(a.argc, a.argv, &set, 1, OPTS_ANYWHERE, &operands, NULL) == 0);
        CHECK_STR(v.secret, "e2b_0123");
        for (int k = 0; k < a.argc; k++)
            CHECK(!strstr(a.argv[k], "e2b_"));
        CHECK_STR(operands.v[0], "a");
        free(operands.v);
        opts_clear(&set, 1);
        CHECK(!v.secret);
        free_args(&a);
    }
}

TEST(what_belongs_to_a_remote_command_is_never_overwritten)
{
    struct args a = split("p id -- curl --secret e2b_0123");
    struct values v = { 0 };
    struct opt_set set = { rows, &v };
    struct opt_operands operands = { 0 };

    REQUIRE(opts_parse(a.argc, a.argv, &set, 1, OPTS_REMOTE_ARGV, &operands, NULL) == 0);
    CHECK(!v.secret);
    CHECK_STR(operands.v[3], "e2b_0123");
    free(operands.v);
    free_args(&a);
}

TEST(durations)
{
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        { "0", 0 },
        { "60", 60000 },
        { "90s", 90000 },
        { "5m", 300000 },
        { "1h", 3600000 },
        { "250ms", 250 },
        { "", -1 },
        { "-5", -1 },
        { "5x", -1 },
        { "1h30m", -1 },
        { " 5", -1 },
        { "99999999999999999999", -1 },
        { "9223372036854775807h", -1 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t ms = -1;

        CASE("%s", cases[i].text);
        CHECK_INT(opts_duration(cases[i].text, &ms), cases[i].ms < 0 ? -EINVAL : 0);
        CHECK_INT(ms, cases[i].ms);
    }
}

TEST(values_land_in_their_members)
{
    struct args a = split("p -f -t x -e A=1 -e B= --count 7 --time 2m -c green");
    struct values v = { 0 };
    struct opt_set set = { rows, &v };
    struct opt_operands operands = { 0 };

    REQUIRE(opts_parse(a.argc, a.argv, &set, 1, OPTS_ANYWHERE, &operands, NULL) == 0);
    CHECK(v.flag);
    CHECK_STR(v.text, "x");
    CHECK_INT(v.pairs.n, 2);
    CHECK_STR(v.pairs.v[0], "A=1");
    CHECK_STR(v.pairs.v[1], "B=");
    CHECK(!v.pairs.v[2]);
    CHECK_INT(v.count, 7);
    CHECK_INT(v.ms, 120000);
    CHECK_INT(v.choice, 1);
    free(operands.v);
    opts_clear(&set, 1);
    free_args(&a);
}
