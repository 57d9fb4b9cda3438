/* SPDX-License-Identifier: MIT */
/* The command line, and the words of -o, by the table of options. */
#include "fs/options_row.h"

#include "util/path.h"
#include "util/xalloc.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

/* Words of -o that are for others: passed on to libfuse and the kernel, or meant for mount(8)
 * and always as we do it.  A word that ends in '=' takes a value. */
static const char *const fuse_words[] = { "default_permissions",
                                          "allow_root",
                                          "auto_unmount",
                                          "max_read=",
                                          "async",
                                          "sync",
                                          "dirsync",
                                          "noatime",
                                          "nodiratime",
                                          "norelatime",
                                          "nostrictatime",
                                          "context=",
                                          "fscontext=",
                                          "defcontext=",
                                          "rootcontext=" };
static const char *const ignored_words[] = { "defaults", "auto",     "noauto", "user",
                                             "nouser",   "users",    "owner",  "group",
                                             "_netdev",  "nofail",   "nosuid", "nodev",
                                             "relatime", "nonempty", "x-*",    "comment=" };

/* '-' and '_' are the same; `len` bytes of `name`. */
static bool is_name(const char *name, size_t len, const char *of)
{
    size_t i = 0;

    for (; i < len && of[i]; i++)
        if ((name[i] == '-' ? '_' : name[i]) != of[i])
            return false;
    return i == len && of[i] == '\0';
}

const struct option_row *option_find(const char *name, size_t len)
{
    for (size_t i = 0; i < n_option_rows; i++)
        if (is_name(name, len, option_rows[i].name))
            return &option_rows[i];
    return NULL;
}

int option_apply(struct options *o, const struct option_row *row, const char *value,
                 const char *where, struct e2b_err *err)
{
    if ((row->flags & OPTION_VALUE) && (!value || !*value))
        return e2b_fail(err, EINVAL, "%s needs a value: %s", where, row->arg);
    return row->set(o, row, value, where, err);
}

static bool is_in(const char *word, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(list[i]);

        if (strcmp(word, list[i]) == 0)
            return true;
        if ((list[i][len - 1] == '=' && strncmp(word, list[i], len) == 0) ||
            (list[i][len - 1] == '*' && strncmp(word, list[i], len - 1) == 0))
            return true;
    }
    return false;
}

/* Escaped again: libfuse splits at commas, too. */
static void pass_on(struct options *o, const char *word)
{
    struct buf text = BUF_INIT;

    if (o->fuse_opts)
        buf_printf(&text, "%s,", o->fuse_opts);
    for (; *word; word++) {
        if (*word == ',' || *word == '\\')
            buf_putc(&text, '\\');
        buf_putc(&text, *word);
    }
    option_replace(&o->fuse_opts, buf_steal(&text));
}

/* One word between the commas of -o. */
static int apply_word(struct options *o, char *word, struct e2b_err *err)
{
    const char *equals = strchr(word, '=');
    size_t len = equals ? (size_t)(equals - word) : strlen(word);
    const struct option_row *row = option_find(word, len);
    autofree char *where = xasprintf("-o %.*s", (int)len, word);

    /* fstab's user, which says who may mount, has no value; ours has one. */
    if (!row || (strcmp(word, "user") == 0)) {
        if (is_in(word, ignored_words, ARRAY_LEN(ignored_words)))
            return 0;
        if (!is_in(word, fuse_words, ARRAY_LEN(fuse_words)))
            return e2b_fail(err, EINVAL, "unknown option: %s", where);
        pass_on(o, word);
        return 0;
    }
    if (equals && !(row->flags & (OPTION_VALUE | OPTION_MAYBE)) &&
        (row->set != option_set_flag && row->set != option_set_clear))
        return e2b_fail(err, EINVAL, "%s takes no value", where);
    return option_apply(o, row, equals ? equals + 1 : NULL, where, err);
}

/* "a,b=c"; a backslash takes the meaning from the comma behind it, as libfuse has it. */
static int apply_words(struct options *o, const char *text, struct e2b_err *err)
{
    autofree char *word = xmalloc(strlen(text) + 1);
    size_t n = 0;
    int r = 0;

    for (const char *p = text;; p++) {
        if (*p == '\\' && p[1]) {
            word[n++] = *++p;
        } else if (*p && *p != ',') {
            word[n++] = *p;
        } else {
            word[n] = '\0';
            if (n > 0)
                r = apply_word(o, word, err);
            n = 0;
            if (r < 0 || !*p)
                return r;
        }
    }
}

/* --- the command line --------------------------------------------------------------------- */

enum { LONG_BASE = 1000 }; /* getopt_long returns this + the row's index */

/* getopt's tables from ours: both spellings of names with '_'. */
struct getopt_tables {
    struct option longs[2 * OPTIONS_MAX + 1];
    char *names[OPTIONS_MAX]; /* owned */
    char letters[2 * OPTIONS_MAX + 8];
};

