/* SPDX-License-Identifier: MIT */
/*
 * log: one line per event: `level module: what key=value ...`.
 *
 * Error: someone must act.  Warning: we coped.  Info: mount, unmount, sandbox appears.
 * Debug: each FUSE request and each HTTP call.  Secrets registered with log_secret() are
 * replaced by "[secret]" in every line, whatever path they took; control characters are
 * escaped.  No file contents.
 *
 * Threads: any; a line is written with one call.
 */
#ifndef UTIL_LOG_H
#define UTIL_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

enum log_target { LOG_TO_STDERR, LOG_TO_SYSLOG, LOG_TO_FILE };

/* Where lines go from now on.  `path` is for LOG_TO_FILE (0600, appended). 0 or -errno. */
int log_open(enum log_target target, const char *program, const char *path);
void log_set_level(enum log_level max);
bool log_enabled(enum log_level level);

/* From now on `secret` (at least 8 bytes; copied) never appears in a line. */
void log_secret(const char *secret);

void log_line(enum log_level level, const char *module, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(module, ...)   log_line(LOG_LEVEL_ERROR, module, __VA_ARGS__)
#define log_warning(module, ...) log_line(LOG_LEVEL_WARNING, module, __VA_ARGS__)
#define log_info(module, ...)    log_line(LOG_LEVEL_INFO, module, __VA_ARGS__)
#define log_debug(module, ...)                              \
    do {                                                    \
        if (log_enabled(LOG_LEVEL_DEBUG))                   \
            log_line(LOG_LEVEL_DEBUG, module, __VA_ARGS__); \
    } while (0)

#endif
