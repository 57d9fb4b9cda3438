/* SPDX-License-Identifier: MIT */
/*
 * options_row: a row of the table in options.c, and what its values can be.  Private to
 * options*.c.
 */
#ifndef FS_OPTIONS_ROW_H
#define FS_OPTIONS_ROW_H

#include "fs/options.h"

struct option_row;
/* Reads `value` (NULL: none) into *o; `where` names the option for messages. 0 or -EINVAL. */
typedef int option_set_fn(struct options *o, const struct option_row *row, const char *value,
                          const char *where, struct e2b_err *err);
/* Appends "name value\n" as it is in force. */
typedef void option_show_fn(const struct options *o, const struct option_row *row,
                            struct buf *out);

enum {
    OPTION_VALUE = 1,   /* needs a value */
    OPTION_MAYBE = 2,   /* may have one */
    OPTION_NO_FILE = 4, /* makes no sense in the config file */
};

struct option_row {
    const char *name;
    int letter; /* 0: none */
    int flags;
    option_set_fn *set;
    size_t offset;
    option_show_fn *show; /* .e2b/config; NULL: not a setting */
    const void *data;
    const char *arg;  /* what the usage calls the value */
    const char *help; /* NULL: not in the usage */
};
extern const struct option_row option_rows[];
extern const size_t n_option_rows;
enum { OPTIONS_MAX = 64 }; /* rows; asserted */

/* options_value.c */
option_set_fn option_set_flag, option_set_clear, option_set_text, option_set_path,
    option_set_size, option_set_scale, option_set_word, option_set_switch, option_set_id,
    option_set_state, option_set_pair, option_set_local, option_set_trust, option_set_none,
    option_set_refused;
option_show_fn option_show_flag, option_show_text, option_show_size, option_show_scale,
    option_show_word, option_show_switch, option_show_pairs;
void option_show_string(const char *name, const char *value, struct buf *out);
/* Frees *to and puts `value` (owned) there. */
void option_replace(char **to, char *value);

/* options_argv.c: the command line and -o into *o. */
int options_parse_argv(struct options *o, int argc, char **argv, struct e2b_err *err);
/* The row of that name ('-' and '_' are the same; `len` bytes), or NULL. */
const struct option_row *option_find(const char *name, size_t len);
int option_apply(struct options *o, const struct option_row *row, const char *value,
                 const char *where, struct e2b_err *err);

#endif
