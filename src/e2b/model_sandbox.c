/* SPDX-License-Identifier: MIT */
/* model: the objects of the control plane. */
#include "model.h"

#include "util/path.h"
#include "util/xalloc.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#define AT(member) offsetof(struct e2b_sandbox, member)

static const struct field sandbox_fields[] = {
    { "templateID", FIELD_STRING, AT(template_id), 0 },
    { "alias", FIELD_STRING, AT(alias), 0 },
    { "clientID", FIELD_STRING, AT(client_id), 0 },
    { "startedAt", FIELD_TIME, AT(started_at), 0 },
    { "endAt", FIELD_TIME, AT(end_at), 0 },
    { "cpuCount", FIELD_INT, AT(cpu_count), 0 },
    { "memoryMB", FIELD_INT, AT(memory_mb), 0 },
    { "diskSizeMB", FIELD_INT, AT(disk_mb), 0 },
    { "envdVersion", FIELD_STRING, AT(envd_version), 0 },
    { NULL, 0, 0, 0 },
};
#undef AT

static const char *const state_names[] = {
    [E2B_STATE_UNKNOWN] = "unknown",
    [E2B_STATE_RUNNING] = "running",
    [E2B_STATE_PAUSED] = "paused",
};

const char *e2b_state_name(enum e2b_state state)
{
    return (size_t)state < ARRAY_LEN(state_names) ? state_names[state] : "unknown";
}

bool model_id_ok(const char *id)
{
    size_t len = strlen(id);

    /* The service's own are [a-z0-9]+; compatible servers use more. */
    if (len == 0 || len > 128 || !isalnum((unsigned char)id[0]))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!isascii(id[i]) || !(isalnum((unsigned char)id[i]) || id[i] == '-' || id[i] == '_'))
            return false;
    return true;
}

char *model_id(const char *id)
{
    const char *dash;

    if (!id || !model_id_ok(id))
        return NULL;
    /* "<id>-<clientid>" of old clients: one dash.  A UUID of another vendor has four. */
    dash = strchr(id, '-');
    if (dash && !strchr(dash + 1, '-'))
        return xstrndup(id, (size_t)(dash - id));
    return xstrdup(id);
}

/*
 * What must not be shown: members that are removed, and members of which only the names of
 * their own members are kept.  `parent` NULL: wherever it stands.
 */
static const struct secret {
    const char *parent;
    const char *key;
    bool keeps_names;
} secrets[] = {
    { NULL, "envdAccessToken", false },
    { NULL, "trafficAccessToken", false },
    { NULL, "accessToken", false },
    { NULL, "apiKey", false },
    { NULL, "token", false },
    { NULL, "envVars", false },
    { NULL, "mcp", false },
    { NULL, "password", false },
    { "egressProxy", "username", false },
    { NULL, "headers", true },
};

static const struct secret *find_secret(const char *parent, const char *key)
{
    for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
        if (strcmp(secrets[i].key, key) == 0 &&
            (!secrets[i].parent || (parent && strcmp(secrets[i].parent, parent) == 0)))
            return &secrets[i];
    return NULL;
}

/* jansson limits the depth of what it parses, so the recursion is bounded. */
static void remove_secrets(json_t *v, const char *parent)
{
    const char *key;
    json_t *member;
    void *next;
    size_t i;

    json_array_foreach(v, i, member) remove_secrets(member, parent);
    json_object_foreach_safe(v, next, key, member)
    {
        const struct secret *secret = find_secret(parent, key);
        const char *name;
        json_t *value;

        /* The user's own labels: any key may stand there. */
        if (!parent && strcmp(key, "metadata") == 0)
            continue;
        if (!secret) {
            remove_secrets(member, key);
        } else if (secret->keeps_names && json_is_object(member)) {
            json_object_foreach(member, name, value)
                json_object_set_new(member, name, json_string("[removed]"));
        } else {
            json_object_del(v, key);
        }
    }
}

static int public_json(const json_t *obj, char **out, struct e2b_err *err)
{
    autojson json_t *copy = json_deep_copy(obj);
    autobuf struct buf text = BUF_MAX(MIB(4));
    int r;

    remove_secrets(copy, NULL);
    r = jdump_pretty(copy, &text);
    if (r < 0)
        return e2b_fail(err, -r, "printing a sandbox's JSON");
    *out = buf_steal(&text);
    return 0;
}

