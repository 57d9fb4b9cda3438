/* SPDX-License-Identifier: MIT */
#include "clock.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

int64_t clock_boot_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_BOOTTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct timespec clock_wall(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return t;
}

/* Exactly n digits; false if there are fewer. */
static bool digits(const char **s, int n, int *out)
{
    int v = 0;

    for (int i = 0; i < n; i++) {
        char c = (*s)[i];

        if (c < '0' || c > '9')
            return false;
        v = v * 10 + (c - '0');
    }
    *s += n;
    *out = v;
    return true;
}

static bool literal(const char **s, const char *any_of)
{
    if (**s == '\0' || !strchr(any_of, **s))
        return false;
    (*s)++;
    return true;
}

/* 0 to 9 digits after a point; more than 9 is refused rather than rounded. */
static bool fraction(const char **s, long *nsec)
{
    long v = 0;
    int n = 0;

    *nsec = 0;
    if (**s != '.')
        return true;
    for ((*s)++; **s >= '0' && **s <= '9'; (*s)++) {
        if (++n > 9)
            return false;
        v = v * 10 + (**s - '0');
    }
    for (; n < 9; n++)
        v *= 10;
    *nsec = v;
    return true;
}

static bool zone(const char **s, int *offset_s)
{
    int sign, hh, mm;

    *offset_s = 0;
    if (literal(s, "Zz"))
        return true;
    sign = **s == '-' ? -1 : 1;
    if (!literal(s, "+-") || !digits(s, 2, &hh) || !literal(s, ":") || !digits(s, 2, &mm) ||
        hh > 23 || mm > 59)
        return false;
    *offset_s = sign * (hh * 3600 + mm * 60);
    return true;
}

int rfc3339_parse(const char *s, struct timespec *out)
{
    static const unsigned char month_days[] = {
        31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
    };
    struct tm tm = { 0 };
    int year, month, offset_s;
    bool leap_year;
    long nsec;

    if (!digits(&s, 4, &year) || !literal(&s, "-") || !digits(&s, 2, &month) ||
        !literal(&s, "-") || !digits(&s, 2, &tm.tm_mday) || !literal(&s, "Tt ") ||
        !digits(&s, 2, &tm.tm_hour) || !literal(&s, ":") || !digits(&s, 2, &tm.tm_min) ||
        !literal(&s, ":") || !digits(&s, 2, &tm.tm_sec) || !fraction(&s, &nsec) ||
        !zone(&s, &offset_s) || *s != '\0')
        return -EINVAL;
    if (month < 1 || month > 12 || tm.tm_mday < 1 || tm.tm_mday > month_days[month - 1])
        return -EINVAL;
    leap_year = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (month == 2 && tm.tm_mday == 29 && !leap_year)
        return -EINVAL;
    /* 60 is a leap second; timegm counts it as the next minute's first. */
    if (tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
        return -EINVAL;
    tm.tm_year = year - 1900;
    tm.tm_mon = month - 1;
    *out = (struct timespec){ .tv_sec = timegm(&tm) - offset_s, .tv_nsec = nsec };
    return 0;
}

char *rfc3339_format(struct timespec t, int ndigits, char buf[RFC3339_MAX])
{
    struct tm tm;
    size_t n;

    assert(ndigits >= 0 && ndigits <= 9);
    /* Years beyond four digits have no RFC 3339 form; show the nearest that has one. */
    if (!gmtime_r(&t.tv_sec, &tm) || tm.tm_year + 1900 < 0 || tm.tm_year + 1900 > 9999) {
        t.tv_sec = t.tv_sec < 0 ? -62167219200 : 253402300799;
        gmtime_r(&t.tv_sec, &tm);
    }
    n = (size_t)snprintf(buf, RFC3339_MAX, "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900,
                         tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    if (ndigits > 0) {
        char frac[16];

        (void)snprintf(frac, sizeof(frac), "%09ld", t.tv_nsec);
        n += (size_t)snprintf(buf + n, RFC3339_MAX - n, ".%.*s", ndigits, frac);
    }
    (void)snprintf(buf + n, RFC3339_MAX - n, "Z");
    return buf;
}
