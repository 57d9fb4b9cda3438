/* SPDX-License-Identifier: MIT */
#include "model.h"

#include "util/xalloc.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static int fill_int(const json_t *obj, const struct field *row, int64_t *out,
                    struct e2b_err *err)
{
    int64_t v = *out;
    int r = jget_int64_opt(obj, row->key, &v, err);

    if (r < 0 || v == *out) /* absent, or the same */
        return r;
    if (v < 0 || (row->scale && __builtin_mul_overflow(v, row->scale, &v)))
        return e2b_fail(err, EPROTO, "field '%s': out of range", row->key);
    *out = v;
    return 0;
}

static int fill_double(const json_t *obj, const struct field *row, double *out,
                       struct e2b_err *err)
{
    double v = *out;
    int r = jget_double_opt(obj, row->key, &v, err);

    if (r < 0)
        return r;
    if (!isfinite(v) || v < 0)
        return e2b_fail(err, EPROTO, "field '%s': out of range", row->key);
    *out = v;
    return 0;
}

static int fill_string(const json_t *obj, const struct field *row, char **out,
                       struct e2b_err *err)
{
    char *s = NULL;
    int r = jget_string_opt(obj, row->key, &s, err);

    if (r < 0)
        return r;
    if (s) {
        free(*out);
        *out = s;
    }
    return 0;
}

int model_fill(const json_t *obj, const struct field *rows, void *out, struct e2b_err *err)
{
    if (!json_is_object(obj))
        return e2b_fail(err, EPROTO, "expected an object");
    for (const struct field *row = rows; row->key; row++) {
        void *to = (char *)out + row->off;
        int r = 0;

        switch (row->kind) {
        case FIELD_STRING:
            r = fill_string(obj, row, to, err);
            break;
        case FIELD_INT:
            r = fill_int(obj, row, to, err);
            break;
        case FIELD_DOUBLE:
            r = fill_double(obj, row, to, err);
            break;
        case FIELD_BOOL:
            r = jget_bool_opt(obj, row->key, to, err);
            break;
        case FIELD_TIME:
            r = jget_time_opt(obj, row->key, to, err);
            break;
        }
        if (r < 0)
            return r;
    }
    return 0;
}
