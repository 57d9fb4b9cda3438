/* SPDX-License-Identifier: MIT */
#include "fs/vfile_list.h"

#include "util/xalloc.h"

#include <string.h>

struct list_want {
    struct snapshot *snap;
    vfile_list_fn *fn;
};

static void have_list(void *arg, const struct e2b_sandbox_list *list, const struct e2b_err *err)
{
    struct list_want want = *(struct list_want *)arg;

    free(arg);
    if (err)
        snapshot_fail(want.snap, err);
    else
        want.fn(want.snap, list);
}

static void cancel(void *arg)
{
    fleet_cancel(arg);
}

void vfile_with_list(struct snapshot *snap, vfile_list_fn *fn)
{
    const struct e2b_sandbox_list *list = fleet_peek(snap->fs->fleet, NULL);
    struct list_want *want;

    if (list) {
        fn(snap, list);
        return;
    }
    want = xcalloc(1, sizeof(*want));
    *want = (struct list_want){ .snap = snap, .fn = fn };
    snapshot_await(snap, cancel, fleet_want(snap->fs->fleet, have_list, want));
}

static int by_start(const void *a, const void *b)
{
    const struct e2b_sandbox *x = *(const struct e2b_sandbox *const *)a;
    const struct e2b_sandbox *y = *(const struct e2b_sandbox *const *)b;

    if (x->started_at.tv_sec != y->started_at.tv_sec)
        return x->started_at.tv_sec < y->started_at.tv_sec ? -1 : 1;
    if (x->started_at.tv_nsec != y->started_at.tv_nsec)
        return x->started_at.tv_nsec < y->started_at.tv_nsec ? -1 : 1;
    return strcmp(x->id, y->id);
}

const struct e2b_sandbox **vfile_by_start(const struct e2b_sandbox_list *list)
{
    enum { POINTER = sizeof(const struct e2b_sandbox *) };
    const struct e2b_sandbox **order = xcalloc(list->n + 1, POINTER);

    for (size_t i = 0; i < list->n; i++)
        order[i] = &list->v[i];
    qsort(order, list->n, POINTER, by_start);
    return order;
}
