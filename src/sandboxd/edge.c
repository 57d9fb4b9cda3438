/* SPDX-License-Identifier: MIT */
#include "edge.h"

#include "api.h"
#include "lifecycle.h"
#include "util/clock.h"
#include "util/xalloc.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { ENVD_PORT = 49983, TRANSITION_MS = 60000, DIAL_MS = 5000 };

static const char *const internal_paths[] = { "/init",   "/freeze",   "/unfreeze", "/fsfreeze",
                                              "/fsthaw", "/collapse", "/upgrade" };

/* --- who is meant ------------------------------------------------------------------------- */

/* The host without its port, in `out`. */
static void host_name(struct request *rq, char out[256])
{
    const char *host = request_header(rq, "Host");
    size_t len;

    if (!host)
        host = "";
    /* [::1]:80 keeps its brackets away. */
    if (host[0] == '[') {
        host++;
        len = strcspn(host, "]");
    } else {
        len = strcspn(host, ":");
    }
    snprintf(out, 256, "%.*s", (int)(len < 255 ? len : 255), host);
}

static bool is_header_host(const char *host)
{
    unsigned char addr[16];

    return strcasecmp(host, "localhost") == 0 || strncasecmp(host, "sandbox.", 8) == 0 ||
           inet_pton(AF_INET, host, addr) == 1 || inet_pton(AF_INET6, host, addr) == 1;
}

static bool id_is_ok(const char *id)
{
    if (!*id || strlen(id) >= 32)
        return false;
    for (; *id; id++)
        if (!islower((unsigned char)*id) && !isdigit((unsigned char)*id))
            return false;
    return true;
}

static void refuse(struct edge_target *t, int status, const char *text)
{
    t->is_data = true;
    t->refusal_status = status;
    t->refusal = text;
}

static bool parse_port(const char *text, int *port)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    if (!isdigit((unsigned char)text[0]) || *end || n > 65535)
        return false;
    *port = (int)n;
    return true;
}

static void set_target(struct edge_target *t, const char *port, const char *id)
{
    t->is_data = true;
    if (!id_is_ok(id)) {
        refuse(t, 400, "Invalid sandbox ID");
        return;
    }
    snprintf(t->id, sizeof(t->id), "%s", id);
    if (!parse_port(port, &t->port))
        refuse(t, 500, "Unexpected error when routing request: invalid sandbox port");
}

void edge_parse(struct request *rq, struct edge_target *out)
{
    const char *id = request_header(rq, "E2b-Sandbox-Id");
    const char *port = request_header(rq, "E2b-Sandbox-Port");
    char host[256], label[256];
    char *dash, *extra;

    *out = (struct edge_target){ 0 };
    host_name(rq, host);
    if (is_header_host(host)) {
        if (!id && !port)
            return; /* the API */
        if (!id || !port)
            refuse(out, 400, "missing header");
        else
            set_target(out, port, id);
        return;
    }
    /* <port>-<id>[-<legacy client id>].<domain> */
    snprintf(label, sizeof(label), "%.*s", (int)strcspn(host, "."), host);
    dash = strchr(label, '-');
    if (strchr(host, '.') && dash && isdigit((unsigned char)label[0])) {
        *dash = '\0';
        extra = strchr(dash + 1, '-');
        if (extra)
            *extra = '\0';
        set_target(out, label, dash + 1);
    } else if (id || port) {
        refuse(out, 400, "Invalid host");
    }
}

const char *edge_path_id(const struct request *rq, char out[32])
{
    const char *path = rq->path;
    size_t len;

    out[0] = '\0';
    if (strncmp(path, "/v2/", 4) == 0)
        path += 3;
    if (strncmp(path, "/sandboxes/", 11) != 0)
        return NULL;
    path += 11;
    len = strcspn(path, "/-");
    snprintf(out, 32, "%.*s", (int)(len < 31 ? len : 31), path);
    if (!id_is_ok(out) || strcmp(out, "metrics") == 0)
        out[0] = '\0';
    return out[0] ? out : NULL;
}

bool edge_is_paused(const struct edge_target *target)
{
    const struct sandbox *sb;
    bool paused;

    if (!target->is_data)
        return false;
    store_lock();
    sb = store_peek(target->id);
    paused = sb && (sb->state == PAUSED || sb->state == PAUSING);
    store_unlock();
    return paused;
}

/* --- what it says ------------------------------------------------------------------------- */

/* Browsers get a page (control-plane.md 1.4). */
static bool is_browser(struct request *rq)
{
    static const char *const words[] = { "mozilla", "chrome", "safari", "firefox",
                                         "edge",    "opera",  "msie" };
    const char *agent = request_header(rq, "User-Agent");
    const char *accept = request_header(rq, "Accept");

    if (!agent || (accept && strstr(accept, "application/json")))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcasestr(agent, words[i]))
            return true;
    return false;
}

void edge_error(struct request *rq, int status, const char *sandbox, const char *message,
                int port)
{
    json_t *o;

    if (is_browser(rq)) {
        autofree char *page = xasprintf("<!DOCTYPE html><html><body><h1>%d</h1><p>%s</p></body>"
                                        "</html>\n",
                                        status, message);

        respond(rq, status, "text/html; charset=utf-8", page, strlen(page));
        return;
    }
    o = json_pack("{s:s,s:s}", "sandboxId", sandbox, "message", message);
    if (port)
        json_object_set_new(o, "port", json_integer(port));
    json_object_set_new(o, "code", json_integer(status));
    respond_json(rq, status, o);
}

