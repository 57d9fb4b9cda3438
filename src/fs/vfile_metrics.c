/* SPDX-License-Identifier: MIT */
/*
 * <id>/metrics and metrics.json: the latest sample.
 *
 * fleet asks for the neighbours, too, so that a look at every sandbox is one request per
 * hundred.  Nothing is sent to the sandbox itself, so a paused one shows its last sample.
 */
#include "fs/vfile_metrics.h"

#include "fs/snapshot.h"
#include "util/clock.h"
#include "util/jsonw.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { CPU_DIGITS = 2 };

/* --- the two forms ------------------------------------------------------------------------ */

/* Both orders are documented (e2bfs(5)); the names of the second are the API's. */
static const struct {
    const char *key, *name;
    size_t offset; /* of an int64_t; SIZE_MAX: cpu_used_pct */
} fields[] = {
#define AT(member) offsetof(struct e2b_metrics, member)
    { "timestamp_unix", "timestampUnix", AT(timestamp_unix) },
    { "cpu_count", "cpuCount", AT(cpu_count) },
    { "cpu_used_pct", "cpuUsedPct", SIZE_MAX },
    { "mem_used", "memUsed", AT(mem_used) },
    { "mem_total", "memTotal", AT(mem_total) },
    { "mem_cache", "memCache", AT(mem_cache) },
    { "disk_used", "diskUsed", AT(disk_used) },
    { "disk_total", "diskTotal", AT(disk_total) },
#undef AT
};

enum { N_FIELDS = sizeof(fields) / sizeof(fields[0]) };

const char *metrics_field_key(size_t i)
{
    return i < N_FIELDS ? fields[i].key : NULL;
}

bool metrics_field_text(const struct e2b_metrics *m, size_t i, struct buf *out)
{
    int64_t n;

    if (fields[i].offset == SIZE_MAX) {
        if (!isfinite(m->cpu_used_pct))
            return false;
        jsonw_double(out, m->cpu_used_pct, CPU_DIGITS);
        return true;
    }
    memcpy(&n, (const char *)m + fields[i].offset, sizeof(n));
    if (n < 0)
        return false;
    buf_printf(out, "%" PRId64, n);
    return true;
}

static void render_text(const struct e2b_metrics *m, struct buf *out)
{
    if (!m)
        return; /* no sample yet: empty */
    for (size_t i = 0; i < N_FIELDS; i++) {
        autobuf struct buf value = BUF_INIT;

        if (metrics_field_text(m, i, &value))
            buf_printf(out, "%s %s\n", fields[i].key, buf_str(&value));
    }
}

static void render_json(const struct e2b_metrics *m, struct buf *out)
{
    char time[RFC3339_MAX];

    if (!m) {
        buf_puts(out, "null\n");
        return;
    }
    buf_printf(out, "{\n  \"timestamp\": \"%s\"",
               rfc3339_format((struct timespec){ .tv_sec = m->timestamp_unix }, 0, time));
    for (size_t i = 0; i < N_FIELDS; i++) {
        autobuf struct buf value = BUF_INIT;

        if (metrics_field_text(m, i, &value))
            buf_printf(out, ",\n  \"%s\": %s", fields[i].name, buf_str(&value));
    }
    buf_puts(out, "\n}\n");
}

typedef void render_fn(const struct e2b_metrics *m, struct buf *out);

/* --- getting them ------------------------------------------------------------------------- */

static bool finish_if_known(struct snapshot *snap, int64_t max_age_ms, render_fn *render)
{
    struct e2b_metrics m;
    int r = fleet_metrics_peek(snap->fs->fleet, snap->sandbox, max_age_ms, &m);

    if (r < 0)
        return false;
    render(r == 0 ? &m : NULL, &snap->out);
    snapshot_finish(snap);
    return true;
}

static void have_answer(struct snapshot *snap, const struct e2b_err *err, render_fn *render)
{
    bool is_final = err && (err->errnum == ENOENT || err->errnum == ECANCELED);

    if (!is_final && finish_if_known(snap, METRICS_STALE_MS, render))
        return;
    if (err)
        snapshot_fail(snap, err);
    else
        snapshot_fail_errno(snap, ENOENT, "no such sandbox any more");
}

static void have_text(void *arg, const struct e2b_err *err)
{
    have_answer(arg, err, render_text);
}

static void have_json(void *arg, const struct e2b_err *err)
{
    have_answer(arg, err, render_json);
}

static void cancel(void *arg)
{
    fleet_cancel(arg);
}

static void fill(struct snapshot *snap, render_fn *render, e2b_done_fn *have)
{
    if (!finish_if_known(snap, METRICS_FRESH_MS, render))
        snapshot_await(snap, cancel,
                       fleet_metrics_want(snap->fs->fleet, snap->sandbox, have, snap));
}

void vfile_metrics_fill(struct snapshot *snap)
{
    fill(snap, render_text, have_text);
}

void vfile_metrics_json_fill(struct snapshot *snap)
{
    fill(snap, render_json, have_json);
}
