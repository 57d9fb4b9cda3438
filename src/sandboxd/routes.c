/* SPDX-License-Identifier: MIT */
#include "routes.h"

#include "api.h"
#include "edge.h"
#include "util/xalloc.h"

#include <ctype.h>
#include <string.h>

static const struct route control_routes[] = {
    { "GET", "/health", .handle = api_health },
    { "GET", "/sandboxes", .handle = api_list_v1 },
    { "POST", "/sandboxes", .handle = api_create },
    { "POST", "/v2/sandboxes", .handle = api_create_v2 },
    { "GET", "/v2/sandboxes", .handle = api_list_v2 },
    { "GET", "/sandboxes/metrics", .handle = api_metrics_batch },
    { "GET", "/sandboxes/*", .handle = api_get },
    { "DELETE", "/sandboxes/*", .handle = api_kill },
    { "POST", "/sandboxes/*/pause", .handle = api_pause },
    { "POST", "/sandboxes/*/resume", .handle = api_resume },
    { "POST", "/sandboxes/*/connect", .handle = api_connect },
    { "POST", "/v2/sandboxes/*/connect", .handle = api_connect_v2 },
    { "POST", "/sandboxes/*/timeout", .handle = api_timeout },
    { "POST", "/sandboxes/*/refreshes", .handle = api_refreshes },
    { "GET", "/sandboxes/*/metrics", .handle = api_metrics },
    { 0 },
};

static const struct route envd_routes[] = {
    { "GET", "/health", .handle = envd_health },
    { "GET", "/metrics", .handle = envd_metrics },
    { "GET", "/envs", .handle = envd_envs },
    { "GET", "/files", .handle = envd_files_get },
    { "POST", "/files", .handle = envd_files_post, .on_begin = envd_files_begin,
      .on_body = envd_files_body },
    { "POST", "/files/compose", .handle = envd_compose },
    { "POST", "/filesystem.Filesystem/Stat", .handle = envd_stat },
    { "POST", "/filesystem.Filesystem/ListDir", .handle = envd_list_dir },
    { "POST", "/filesystem.Filesystem/MakeDir", .handle = envd_make_dir },
    { "POST", "/filesystem.Filesystem/Move", .handle = envd_move },
    { "POST", "/filesystem.Filesystem/Remove", .handle = envd_remove },
    { "POST", "/filesystem.Filesystem/WatchDir", .handle = envd_watch_dir },
    { "POST", "/filesystem.Filesystem/CreateWatcher", .handle = envd_create_watcher },
    { "POST", "/filesystem.Filesystem/GetWatcherEvents", .handle = envd_get_watcher_events },
    { "POST", "/filesystem.Filesystem/RemoveWatcher", .handle = envd_remove_watcher },
    { "POST", "/process.Process/Start", .handle = envd_start },
    { "POST", "/process.Process/Connect", .handle = envd_connect },
    { "POST", "/process.Process/List", .handle = envd_list },
    { "POST", "/process.Process/Update", .handle = envd_update },
    { "POST", "/process.Process/SendInput", .handle = envd_send_input },
    { "POST", "/process.Process/CloseStdin", .handle = envd_close_stdin },
    { "POST", "/process.Process/SendSignal", .handle = envd_send_signal },
    { "POST", "/process.Process/StreamInput", .handle = envd_stream_input,
      .on_begin = envd_stream_input_begin, .on_body = envd_stream_input_body },
    { 0 },
};

static const struct route own_routes[] = {
    { "GET", "/_sandboxd/ledger", .handle = api_ledger_get },
    { "DELETE", "/_sandboxd/ledger", .handle = api_ledger_clear },
    { "GET", "/_sandboxd/faults", .handle = api_faults_get },
    { "PUT", "/_sandboxd/faults", .handle = api_faults_put },
    { 0 },
};

static const char *api_key;

void routes_setup(const char *key)
{
    api_key = key;
}

/* --- matching ----------------------------------------------------------------------------- */

/* Compares segment by segment; remembers what "*" stood for. */
static bool path_fits(const char *pattern, const char *path, struct request *rq)
{
    int args = 0;

    while (*pattern && *path) {
        size_t want = strcspn(pattern + 1, "/") + 1, have = strcspn(path + 1, "/") + 1;

        if (want == 2 && pattern[1] == '*') {
            if (have == 1)
                return false;
            if (rq && args < REQUEST_ARGS_MAX) {
                free(rq->args[args]);
                rq->args[args++] = xstrndup(path + 1, have - 1);
            }
        } else if (want != have || memcmp(pattern, path, want) != 0) {
            return false;
        }
        pattern += want;
        path += have;
    }
    return *pattern == '\0' && *path == '\0';
}

/* The row for method and path; NULL, and then *path_known says which of the two failed. */
static const struct route *find(const struct route *rows, struct request *rq, bool *path_known)
{
    *path_known = false;
    for (; rows->path; rows++) {
        if (!path_fits(rows->path, rq->path, NULL))
            continue;
        *path_known = true;
        if (strcmp(rows->method, rq->method) == 0) {
            path_fits(rows->path, rq->path, rq);
            return rows;
        }
    }
    return NULL;
}

