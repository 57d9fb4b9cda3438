/* SPDX-License-Identifier: MIT */
/*
 * The values inside remote JSON: times, base64, paths, errno texts, and error messages, which
 * have to be one clean line whatever was put into them.
 */
#include "util/clock.h"
#include "util/codec.h"
#include "util/error.h"
#include "util/json.h"
#include "util/path.h"
#include "util/xalloc.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void try_time(const char *s)
{
    struct timespec t, again;
    char text[RFC3339_MAX];

    if (rfc3339_parse(s, &t) < 0)
        return;
    check(t.tv_nsec >= 0 && t.tv_nsec < 1000000000);
    if (t.tv_sec < -62167219200 || t.tv_sec > 253402300799)
        return; /* the zone moved it out of the years that can be printed */
    check(rfc3339_parse(rfc3339_format(t, 9, text), &again) == 0);
    check(t.tv_sec == again.tv_sec && t.tv_nsec == again.tv_nsec);
}

static void try_base64(const char *s, size_t len)
{
    struct buf plain = BUF_INIT, text = BUF_INIT, again = BUF_INIT;

    if (base64_decode(s, len, &plain) == 0) {
        check(base64_encode(plain.data, plain.len, &text) == 0 && text.len == len);
        check(base64_decode(buf_str(&text), text.len, &again) == 0);
        check(again.len == plain.len &&
              memcmp(buf_str(&again), buf_str(&plain), plain.len) == 0);
    }
    buf_clear(&plain);
    buf_clear(&text);
    buf_clear(&again);
}

static void try_path(const char *s)
{
    autofree char *normal = path_normalise(s);
    autofree char *dir = NULL;

    check((normal != NULL) == (s[0] == '/'));
    if (!normal)
        return;
    check(path_is_normal(normal) && path_is_below(normal, "/"));
    check(!path_is_normal(s) || strcmp(s, normal) == 0);
    dir = path_dir(normal);
    check(path_is_normal(dir) && path_is_below(normal, dir));
}

static void try_message(const char *s)
{
    struct e2b_err err = { 0 };

    (void)errno_from_text(s);
    e2b_fail(&err, 5, "%s", s);
    e2b_wrap(&err, -5, "%s", s);
    check(strlen(err.msg) < sizeof(err.msg));
    for (const char *p = err.msg; *p; p++)
        check((unsigned char)*p >= 0x20 && *p != 0x7f);
}

static void try_json(const char *s, size_t len)
{
    json_t *v = NULL;
    struct buf text = BUF_MAX(4096);
    char *string = NULL;
    int64_t n;

    if (jparse(s, len, &v, NULL) < 0)
        return;
    if (jget_string_opt(v, "s", &string, NULL) == 0)
        free(string);
    (void)jget_int64(v, "n", &n, NULL);
    (void)jdump_pretty(v, &text);
    buf_clear(&text);
    json_decref(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *s = xstrndup((const char *)data, size);

    try_time(s);
    try_base64((const char *)data, size);
    try_path(s);
    try_message(s);
    try_json((const char *)data, size);
    free(s);
    return 0;
}
