/* SPDX-License-Identifier: MIT */
/*
 * ctl: the grammar of <id>/ctl and .e2b/ctl (design 4.2) as data.  Parsing only; control_run.c
 * runs verbs.
 *
 * Input is from a user's program: any bytes.  A batch is parsed line by line, so that the
 * lines before a bad one can run first.
 */
#ifndef FS_CTL_H
#define FS_CTL_H

#include <e2b/error.h>
#include <stddef.h>
#include <stdint.h>

enum { CTL_MAX = 4095 };

enum ctl_place { CTL_SANDBOX, CTL_ACCOUNT }; /* <id>/ctl, .e2b/ctl */

enum ctl_verb {
    CTL_NOTHING, /* empty line or comment */
    CTL_KILL,
    CTL_TIMEOUT, /* seconds */
    CTL_EXTEND,  /* seconds */
    CTL_PAUSE,
    CTL_RESUME,   /* seconds; 300 unless told */
    CTL_SNAPSHOT, /* text: name or NULL */
    CTL_FORK,     /* count; 1 unless told */
    CTL_NETWORK,  /* text: JSON */
    CTL_REFRESH,
    CTL_FLUSH,
    CTL_KILL_ALL, /* count: how many are running */
    CTL_DROP,     /* count: the number of the pending entry */
};

struct ctl_line {
    enum ctl_verb verb;
    int64_t seconds;
    int64_t count;
    char *text; /* owned; ctl_line_clear */
};
void ctl_line_clear(struct ctl_line *line);

/*
 * Parses the first line of `text` (1 <= len <= CTL_MAX), written to the ctl of that place.
 * Returns its length including the newline, or -EINVAL: err quotes what is wrong, made
 * harmless, and says what was expected; *out is untouched.
 */
int ctl_parse(enum ctl_place place, const char *text, size_t len, struct ctl_line *out,
              struct e2b_err *err);

/* "verb ARGUMENT   what it does" lines for help, from the same table: only of what can be run
 * there.  NULL after the last. */
const char *ctl_verb_help(enum ctl_place place, size_t i);

#endif
