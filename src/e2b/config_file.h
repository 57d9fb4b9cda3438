/* SPDX-License-Identifier: MIT */
/*
 * config_file: the lines of $XDG_CONFIG_HOME/e2bfs/config, and the official CLI's credentials.
 *
 * The file: `key = value` lines, '#' comments, keys are the long options ('_' is the same as
 * '-').  It is refused if it holds a key and others can read it.
 *
 * Threads: any.  Ownership: config_file_clear frees, and wipes the values.
 */
#ifndef E2B_CONFIG_FILE_H
#define E2B_CONFIG_FILE_H

#include <e2b/error.h>
#include <stddef.h>

struct config_line {
    char *key; /* with '-' */
    char *value;
    unsigned line;
};

struct config_file {
    char *path; /* NULL: there is none */
    struct config_line *v;
    size_t n;
};

/*
 * path NULL: the default place, where a missing file is an empty one.  Errors: ENOENT a named
 * file is missing; EINVAL a line that is none; EACCES it holds an API key and others can read
 * it, or it can't be read.
 */
int config_file_load(const char *path, struct config_file *out, struct e2b_err *err);
void config_file_clear(struct config_file *file);

/* The last line with that key; NULL if none, or empty. */
const char *config_file_get(const struct config_file *file, const char *key);

/*
 * The API key that the official CLI keeps in ~/.e2b/config.json; read only, never refreshed
 * (control-plane.md 16).  0 with *key NULL if there is none; EKEYREJECTED if somebody is logged
 * in there without a key of the kind that we can use.
 */
int config_official_key(char **key, char **source, struct e2b_err *err);

#endif
