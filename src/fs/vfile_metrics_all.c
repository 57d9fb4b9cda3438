/* SPDX-License-Identifier: MIT */
/*
 * .e2b/metrics: the latest sample of each sandbox, one line each, in the order of .e2b/index:
 * the id, then the fields of <id>/metrics in their order, separated by tabs; "-" is what the
 * server doesn't say.
 *
 * Samples come 100 a request (fleet.h), one request after the other.
 */
#include "fs/vfile_list.h"
#include "fs/vfile_metrics.h"
#include "util/xalloc.h"

#include <errno.h>
#include <string.h>

/* The walk that makes all samples known. */
struct walk {
    struct snapshot *snap;
    struct fleet_wait *wait; /* the request under way */
    char **ids;              /* owned: the list may change meanwhile */
    size_t n, next;
};

static void walk_free(struct walk *w)
{
    for (size_t i = 0; i < w->n; i++)
        free(w->ids[i]);
    free(w->ids);
    free(w);
}

static int put_line(const struct fleet *fleet, const struct e2b_sandbox *s, struct buf *out)
{
    autobuf struct buf line = BUF_INIT;
    struct e2b_metrics m;
    bool has_sample = fleet_metrics_peek(fleet, s->id, METRICS_STALE_MS, &m) == 0;

    buf_puts(&line, s->id);
    for (size_t i = 0; metrics_field_key(i); i++) {
        buf_putc(&line, '\t');
        if (!has_sample || !metrics_field_text(&m, i, &line))
            buf_putc(&line, '-');
    }
    buf_putc(&line, '\n');
    return buf_append(out, line.data, line.len);
}

static void render(struct snapshot *snap)
{
    const struct fleet *fleet = snap->fs->fleet;
    const struct e2b_sandbox_list *list = fleet_last(fleet, NULL);
    autofree const struct e2b_sandbox **order = vfile_by_start(list);
    int r = 0;

    for (size_t i = 0; i < list->n && r == 0; i++)
        r = put_line(fleet, order[i], &snap->out);
    if (r < 0)
        snapshot_fail_errno(snap, -r, "too many sandboxes for one file");
    else
        snapshot_finish(snap);
}

static bool is_known(const struct walk *w, size_t i, int64_t max_age_ms)
{
    const struct fleet *fleet = w->snap->fs->fleet;
    struct e2b_metrics m;

    return !fleet_find(fleet, w->ids[i]) ||
           fleet_metrics_peek(fleet, w->ids[i], max_age_ms, &m) >= 0;
}

/* Old samples will do if the new ones can't be had, but no line may pretend to know nothing. */
static void walk_failed(struct walk *w, const struct e2b_err *err)
{
    bool is_complete = err->errnum != ECANCELED;

    for (size_t i = 0; i < w->n && is_complete; i++)
        is_complete = is_known(w, i, METRICS_STALE_MS);
    if (is_complete)
        render(w->snap);
    else
        snapshot_fail(w->snap, err);
    walk_free(w);
}

static void walk_on(struct walk *w);

static void have_samples(void *arg, const struct e2b_err *err)
{
    struct walk *w = arg;

    w->wait = NULL;
    if (err && err->errnum != ENOENT) /* that one ended meanwhile */
        walk_failed(w, err);
    else
        walk_on(w);
}

static void cancel(void *arg)
{
    struct walk *w = arg;

    if (w->wait)
        fleet_cancel(w->wait);
}

static void walk_on(struct walk *w)
{
    /* Never back: in a long walk the first samples are old again at its end. */
    while (w->next < w->n && is_known(w, w->next, METRICS_FRESH_MS))
        w->next++;
    if (w->next == w->n) {
        render(w->snap);
        walk_free(w);
        return;
    }
    w->wait = fleet_metrics_want(w->snap->fs->fleet, w->ids[w->next++], have_samples, w);
    snapshot_await(w->snap, cancel, w);
}

/* In the list's own order, in which a request takes the neighbours along. */
static void have_list(struct snapshot *snap, const struct e2b_sandbox_list *list)
{
    struct walk *w = xcalloc(1, sizeof(*w));

    w->snap = snap;
    w->n = list->n;
    w->ids = xcalloc(list->n + 1, sizeof(*w->ids));
    for (size_t i = 0; i < list->n; i++)
        w->ids[i] = xstrdup(list->v[i].id);
    walk_on(w);
}

void vfile_metrics_all_fill(struct snapshot *snap)
{
    vfile_with_list(snap, have_list);
}
