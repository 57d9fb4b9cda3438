/* SPDX-License-Identifier: MIT */
#include "options.h"

#include "util/xalloc.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { TEXT, NUMBER, FLAG };

static const struct row {
    const char *name, *value, *help;
    enum kind kind;
    size_t offset;
    int max;
} rows[] = {
    { "listen", "HOST:PORT", "loopback address and port; port 0 picks a free one", TEXT,
      offsetof(struct options, listen), 0 },
    { "data", "DIR", "where sandboxes' files are kept (default: temporary)", TEXT,
      offsetof(struct options, data), 0 },
    { "key", "KEY", "the API key (default: random)", TEXT, offsetof(struct options, key), 0 },
    { "sandboxes", "N", "start with N sandboxes that have a few files", NUMBER,
      offsetof(struct options, sandboxes), 1000 },
    { "fleet", "N", "list N sandboxes that exist in lists and metrics only", NUMBER,
      offsetof(struct options, fleet), 1000000 },
    { "ready-fd", "N", "write the ready lines to descriptor N instead of stdout", NUMBER,
      offsetof(struct options, ready_fd), 1 << 20 },
    { "lifeline-fd", "N", "end when descriptor N reads end-of-file", NUMBER,
      offsetof(struct options, lifeline_fd), 1 << 20 },
    { "background", NULL, "return once it answers; it goes on as a daemon", FLAG,
      offsetof(struct options, background), 0 },
    { "verbose", NULL, "log what happens to stderr", FLAG, offsetof(struct options, verbose),
      0 },
    { "help", NULL, "this text", FLAG, offsetof(struct options, help), 0 },
    { "version", NULL, "the version", FLAG, offsetof(struct options, version), 0 },
    /* Not for people: what a container runs. */
    { "agent", NULL, NULL, FLAG, offsetof(struct options, agent), 0 },
};

static const struct row *find(const char *name, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strlen(rows[i].name) == len && strncmp(rows[i].name, name, len) == 0)
            return &rows[i];
    return NULL;
}

static int set(const struct row *row, const char *value, struct options *out,
               struct e2b_err *err)
{
    char *field = (char *)out + row->offset, *end;
    long n;

    switch (row->kind) {
    case FLAG:
        *(bool *)field = true;
        return 0;
    case TEXT:
        *(const char **)field = value;
        return 0;
    case NUMBER:
        errno = 0;
        n = strtol(value, &end, 10);
        if (errno || end == value || *end || n < 0 || n > row->max)
            return e2b_fail(err, EINVAL, "--%s: '%s' is not a number from 0 to %d", row->name,
                            value, row->max);
        *(int *)field = (int)n;
        return 0;
    }
    return 0;
}

int options_parse(int argc, char **argv, struct options *out, struct e2b_err *err)
{
    *out = (struct options){ .listen = "127.0.0.1:0", .ready_fd = -1, .lifeline_fd = -1 };
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i], *value;
        const struct row *row;
        int r;

        if (strcmp(name, "-h") == 0)
            name = "--help";
        if (strcmp(name, "-V") == 0)
            name = "--version";
        if (strncmp(name, "--", 2) != 0)
            return e2b_fail(err, EINVAL, "unexpected argument '%s'; try --help", name);
        name += 2;
        value = strchr(name, '=');
        row = find(name, value ? (size_t)(value - name) : strlen(name));
        if (!row)
            return e2b_fail(err, EINVAL, "no option '%s'; try --help", argv[i]);
        if (row->kind == FLAG && value)
            return e2b_fail(err, EINVAL, "--%s takes no value", row->name);
        if (row->kind != FLAG && value)
            value++;
        else if (row->kind != FLAG)
            value = ++i < argc ? argv[i] : NULL;
        if (row->kind != FLAG && !value)
            return e2b_fail(err, EINVAL, "--%s needs a value: %s", row->name, row->value);
        r = set(row, value, out, err);
        if (r < 0)
            return r;
    }
    return 0;
}

void options_usage(void)
{
    puts("Usage: e2b-sandboxd [options]\n"
         "A local server with E2B's API, real files and real processes.\n");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char left[40];

        if (!rows[i].help)
            continue;
        snprintf(left, sizeof(left), "--%s %s", rows[i].name,
                 rows[i].value ? rows[i].value : "");
        printf("  %-22s %s\n", left, rows[i].help);
    }
}
