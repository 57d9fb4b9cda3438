/* SPDX-License-Identifier: MIT */
#include "log.h"

#include "clock.h"
#include "utf8.h"
#include "xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

enum {
    RAW_MAX = 8192,   /* of a message before secrets are taken out */
    LINE_MAX_ = 4096, /* of a line as written */
    SECRET_MIN = 8,   /* shorter ones would blank ordinary words */
};

static const struct {
    const char *name;
    int priority;
} levels[] = {
    [LOG_LEVEL_ERROR] = { "error", LOG_ERR },
    [LOG_LEVEL_WARNING] = { "warning", LOG_WARNING },
    [LOG_LEVEL_INFO] = { "info", LOG_INFO },
    [LOG_LEVEL_DEBUG] = { "debug", LOG_DEBUG },
};

/*
 * Secrets are pushed at the front and never removed: a line that is written later may still
 * hold one.  Readers need no lock, because an entry does not change once it is reachable.
 * There are as many as accounts and sandboxes that were attached to.
 */
struct secret {
    struct secret *next;
    size_t len;
    char text[];
};

static _Atomic(struct secret *) secrets;
static atomic_size_t longest_secret;
static atomic_int max_level = LOG_LEVEL_WARNING;
static atomic_int target = LOG_TO_STDERR;
static atomic_int target_fd = STDERR_FILENO;

int log_open(enum log_target to, const char *program, const char *path)
{
    int fd = STDERR_FILENO;
    int old;

    if (to == LOG_TO_FILE) {
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
        if (fd < 0)
            return -errno;
    }
    if (to == LOG_TO_SYSLOG)
        openlog(xstrdup(program), LOG_PID, LOG_DAEMON); /* syslog keeps the pointer */
    atomic_store(&target, to);
    old = atomic_exchange(&target_fd, fd);
    if (old != STDERR_FILENO)
        close(old);
    return 0;
}

void log_set_level(enum log_level max)
{
    atomic_store(&max_level, max);
}

bool log_enabled(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&max_level, memory_order_relaxed);
}

void log_secret(const char *text)
{
    size_t len = text ? strlen(text) : 0;
    struct secret *s;
    size_t longest;

    if (len < SECRET_MIN)
        return;
    for (s = atomic_load(&secrets); s; s = s->next)
        if (strcmp(s->text, text) == 0)
            return;
    s = xmalloc(sizeof(*s) + len + 1);
    s->len = len;
    memcpy(s->text, text, len + 1);
    s->next = atomic_load(&secrets);
    while (!atomic_compare_exchange_weak(&secrets, &s->next, s))
        continue;
    longest = atomic_load(&longest_secret);
    while (longest < len && !atomic_compare_exchange_weak(&longest_secret, &longest, len))
        continue;
}

/* Marks every byte of `raw` that belongs to a secret, so that overlapping ones all go. */
static void mark_secrets(const char *raw, bool *hidden)
{
    for (const struct secret *s = atomic_load(&secrets); s; s = s->next)
        for (const char *p = raw; (p = strstr(p, s->text)) != NULL; p++)
            memset(hidden + (p - raw), true, s->len);
}

struct line {
    char text[LINE_MAX_];
    size_t len;
};

static bool put(struct line *line, const char *s, size_t len)
{
    if (len > sizeof(line->text) - 1 - line->len) /* 1: the final newline */
        return false;
    memcpy(line->text + line->len, s, len);
    line->len += len;
    return true;
}

/* One character of `n` bytes (0: a byte that begins none) as it may appear on a terminal. */
static bool put_escaped(struct line *line, const char *s, size_t n, uint32_t cp)
{
    char esc[8];

    if (n > 0 && !utf8_is_unsafe(cp))
        return put(line, s, n);
    if (cp == '\n')
        return put(line, "\\n", 2);
    for (const char *end = s + (n ? n : 1); s < end; s++) {
        (void)snprintf(esc, sizeof(esc), "\\x%02x", (unsigned char)*s);
        if (!put(line, esc, 4))
            return false;
    }
    return true;
}

static void put_message(struct line *line, const char *raw, size_t len)
{
    static const char mask[] = "[secret]";
    bool hidden[RAW_MAX] = { false };

    mark_secrets(raw, hidden);
    for (size_t i = 0, n; i < len; i += n ? n : 1) {
        bool fits = true;
        uint32_t cp = 0;

        n = hidden[i] ? 1 : utf8_next(raw + i, len - i, &cp);
        if (!hidden[i])
            fits = put_escaped(line, raw + i, n, cp);
        else if (i == 0 || !hidden[i - 1])
            fits = put(line, mask, sizeof(mask) - 1);
        if (!fits)
            return;
    }
}

static void write_line(enum log_level level, struct line *line)
{
    ssize_t written;

    if (atomic_load(&target) == LOG_TO_SYSLOG) {
        syslog(levels[level].priority, "%.*s", (int)line->len, line->text);
        return;
    }
    line->text[line->len++] = '\n';
    /* There is nobody to tell that the log cannot be written. */
    written = write(atomic_load(&target_fd), line->text, line->len);
    (void)written;
}

void log_line(enum log_level level, const char *module, const char *fmt, ...)
{
    char raw[RAW_MAX];
    char head[128];
    char when[RFC3339_MAX];
    struct line line = { .len = 0 };
    int saved = errno;
    size_t len;
    va_list ap;
    int n;

    if (!log_enabled(level))
        return;
    va_start(ap, fmt);
    n = vsnprintf(raw, sizeof(raw), fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    len = (size_t)n;
    if (len >= sizeof(raw)) {
        /* Half a secret at the cut would not be recognised, so that much is dropped. */
        size_t longest = atomic_load(&longest_secret);

        len = longest < sizeof(raw) - 1 ? sizeof(raw) - 1 - longest : 0;
    }

    /* A file has nobody else who says when. */
    n = atomic_load(&target) == LOG_TO_FILE
            ? snprintf(head, sizeof(head), "%s %s %s: ", rfc3339_format(clock_wall(), 3, when),
                       levels[level].name, module)
            : snprintf(head, sizeof(head), "%s %s: ", levels[level].name, module);
    put(&line, head, n < (int)sizeof(head) ? (size_t)n : sizeof(head) - 1);
    put_message(&line, raw, len);
    write_line(level, &line);
    errno = saved;
}
