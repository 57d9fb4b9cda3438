/* SPDX-License-Identifier: MIT */
/*
 * opts: option rows to a struct, and the usage text from the same rows.
 *
 * A program with commands has two tables: the global rows, which may stand before or behind
 * the command's name, and the command's own.  A row's `offset` says which member of the
 * caller's struct it sets; strings are borrowed from argv.
 *
 * Threads:   none of its own.
 * Ownership: opts_clear frees what OPT_LIST and OPT_SECRET collected.
 */
#ifndef CLI_OPTS_H
#define CLI_OPTS_H

#include <e2b/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum opt_kind {
    OPT_END,      /* ends a table */
    OPT_FLAG,     /* bool, set to true */
    OPT_STRING,   /* const char *, the last one wins */
    OPT_SECRET,   /* char *, copied, and the argument overwritten at once (ps shows argv) */
    OPT_LIST,     /* struct opt_list, each use appends */
    OPT_PAIR,     /* struct opt_list; each must be KEY=VALUE */
    OPT_COUNT,    /* int64_t >= 0 */
    OPT_DURATION, /* int64_t milliseconds; "90", "90s", "5m", "1h" */
    OPT_CHOICE,   /* int: the place of the word in `choices` */
};

struct opt {
    enum opt_kind kind;
    int short_name; /* 0: none */
    const char *name;
    size_t offset;
    const char *arg; /* what the usage calls the argument; NULL for flags */
    const char *help;
    const char *const *choices; /* OPT_CHOICE: NULL-terminated */
};

struct opt_list {
    const char **v; /* NULL-terminated; NULL while empty */
    size_t n;
};

/* A table and the struct that it fills. */
struct opt_set {
    const struct opt *rows; /* may be NULL */
    void *values;
};

/* What the words are that are no options. */
struct opt_operands {
    char **v; /* borrowed from argv, NULL-terminated; v itself is owned (free) */
    size_t n;
    size_t n_before_dashes; /* how many of them stood before "--" */
    bool has_dashes;
};

enum opt_mode {
    OPTS_UNTIL_OPERAND, /* stop at the first operand: what follows is a command's */
    OPTS_ANYWHERE,
    /* The second operand and what follows belong to a remote command: an option of ours behind
     * it is only understood as long as that command is one word. */
    OPTS_REMOTE_ARGV,
};

/*
 * Parses argv[1...]; rows of sets[0] win over those of sets[1], and so on.  Words behind "--"
 * are never looked at.  With OPTS_UNTIL_OPERAND *out gets all that remains, options included.
 * -EINVAL with a message that names the option.
 */
int opts_parse(int argc, char **argv, const struct opt_set *sets, size_t n_sets,
               enum opt_mode mode, struct opt_operands *out, struct e2b_err *err);
void opts_clear(const struct opt_set *sets, size_t n_sets);

/* "90", "90s", "5m", "1h" -> milliseconds. 0 or -EINVAL. */
int opts_duration(const char *text, int64_t *ms);

/* Appends to `out` a block of lines, one per row, for usage texts. */
struct buf;
void opts_usage(const struct opt *rows, struct buf *out);

#endif
