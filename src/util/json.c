/* SPDX-License-Identifier: MIT */
#include "json.h"

#include "clock.h"
#include "codec.h"
#include "xalloc.h"

#include <errno.h>
#include <string.h>

void json_setup(void)
{
    uint32_t seed;
    char hex[2 * sizeof(seed) + 1];

    random_hex(hex, sizeof(seed));
    seed = (uint32_t)strtoul(hex, NULL, 16);
    json_set_alloc_funcs(xmalloc, free);
    /* A seed of 0 would make jansson read its own; hash flooding needs one that is unknown. */
    json_object_seed(seed ? seed : 1);
}

static size_t message_len(const char *text)
{
    const char *near = strstr(text, " near '");

    return near ? (size_t)(near - text) : strlen(text);
}

int jparse(const char *text, size_t len, json_t **out, struct e2b_err *err)
{
    json_error_t e;
    json_t *v;

    /* jansson quotes what stands near the mistake, which may be a token: that part is cut.
     * JSON_ALLOW_NUL: \u0000 is valid JSON and a peer may send it; jget_string refuses it. */
    v = json_loadb(text ? text : "", len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &e);
    if (!v)
        return e2b_fail(err, EPROTO, "not JSON: line %d: %.*s", e.line,
                        (int)message_len(e.text), e.text);
    *out = v;
    return 0;
}

static int wrong(const char *key, const char *expected, struct e2b_err *err)
{
    return e2b_fail(err, EPROTO, "field '%s': expected %s", key, expected);
}

/* The member, or NULL if it is missing, null, or `obj` is no object. */
static json_t *member(const json_t *obj, const char *key)
{
    json_t *v = json_object_get(obj, key);

    return json_is_null(v) ? NULL : v;
}

static int need_object(const json_t *obj, const char *key, struct e2b_err *err)
{
    if (json_is_object(obj))
        return 0;
    return e2b_fail(err, EPROTO, "field '%s': its parent is not an object", key);
}

/* The _opt getters all begin so: finds the member, or returns 1 if it is absent. */
static int find(const json_t *obj, const char *key, json_t **v, struct e2b_err *err)
{
    int r = need_object(obj, key, err);

    if (r < 0)
        return r;
    *v = member(obj, key);
    return *v ? 0 : 1;
}

int jget_string_opt(const json_t *obj, const char *key, char **out, struct e2b_err *err)
{
    json_t *v;
    int r = find(obj, key, &v, err);

    if (r != 0)
        return r < 0 ? r : 0;
    if (!json_is_string(v))
        return wrong(key, "string", err);
    if (strlen(json_string_value(v)) != json_string_length(v))
        return wrong(key, "string without NUL", err);
    *out = xstrdup(json_string_value(v));
    return 0;
}

/* The required forms: as _opt, but the member must be there. */
#define REQUIRED(call, expected)              \
    do {                                      \
        int r_ = need_object(obj, key, err);  \
        if (r_ < 0)                           \
            return r_;                        \
        if (!member(obj, key))                \
            return wrong(key, expected, err); \
        return call(obj, key, out, err);      \
    } while (0)

int jget_string(const json_t *obj, const char *key, char **out, struct e2b_err *err)
{
    REQUIRED(jget_string_opt, "string");
}

static int parse_int64(const char *s, size_t len, int64_t *out)
{
    char *end;
    long long v;

    /* strtoll alone would take blanks and '+'. */
    if (len == 0 || strlen(s) != len || !(s[0] == '-' || (s[0] >= '0' && s[0] <= '9')))
        return -EINVAL;
    errno = 0;
    v = strtoll(s, &end, 10);
    if (errno || *end || end == s)
        return -EINVAL;
    *out = v;
    return 0;
}

int jget_int64_opt(const json_t *obj, const char *key, int64_t *out, struct e2b_err *err)
{
    json_t *v;
    int r = find(obj, key, &v, err);

    if (r != 0)
        return r < 0 ? r : 0;
    if (json_is_integer(v)) {
        *out = json_integer_value(v);
        return 0;
    }
    if (json_is_string(v) && parse_int64(json_string_value(v), json_string_length(v), out) == 0)
        return 0;
    return wrong(key, "integer", err);
}

int jget_int64(const json_t *obj, const char *key, int64_t *out, struct e2b_err *err)
{
    REQUIRED(jget_int64_opt, "integer");
}

int jget_double_opt(const json_t *obj, const char *key, double *out, struct e2b_err *err)
{
    json_t *v;
    int r = find(obj, key, &v, err);

    if (r != 0)
        return r < 0 ? r : 0;
    if (!json_is_number(v))
        return wrong(key, "number", err);
    *out = json_number_value(v);
    return 0;
}

int jget_bool_opt(const json_t *obj, const char *key, bool *out, struct e2b_err *err)
{
    json_t *v;
    int r = find(obj, key, &v, err);

    if (r != 0)
        return r < 0 ? r : 0;
    if (!json_is_boolean(v))
        return wrong(key, "true or false", err);
    *out = json_is_true(v);
    return 0;
}

int jget_time_opt(const json_t *obj, const char *key, struct timespec *out, struct e2b_err *err)
{
    json_t *v;
    int r = find(obj, key, &v, err);

    if (r != 0)
        return r < 0 ? r : 0;
    if (!json_is_string(v) || rfc3339_parse(json_string_value(v), out) < 0)
        return wrong(key, "RFC 3339 time", err);
    return 0;
}

int jget_array(const json_t *obj, const char *key, json_t **out, struct e2b_err *err)
{
    json_t *v;
    int r = find(obj, key, &v, err);

    if (r < 0)
        return r;
    if (!json_is_array(v))
        return wrong(key, "array", err);
    *out = v;
    return 0;
}

int jget_object_opt(const json_t *obj, const char *key, json_t **out, struct e2b_err *err)
{
    json_t *v;
    int r = find(obj, key, &v, err);

    if (r != 0)
        return r < 0 ? r : 0;
    if (!json_is_object(v))
        return wrong(key, "object", err);
    *out = v;
    return 0;
}

struct dump_sink {
    struct buf *out;
    int error; /* jansson only knows "failed"; the ceiling's errno is kept here */
};

static int dump_write(const char *data, size_t len, void *arg)
{
    struct dump_sink *sink = arg;

    sink->error = buf_append(sink->out, data, len);
    return sink->error < 0 ? -1 : 0;
}

static int dump(const json_t *v, size_t flags, struct buf *out)
{
    struct dump_sink sink = { .out = out };
    size_t before = out->len;

    if (json_dump_callback(v, dump_write, &sink, flags | JSON_ENCODE_ANY) == 0)
        return 0;
    out->len = before;
    return sink.error < 0 ? sink.error : -EINVAL;
}

int jdump(const json_t *v, struct buf *out)
{
    return dump(v, JSON_COMPACT, out);
}

int jdump_pretty(const json_t *v, struct buf *out)
{
    size_t before = out->len;
    int r = dump(v, JSON_INDENT(2), out);

    if (r == 0)
        r = buf_putc(out, '\n');
    if (r < 0)
        out->len = before;
    return r;
}
