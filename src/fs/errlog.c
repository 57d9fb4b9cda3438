/* SPDX-License-Identifier: MIT */
#include "fs/errlog.h"

#include "util/clock.h"
#include "util/error.h"
#include "util/utf8.h"
#include "util/xalloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <uthash.h>

enum { LINE_BYTES_MAX = 1024 }; /* of one entry: with a ring's 16 the memory is bounded */

struct line {
    struct timespec at;
    unsigned times; /* it came so often in a row */
    char *text;     /* owned: all but the time */
    size_t note;    /* where the text of a note begins in it; 0: a failure */
};

struct errlog_ring {
    char *sandbox; /* owned; "" for the mount's */
    struct line lines[ERRLOG_LINES];
    size_t n, next; /* lines[next - 1] is the newest */
    UT_hash_handle hh;
};

void errlog_init(struct errlog *log)
{
    log->rings = NULL;
}

static struct errlog_ring *find(const struct errlog *log, const char *sandbox)
{
    struct errlog_ring *ring;

    HASH_FIND_STR(log->rings, sandbox, ring);
    return ring;
}

static void ring_free(struct errlog *log, struct errlog_ring *ring)
{
    HASH_DEL(log->rings, ring);
    for (size_t i = 0; i < ERRLOG_LINES; i++)
        free(ring->lines[i].text);
    free(ring->sandbox);
    free(ring);
}

void errlog_clear(struct errlog *log)
{
    while (log->rings)
        ring_free(log, log->rings);
}

void errlog_forget(struct errlog *log, const char *sandbox)
{
    struct errlog_ring *ring = find(log, sandbox ? sandbox : "");

    if (ring)
        ring_free(log, ring);
}

static void ring_add(struct errlog *log, const char *sandbox, const char *text, size_t note)
{
    struct errlog_ring *ring = find(log, sandbox);
    struct line *newest;

    if (!ring) {
        ring = xcalloc(1, sizeof(*ring));
        ring->sandbox = xstrdup(sandbox);
        HASH_ADD_KEYPTR(hh, log->rings, ring->sandbox, strlen(ring->sandbox), ring);
    }
    newest = &ring->lines[(ring->next + ERRLOG_LINES - 1) % ERRLOG_LINES];
    /* One failed `ls` is a dozen equal failures: they must not push out what led to them. */
    if (ring->n > 0 && strcmp(newest->text, text) == 0) {
        newest->times++;
        newest->at = clock_wall();
        return;
    }
    newest = &ring->lines[ring->next];
    free(newest->text);
    *newest =
        (struct line){ .at = clock_wall(), .times = 1, .text = xstrdup(text), .note = note };
    ring->next = (ring->next + 1) % ERRLOG_LINES;
    if (ring->n < ERRLOG_LINES)
        ring->n++;
}

/* Names come from the sandbox: nothing that a terminal would obey, and nothing that could pass
 * for a line of its own. */
static void clean(char *s)
{
    size_t len = strlen(s);

    for (size_t i = 0; i < len;) {
        uint32_t cp = 0;
        size_t n = utf8_next(s + i, len - i, &cp);

        if (n == 0 || utf8_is_unsafe(cp)) {
            n = n ? n : 1;
            memset(s + i, '?', n);
        }
        i += n;
    }
}

static void add(struct errlog *log, const char *sandbox, char *text, size_t note)
{
    clean(text);
    if (sandbox)
        ring_add(log, sandbox, text, note);
    ring_add(log, "", text, sandbox ? 0 : note);
}

void errlog_add(struct errlog *log, const char *sandbox, const char *op, const char *path,
                const struct e2b_err *err)
{
    const char *hint = e2b_err_hint(err);
    char text[LINE_BYTES_MAX];

    /* Cutting a path that is longer than anybody reads is fine. */
    if (snprintf(text, sizeof(text), "%s %.500s %s: %s%s%s", op, path ? path : "/",
                 errno_name(err->errnum), err->msg, hint ? "; " : "", hint ? hint : "") < 0)
        return;
    add(log, sandbox, text, 0);
}

void errlog_note(struct errlog *log, const char *sandbox, const char *op, const char *path,
                 const char *fmt, ...)
{
    char text[LINE_BYTES_MAX];
    va_list ap;
    int n = snprintf(text, sizeof(text), "%s %.500s note: ", op, path ? path : "/");

    if (n < 0)
        return;
    va_start(ap, fmt);
    if (vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap) >= 0)
        add(log, sandbox, text, (size_t)n);
    va_end(ap);
}

/* The k-th newest. */
static const struct line *line_at(const struct errlog_ring *ring, size_t k)
{
    return &ring->lines[(ring->next + ERRLOG_LINES - 1 - k) % ERRLOG_LINES];
}

void errlog_notes(const struct errlog *log, const char *sandbox, const char *prefix,
                  struct buf *out)
{
    const struct errlog_ring *ring = find(log, sandbox ? sandbox : "");

    for (size_t i = 0; ring && i < ring->n; i++) {
        const struct line *line = line_at(ring, i);

        if (line->note)
            buf_printf(out, "%s%s\n", prefix, line->text + line->note);
    }
}

struct timespec errlog_render(const struct errlog *log, const char *sandbox, struct buf *out)
{
    const struct errlog_ring *ring = find(log, sandbox ? sandbox : "");
    struct timespec newest = { 0 };

    for (size_t i = 0; ring && i < ring->n; i++) {
        const struct line *line = line_at(ring, i);
        char at[RFC3339_MAX];

        if (i == 0)
            newest = line->at;
        buf_printf(out, "%s %s", rfc3339_format(line->at, 0, at), line->text);
        if (line->times > 1)
            buf_printf(out, " (%u times)", line->times);
        buf_putc(out, '\n');
    }
    return newest;
}