/* --- the API's credentials (control-plane.md 2) ------------------------------------------- */

static bool is_hex(const char *s)
{
    for (; *s; s++)
        if (!isxdigit((unsigned char)*s))
            return false;
    return true;
}

static bool authorised(struct request *rq)
{
    const char *key = request_header(rq, "X-API-Key");

    if (!key || !key[0])
        api_error(rq, 401,
                  "error in openapi3filter.SecurityRequirementsError: authorization header is "
                  "missing");
    else if (strcmp(key, api_key) == 0)
        return true;
    else if (strncmp(key, "e2b_", 4) != 0)
        api_error(rq, 401, "authorization header is malformed");
    else if (!key[4] || strlen(key + 4) % 2 || !is_hex(key + 4))
        api_error(rq, 401,
                  "Invalid API key, please visit the dashboard for more information: Invalid "
                  "API key format");
    else
        api_error(rq, 401,
                  "Invalid API key, please visit the dashboard for more information: Cannot "
                  "get the team for the given API key");
    return false;
}

/* --- routing ------------------------------------------------------------------------------ */

static void route_own(struct request *rq)
{
    bool known;

    if (!authorised(rq))
        return;
    rq->route = find(own_routes, rq, &known);
    if (!rq->route)
        api_error(rq, known ? 405 : 404, "no such switch");
}

static void route_control(struct request *rq)
{
    bool known;

    rq->route = find(control_routes, rq, &known);
    if (rq->route && rq->route->handle == api_health)
        return;
    /* Unknown routes are told without credentials, as a validator in front does. */
    if (!rq->route && known)
        api_error(rq, 400, "validation error: method not allowed");
    else if (!rq->route)
        api_error(rq, 404, "validation error: no matching operation was found");
    else if (!authorised(rq))
        rq->route = NULL;
}

/* The allowed methods of a known path, one header each. */
static void put_allow(struct request *rq)
{
    for (const struct route *r = envd_routes; r->path; r++)
        if (path_fits(r->path, rq->path, NULL))
            response_header(rq, "Allow", "%s", r->method);
}

/* Paths that envd's token check lets through: they check for themselves. */
static bool is_exempt(const struct request *rq)
{
    bool get = strcmp(rq->method, "GET") == 0, post = strcmp(rq->method, "POST") == 0;

    return (get && strcmp(rq->path, "/health") == 0) ||
           ((get || post) && strcmp(rq->path, "/files") == 0);
}

static void route_envd(struct request *rq)
{
    const char *token = rq->sandbox->envd_token;
    const char *given = request_header(rq, "X-Access-Token");
    bool known;

    if (token && !is_exempt(rq) && (!given || strcmp(given, token) != 0)) {
        envd_error(rq, 401,
                   "unauthorized access, please provide a valid access token or method signing "
                   "if supported");
        return;
    }
    rq->route = find(envd_routes, rq, &known);
    if (rq->route)
        return;
    if (known) {
        put_allow(rq);
        respond(rq, 405, NULL, NULL, 0);
    } else {
        respond_text(rq, 404, "404 page not found\n");
    }
}

/* What the fault switch does before anybody looks at the request. */
static void apply_fault(struct request *rq, bool is_data, const char *sandbox)
{
    switch (rq->fault.kind) {
    case FAULT_REFUSE:
        request_reset(rq);
        rq->is_cut = true;
        break;
    case FAULT_DELAY:
        rq->is_cut = !request_wait(rq, rq->fault.value);
        break;
    case FAULT_STALL:
        while (!rq->is_cut && fault_is_current(&rq->fault))
            rq->is_cut = !request_wait(rq, 20);
        break;
    case FAULT_STATUS:
        if (is_data)
            edge_error(rq, (int)rq->fault.value, sandbox, "fault switch", 0);
        else
            api_error(rq, (int)rq->fault.value, "fault switch");
        break;
    default:
        break;
    }
}

void routes_route(struct request *rq)
{
    struct edge_target target;
    const char *plane;

    if (strncmp(rq->path, "/_sandboxd/", 11) == 0) {
        route_own(rq);
        return;
    }
    edge_parse(rq, &target);
    plane = target.is_data ? "data" : "control";
    rq->ledger_seq = ledger_open(
        target.is_data ? target.id : edge_path_id(rq, target.id), plane, rq->method, rq->path,
        rq->target[strlen(rq->path)] ? rq->target + strlen(rq->path) + 1 : NULL,
        edge_is_paused(&target));
    rq->fault = faults_match(target.id[0] ? target.id : NULL, plane, rq->method, rq->path);
    edge_attach(rq, &target);
    apply_fault(rq, target.is_data, target.id);
    if (rq->is_cut || rq->is_answered)
        return;
    if (!target.is_data)
        route_control(rq);
    else if (edge_enter(rq, &target))
        route_envd(rq);
}

void routes_done(struct request *rq)
{
    ledger_bytes(rq->ledger_seq, rq->bytes_in, 0);
    edge_leave(rq);
}
