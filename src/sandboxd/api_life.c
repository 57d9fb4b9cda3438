/* SPDX-License-Identifier: MIT */
/* Creating and steering sandboxes (control-plane.md 6.4 to 6.11 and 22). */
#include "api.h"
#include "api_control.h"
#include "lifecycle.h"
#include "templates.h"
#include "util/log.h"
#include "util/xalloc.h"

#include <string.h>

enum { TIMEOUT_V1_S = 15, TIMEOUT_V2_S = 300 };

/* Answers a transition that did not happen. */
static void refuse(struct request *rq, const struct sandbox *sb, enum life_result result,
                   const char *already)
{
    switch (result) {
    case LIFE_GONE:
        api_no_sandbox(rq, sb->id);
        break;
    case LIFE_ALREADY:
        api_error(rq, 409, "Sandbox \"%s\" %s", sb->id, already);
        break;
    case LIFE_BUSY:
        api_error(rq, 409, "Sandbox \"%s\" is being paused", sb->id);
        break;
    default:
        api_error(rq, 500, "An internal error occurred");
        break;
    }
}

static void answer_created(struct request *rq, int status, const struct sandbox *sb)
{
    json_t *o;

    store_lock();
    o = sandbox_created_json(sb);
    store_unlock();
    respond_json(rq, status, o);
}

static bool timeout_allowed(struct request *rq, int64_t timeout_s)
{
    if (timeout_s <= LIFE_MAX_S)
        return true;
    api_error(rq, 400, "Timeout cannot be greater than %d hours", LIFE_MAX_S / 3600);
    return false;
}

/* --- create ------------------------------------------------------------------------------- */

static void spec_clear(struct life_spec *spec)
{
    json_decref(spec->metadata);
    json_decref(spec->envs);
    json_decref(spec->network);
    json_decref(spec->volume_mounts);
    free(spec->template_id);
    free(spec->alias);
}

static bool read_auto(struct request *rq, const json_t *in, struct life_spec *spec)
{
    json_t *resume = json_object_get(in, "autoResume");
    bool memory = true;

    if (!api_bool(rq, in, "autoPause", &spec->auto_pause) ||
        !api_bool(rq, in, "autoPauseMemory", &memory))
        return false;
    if (resume && !json_is_object(resume)) {
        api_error(rq, 400,
                  "validation error: Error at \"/autoResume\": value must be an object");
        return false;
    }
    if (resume && !api_bool(rq, resume, "enabled", &spec->auto_resume))
        return false;
    if (!memory && (!spec->auto_pause || spec->auto_resume)) {
        api_error(rq, 400, "autoPauseMemory=false needs autoPause and excludes autoResume");
        return false;
    }
    return true;
}

static bool read_network(struct request *rq, const json_t *in, struct life_spec *spec)
{
    json_t *network = json_object_get(in, "network");
    json_t *mounts = json_object_get(in, "volumeMounts");
    bool public_traffic = true;

    spec->allow_internet = true;
    spec->has_allow_internet = json_object_get(in, "allow_internet_access") != NULL;
    if (!api_bool(rq, in, "allow_internet_access", &spec->allow_internet))
        return false;
    if (network && !json_is_object(network)) {
        api_error(rq, 400, "validation error: Error at \"/network\": value must be an object");
        return false;
    }
    if (network && !api_bool(rq, network, "allowPublicTraffic", &public_traffic))
        return false;
    if (!public_traffic && !spec->secure) {
        api_error(rq, 400,
                  "You cannot create a sandbox without public access unless you enable secure "
                  "envd access via 'secure' flag.");
        return false;
    }
    spec->has_traffic_token = !public_traffic;
    spec->network = json_incref(network);
    spec->volume_mounts = json_is_array(mounts) ? json_incref(mounts) : NULL;
    return true;
}

static bool read_template(struct request *rq, const json_t *in, struct life_spec *spec)
{
    const char *name = json_string_value(json_object_get(in, "templateID"));
    const struct template *t = name ? template_find(name) : NULL;

    if (!name) {
        api_error(rq, 400,
                  "validation error: request body has an error: doesn't match schema: Error at "
                  "\"/templateID\": property \"templateID\" is missing");
        return false;
    }
    if (!t) {
        api_error(rq, 404, "template '%s' not found", name);
        return false;
    }
    spec->template_id = xstrdup(t->id);
    spec->alias = xstrdup(t->alias);
    spec->cpu_count = t->cpu_count;
    spec->memory_mb = t->memory_mb;
    spec->disk_mb = t->disk_mb;
    return true;
}

static void create(struct request *rq, bool secure, int64_t timeout_s)
{
    struct life_spec spec = { .secure = secure };
    json_t *in = api_body(rq, false);
    struct e2b_err err = { 0 };
    struct sandbox *sb = NULL;
    bool ok;

    if (!in)
        return;
    ok = api_int(rq, in, "timeout", 0, INT32_MAX, &timeout_s) &&
         (secure || api_bool(rq, in, "secure", &spec.secure)) &&
         api_map(rq, in, "metadata", &spec.metadata) &&
         api_map(rq, in, "envVars", &spec.envs) && read_auto(rq, in, &spec) &&
         read_network(rq, in, &spec) && timeout_allowed(rq, timeout_s) &&
         read_template(rq, in, &spec);
    if (ok && timeout_s <= 0) {
        api_error(rq, 400, "timeout must be greater than 0");
        ok = false;
    }
    if (ok) {
        spec.timeout_s = timeout_s;
        if (life_create(&spec, &sb, &err) < 0) {
            log_error("sandbox", "can't create one: %s", err.msg);
            api_error(rq, 500, "%s", err.msg);
        } else {
            answer_created(rq, 201, sb);
        }
    }
    spec_clear(&spec);
    sandbox_unref(sb);
    json_decref(in);
}