static void tables_init(struct getopt_tables *t)
{
    size_t n = 0, k = 0;

    *t = (struct getopt_tables){ 0 };
    k = (size_t)(stpcpy(t->letters, ":o:") -
                 t->letters); /* ':': missing values are told apart */
    for (size_t i = 0; i < n_option_rows; i++) {
        const struct option_row *row = &option_rows[i];
        int has_arg = row->flags & OPTION_VALUE   ? required_argument
                      : row->flags & OPTION_MAYBE ? optional_argument
                                                  : no_argument;

        t->longs[n++] = (struct option){ row->name, has_arg, NULL, LONG_BASE + (int)i };
        if (strchr(row->name, '_')) {
            t->names[i] = xstrdup(row->name);
            for (char *c = t->names[i]; *c; c++)
                *c = *c == '_' ? '-' : *c;
            t->longs[n++] = (struct option){ t->names[i], has_arg, NULL, LONG_BASE + (int)i };
        }
        if (row->letter) {
            t->letters[k++] = (char)row->letter;
            if (row->flags & OPTION_VALUE)
                t->letters[k++] = ':';
        }
    }
}

static void tables_clear(struct getopt_tables *t)
{
    for (size_t i = 0; i < n_option_rows; i++)
        free(t->names[i]);
}

/* A value is not repeated: it may be a key. */
static int unknown_long(const char *word, struct e2b_err *err)
{
    return e2b_fail(err, EINVAL, "unknown option: %.*s", (int)strcspn(word, "="), word);
}

static int apply_letter(struct options *o, int c, const char *value, struct e2b_err *err)
{
    char where[] = { '-', (char)c, '\0' };

    for (size_t i = 0; i < n_option_rows; i++)
        if (option_rows[i].letter == c)
            return option_apply(o, &option_rows[i], value, where, err);
    return e2b_fail(err, EINVAL, "unknown option: %s", where);
}

static int apply_long(struct options *o, size_t i, const char *value, struct e2b_err *err)
{
    autofree char *where = xasprintf("--%s", option_rows[i].name);

    return option_apply(o, &option_rows[i], value, where, err);
}

/* mount(8)'s own flags, as it passes them to its helpers. */
static int apply_mount_flag(struct options *o, int c, const char *value, struct e2b_err *err)
{
    switch (c) {
    case 'f':
        o->fake = true;
        return 0;
    case 's': /* sloppy */
    case 'n': /* no mtab */
    case 'v':
    case 't':
    case 'N':
        return 0;
    default:
        return apply_letter(o, c, value, err);
    }
}

static int take_operands(struct options *o, bool is_helper, char **argv, int argc,
                         struct e2b_err *err)
{
    int wanted = is_helper ? 2 : 1;

    if (argc < wanted)
        return e2b_fail(err, EINVAL,
                        "where to mount is missing; usage: e2bfs [options] MOUNTPOINT");
    if (argc > wanted)
        return e2b_fail(err, EINVAL, "one mount point is enough, '%s' is too much",
                        argv[wanted]);
    if (!*argv[argc - 1])
        return e2b_fail(err, EINVAL, "the mount point is an empty word");
    if (is_helper)
        option_replace(&o->source, xstrdup(argv[0]));
    option_replace(&o->mountpoint, xstrdup(argv[argc - 1]));
    return 0;
}

int options_parse_argv(struct options *o, int argc, char **argv, struct e2b_err *err)
{
    bool is_helper = argc > 0 && strncmp(path_base(argv[0]), "mount.", 6) == 0;
    struct getopt_tables t;
    int c, r = 0;

    tables_init(&t);
    optind = 0; /* glibc: start afresh */
    opterr = 0;
    while (r == 0 && (c = getopt_long(argc, argv, is_helper ? ":fsnvhVN:o:t:m:" : t.letters,
                                      t.longs, NULL)) != -1) {
        if (c >= LONG_BASE)
            r = apply_long(o, (size_t)(c - LONG_BASE), optarg, err);
        else if (c == 'o')
            r = apply_words(o, optarg, err);
        else if (c == ':')
            r = e2b_fail(err, EINVAL, "%s needs a value", argv[optind - 1]);
        else if (c == '?' && optopt >= LONG_BASE)
            r = e2b_fail(err, EINVAL, "%.*s takes no value",
                         (int)strcspn(argv[optind - 1], "="), argv[optind - 1]);
        else if (c == '?' && optopt)
            r = e2b_fail(err, EINVAL, "unknown option: -%c", optopt);
        else if (c == '?')
            r = unknown_long(argv[optind - 1], err);
        else
            r = is_helper ? apply_mount_flag(o, c, optarg, err)
                          : apply_letter(o, c, optarg, err);
    }
    if (r == 0 && !o->show_help && !o->show_version)
        r = take_operands(o, is_helper, argv + optind, argc - optind, err);
    tables_clear(&t);
    return r;
}
