/* SPDX-License-Identifier: MIT */
#include "fs/ctl.h"

#include "util/utf8.h"
#include "util/xalloc.h"

#include <errno.h>
#include <string.h>

enum {
    SECONDS_MAX = INT32_MAX, /* what the API's field holds */
    COUNT_MAX = 100,         /* control-plane.md 5 */
    NAME_BYTES_MAX = 128,
    SHOWN_MAX = 40, /* bytes of a bad word in a message */
    RESUME_SECONDS = 300,
};

/* Part of the input; never NUL-terminated. */
struct word {
    const char *s;
    size_t len;
};

typedef bool arg_fn(struct word w, struct ctl_line *out);

static bool arg_duration(struct word w, struct ctl_line *out);
static bool arg_count(struct word w, struct ctl_line *out);
static bool arg_number(struct word w, struct ctl_line *out);
static bool arg_name(struct word w, struct ctl_line *out);
static bool arg_json(struct word w, struct ctl_line *out);

static const struct arg {
    arg_fn *parse;
    const char *expected;
} duration = { arg_duration, "a duration: 600, 90s, 10m or 2h" },
  count = { arg_count, "a count from 1 to 100" }, number = { arg_number, "a number from 1" },
  name = { arg_name, "a name of letters, digits and -_.:/" },
  json = { arg_json, "a JSON object" };

/*
 * The verbs (design 4.2).  `help` is a line of what ctl reads back; verbs without are parsed,
 * so that a typo in them is told from a lack in us, but can't be run yet.
 */
static const struct verb {
    enum ctl_place place;
    const char *name;
    enum ctl_verb verb;
    const struct arg *arg; /* NULL: takes none */
    bool is_optional;      /* the argument; the defaults stand in ctl_parse */
    const char *help;
} verbs[] = {
    { CTL_SANDBOX, "kill", CTL_KILL, NULL, false,
      "kill            end the sandbox, running or paused; its files are lost" },
    { CTL_SANDBOX, "timeout", CTL_TIMEOUT, &duration, false,
      "timeout DUR     end it DUR from now; DUR alone (600, 90s, 10m, 2h) is the same" },
    { CTL_SANDBOX, "extend", CTL_EXTEND, &duration, false,
      "extend DUR      add DUR to what remains" },
    { CTL_SANDBOX, "pause", CTL_PAUSE, NULL, false,
      "pause           stop it; memory and files are kept, fs/ can't be looked into" },
    { CTL_SANDBOX, "resume", CTL_RESUME, &duration, true,
      "resume [DUR]    continue it, to end DUR (5m unless told) from now" },
    { CTL_SANDBOX, "snapshot", CTL_SNAPSHOT, &name, true, NULL },
    { CTL_SANDBOX, "fork", CTL_FORK, &count, true, NULL },
    { CTL_SANDBOX, "network", CTL_NETWORK, &json, false, NULL },
    { CTL_SANDBOX, "refresh", CTL_REFRESH, NULL, false,
      "refresh         forget what is cached of this sandbox" },
    { CTL_SANDBOX, "flush", CTL_FLUSH, NULL, false,
      "flush           commit what was written to fs/ and wait for it" },

    { CTL_ACCOUNT, "kill-all", CTL_KILL_ALL, &number, false,
      "kill-all N      end the running sandboxes that this mount shows, if they are N" },
    { CTL_ACCOUNT, "refresh", CTL_REFRESH, NULL, false,
      "refresh         forget all that is cached" },
    { CTL_ACCOUNT, "flush", CTL_FLUSH, NULL, false,
      "flush           commit what was written to all sandboxes and wait for it" },
    { CTL_ACCOUNT, "drop", CTL_DROP, &number, false,
      "drop N          delete entry N of .e2b/pending/ for good" },
};

const char *ctl_verb_help(enum ctl_place place, size_t i)
{
    for (size_t k = 0; k < ARRAY_LEN(verbs); k++)
        if (verbs[k].place == place && verbs[k].help && i-- == 0)
            return verbs[k].help;
    return NULL;
}

void ctl_line_clear(struct ctl_line *line)
{
    free(line->text);
    *line = (struct ctl_line){ 0 };
}

/* --- arguments ---------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Leading digits of *w, which are consumed. False: none, or more than max. */
static bool take_number(struct word *w, int64_t max, int64_t *out)
{
    int64_t n = 0;
    size_t i = 0;

    for (; i < w->len && is_digit(w->s[i]); i++) {
        n = n * 10 + (w->s[i] - '0');
        if (n > max)
            return false;
    }
    if (i == 0)
        return false;
    w->s += i;
    w->len -= i;
    *out = n;
    return true;
}

