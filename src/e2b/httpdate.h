/* SPDX-License-Identifier: MIT */
/*
 * httpdate: the dates of HTTP headers ("Sun, 06 Nov 1994 08:49:37 GMT"), whatever the locale.
 *
 * Threads: any.
 */
#ifndef E2B_HTTPDATE_H
#define E2B_HTTPDATE_H

#include <time.h>

/* 0 or -EINVAL (*out untouched). */
int httpdate_parse(const char *s, time_t *out);

enum { HTTPDATE_MAX = 40 };

/* Returns buf; for years 1 to 9999, else "". */
char *httpdate_format(time_t t, char buf[HTTPDATE_MAX]);

#endif
