/* SPDX-License-Identifier: MIT */
/* What the control plane's handlers share: errors, bodies, objects. */
#include "api_control.h"

#include "api.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/xalloc.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

void api_error(struct request *rq, int status, const char *fmt, ...)
{
    autofree char *text = NULL;
    json_t *o;
    va_list ap;

    va_start(ap, fmt);
    text = xvasprintf(fmt, ap);
    va_end(ap);
    o = json_pack("{s:i,s:s}", "code", status, "message", text);
    if (!o)
        o = json_pack("{s:i,s:s}", "code", status, "message", "invalid UTF-8");
    respond_json(rq, status, o);
}

void api_health(struct request *rq)
{
    respond_text(rq, 200, "Health check successful");
}

char *api_time(struct timespec t, char buf[40])
{
    int digits = 9;
    long nsec = t.tv_nsec;

    /* Go cuts trailing zeros. */
    while (digits > 0 && nsec % 10 == 0) {
        nsec /= 10;
        digits--;
    }
    return rfc3339_format(t, digits, buf);
}

/* --- bodies ------------------------------------------------------------------------------- */

json_t *api_body(struct request *rq, bool is_optional)
{
    const char *type = request_header(rq, "Content-Type");
    struct e2b_err err = { 0 };
    json_t *out = NULL;

    if (rq->body.len == 0 && is_optional)
        return json_object();
    if (rq->body.len == 0) {
        api_error(rq, 400,
                  "validation error: request body has an error: value is required but "
                  "missing");
        return NULL;
    }
    if (!type || strncasecmp(type, "application/json", 16) != 0) {
        api_error(rq, 400,
                  "validation error: request body has an error: header Content-Type has "
                  "unexpected value \"%s\"",
                  type ? type : "");
        return NULL;
    }
    if (jparse(buf_str(&rq->body), rq->body.len, &out, &err) < 0) {
        api_error(rq, 400,
                  "validation error: request body has an error: failed to decode request "
                  "body: %s",
                  err.msg);
        return NULL;
    }
    if (!json_is_object(out)) {
        json_decref(out);
        api_error(rq, 400,
                  "validation error: request body has an error: doesn't match schema: value "
                  "must be an object");
        return NULL;
    }
    return out;
}

static bool wrong_type(struct request *rq, const char *name, const char *wanted)
{
    api_error(rq, 400,
              "validation error: request body has an error: doesn't match schema: Error at "
              "\"/%s\": value must be %s",
              name, wanted);
    return false;
}

bool api_int(struct request *rq, const json_t *in, const char *name, int64_t min, int64_t max,
             int64_t *out)
{
    json_t *v = json_object_get(in, name);

    if (!v)
        return true;
    if (!json_is_integer(v))
        return wrong_type(rq, name, "an integer");
    if (json_integer_value(v) < min || json_integer_value(v) > max) {
        api_error(rq, 400,
                  "validation error: request body has an error: doesn't match schema: Error "
                  "at \"/%s\": number must be at %s %lld",
                  name, json_integer_value(v) < min ? "least" : "most",
                  (long long)(json_integer_value(v) < min ? min : max));
        return false;
    }
    *out = json_integer_value(v);
    return true;
}

bool api_bool(struct request *rq, const json_t *in, const char *name, bool *out)
{
    json_t *v = json_object_get(in, name);

    if (!v)
        return true;
    if (!json_is_boolean(v))
        return wrong_type(rq, name, "a boolean");
    *out = json_is_true(v);
    return true;
}

bool api_map(struct request *rq, const json_t *in, const char *name, json_t **out)
{
    json_t *v = json_object_get(in, name), *value;
    const char *key;

    if (!v)
        return true;
    if (!json_is_object(v))
        return wrong_type(rq, name, "an object");
    json_object_foreach(v, key, value) if (!json_is_string(value)) return wrong_type(
        rq, name, "a map of strings");
    *out = json_copy(v);
    return true;
}

/* --- the sandbox of the path -------------------------------------------------------------- */

void api_no_sandbox(struct request *rq, const char *id)
{
    api_error(rq, 404, "Sandbox \"%s\" doesn't exist or you don't have access to it", id);
}

/* Cuts a legacy client id; false unless [a-z0-9]+ remains. */
static bool clean_id(char *id)
{
    char *dash = strchr(id, '-');

    if (dash && strchr(dash + 1, '-'))
        return false;
    if (dash)
        *dash = '\0';
    for (const char *p = id; *p; p++)
        if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p))
            return false;
    return id[0] != '\0';
}