static int pair_cmp(const void *a, const void *b)
{
    return strcmp(((const struct e2b_pair *)a)->key, ((const struct e2b_pair *)b)->key);
}

/* Strings, says the API.  What a compatible server sends instead is shown as its JSON, for one
 * odd label must not hide a fleet. */
static char *metadata_value(const json_t *v)
{
    autobuf struct buf text = BUF_MAX(KIB(64));

    if (json_is_string(v))
        return xstrdup(json_string_value(v));
    if (json_is_null(v) || jdump(v, &text) < 0)
        return xstrdup("");
    return buf_steal(&text);
}

static int fill_metadata(const json_t *obj, struct e2b_sandbox *s, struct e2b_err *err)
{
    json_t *map = NULL;
    const char *key;
    json_t *v;
    int r = jget_object_opt(obj, "metadata", &map, err);

    if (r < 0 || !map)
        return r;
    s->metadata = xcalloc(json_object_size(map) + 1, sizeof(*s->metadata));
    json_object_foreach(map, key, v)
    {
        s->metadata[s->n_metadata++] =
            (struct e2b_pair){ .key = xstrdup(key), .value = metadata_value(v) };
    }
    qsort(s->metadata, s->n_metadata, sizeof(*s->metadata), pair_cmp);
    return 0;
}

static int fill_state(const json_t *obj, struct e2b_sandbox *s, struct e2b_err *err)
{
    autofree char *state = NULL;
    int r = jget_string_opt(obj, "state", &state, err);

    if (r < 0)
        return r;
    /* v1 lists and answers to create have none: they only speak of running ones. */
    s->state = E2B_STATE_RUNNING;
    if (state) {
        s->state = E2B_STATE_UNKNOWN;
        for (size_t i = 0; i < ARRAY_LEN(state_names); i++)
            if (strcmp(state_names[i], state) == 0)
                s->state = (enum e2b_state)i;
    }
    return 0;
}

/* Only GET of one sandbox tells these. */
static int fill_detail(const json_t *obj, struct e2b_sandbox *s, struct e2b_err *err)
{
    json_t *lifecycle = NULL;
    autofree char *on_timeout = NULL;
    int r = jget_object_opt(obj, "lifecycle", &lifecycle, err);

    s->is_secure = json_is_string(json_object_get(obj, "envdAccessToken"));
    if (r < 0 || !lifecycle)
        return r;
    r = jget_bool_opt(lifecycle, "autoResume", &s->auto_resume, err);
    if (r == 0)
        r = jget_string_opt(lifecycle, "onTimeout", &on_timeout, err);
    s->pauses_on_timeout = on_timeout && strcmp(on_timeout, "pause") == 0;
    return r;
}

static void string_default(char **s)
{
    if (!*s)
        *s = xstrdup("");
}

static int fill_sandbox(const json_t *obj, struct e2b_sandbox *s, struct e2b_err *err)
{
    autofree char *id = NULL;
    int r = jget_string(obj, "sandboxID", &id, err);

    if (r < 0)
        return r;
    s->id = model_id(id);
    if (!s->id)
        return e2b_fail(err, EPROTO, "field 'sandboxID': not an id");
    r = model_fill(obj, sandbox_fields, s, err);
    if (r == 0)
        r = fill_state(obj, s, err);
    if (r == 0)
        r = fill_metadata(obj, s, err);
    if (r == 0)
        r = fill_detail(obj, s, err);
    if (r == 0)
        r = public_json(obj, &s->json, err);
    if (r < 0)
        return e2b_wrap(err, r, "sandbox %s", s->id);
    string_default(&s->template_id);
    string_default(&s->client_id);
    string_default(&s->envd_version);
    if (s->alias && !*s->alias) { /* running ones without an alias have "" */
        free(s->alias);
        s->alias = NULL;
    }
    return 0;
}

int model_sandbox(const json_t *obj, struct e2b_sandbox *out, struct e2b_err *err)
{
    struct e2b_sandbox s = { 0 };
    int r = fill_sandbox(obj, &s, err);

    if (r < 0) {
        e2b_sandbox_clear(&s);
        return r;
    }
    *out = s;
    return 0;
}

static const struct field access_fields[] = {
    { "envdAccessToken", FIELD_STRING, offsetof(struct model_access, token), 0 },
    { "domain", FIELD_STRING, offsetof(struct model_access, domain), 0 },
    { NULL, 0, 0, 0 },
};