static bool arg_duration(struct word w, struct ctl_line *out)
{
    int64_t n, unit = 1;

    if (!take_number(&w, SECONDS_MAX, &n) || n == 0 || w.len > 1)
        return false;
    if (w.len == 1) {
        switch (w.s[0]) {
        case 's':
            break;
        case 'm':
            unit = 60;
            break;
        case 'h':
            unit = 3600;
            break;
        default:
            return false;
        }
    }
    if (n > SECONDS_MAX / unit)
        return false;
    out->seconds = n * unit;
    return true;
}

static bool arg_count(struct word w, struct ctl_line *out)
{
    return take_number(&w, COUNT_MAX, &out->count) && w.len == 0 && out->count > 0;
}

static bool arg_number(struct word w, struct ctl_line *out)
{
    return take_number(&w, INT32_MAX, &out->count) && w.len == 0 && out->count > 0;
}

static bool arg_name(struct word w, struct ctl_line *out)
{
    if (w.len == 0 || w.len > NAME_BYTES_MAX)
        return false;
    for (size_t i = 0; i < w.len; i++) {
        char c = w.s[i];

        /* strchr would find the NUL behind the list, too. */
        if (!is_digit(c) && !((c | 32) >= 'a' && (c | 32) <= 'z') &&
            (c == '\0' || !strchr("-_.:/", c)))
            return false;
    }
    out->text = xstrndup(w.s, w.len);
    return true;
}

/* Whether it is JSON is for the library to say, before it sends anything. */
static bool arg_json(struct word w, struct ctl_line *out)
{
    if (w.len < 2 || w.s[0] != '{' || w.s[w.len - 1] != '}' || memchr(w.s, '\0', w.len))
        return false;
    out->text = xstrndup(w.s, w.len);
    return true;
}

/* --- lines -------------------------------------------------------------------------------- */

/* For messages: bytes that could do something to a terminal become '?', the rest is cut. */
static const char *shown(struct word w, char out[SHOWN_MAX + 4])
{
    size_t n = 0, i = 0;

    while (i < w.len && n < SHOWN_MAX) {
        uint32_t cp = 0;
        size_t len = utf8_next(w.s + i, w.len - i, &cp);

        if (len == 0 || utf8_is_unsafe(cp)) {
            out[n++] = '?';
            i += len ? len : 1;
        } else if (n + len > SHOWN_MAX) {
            break;
        } else {
            memcpy(out + n, w.s + i, len);
            n += len;
            i += len;
        }
    }
    memcpy(out + n, i < w.len ? "..." : "", i < w.len ? 4 : 1);
    return out;
}

static const struct verb *find_verb(enum ctl_place place, struct word w)
{
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (verbs[i].place == place && strlen(verbs[i].name) == w.len &&
            memcmp(verbs[i].name, w.s, w.len) == 0)
            return &verbs[i];
    return NULL;
}

static int parse_line(enum ctl_place place, struct word line, struct ctl_line *out,
                      struct e2b_err *err)
{
    const char *space = memchr(line.s, ' ', line.len);
    struct word first = { line.s, space ? (size_t)(space - line.s) : line.len };
    struct word rest = { NULL, 0 };
    const struct verb *v = find_verb(place, first);
    char text[SHOWN_MAX + 4];

    if (space)
        rest = (struct word){ space + 1, line.len - first.len - 1 };
    if (!v && place == CTL_SANDBOX && is_digit(line.s[0])) {
        out->verb = CTL_TIMEOUT;
        if (!arg_duration(line, out))
            return e2b_fail(err, EINVAL, "'%s' is not %s", shown(line, text),
                            duration.expected);
        return 0;
    }
    if (!v)
        return e2b_fail(err, EINVAL, "'%s' is no command here; read ctl for those there are",
                        shown(first, text));
    out->verb = v->verb;
    out->seconds = v->verb == CTL_RESUME ? RESUME_SECONDS : 0;
    out->count = v->verb == CTL_FORK ? 1 : 0;
    if (!space && (!v->arg || v->is_optional))
        return 0;
    if (!space)
        return e2b_fail(err, EINVAL, "%s needs %s", v->name, v->arg->expected);
    if (!v->arg)
        return e2b_fail(err, EINVAL, "%s takes no argument, not '%s'", v->name,
                        shown(rest, text));
    if (!v->arg->parse(rest, out))
        return e2b_fail(err, EINVAL, "%s: '%s' is not %s", v->name, shown(rest, text),
                        v->arg->expected);
    return 0;
}

int ctl_parse(enum ctl_place place, const char *text, size_t len, struct ctl_line *out,
              struct e2b_err *err)
{
    const char *newline = memchr(text, '\n', len);
    struct word line = { text, newline ? (size_t)(newline - text) : len };
    struct ctl_line parsed = { 0 };
    int r = 0;

    if (line.len > 0 && line.s[0] != '#')
        r = parse_line(place, line, &parsed, err);
    if (r < 0) {
        ctl_line_clear(&parsed);
        return r;
    }
    *out = parsed;
    return (int)line.len + (newline ? 1 : 0);
}
