/* SPDX-License-Identifier: MIT */
#include "faults.h"

#include "util/json.h"
#include "util/xalloc.h"

#include <errno.h>
#include <fnmatch.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>

/* What `value` may be; a kind that needs none ignores it. */
static const struct kind_row {
    const char *name;
    int64_t min, max, otherwise;
} kinds[FAULT_KINDS] = {
    [FAULT_DELAY] = { "delay", 0, 3600000, 1000 },
    [FAULT_STATUS] = { "status", 200, 599, 500 },
    [FAULT_STALL] = { "stall", 0, INT64_MAX, 0 },
    [FAULT_REFUSE] = { "refuse", 0, INT64_MAX, 0 },
    [FAULT_RESET] = { "reset", 0, INT64_MAX, 0 },
    [FAULT_RESET_IN] = { "reset_in", 0, INT64_MAX, 0 },
    [FAULT_TRUNCATE] = { "truncate", 0, INT64_MAX, 0 },
    [FAULT_GARBLE] = { "garble", 0, INT64_MAX, 0 },
    [FAULT_OVERSIZE] = { "oversize", 0, INT64_MAX, 0 },
    [FAULT_BANDWIDTH] = { "bandwidth", 1, INT64_MAX, 65536 },
};

struct rule {
    enum fault_kind kind;
    int64_t value;
    int64_t times; /* left; -1: no limit */
    char *sandbox, *plane, *method, *path;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct rule *rules;
static size_t count;
static uint64_t generation = 1;

static void rules_free(struct rule *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(list[i].sandbox);
        free(list[i].plane);
        free(list[i].method);
        free(list[i].path);
    }
    free(list);
}

static enum fault_kind kind_by_name(const char *name)
{
    for (int i = FAULT_NONE + 1; i < FAULT_KINDS; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return (enum fault_kind)i;
    return FAULT_NONE;
}

static int parse_rule(const json_t *in, struct rule *out, struct e2b_err *err)
{
    autofree char *name = NULL;
    json_t *match = NULL;
    int r;

    out->times = -1;
    r = jget_string(in, "kind", &name, err);
    if (r < 0)
        return r;
    out->kind = kind_by_name(name);
    if (out->kind == FAULT_NONE)
        return e2b_fail(err, EINVAL, "no fault of kind '%s'", name);
    out->value = kinds[out->kind].otherwise;
    r = jget_int64_opt(in, "value", &out->value, err);
    if (r == 0)
        r = jget_int64_opt(in, "times", &out->times, err);
    if (r == 0)
        r = jget_object_opt(in, "match", &match, err);
    if (r < 0)
        return r;
    if (out->value < kinds[out->kind].min || out->value > kinds[out->kind].max)
        return e2b_fail(err, EINVAL, "fault '%s': value out of range", name);
    if (!match)
        return 0;
    r = jget_string_opt(match, "sandbox", &out->sandbox, err);
    if (r == 0)
        r = jget_string_opt(match, "plane", &out->plane, err);
    if (r == 0)
        r = jget_string_opt(match, "method", &out->method, err);
    if (r == 0)
        r = jget_string_opt(match, "path", &out->path, err);
    return r;
}

int faults_set(const json_t *list, struct e2b_err *err)
{
    struct rule *fresh, *old;
    size_t n, old_n, i;
    int r = 0;

    if (!json_is_array(list))
        return e2b_fail(err, EINVAL, "faults: expected an array");
    n = json_array_size(list);
    fresh = xcalloc(n + 1, sizeof(*fresh));
    for (i = 0; r == 0 && i < n; i++)
        r = parse_rule(json_array_get(list, i), &fresh[i], err);
    if (r < 0) {
        rules_free(fresh, n);
        return r;
    }
    pthread_mutex_lock(&lock);
    old = rules;
    old_n = count;
    rules = fresh;
    count = n;
    generation++;
    pthread_mutex_unlock(&lock);
    rules_free(old, old_n);
    return 0;
}

json_t *faults_json(void)
{
    json_t *list = json_array();

    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < count; i++) {
        const struct rule *r = &rules[i];

        json_array_append_new(
            list, json_pack("{s:s,s:I,s:I,s:{s:s*,s:s*,s:s*,s:s*}}", "kind",
                            kinds[r->kind].name, "value", (json_int_t)r->value, "times",
                            (json_int_t)r->times, "match", "sandbox", r->sandbox, "plane",
                            r->plane, "method", r->method, "path", r->path));
    }
    pthread_mutex_unlock(&lock);
    return list;
}

/* A pattern with glob characters is a glob over the whole path, else a prefix. */
static bool path_fits(const char *pattern, const char *path)
{
    if (strpbrk(pattern, "*?["))
        return fnmatch(pattern, path, 0) == 0;
    return strncmp(pattern, path, strlen(pattern)) == 0;
}

static bool fits(const struct rule *r, const char *sandbox, const char *plane,
                 const char *method, const char *path)
{
    return r->times != 0 && (!r->sandbox || (sandbox && strcmp(r->sandbox, sandbox) == 0)) &&
           (!r->plane || strcmp(r->plane, plane) == 0) &&
           (!r->method || strcasecmp(r->method, method) == 0) &&
           (!r->path || path_fits(r->path, path));
}

struct fault faults_match(const char *sandbox, const char *plane, const char *method,
                          const char *path)
{
    struct fault f = { .kind = FAULT_NONE };

    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < count; i++) {
        if (!fits(&rules[i], sandbox, plane, method, path))
            continue;
        f = (struct fault){ rules[i].kind, rules[i].value, generation };
        if (rules[i].times > 0)
            rules[i].times--;
        break;
    }
    pthread_mutex_unlock(&lock);
    return f;
}

bool fault_is_current(const struct fault *f)
{
    bool current;

    pthread_mutex_lock(&lock);
    current = f->generation == generation;
    pthread_mutex_unlock(&lock);
    return current;
}