/* Goes into a header line: nothing that could end one. */
static bool token_ok(const char *s)
{
    size_t len = strlen(s);

    for (size_t i = 0; i < len; i++)
        if (s[i] <= ' ' || s[i] > '~')
            return false;
    return len <= 1024;
}

/* Goes into a URL: a host name and nothing else. */
static bool domain_ok(const char *s)
{
    size_t len = strlen(s);

    for (size_t i = 0; i < len; i++)
        if (!isascii(s[i]) || !(isalnum((unsigned char)s[i]) || s[i] == '-' || s[i] == '.'))
            return false;
    return len <= 253 && s[0] != '-' && s[0] != '.';
}

int model_access(const json_t *obj, struct model_access *out, struct e2b_err *err)
{
    struct model_access a = { 0 };
    int r = model_fill(obj, access_fields, &a, err);

    if (r == 0 && a.token && !token_ok(a.token))
        r = e2b_fail(err, EPROTO, "field 'envdAccessToken': not a token");
    if (r == 0 && a.domain && !domain_ok(a.domain))
        r = e2b_fail(err, EPROTO, "field 'domain': not a host name");
    if (r < 0) {
        model_access_clear(&a);
        return r;
    }
    if (a.token && !*a.token) {
        free(a.token);
        a.token = NULL;
    }
    if (a.domain && !*a.domain) {
        free(a.domain);
        a.domain = NULL;
    }
    *out = a;
    return 0;
}

void model_access_clear(struct model_access *a)
{
    if (a->token)
        explicit_bzero(a->token, strlen(a->token));
    free(a->token);
    free(a->domain);
    *a = (struct model_access){ 0 };
}

static const struct field metrics_fields[] = {
#define AT(member) offsetof(struct e2b_metrics, member)
    { "timestampUnix", FIELD_INT, AT(timestamp_unix), 0 },
    { "cpuCount", FIELD_INT, AT(cpu_count), 0 },
    { "cpuUsedPct", FIELD_DOUBLE, AT(cpu_used_pct), 0 },
    /* Servers before July 2025 */
    { "memUsedMiB", FIELD_INT, AT(mem_used), 1 << 20 },
    { "memTotalMiB", FIELD_INT, AT(mem_total), 1 << 20 },
    { "memUsed", FIELD_INT, AT(mem_used), 0 },
    { "memTotal", FIELD_INT, AT(mem_total), 0 },
    { "memCache", FIELD_INT, AT(mem_cache), 0 },
    { "diskUsed", FIELD_INT, AT(disk_used), 0 },
    { "diskTotal", FIELD_INT, AT(disk_total), 0 },
    { NULL, 0, 0, 0 },
#undef AT
};

int model_metrics(const json_t *obj, struct e2b_metrics *out, struct e2b_err *err)
{
    struct e2b_metrics m = { .timestamp_unix = -1, .mem_cache = -1 };
    struct timespec time = { .tv_sec = -1 };
    int r = model_fill(obj, metrics_fields, &m, err);

    /* Some servers have the text form only. */
    if (r == 0 && m.timestamp_unix < 0) {
        r = jget_time_opt(obj, "timestamp", &time, err);
        m.timestamp_unix = time.tv_sec;
        if (r == 0 && time.tv_sec < 0)
            r = e2b_fail(err, EPROTO, "field 'timestampUnix' is missing");
    }
    if (r == 0)
        *out = m;
    return r;
}

static int metrics_cmp(const void *a, const void *b)
{
    int64_t x = ((const struct e2b_metrics *)a)->timestamp_unix;
    int64_t y = ((const struct e2b_metrics *)b)->timestamp_unix;

    return (x > y) - (x < y);
}

int model_metrics_series(const json_t *array, struct e2b_metrics_series *out,
                         struct e2b_err *err)
{
    struct e2b_metrics_series s = { 0 };

    if (!json_is_array(array))
        return e2b_fail(err, EPROTO, "metrics: expected an array");
    s.v = xcalloc(json_array_size(array) + 1, sizeof(*s.v));
    for (size_t i = 0; i < json_array_size(array); i++) {
        int r = model_metrics(json_array_get(array, i), &s.v[i], err);

        if (r < 0) {
            e2b_metrics_series_clear(&s);
            return e2b_wrap(err, r, "metrics");
        }
        s.n++;
    }
    qsort(s.v, s.n, sizeof(*s.v), metrics_cmp);
    *out = s;
    return 0;
}