void api_create(struct request *rq)
{
    create(rq, false, TIMEOUT_V1_S);
}

void api_create_v2(struct request *rq)
{
    create(rq, true, TIMEOUT_V2_S);
}

/* --- kill, pause, resume, connect --------------------------------------------------------- */

void api_kill(struct request *rq)
{
    struct sandbox *sb = api_sandbox(rq);
    enum life_result result;

    if (!sb)
        return;
    result = life_kill(sb);
    if (result == LIFE_OK)
        respond(rq, 204, NULL, NULL, 0);
    else
        refuse(rq, sb, result, "");
    sandbox_unref(sb);
}

void api_pause(struct request *rq)
{
    struct sandbox *sb = api_sandbox(rq);
    json_t *in = sb ? api_body(rq, true) : NULL;
    enum life_result result;
    bool memory = true;

    if (in && api_bool(rq, in, "memory", &memory)) {
        result = life_pause(sb);
        if (result == LIFE_OK)
            respond(rq, 204, NULL, NULL, 0);
        else
            refuse(rq, sb, result, "is already paused");
    }
    json_decref(in);
    sandbox_unref(sb);
}

void api_resume(struct request *rq)
{
    struct sandbox *sb = api_sandbox(rq);
    json_t *in = sb ? api_body(rq, true) : NULL;
    int64_t timeout_s = TIMEOUT_V1_S;
    enum life_result result;

    if (in && api_int(rq, in, "timeout", 0, INT32_MAX, &timeout_s) &&
        timeout_allowed(rq, timeout_s)) {
        if (timeout_s <= 0) {
            api_error(rq, 400, "timeout must be greater than 0");
        } else {
            result = life_resume(sb, timeout_s);
            if (result == LIFE_OK)
                answer_created(rq, 201, sb);
            else
                refuse(rq, sb, result, "is already running");
        }
    }
    json_decref(in);
    sandbox_unref(sb);
}

/* Running: only ever extends; paused: resumes. */
static void connect_to(struct request *rq, struct sandbox *sb, int64_t timeout_s)
{
    enum life_result result = life_resume(sb, timeout_s);

    if (result == LIFE_OK) {
        answer_created(rq, 201, sb);
        return;
    }
    if (result == LIFE_ALREADY)
        result = life_set_end(sb, timeout_s, LIFE_EXTEND);
    if (result == LIFE_OK)
        answer_created(rq, 200, sb);
    else
        refuse(rq, sb, result, "");
}

static void connect_with(struct request *rq, int64_t timeout_s, bool is_optional)
{
    struct sandbox *sb = api_sandbox(rq);
    json_t *in = sb ? api_body(rq, is_optional) : NULL;

    if (in && !is_optional && !json_object_get(in, "timeout"))
        api_error(rq, 400,
                  "validation error: request body has an error: doesn't match schema: Error at "
                  "\"/timeout\": property \"timeout\" is missing");
    else if (in && api_int(rq, in, "timeout", 0, INT32_MAX, &timeout_s) &&
             timeout_allowed(rq, timeout_s))
        connect_to(rq, sb, timeout_s);
    json_decref(in);
    sandbox_unref(sb);
}

void api_connect(struct request *rq)
{
    connect_with(rq, 0, false);
}

void api_connect_v2(struct request *rq)
{
    connect_with(rq, TIMEOUT_V2_S, true);
}

/* --- the end of its life ------------------------------------------------------------------ */

static void set_end(struct request *rq, struct sandbox *sb, int64_t seconds, enum life_end how)
{
    enum life_result result = life_set_end(sb, seconds, how);

    if (result == LIFE_OK)
        respond(rq, 204, NULL, NULL, 0);
    else
        refuse(rq, sb, result, "");
}

void api_timeout(struct request *rq)
{
    struct sandbox *sb = api_sandbox(rq);
    int64_t timeout_s = 0;
    json_t *in;

    /* An empty body without a type is taken for an empty form: the trap of 4.2. */
    in = sb ? api_body(rq, !request_header(rq, "Content-Type")) : NULL;
    if (in && rq->body.len > 0 && !json_object_get(in, "timeout"))
        api_error(rq, 400,
                  "validation error: request body has an error: doesn't match schema: Error at "
                  "\"/timeout\": property \"timeout\" is missing");
    else if (in && api_int(rq, in, "timeout", 0, INT32_MAX, &timeout_s))
        set_end(rq, sb, timeout_s, LIFE_SET);
    json_decref(in);
    sandbox_unref(sb);
}

void api_refreshes(struct request *rq)
{
    struct sandbox *sb = api_sandbox(rq);
    json_t *in = sb ? api_body(rq, true) : NULL;
    int64_t duration_s = TIMEOUT_V1_S;

    if (in && api_int(rq, in, "duration", 0, 3600, &duration_s))
        set_end(rq, sb, duration_s < TIMEOUT_V1_S ? TIMEOUT_V1_S : duration_s, LIFE_EXTEND);
    json_decref(in);
    sandbox_unref(sb);
}
