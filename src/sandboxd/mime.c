/* SPDX-License-Identifier: MIT */
#include "mime.h"

#include "util/xalloc.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static const struct {
    const char *extension, *type;
} by_extension[] = {
    { ".css", "text/css; charset=utf-8" },
    { ".csv", "text/csv; charset=utf-8" },
    { ".gif", "image/gif" },
    { ".htm", "text/html; charset=utf-8" },
    { ".html", "text/html; charset=utf-8" },
    { ".jpeg", "image/jpeg" },
    { ".jpg", "image/jpeg" },
    { ".js", "text/javascript; charset=utf-8" },
    { ".json", "application/json" },
    { ".mjs", "text/javascript; charset=utf-8" },
    { ".pdf", "application/pdf" },
    { ".png", "image/png" },
    { ".py", "text/x-python; charset=utf-8" },
    { ".svg", "image/svg+xml" },
    { ".txt", "text/plain; charset=utf-8" },
    { ".wasm", "application/wasm" },
    { ".webp", "image/webp" },
    { ".xml", "text/xml; charset=utf-8" },
    { ".zip", "application/zip" },
};

static const struct {
    const char *start;
    size_t len;
    const char *type;
} by_start[] = {
    { "\x89PNG\r\n\x1a\n", 8, "image/png" },
    { "\xff\xd8\xff", 3, "image/jpeg" },
    { "GIF8", 4, "image/gif" },
    { "%PDF-", 5, "application/pdf" },
    { "PK\x03\x04", 4, "application/zip" },
    { "\x1f\x8b\x08", 3, "application/x-gzip" },
};

static const char *sniff(const unsigned char *data, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(by_start); i++)
        if (len >= by_start[i].len && memcmp(data, by_start[i].start, by_start[i].len) == 0)
            return by_start[i].type;
    for (size_t i = 0; i < len; i++)
        if (data[i] < 0x20 && !strchr("\t\n\f\r\x1b", data[i]))
            return "application/octet-stream";
    return "text/plain; charset=utf-8";
}

void mime_type(int fd, const char *path, char *out, size_t size)
{
    const char *base = strrchr(path, '/');
    const char *dot = strrchr(base ? base : path, '.');
    unsigned char data[512];
    ssize_t n;

    for (size_t i = 0; dot && i < ARRAY_LEN(by_extension); i++) {
        if (strcasecmp(dot, by_extension[i].extension) == 0) {
            snprintf(out, size, "%s", by_extension[i].type);
            return;
        }
    }
    n = pread(fd, data, sizeof(data), 0);
    snprintf(out, size, "%s", sniff(data, n > 0 ? (size_t)n : 0));
}
