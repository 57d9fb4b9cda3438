/* SPDX-License-Identifier: MIT */
/*
 * range: the Range header and the dates of conditional requests, as Go's ServeContent reads
 * them (envd.md 6.1).
 *
 * Threads: any.
 */
#ifndef SANDBOXD_RANGE_H
#define SANDBOXD_RANGE_H

#include <stdint.h>
#include <time.h>

enum range_kind {
    RANGE_ALL,        /* no range, several, or an empty file: 200 with everything */
    RANGE_PART,       /* 206 */
    RANGE_NO_OVERLAP, /* 416 with Content-Range */
    RANGE_BAD,        /* 416 without */
};

/* `header` may be NULL.  *start and *len are set for RANGE_PART and RANGE_ALL. */
enum range_kind range_parse(const char *header, int64_t size, int64_t *start, int64_t *len);

/* "Sun, 06 Nov 1994 08:49:37 GMT" to seconds; -1 if it isn't that. */
int64_t http_date_parse(const char *s);

enum { HTTP_DATE_MAX = 32 };
char *http_date_format(int64_t seconds, char out[HTTP_DATE_MAX]);

#endif
