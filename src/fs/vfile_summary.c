/* SPDX-License-Identifier: MIT */
/*
 * .e2b/summary.json: the account in one object, from the list alone.  Names are the API's where
 * it has one; times are absolute, so that it changes only with what it tells.
 */
#include "fs/vfile_list.h"
#include "util/clock.h"
#include "util/jsonw.h"
#include "util/xalloc.h"

#include <inttypes.h>
#include <string.h>

struct totals {
    size_t running, paused;
    int64_t cpu_count, memory_mb, disk_mb; /* of the running ones; sizes, not use */
};

/* What a hostile answer says may be any number; a sum is never undefined. */
static void add(int64_t *sum, int64_t n)
{
    if (n > 0 && __builtin_add_overflow(*sum, n, sum))
        *sum = INT64_MAX;
}

static struct totals count(const struct e2b_sandbox_list *list)
{
    struct totals t = { 0 };

    for (size_t i = 0; i < list->n; i++) {
        const struct e2b_sandbox *s = &list->v[i];

        t.paused += s->state == E2B_STATE_PAUSED;
        if (s->state != E2B_STATE_RUNNING)
            continue;
        t.running++;
        add(&t.cpu_count, s->cpu_count);
        add(&t.memory_mb, s->memory_mb);
        add(&t.disk_mb, s->disk_mb);
    }
    return t;
}

static void put_sandbox(struct buf *out, const char *name, const struct e2b_sandbox *s)
{
    char time[RFC3339_MAX];

    buf_printf(out, ",\n  \"%s\": ", name);
    if (!s) {
        buf_puts(out, "null");
        return;
    }
    buf_puts(out, "{\n    \"sandboxID\": ");
    jsonw_str(out, s->id);
    buf_puts(out, ",\n    \"startedAt\": ");
    jsonw_str(out, rfc3339_format(s->started_at, 0, time));
    buf_puts(out, "\n  }");
}

static void render(struct snapshot *snap, const struct e2b_sandbox_list *list)
{
    autofree const struct e2b_sandbox **order = vfile_by_start(list);
    struct totals t = count(list);
    struct buf *out = &snap->out;

    buf_printf(out,
               "{\n  \"sandboxes\": %zu,\n  \"running\": %zu,\n  \"paused\": %zu,\n"
               "  \"cpuCount\": %" PRId64 ",\n  \"memoryMB\": %" PRId64
               ",\n  \"diskSizeMB\": %" PRId64,
               list->n, t.running, t.paused, t.cpu_count, t.memory_mb, t.disk_mb);
    put_sandbox(out, "oldest", list->n ? order[0] : NULL);
    put_sandbox(out, "newest", list->n ? order[list->n - 1] : NULL);
    buf_puts(out, "\n}\n");
    snapshot_finish(snap);
}

void vfile_summary_fill(struct snapshot *snap)
{
    vfile_with_list(snap, render);
}
