/* SPDX-License-Identifier: MIT */
#include "fs/groups.h"

#include "util/xalloc.h"

#include <assert.h>
#include <e2b/process.h>
#include <e2b/sandbox.h>
#include <errno.h>
#include <string.h>
#include <sys/queue.h>
#include <uthash.h>

enum { TIMEOUT_MS = 30 * 1000 }; /* as for every helper (design 11) */

/* What is known of one sandbox.  One that isn't kept is not `is_linked`: it lives until its
 * request ends, and nobody joins it any more. */
struct box {
    struct groups *groups; /* back pointer */
    char *sandbox;         /* owned; the key */
    struct identity_groups names;
    bool is_linked, is_ready;
    struct e2b_call *call; /* LOADING */
    TAILQ_HEAD(, groups_wait) waits;
    UT_hash_handle hh;
};

struct groups_wait {
    struct groups *groups;
    struct box *box; /* NULL: its end is due */
    struct loop_timer due;
    bool is_cancelled;
    e2b_done_fn *fn;
    void *arg;
    TAILQ_ENTRY(groups_wait) link;
};

struct groups {
    struct loop *loop;
    struct e2b_client *client;
    char *user;
    struct box *boxes;
};

struct groups *groups_new(struct loop *loop, struct e2b_client *client, const char *user)
{
    struct groups *groups = xcalloc(1, sizeof(*groups));

    groups->loop = loop;
    groups->client = client;
    groups->user = xstrdup(user);
    return groups;
}

static struct box *find(const struct groups *groups, const char *sandbox)
{
    struct box *box;

    HASH_FIND_STR(groups->boxes, sandbox, box);
    return box;
}

static void box_unlink(struct box *box)
{
    if (box->is_linked)
        HASH_DEL(box->groups->boxes, box);
    box->is_linked = false;
}

static void box_free(struct box *box)
{
    assert(!box->call && TAILQ_EMPTY(&box->waits));
    box_unlink(box);
    identity_groups_clear(&box->names);
    free(box->sandbox);
    free(box);
}

void groups_free(struct groups *groups)
{
    struct box *box, *tmp;

    if (!groups)
        return;
    HASH_ITER(hh, groups->boxes, box, tmp)
    box_free(box);
    free(groups->user);
    free(groups);
}

const struct identity_groups *groups_peek(const struct groups *groups, const char *sandbox)
{
    const struct box *box = find(groups, sandbox);

    return box && box->is_ready ? &box->names : NULL;
}

static void finish(struct groups_wait *wait, const struct e2b_err *err)
{
    wait->fn(wait->arg, err);
    free(wait);
}

static void on_groups(void *arg, const struct e2b_exec_result *result,
                      const struct e2b_err *err)
{
    struct box *box = arg;
    struct groups_wait *wait;
    struct e2b_err why = { 0 };

    box->call = NULL;
    if (!err) {
        identity_groups_parse(result->out, result->out_len, &box->names);
        /* A group without a name is printed as a number, and makes the status 1. */
        box->is_ready = box->names.len > 0;
        if (!box->is_ready)
            e2b_fail(&why, EOPNOTSUPP, "sandbox %s: id -Gn: %.*s", box->sandbox,
                     (int)strcspn(result->err_text, "\n"), result->err_text);
    }
    if (!box->is_ready)
        box_unlink(box);
    while ((wait = TAILQ_FIRST(&box->waits))) {
        TAILQ_REMOVE(&box->waits, wait, link);
        finish(wait, why.errnum ? &why : err);
    }
    if (!box->is_linked)
        box_free(box);
}

static void ask(struct box *box)
{
    static const char *const argv[] = { "id", "-Gn", NULL };
    static const struct e2b_pair envs[] = {
        { (char *)"LC_ALL", (char *)"C" },
        { (char *)"PATH", (char *)"/usr/bin:/bin:/usr/sbin:/sbin" },
    };
    struct e2b_process_spec spec = { .argv = argv,
                                     .envs = envs,
                                     .n_envs = ARRAY_LEN(envs),
                                     .cwd = "/",
                                     .user = box->groups->user,
                                     .timeout_ms = TIMEOUT_MS };

    box->call = e2b_process_exec(box->groups->client, box->sandbox, &spec, GROUPS_MAX_BYTES,
                                 on_groups, box);
}

static void wait_is_due(void *arg)
{
    struct groups_wait *wait = arg;
    struct e2b_err err = { 0 };

    if (wait->is_cancelled)
        e2b_fail(&err, ECANCELED, "asking for groups: cancelled");
    finish(wait, wait->is_cancelled ? &err : NULL);
}

static void make_due(struct groups_wait *wait)
{
    wait->box = NULL;
    loop_timer_start(wait->groups->loop, &wait->due, 0, wait_is_due, wait);
}

struct groups_wait *groups_want(struct groups *groups, const char *sandbox, e2b_done_fn *fn,
                                void *arg)
{
    struct groups_wait *wait = xcalloc(1, sizeof(*wait));
    struct box *box = find(groups, sandbox);

    *wait = (struct groups_wait){ .groups = groups, .box = box, .fn = fn, .arg = arg };
    if (box && box->is_ready) {
        make_due(wait);
        return wait;
    }
    if (!box) {
        wait->box = box = xcalloc(1, sizeof(*box));
        box->groups = groups;
        box->sandbox = xstrdup(sandbox);
        box->is_linked = true;
        TAILQ_INIT(&box->waits);
        HASH_ADD_KEYPTR(hh, groups->boxes, box->sandbox, strlen(box->sandbox), box);
        ask(box);
    }
    TAILQ_INSERT_TAIL(&box->waits, wait, link);
    return wait;
}

void groups_cancel(struct groups_wait *wait)
{
    struct box *box = wait->box;

    wait->is_cancelled = true;
    if (!box)
        return;
    TAILQ_REMOVE(&box->waits, wait, link);
    make_due(wait);
    if (box->call && TAILQ_EMPTY(&box->waits)) {
        box_unlink(box);
        e2b_call_cancel(box->call);
    }
}

void groups_forget(struct groups *groups, const char *sandbox)
{
    struct box *box, *tmp;

    HASH_ITER(hh, groups->boxes, box, tmp)
    {
        if (sandbox && strcmp(box->sandbox, sandbox) != 0)
            continue;
        if (box->call)
            box_unlink(box);
        else
            box_free(box);
    }
}
