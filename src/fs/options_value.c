/* SPDX-License-Identifier: MIT */
/* What the values of options can be: reading and showing them. */
#include "fs/options_row.h"

#include "util/xalloc.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <pwd.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define MEMBER(o, row, type) ((type *)(void *)((char *)(o) + (row)->offset))

int option_set_none(struct options *o, const struct option_row *row, const char *value,
                    const char *where, struct e2b_err *err)
{
    (void)o, (void)row, (void)value, (void)where, (void)err;
    return 0; /* we always serve with one thread */
}

/* A row of its own, although it is no option: getopt would take it for the beginning of
 * api_key_file, and a key that is taken for a path ends up in messages. */
int option_set_refused(struct options *o, const struct option_row *row, const char *value,
                       const char *where, struct e2b_err *err)
{
    (void)o, (void)row, (void)value;
    return e2b_fail(err, EINVAL,
                    "%s: everybody here could read a key in an option; use E2B_API_KEY or "
                    "api_key_file",
                    where);
}

static int set_bool(struct options *o, const struct option_row *row, const char *value,
                    const char *where, bool on, struct e2b_err *err)
{
    static const char *const yes[] = { "", "yes", "true", "on", "1" };
    static const char *const no[] = { "no", "false", "off", "0" };

    for (size_t i = 0; i < ARRAY_LEN(yes); i++)
        if (!value || strcasecmp(value, yes[i]) == 0) {
            *MEMBER(o, row, bool) = on;
            return 0;
        }
    for (size_t i = 0; i < ARRAY_LEN(no); i++)
        if (strcasecmp(value, no[i]) == 0) {
            *MEMBER(o, row, bool) = !on;
            return 0;
        }
    return e2b_fail(err, EINVAL, "%s: '%s' is neither yes nor no", where, value);
}

int option_set_flag(struct options *o, const struct option_row *row, const char *value,
                    const char *where, struct e2b_err *err)
{
    return set_bool(o, row, value, where, true, err);
}

int option_set_clear(struct options *o, const struct option_row *row, const char *value,
                     const char *where, struct e2b_err *err)
{
    return set_bool(o, row, value, where, false, err);
}

void option_replace(char **to, char *value)
{
    free(*to);
    *to = value;
}

int option_set_text(struct options *o, const struct option_row *row, const char *value,
                    const char *where, struct e2b_err *err)
{
    (void)where, (void)err;
    option_replace(MEMBER(o, row, char *), xstrdup(value));
    return 0;
}

/* Relative to where we were started, since we chdir away; "~/" because no shell expands it
 * behind '=' or in a file. */
static int absolute(const char *value, char **out, const char *where, struct e2b_err *err)
{
    if (value[0] == '~' && (value[1] == '/' || value[1] == '\0')) {
        const char *home = getenv("HOME");
        const struct passwd *pw = home && *home ? NULL : getpwuid(geteuid());

        home = pw ? pw->pw_dir : home;
        if (!home || home[0] != '/')
            return e2b_fail(err, EINVAL, "%s: there is no home directory for ~", where);
        *out = xasprintf("%s%s", home, value + 1);
    } else if (value[0] == '/') {
        *out = xstrdup(value);
    } else {
        autofree char *cwd = get_current_dir_name();

        if (!cwd || cwd[0] != '/')
            return e2b_fail(err, EINVAL, "%s: the current directory has no path", where);
        *out = xasprintf("%s/%s", cwd, value);
    }
    return 0;
}

int option_set_path(struct options *o, const struct option_row *row, const char *value,
                    const char *where, struct e2b_err *err)
{
    char *path = NULL;
    int r;

    if (strcmp(value, "-") == 0 && strcmp(row->name, "api_key_file") == 0)
        return option_set_text(o, row, value, where, err);
    r = absolute(value, &path, where, err);
    if (r == 0)
        option_replace(MEMBER(o, row, char *), path);
    return r;
}

int option_set_local(struct options *o, const struct option_row *row, const char *value,
                     const char *where, struct e2b_err *err)
{
    char *path = NULL;
    int r = 0;

    (void)row;
    if (value && *value)
        r = absolute(value, &path, where, err);
    if (r < 0)
        return r;
    o->local = true;
    if (value && *value)
        option_replace(&o->local_dir, path);
    return 0;
}

int option_set_size(struct options *o, const struct option_row *row, const char *value,
                    const char *where, struct e2b_err *err)
{
    static const char units[] = "KMGT";
    uint64_t n = 0, unit = 1;
    const char *p = value, *u;

    for (; isdigit((unsigned char)*p) && n < UINT64_MAX / 16; p++)
        n = n * 10 + (uint64_t)(*p - '0');
    if (p > value && *p && (u = strchr(units, toupper((unsigned char)*p)))) {
        unit <<= 10 * (u - units + 1);
        p++;
        if (strcasecmp(p, "iB") == 0 || strcasecmp(p, "B") == 0)
            p = "";
    }
    if (p == value || *p || n > (UINT64_C(1) << 60) / unit)
        return e2b_fail(err, EINVAL, "%s: '%s' is not a size like 256M or 10G", where, value);
    if (n * unit < MIB(1))
        return e2b_fail(err, EINVAL, "%s: %s is too little to work with (1M at least)", where,
                        value);
    *MEMBER(o, row, uint64_t) = n * unit;
    return 0;
}

