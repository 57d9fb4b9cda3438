/* SPDX-License-Identifier: MIT */
#include "httpdate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char days[] = "SunMonTueWedThuFriSat";

int httpdate_parse(const char *s, time_t *out)
{
    struct tm tm = { 0 };
    char month[4];
    int used = 0;
    const char *at;

    if (strlen(s) < 5 || s[3] != ',')
        return -EINVAL;
    if (sscanf(s + 4, " %2d %3s %4d %2d:%2d:%2d GMT%n", &tm.tm_mday, month, &tm.tm_year,
               &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &used) != 6 ||
        used == 0 || s[4 + used] != '\0')
        return -EINVAL;
    at = strlen(month) == 3 ? strstr(months, month) : NULL;
    if (!at || (at - months) % 3 != 0)
        return -EINVAL;
    tm.tm_mon = (int)(at - months) / 3;
    tm.tm_year -= 1900;
    if (tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour < 0 || tm.tm_hour > 23 ||
        tm.tm_min < 0 || tm.tm_min > 59 || tm.tm_sec < 0 || tm.tm_sec > 60)
        return -EINVAL;
    *out = timegm(&tm);
    return 0;
}

char *httpdate_format(time_t t, char buf[HTTPDATE_MAX])
{
    struct tm tm;

    buf[0] = '\0';
    if (!gmtime_r(&t, &tm) || tm.tm_year < 1 - 1900 || tm.tm_year > 9999 - 1900)
        return buf;
    (void)snprintf(buf, HTTPDATE_MAX, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
                   days + 3 * tm.tm_wday, tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900,
                   tm.tm_hour, tm.tm_min, tm.tm_sec);
    return buf;
}
