/* SPDX-License-Identifier: MIT */
#include "opts.h"

#include "util/buf.h"
#include "util/xalloc.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* getopt's value for row r of set s, beyond every character. */
enum { CODE_BASE = 0x1000, CODE_SET = 0x100, ROWS_MAX = 64, USAGE_COLUMN = 30 };

struct parser {
    const struct opt_set *sets;
    size_t n_sets;
    struct option longs[2 * ROWS_MAX + 1];
    char shorts[3 * ROWS_MAX + 4];
};

static const struct opt *find_row(const struct parser *p, int code, void **values)
{
    for (size_t s = 0; s < p->n_sets; s++) {
        const struct opt *rows = p->sets[s].rows;

        for (int r = 0; rows && rows[r].kind != OPT_END; r++) {
            if (code == CODE_BASE + CODE_SET * (int)s + r ||
                (rows[r].short_name && code == rows[r].short_name)) {
                *values = p->sets[s].values;
                return &rows[r];
            }
        }
    }
    return NULL;
}

/* Makes getopt's two tables of our rows. */
static void parser_init(struct parser *p, const struct opt_set *sets, size_t n_sets)
{
    size_t n = 0, len = 0;

    *p = (struct parser){ .sets = sets, .n_sets = n_sets };
    /* '-': operands are reported where they stand; ':': a missing argument is told apart. */
    p->shorts[len++] = '-';
    p->shorts[len++] = ':';
    for (size_t s = 0; s < n_sets; s++) {
        for (int r = 0; sets[s].rows && sets[s].rows[r].kind != OPT_END; r++) {
            const struct opt *row = &sets[s].rows[r];

            p->longs[n++] = (struct option){
                .name = row->name,
                .has_arg = row->arg ? required_argument : no_argument,
                .val = CODE_BASE + CODE_SET * (int)s + r,
            };
            if (!row->short_name || strchr(p->shorts + 2, row->short_name))
                continue;
            p->shorts[len++] = (char)row->short_name;
            if (row->arg)
                p->shorts[len++] = ':';
        }
    }
}

int opts_duration(const char *text, int64_t *ms)
{
    static const struct {
        const char *suffix;
        int64_t ms;
    } units[] = {
        { "", 1000 }, { "s", 1000 }, { "m", 60 * 1000 }, { "h", 3600 * 1000 }, { "ms", 1 },
    };
    char *end;
    long long n;

    if (!isdigit((unsigned char)text[0]))
        return -EINVAL;
    errno = 0;
    n = strtoll(text, &end, 10);
    for (size_t i = 0; errno == 0 && i < ARRAY_LEN(units); i++) {
        if (strcmp(end, units[i].suffix) == 0 && n <= INT64_MAX / units[i].ms) {
            *ms = n * units[i].ms;
            return 0;
        }
    }
    return -EINVAL;
}

static void list_append(struct opt_list *list, const char *text)
{
    list->v = xreallocarray(list->v, list->n + 2, sizeof(*list->v));
    list->v[list->n++] = text;
    list->v[list->n] = NULL;
}

static int set_choice(const struct opt *row, int *out, const char *arg, struct e2b_err *err)
{
    autobuf struct buf words = BUF_INIT;

    for (int i = 0; row->choices[i]; i++) {
        if (strcmp(row->choices[i], arg) == 0) {
            *out = i;
            return 0;
        }
        buf_printf(&words, "%s%s", i ? ", " : "", row->choices[i]);
    }
    return e2b_fail(err, EINVAL, "--%s: '%s' is not one of %s", row->name, arg,
                    buf_str(&words));
}

static int set_count(const struct opt *row, int64_t *out, const char *arg, struct e2b_err *err)
{
    char *end;
    long long n;

    errno = 0;
    n = strtoll(arg, &end, 10);
    if (errno || end == arg || *end || n < 0)
        return e2b_fail(err, EINVAL, "--%s: '%s' is not a number", row->name, arg);
    *out = n;
    return 0;
}

static int set_value(const struct opt *row, void *values, char *arg, struct e2b_err *err)
{
    void *member = (char *)values + row->offset;

    switch (row->kind) {
    case OPT_FLAG:
        *(bool *)member = true;
        return 0;
    case OPT_STRING:
        *(const char **)member = arg;
        return 0;
    case OPT_SECRET:
        free(*(char **)member);
        *(char **)member = xstrdup(arg);
        memset(arg, '*', strlen(arg));
        return 0;
    case OPT_PAIR:
        if (arg[0] == '=' || !strchr(arg, '='))
            return e2b_fail(err, EINVAL, "--%s: '%s' is not KEY=VALUE", row->name, arg);
        list_append(member, arg);
        return 0;
    case OPT_LIST:
        list_append(member, arg);
        return 0;
    case OPT_COUNT:
        return set_count(row, member, arg, err);
    case OPT_DURATION:
        if (opts_duration(arg, member) == 0)
            return 0;
        return e2b_fail(err, EINVAL,
                        "--%s: '%s' is not a duration (seconds, or a number with s, m or h)",
                        row->name, arg);
    case OPT_CHOICE:
        return set_choice(row, member, arg, err);
    case OPT_END:
        break;
    }
    return e2b_fail(err, EINVAL, "--%s: unknown kind", row->name);
}

