/* SPDX-License-Identifier: MIT */
#include "dest.h"

#include "client.h"

#include "util/codec.h"
#include "util/xalloc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

enum { ENVD_PORT = 49983 };

/* Domains that have one host for all sandboxes (control-plane.md 3.1). */
static const char *const shared_domains[] = { "e2b.app", "e2b.dev", "e2b.pro",
                                              "e2b-staging.dev" };

static void add(struct dest *t, char *line)
{
    if (t->n < DEST_HEADERS)
        t->headers[t->n++] = line;
    else
        free(line);
}

void dest_clear(struct dest *t)
{
    for (size_t i = 0; i < t->n; i++) {
        char *line = (char *)t->headers[i];

        explicit_bzero(line, strlen(line));
        free(line);
    }
    buf_clear(&t->url);
    *t = (struct dest){ 0 };
}

/* Host of an http(s) URL without the port, in `out`; false if it does not fit. */
static bool url_host(const char *url, char *out, size_t size)
{
    const char *host = strstr(url, "://");
    size_t len;

    host = host ? host + 3 : url;
    if (*host == '[')
        len = strcspn(++host, "]");
    else
        len = strcspn(host, ":/?#");
    if (len >= size)
        return false;
    memcpy(out, host, len);
    out[len] = '\0';
    return true;
}

bool dest_routes_by_header(const char *url)
{
    char host[256];
    unsigned char addr[sizeof(struct in6_addr)];

    if (!url_host(url, host, sizeof(host)))
        return false;
    return strcasecmp(host, "localhost") == 0 || strncasecmp(host, "sandbox.", 8) == 0 ||
           inet_pton(AF_INET, host, addr) == 1 || inet_pton(AF_INET6, host, addr) == 1;
}

static bool is_shared(const char *domain)
{
    for (size_t i = 0; i < ARRAY_LEN(shared_domains); i++)
        if (strcmp(shared_domains[i], domain) == 0)
            return true;
    return false;
}

static int sandbox_base(struct e2b_client *client, const struct access *a, struct dest *t)
{
    const struct e2b_config *config = &client->config;
    const char *domain = a->domain ? a->domain : config->domain;

    if (config->sandbox_url) {
        if (client->needs_host_label)
            add(t, xasprintf("Host: %d-%s.%s", ENVD_PORT, a->id, domain));
        return buf_puts(&t->url, config->sandbox_url);
    }
    if (config->debug)
        return buf_printf(&t->url, "http://localhost:%d", ENVD_PORT);
    if (is_shared(domain))
        return buf_printf(&t->url, "https://sandbox.%s", domain);
    return buf_printf(&t->url, "https://%d-%s.%s", ENVD_PORT, a->id, domain);
}

static char *basic_user(const char *user)
{
    autobuf struct buf plain = BUF_INIT, coded = BUF_INIT;

    buf_printf(&plain, "%s:", user);
    base64_encode(plain.data, plain.len, &coded);
    return xasprintf("Authorization: Basic %s", buf_str(&coded));
}

static void control_headers(struct e2b_client *client, const struct exchange *x, struct dest *t)
{
    add(t, xasprintf("X-API-KEY: %s", client->config.api_key ? client->config.api_key : ""));
    add(t, xstrdup("Accept: application/json"));
    if (x->req.body.len > 0)
        add(t, xstrdup("Content-Type: application/json"));
    for (char **line = client->config.headers; line && *line; line++)
        add(t, xstrdup(*line));
}

static void envd_headers(const struct exchange *x, const struct access *a, struct dest *t)
{
    add(t, xasprintf("E2b-Sandbox-Id: %s", a->id));
    add(t, xasprintf("E2b-Sandbox-Port: %d", ENVD_PORT));
    if (a->token)
        add(t, xasprintf("X-Access-Token: %s", a->token));
    if (x->ep->wire == WIRE_FILES) {
        if (x->req.has_fd)
            add(t, xstrdup("Content-Type: application/octet-stream"));
        return;
    }
    add(t, basic_user(x->user));
    add(t, xstrdup("Connect-Protocol-Version: 1"));
    add(t, xstrdup(x->ep->wire == WIRE_STREAM ? "Content-Type: application/connect+json"
                                              : "Content-Type: application/json"));
}

int dest_build(struct e2b_client *client, const struct exchange *x, struct dest *t,
               struct e2b_err *err)
{
    int r;

    if (x->ep->plane == PLANE_CONTROL) {
        control_headers(client, x, t);
        r = buf_puts(&t->url, client->config.api_url);
    } else {
        const struct access *a = access_find(client, x->id);

        envd_headers(x, a, t);
        r = sandbox_base(client, a, t);
    }
    for (size_t i = 0; i < CALL_HEADERS && x->req.headers[i]; i++)
        add(t, xstrdup(x->req.headers[i]));
    if (r == 0)
        r = endpoint_path(x->ep, x->id, &t->url);
    if (r == 0 && x->req.query)
        r = buf_printf(&t->url, "?%s", x->req.query);
    if (r < 0) {
        dest_clear(t);
        return e2b_fail(err, -r, "building the request's URL");
    }
    return 0;
}