struct sandbox *api_sandbox(struct request *rq)
{
    autofree char *id = percent_decode(rq->args[0], false);
    struct sandbox *sb;
    bool is_there;

    if (!id || !clean_id(id)) {
        api_error(rq, 400, "Invalid sandbox ID");
        return NULL;
    }
    sb = sandbox_find(id);
    store_lock();
    is_there = sb && state_name(sb->state);
    store_unlock();
    if (!is_there) {
        sandbox_unref(sb);
        api_no_sandbox(rq, id);
        return NULL;
    }
    return sb;
}

/* --- objects ------------------------------------------------------------------------------ */

static void set_time(json_t *o, const char *name, struct timespec t)
{
    char text[40];

    json_object_set_new(o, name, json_string(api_time(t, text)));
}

json_t *sandbox_created_json(const struct sandbox *sb)
{
    json_t *o =
        json_pack("{s:s,s:s,s:s,s:s}", "templateID", sb->template_id, "sandboxID", sb->id,
                  "clientID", SANDBOXD_CLIENT_ID, "envdVersion", SANDBOXD_ENVD_VERSION);

    if (sb->alias)
        json_object_set_new(o, "alias", json_string(sb->alias));
    if (sb->envd_token)
        json_object_set_new(o, "envdAccessToken", json_string(sb->envd_token));
    if (sb->traffic_token)
        json_object_set_new(o, "trafficAccessToken", json_string(sb->traffic_token));
    return o;
}

/* What lists and details have in common. */
static json_t *common_json(const struct sandbox *sb)
{
    json_t *o =
        json_pack("{s:s,s:s,s:s,s:i,s:i,s:i,s:s,s:s}", "sandboxID", sb->id, "templateID",
                  sb->template_id, "clientID", SANDBOXD_CLIENT_ID, "cpuCount", sb->cpu_count,
                  "memoryMB", sb->memory_mb, "diskSizeMB", sb->disk_mb, "state",
                  state_name(sb->state), "envdVersion", SANDBOXD_ENVD_VERSION);

    set_time(o, "startedAt", sb->started_at);
    set_time(o, "endAt", sb->end_at);
    if (sb->metadata)
        json_object_set(o, "metadata", sb->metadata);
    return o;
}

json_t *sandbox_listed_json(const struct sandbox *sb)
{
    json_t *o = common_json(sb);

    /* Running: "" for none and always volumeMounts; paused: what isn't there is left out. */
    if (sb->alias || sb->state == RUNNING)
        json_object_set_new(o, "alias", json_string(sb->alias ? sb->alias : ""));
    if (sb->volume_mounts)
        json_object_set(o, "volumeMounts", sb->volume_mounts);
    else if (sb->state == RUNNING)
        json_object_set_new(o, "volumeMounts", json_array());
    return o;
}

json_t *sandbox_detail_json(const struct sandbox *sb)
{
    json_t *o = common_json(sb);

    json_object_set_new(o, "alias", json_string(sb->alias ? sb->alias : ""));
    if (sb->state == RUNNING) {
        if (sb->volume_mounts)
            json_object_set(o, "volumeMounts", sb->volume_mounts);
        else
            json_object_set_new(o, "volumeMounts", json_array());
    }
    if (sb->envd_token)
        json_object_set_new(o, "envdAccessToken", json_string(sb->envd_token));
    if (sb->has_allow_internet)
        json_object_set_new(o, "allowInternetAccess", json_boolean(sb->allow_internet));
    if (sb->network)
        json_object_set(o, "network", sb->network);
    json_object_set_new(o, "lifecycle",
                        json_pack("{s:b,s:s}", "autoResume", sb->auto_resume, "onTimeout",
                                  sb->auto_pause ? "pause" : "kill"));
    return o;
}

json_t *metric_json(const struct metric *m, const struct sandbox *sb)
{
    json_t *o = json_pack(
        "{s:I,s:i,s:f,s:I,s:I,s:I,s:I,s:I}", "timestampUnix", (json_int_t)m->at, "cpuCount",
        sb->cpu_count, "cpuUsedPct", m->cpu_used_pct, "memUsed", (json_int_t)m->mem_used,
        "memTotal", (json_int_t)m->mem_total, "memCache", (json_int_t)m->mem_cache, "diskUsed",
        (json_int_t)m->disk_used, "diskTotal", (json_int_t)m->disk_total);

    set_time(o, "timestamp", (struct timespec){ .tv_sec = m->at });
    return o;
}