/* getopt failed on a word: says on which.  `word` is that word. */
static int complain(const struct parser *p, int code, const char *word, struct e2b_err *err)
{
    void *values;
    const struct opt *row = optopt ? find_row(p, optopt, &values) : NULL;
    size_t name_len = strcspn(word, "=");

    if (code == ':')
        return e2b_fail(err, EINVAL, "--%s needs an argument (%s)", row ? row->name : "?",
                        row ? row->arg : "?");
    if (row && strncmp(word, "--", 2) == 0)
        return e2b_fail(err, EINVAL, "--%s takes no argument", row->name);
    /* The text after '=' may be a secret. */
    if (strncmp(word, "--", 2) == 0)
        return e2b_fail(err, EINVAL, "unknown option %.*s", (int)name_len, word);
    return e2b_fail(err, EINVAL, "unknown option -%c", optopt);
}

static const char put_dashes[] = "put -- before a remote command that has arguments of its own";

int opts_parse(int argc, char **argv, const struct opt_set *sets, size_t n_sets,
               enum opt_mode mode, struct opt_operands *out, struct e2b_err *err)
{
    struct opt_operands ops = { .v = xcalloc((size_t)argc + 1, sizeof(*ops.v)) };
    bool is_behind_command = false;
    struct parser p;
    int code, r = 0;

    parser_init(&p, sets, n_sets);
    opterr = 0;
    optind = 0; /* GNU: start anew */
    while (r == 0) {
        int at = optind ? optind : 1;
        const struct opt *row;
        void *values;

        code = getopt_long(argc, argv, p.shorts, p.longs, NULL);
        if (code == -1)
            break;
        if (code == 1) { /* an operand */
            if (mode == OPTS_UNTIL_OPERAND) {
                optind--;
                break;
            }
            ops.v[ops.n++] = optarg;
            if (is_behind_command)
                r = e2b_fail(err, EINVAL, "%s", put_dashes);
            continue;
        }
        if (mode == OPTS_REMOTE_ARGV && ops.n >= 2) {
            is_behind_command = true;
            if (ops.n > 2 || strncmp(argv[at], "--", 2) != 0)
                r = e2b_fail(err, EINVAL, "option %s: %s", argv[at], put_dashes);
        }
        if (r == 0 && (code == '?' || code == ':'))
            r = complain(&p, code, argv[at < argc ? at : argc - 1], err);
        row = r == 0 ? find_row(&p, code, &values) : NULL;
        if (row)
            r = set_value(row, values, optarg, err);
    }
    if (r < 0) {
        free(ops.v);
        return r;
    }

    ops.n_before_dashes = ops.n;
    ops.has_dashes =
        optind > 1 && strcmp(argv[optind - 1], "--") == 0 && mode != OPTS_UNTIL_OPERAND;
    while (optind < argc)
        ops.v[ops.n++] = argv[optind++];
    *out = ops;
    return 0;
}

void opts_clear(const struct opt_set *sets, size_t n_sets)
{
    for (size_t s = 0; s < n_sets; s++) {
        for (const struct opt *row = sets[s].rows; row && row->kind != OPT_END; row++) {
            void *member = (char *)sets[s].values + row->offset;

            if (row->kind == OPT_LIST || row->kind == OPT_PAIR) {
                struct opt_list *list = member;

                free(list->v);
                *list = (struct opt_list){ 0 };
            } else if (row->kind == OPT_SECRET && *(char **)member) {
                char *secret = steal_ptr((char **)member);

                explicit_bzero(secret, strlen(secret));
                free(secret);
            }
        }
    }
}

void opts_usage(const struct opt *rows, struct buf *out)
{
    for (const struct opt *row = rows; row && row->kind != OPT_END; row++) {
        autofree char *left = NULL;

        if (row->short_name)
            left = xasprintf("  -%c, --%s%s%s", row->short_name, row->name, row->arg ? " " : "",
                             row->arg ? row->arg : "");
        else
            left = xasprintf("      --%s%s%s", row->name, row->arg ? " " : "",
                             row->arg ? row->arg : "");
        buf_printf(out, "%-*s", USAGE_COLUMN, left);
        if (strlen(left) >= USAGE_COLUMN)
            buf_printf(out, "\n%*s", USAGE_COLUMN, "");
        buf_printf(out, "%s\n", row->help);
    }
}
