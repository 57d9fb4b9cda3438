/* SPDX-License-Identifier: MIT */
/* envd's small endpoints (envd.md 5), and what all of envd's handlers share. */
#include "api.h"
#include "edge.h"
#include "sampler.h"
#include "util/json.h"
#include "util/xalloc.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void envd_error(struct request *rq, int status, const char *fmt, ...)
{
    autofree char *text = NULL;
    autobuf struct buf body = BUF_MAX(MIB(1));
    autojson json_t *o = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = xvasprintf(fmt, ap);
    va_end(ap);
    o = json_pack("{s:i,s:s}", "code", status, "message", text);
    if (!o)
        o = json_pack("{s:i,s:s}", "code", status, "message", "the path is not UTF-8");
    jdump(o, &body);
    buf_putc(&body, '\n');
    respond(rq, status, "application/json; charset=utf-8", body.data, body.len);
}

int agent_ask(struct request *rq, struct msg *request, struct msg *reply, int *code,
              const char **text)
{
    int r = channel_call(rq->sandbox->channel, request, reply, CHANNEL_NO_DEADLINE,
                         request_given_up, rq, code, text);

    /* An agent that somebody in the sandbox killed is an envd that doesn't listen any more. */
    if (r < 0 && !request_is_over(rq))
        edge_error(rq, 502, rq->sandbox->id, "The sandbox is running but port is not open",
                   rq->port);
    return r;
}

void envd_health(struct request *rq)
{
    response_header(rq, "Cache-Control", "no-store");
    respond(rq, 204, NULL, NULL, 0);
}

void envd_metrics(struct request *rq)
{
    struct metric m;
    bool ok = sampler_sample(rq->sandbox);

    store_lock();
    ok = ok && sampler_latest(rq->sandbox, &m);
    store_unlock();
    if (!ok) {
        respond(rq, 500, NULL, NULL, 0);
        return;
    }
    respond_json(rq, 200,
                 json_pack("{s:I,s:i,s:f,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "ts", (json_int_t)m.at,
                           "cpu_count", rq->sandbox->cpu_count, "cpu_used_pct",
                           (double)(int)(m.cpu_used_pct * 100 + 0.5) / 100, "mem_total",
                           (json_int_t)m.mem_total, "mem_used", (json_int_t)m.mem_used,
                           "mem_cache", (json_int_t)m.mem_cache, "mem_total_mib",
                           (json_int_t)(m.mem_total >> 20), "mem_used_mib",
                           (json_int_t)(m.mem_used >> 20), "disk_used", (json_int_t)m.disk_used,
                           "disk_total", (json_int_t)m.disk_total));
}

void envd_envs(struct request *rq)
{
    respond_json(rq, 200, json_incref(rq->sandbox->envs));
}
