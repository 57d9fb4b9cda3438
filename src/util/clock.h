/* SPDX-License-Identifier: MIT */
/*
 * clock: milliseconds that keep counting while the machine sleeps, and RFC 3339 times.
 *
 * Threads: any.
 */
#ifndef UTIL_CLOCK_H
#define UTIL_CLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* CLOCK_BOOTTIME in milliseconds: leases and idle connections age through a suspend. */
int64_t clock_boot_ms(void);

/* CLOCK_REALTIME. */
struct timespec clock_wall(void);

/*
 * RFC 3339 with 0 to 9 fractional digits and "Z" or "+hh:mm" (control-plane.md 5).
 * Returns 0 or -EINVAL; *out is then untouched.
 */
int rfc3339_parse(const char *s, struct timespec *out);

enum { RFC3339_MAX = 40 };

/* UTC with "Z", `digits` (0 to 9) fractional digits. Returns buf. */
char *rfc3339_format(struct timespec t, int digits, char buf[RFC3339_MAX]);

#endif