static void not_found(struct request *rq, const char *id)
{
    edge_error(rq, 502, id, "The sandbox was not found", 0);
}

/* --- passing through ---------------------------------------------------------------------- */

/* What a paused sandbox asks before it wakes: the token of the port that is called. */
static bool may_wake(struct request *rq, struct sandbox *sb, int port)
{
    const char *wanted = port == ENVD_PORT ? sb->envd_token : sb->traffic_token;
    const char *given =
        request_header(rq, port == ENVD_PORT ? "X-Access-Token" : "e2b-traffic-access-token");

    if (!wanted || (given && strcmp(given, wanted) == 0))
        return true;
    edge_error(rq, 403, sb->id,
               "The sandbox is paused and cannot be resumed with these credentials", 0);
    return false;
}

/* Waits out a transition. The state then, or KILLING if it took too long (answered 409). */
static enum sandbox_state settled(struct request *rq, struct sandbox *sb)
{
    int64_t end = clock_boot_ms() + TRANSITION_MS;
    enum sandbox_state state;

    store_lock();
    while (sb->state == STARTING || sb->state == PAUSING || sb->state == RESUMING) {
        if (clock_boot_ms() >= end) {
            store_unlock();
            edge_error(rq, 409, sb->id,
                       "The sandbox is still transitioning. Try again in a moment.", 0);
            return KILLING;
        }
        store_wait(100);
    }
    state = sb->state;
    store_unlock();
    return state;
}

/* True when the sandbox runs and the request is on its list of live ones. */
static bool enlist(struct request *rq, struct sandbox *sb)
{
    bool runs;

    store_lock();
    runs = sb->state == RUNNING;
    if (runs && !rq->is_listed) {
        LIST_INSERT_HEAD(&sb->live, rq, live_link);
        rq->is_listed = true;
    }
    store_unlock();
    return runs;
}

static bool enter(struct request *rq, struct sandbox *sb, int port)
{
    enum sandbox_state state = settled(rq, sb);

    if (state == PAUSED && sb->auto_resume && !rq->is_answered) {
        if (!may_wake(rq, sb, port))
            return false;
        life_resume(sb, sb->resume_timeout_s);
    }
    if (rq->is_answered)
        return false;
    if (sb->is_synthetic || !enlist(rq, sb)) {
        not_found(rq, sb->id);
        return false;
    }
    return true;
}

/* True if something listens there: five attempts, which take about a second. */
static bool dial(struct request *rq, struct sandbox *sb, int port)
{
    for (int attempt = 0; attempt < 5; attempt++) {
        automsg struct msg request = MSG_INIT, reply = MSG_INIT;
        const char *text;
        int code = 0;

        if (!request_wait(rq, 100 * attempt))
            return false;
        request.kind = MSG_CONNECT;
        msg_put_u32(&request, (uint32_t)port);
        if (channel_call(sb->channel, &request, &reply, DIAL_MS, request_given_up, rq, &code,
                         &text) < 0)
            return false;
        if (!code)
            return true;
    }
    return false;
}

static bool check_port(struct request *rq, struct sandbox *sb, int port)
{
    const char *given = request_header(rq, "e2b-traffic-access-token");

    if (port == ENVD_PORT)
        return true;
    if (sb->traffic_token && !given) {
        edge_error(rq, 403, sb->id,
                   "Sandbox is secured with traffic access token. Token header "
                   "'e2b-traffic-access-token' is missing",
                   0);
        return false;
    }
    if (sb->traffic_token && strcmp(given, sb->traffic_token) != 0) {
        edge_error(rq, 403, sb->id,
                   "Sandbox is secured with traffic access token. Provided token in header "
                   "'e2b-traffic-access-token' is invalid",
                   0);
        return false;
    }
    if (dial(rq, sb, port))
        respond_text(rq, 501, "e2b-sandboxd does not pass requests on to ports of a sandbox\n");
    else if (request_is_over(rq))
        rq->is_cut = true;
    else
        edge_error(rq, 502, sb->id, "The sandbox is running but port is not open", port);
    return false;
}

static bool is_internal(const char *path)
{
    for (size_t i = 0; i < ARRAY_LEN(internal_paths); i++) {
        size_t len = strlen(internal_paths[i]);

        if (strncmp(path, internal_paths[i], len) == 0 && (!path[len] || path[len] == '/'))
            return true;
    }
    return false;
}

void edge_attach(struct request *rq, const struct edge_target *target)
{
    if (!target->is_data || target->refusal)
        return;
    rq->sandbox = sandbox_find(target->id); /* the reference goes with the request */
    rq->port = target->port;
    if (rq->sandbox)
        enlist(rq, rq->sandbox);
}

bool edge_enter(struct request *rq, const struct edge_target *target)
{
    struct sandbox *sb = rq->sandbox;

    if (target->refusal) {
        respond_text(rq, target->refusal_status, target->refusal);
        return false;
    }
    if (target->port == ENVD_PORT && is_internal(rq->path)) {
        respond_json(rq, 404,
                     json_pack("{s:s,s:s,s:i}", "message",
                               "This endpoint is reserved for the E2B control plane and is not "
                               "reachable through the sandbox URL",
                               "path", rq->path, "code", 404));
        return false;
    }
    if (!sb) {
        not_found(rq, target->id);
        return false;
    }
    return enter(rq, sb, target->port) && check_port(rq, sb, target->port);
}

void edge_leave(struct request *rq)
{
    store_lock();
    if (rq->is_listed)
        LIST_REMOVE(rq, live_link);
    rq->is_listed = false;
    store_unlock();
}
