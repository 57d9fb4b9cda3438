/* SPDX-License-Identifier: MIT */
#include "client.h"

#include "config.h"
#include "dest.h"
#include "httpdate.h"

#include "util/clock.h"
#include "util/log.h"
#include "util/xalloc.h"

#include <errno.h>
#include <string.h>

/* Nothing in it may look like a browser's: the edge would answer with HTML
 * (control-plane.md 1.4). */
#define USER_AGENT "e2bfs/" E2BFS_VERSION

enum { SHORT_DEADLINE_MS = 10 * 1000 };

static void client_destroy(struct e2b_client *client)
{
    if (client->engine)
        http_engine_free(client->engine);
    if (client->workers)
        workers_free(client->workers);
    access_clear(client);
    if (client->owns_loop && client->loop)
        loop_free(client->loop);
    e2b_config_clear(&client->config);
    free(client);
}

struct e2b_client *e2b_client_new(const struct e2b_config *config, struct loop *loop,
                                  struct e2b_err *err)
{
    static bool is_json_ready;
    struct e2b_client *client = xcalloc(1, sizeof(*client));
    struct http_engine_config http = { .user_agent = USER_AGENT };

    if (!is_json_ready) {
        json_setup();
        is_json_ready = true;
    }
    TAILQ_INIT(&client->calls);
    config_copy(&client->config, config);
    if (client->config.api_key)
        log_secret(client->config.api_key);
    client->needs_host_label =
        client->config.sandbox_url && !dest_routes_by_header(client->config.sandbox_url);
    client->owns_loop = !loop;
    client->loop = loop ? loop : loop_new(err);
    http.ca_file = client->config.ca_file;
    http.proxy = client->config.proxy;
    if (client->loop)
        client->engine = http_engine_new(client->loop, &http, err);
    if (!client->engine) {
        client_destroy(client);
        return NULL;
    }
    return client;
}

void e2b_client_free(struct e2b_client *client)
{
    struct e2b_call *call;

    if (!client)
        return;
    client->is_closing = true;
    /* Completions may start further calls (a background refresh, say): until none is left. */
    while (!TAILQ_EMPTY(&client->calls)) {
        TAILQ_FOREACH(call, &client->calls, link)
        e2b_call_cancel(call);
        loop_turn(client->loop, 100);
    }
    client_destroy(client);
}

struct workers *client_workers(struct e2b_client *client)
{
    if (!client->workers)
        client->workers = workers_new(client->loop, 1, NULL);
    return client->workers;
}

void e2b_client_drop_idle(struct e2b_client *client)
{
    http_engine_drop_idle(client->engine);
}

void e2b_client_stats(const struct e2b_client *client, struct e2b_client_stats *out)
{
    *out = client->stats;
}

int64_t e2b_client_clock_offset_ms(const struct e2b_client *client)
{
    return client->clock_offset_ms;
}

static double wall_ms(void)
{
    struct timespec now = clock_wall();

    return (double)now.tv_sec * 1000 + (double)now.tv_nsec / 1e6;
}

double client_server_now(const struct e2b_client *client)
{
    return (wall_ms() + (double)client->clock_offset_ms) / 1000;
}

void client_learn_date(struct e2b_client *client, const char *date)
{
    time_t t;
    double offset;

    if (!date || httpdate_parse(date, &t) < 0)
        return;
    /* Whole seconds, cut: the middle of the second is the best guess.  What lies within that
     * second and a slow answer is no difference at all. */
    offset = (double)t * 1000 + 500 - wall_ms();
    client->clock_offset_ms = offset > -1500 && offset < 1500 ? 0 : (int64_t)offset;
}

int64_t client_deadline(const struct e2b_client *client, int64_t ms)
{
    const struct e2b_config *config = &client->config;

    /* Only the short ones: an upload or a process takes as long as it takes. */
    if (ms > SHORT_DEADLINE_MS)
        return ms;
    if (config->request_timeout_ms > 0)
        return config->request_timeout_ms;
    return config->deadline_scale > 0 ? (int64_t)((double)ms * config->deadline_scale) : ms;
}

const char *client_user(const struct e2b_client *client, const char *user)
{
    if (user)
        return user;
    return client->config.user ? client->config.user : "user";
}