int option_set_scale(struct options *o, const struct option_row *row, const char *value,
                     const char *where, struct e2b_err *err)
{
    char *end;
    double x = strtod(value, &end);

    if (end == value || *end || !isfinite(x) || x < 0.01 || x > 100)
        return e2b_fail(err, EINVAL, "%s: '%s' is not a factor from 0.01 to 100", where, value);
    *MEMBER(o, row, double) = x;
    return 0;
}

/* The place of the word in row->data, or -1. */
static int find_word(const struct option_row *row, const char *value, const char *where,
                     struct e2b_err *err)
{
    const char *const *words = row->data;
    autobuf struct buf choices = BUF_INIT;

    for (int i = 0; words[i]; i++) {
        if (strcmp(words[i], value) == 0)
            return i;
        buf_printf(&choices, "%s%s", i ? ", " : "", words[i]);
    }
    e2b_fail(err, EINVAL, "%s: '%s' is none of %s", where, value, buf_str(&choices));
    return -1;
}

int option_set_word(struct options *o, const struct option_row *row, const char *value,
                    const char *where, struct e2b_err *err)
{
    int i = find_word(row, value, where, err);

    if (i < 0)
        return -EINVAL;
    *MEMBER(o, row, int) = i; /* an enum whose values are in the order of the words */
    return 0;
}
_Static_assert(sizeof(enum rm_guard) == sizeof(int) && sizeof(enum idmap) == sizeof(int),
               "option_set_word writes enums as int");

/* Two words: false and true. */
int option_set_switch(struct options *o, const struct option_row *row, const char *value,
                      const char *where, struct e2b_err *err)
{
    int i = find_word(row, value, where, err);

    if (i < 0)
        return -EINVAL;
    *MEMBER(o, row, bool) = i == 1;
    return 0;
}

int option_set_state(struct options *o, const struct option_row *row, const char *value,
                     const char *where, struct e2b_err *err)
{
    if (strcmp(value, "running") != 0 && strcmp(value, "paused") != 0)
        return e2b_fail(err, EINVAL, "%s: '%s' is neither running nor paused", where, value);
    return option_set_text(o, row, value, where, err);
}

/* The long form "<id>-<client>" of older tools is cut, as the API does. */
int option_set_id(struct options *o, const struct option_row *row, const char *value,
                  const char *where, struct e2b_err *err)
{
    size_t len = strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789");

    if (len == 0 || (value[len] && value[len] != '-'))
        return e2b_fail(err, EINVAL, "%s: '%s' is not a sandbox's id", where, value);
    option_replace(MEMBER(o, row, char *), xstrndup(value, len));
    return 0;
}

int option_set_pair(struct options *o, const struct option_row *row, const char *value,
                    const char *where, struct e2b_err *err)
{
    const char *equals = strchr(value, '=');

    (void)row;
    if (!equals || equals == value)
        return e2b_fail(err, EINVAL, "%s: '%s' is not KEY=VALUE", where, value);
    o->metadata = xreallocarray(o->metadata, o->n_metadata + 1, sizeof(*o->metadata));
    o->metadata[o->n_metadata++] =
        (struct e2b_pair){ .key = xstrndup(value, (size_t)(equals - value)),
                           .value = xstrdup(equals + 1) };
    return 0;
}

int option_set_trust(struct options *o, const struct option_row *row, const char *value,
                     const char *where, struct e2b_err *err)
{
    (void)row, (void)value, (void)where, (void)err;
    o->idmap = IDMAP_USER;
    o->exec = true;
    return 0;
}

/* --- showing --------------------------------------------------------------------------- */

/* A setting is one line, whatever a path has in it. */
void option_show_string(const char *name, const char *value, struct buf *out)
{
    buf_printf(out, "%s ", name);
    for (const char *c = value; *c; c++)
        buf_putc(out, iscntrl((unsigned char)*c) ? '?' : *c);
    buf_putc(out, '\n');
}

void option_show_flag(const struct options *o, const struct option_row *row, struct buf *out)
{
    option_show_string(row->name, *MEMBER(o, row, const bool) ? "yes" : "no", out);
}

void option_show_text(const struct options *o, const struct option_row *row, struct buf *out)
{
    const char *value = *MEMBER(o, row, char *const);

    if (value)
        option_show_string(row->name, value, out);
}

void option_show_size(const struct options *o, const struct option_row *row, struct buf *out)
{
    uint64_t n = *MEMBER(o, row, const uint64_t);

    if (n)
        buf_printf(out, "%s %llu\n", row->name, (unsigned long long)n);
}

void option_show_scale(const struct options *o, const struct option_row *row, struct buf *out)
{
    buf_printf(out, "%s %g\n", row->name, *MEMBER(o, row, const double));
}

void option_show_word(const struct options *o, const struct option_row *row, struct buf *out)
{
    const char *const *words = row->data;

    option_show_string(row->name, words[*MEMBER(o, row, const int)], out);
}

void option_show_switch(const struct options *o, const struct option_row *row, struct buf *out)
{
    const char *const *words = row->data;

    option_show_string(row->name, words[*MEMBER(o, row, const bool)], out);
}

void option_show_pairs(const struct options *o, const struct option_row *row, struct buf *out)
{
    for (size_t i = 0; i < o->n_metadata; i++) {
        autofree char *pair = xasprintf("%s=%s", o->metadata[i].key, o->metadata[i].value);

        option_show_string(row->name, pair, out);
    }
}
