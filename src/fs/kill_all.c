/* SPDX-License-Identifier: MIT */
#include "fs/kill_all.h"

#include "util/log.h"
#include "util/xalloc.h"

#include <errno.h>
#include <inttypes.h>

enum { AT_A_TIME = 8 };

struct slot { /* one request */
    struct kill_all *k;
    struct e2b_call *call; /* NULL: free */
    const char *id;        /* borrowed from ids */
};

struct kill_all {
    struct fs *fs;
    int64_t expected;
    struct fleet_wait *wait; /* for the list */
    char **ids;              /* owned */
    size_t n, next, busy, ended;
    struct slot slots[AT_A_TIME];
    struct e2b_err err; /* the first; nothing is started behind it */
    kill_all_fn *fn;
    void *arg;
};

static void finish(struct kill_all *k)
{
    if (k->ended > 0)
        log_info("fs", "kill-all ended=%zu of=%zu", k->ended, k->n);
    if (k->err.errnum && k->ended > 0)
        e2b_wrap(&k->err, -k->err.errnum, "%zu of %zu ended, then", k->ended, k->n);
    k->fn(k->arg, k->ended, k->err.errnum ? &k->err : NULL);
    for (size_t i = 0; i < k->n; i++)
        free(k->ids[i]);
    free(k->ids);
    free(k);
}

static void killed(void *arg, const struct e2b_err *err);

static void go_on(struct kill_all *k)
{
    for (size_t i = 0; i < AT_A_TIME && k->next < k->n && !k->err.errnum; i++) {
        struct slot *slot = &k->slots[i];

        if (slot->call)
            continue;
        *slot = (struct slot){ .k = k, .id = k->ids[k->next++] };
        slot->call = e2b_sandbox_kill(k->fs->client, slot->id, killed, slot);
        k->busy++;
    }
    if (k->busy == 0)
        finish(k);
}

static void killed(void *arg, const struct e2b_err *err)
{
    struct slot *slot = arg;
    struct kill_all *k = slot->k;

    slot->call = NULL;
    k->busy--;
    if (!err || err->errnum == ENOENT) {
        k->ended++;
        fleet_forget(k->fs->fleet, slot->id);
    } else if (!k->err.errnum) {
        k->err = *err;
    }
    go_on(k);
}

static void take_running(struct kill_all *k, const struct e2b_sandbox_list *list)
{
    k->ids = xcalloc(list->n + 1, sizeof(*k->ids));
    for (size_t i = 0; i < list->n; i++)
        if (list->v[i].state == E2B_STATE_RUNNING)
            k->ids[k->n++] = xstrdup(list->v[i].id);
}

static void listed(void *arg, const struct e2b_sandbox_list *list, const struct e2b_err *err)
{
    struct kill_all *k = arg;

    k->wait = NULL;
    if (err) {
        k->err = *err;
    } else if (fleet_last_error(k->fs->fleet, NULL, &k->err) == 0) {
        /* Else the list is an old one: good for looking, not for this. */
        take_running(k, list);
        if ((int64_t)k->n != k->expected) {
            e2b_fail(&k->err, ERANGE, "%zu running sandboxes are shown here, not %" PRId64,
                     k->n, k->expected);
            k->next = k->n;
        }
    }
    go_on(k);
}

struct kill_all *kill_all_start(struct fs *fs, int64_t expected, kill_all_fn *fn, void *arg)
{
    struct kill_all *k = xcalloc(1, sizeof(*k));

    *k = (struct kill_all){ .fs = fs, .expected = expected, .fn = fn, .arg = arg };
    fleet_expire(fs->fleet);
    k->wait = fleet_want(fs->fleet, listed, k);
    return k;
}

void kill_all_cancel(struct kill_all *k)
{
    if (k->wait) {
        fleet_cancel(k->wait);
        return;
    }
    if (!k->err.errnum)
        e2b_fail(&k->err, ECANCELED, "interrupted");
    for (size_t i = 0; i < AT_A_TIME; i++)
        if (k->slots[i].call)
            e2b_call_cancel(k->slots[i].call);
}
