/* SPDX-License-Identifier: MIT */
#include "access.h"

#include "client.h"
#include "sandboxes.h"

#include "util/log.h"
#include "util/xalloc.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

struct access *access_find(const struct e2b_client *client, const char *id)
{
    struct access *a = NULL;

    HASH_FIND_STR(client->access, id, a);
    return a;
}

static struct access *find_or_add(struct e2b_client *client, const char *id)
{
    struct access *a = access_find(client, id);

    if (a)
        return a;
    a = xcalloc(1, sizeof(*a));
    a->id = xstrdup(id);
    a->envd_version = xstrdup("");
    LIST_INIT(&a->waiters);
    HASH_ADD_KEYPTR(hh, client->access, a->id, strlen(a->id), a);
    return a;
}

static void forget(struct e2b_client *client, struct access *a)
{
    HASH_DEL(client->access, a);
    if (a->token)
        explicit_bzero(a->token, strlen(a->token));
    free(a->token);
    free(a->domain);
    free(a->envd_version);
    free(a->id);
    free(a);
}

/* Whether the newest answer can still be believed. */
static bool is_fresh(const struct e2b_client *client, const struct access *a, int64_t since_ms)
{
    int64_t now = loop_now_ms(client->loop);
    double checked_at = client_server_now(client) - (double)(now - a->checked_ms) / 1000;

    if (!a->is_known || a->checked_ms < since_ms || now - a->checked_ms > ACCESS_MAX_AGE_MS)
        return false;
    if (a->is_gone || a->state != E2B_STATE_RUNNING)
        return true;
    /* The server evicts within 50 ms of end_at.  An answer given after it is believed all the
     * same: then only our idea of its clock was wrong. */
    if (a->end_at > 0 && checked_at < a->end_at && client_server_now(client) >= a->end_at)
        return false;
    return a->has_detail;
}

/* Whether a request sent now might arrive after its end. */
static bool is_ending(const struct e2b_client *client, const struct access *a)
{
    double left = a->end_at - client_server_now(client);

    return a->end_at > 0 && left * 1000 < ACCESS_MARGIN_MS;
}

static int judge(const struct e2b_client *client, const struct access *a, struct e2b_err *err)
{
    if (a->is_gone)
        return e2b_fail(err, ESTALE, "the sandbox is gone");
    switch (a->state) {
    case E2B_STATE_RUNNING:
        if (a->wakes_up && is_ending(client, a))
            return e2b_fail(err, EHOSTDOWN, "the sandbox is about to be paused");
        return 1;
    case E2B_STATE_PAUSED:
        return e2b_fail(err, EHOSTDOWN, "the sandbox is paused");
    case E2B_STATE_UNKNOWN:
        break;
    }
    return e2b_fail(err, EBUSY, "the sandbox is neither running nor paused");
}

static void start_get(struct e2b_client *client, struct access *a);

/* Answers those whom the last GET satisfies; asks again for the rest. */
static void answer_waiters(struct e2b_client *client, struct access *a, int64_t sent_ms,
                           const struct e2b_err *get_err)
{
    struct access_waiters ready = LIST_HEAD_INITIALIZER(ready);
    struct access_waiter *w, *next;

    /* The list is in reverse order; moving turns it round.  A waiter can leave `ready` like
     * any list, so functions may cancel each other. */
    for (w = LIST_FIRST(&a->waiters); w; w = next) {
        next = LIST_NEXT(w, link);
        if (w->since_ms > sent_ms)
            continue;
        LIST_REMOVE(w, link);
        LIST_INSERT_HEAD(&ready, w, link);
    }
    if (!LIST_EMPTY(&a->waiters))
        start_get(client, a);
    while ((w = LIST_FIRST(&ready)) != NULL) {
        struct e2b_err err = { 0 };

        LIST_REMOVE(w, link);
        w->access = NULL;
        if (get_err)
            err = *get_err;
        else
            judge(client, a, &err);
        w->fn(w->arg, err.errnum ? &err : NULL);
    }
}

struct get {
    struct e2b_client *client;
    struct access *access; /* borrowed: an entry with a GET in flight is not forgotten */
};

static void on_get(void *arg, const struct e2b_sandbox *s, const struct e2b_err *err)
{
    struct get *get = arg;
    struct access *a = get->access;
    int64_t sent_ms = a->get_started_ms;

    (void)s; /* sandbox_answer has called access_learn or access_gone already */
    a->get = NULL;
    if (err)
        log_debug("access", "get failed sandbox=%s why=%s", a->id, err->msg);
    /* "Not there" is knowledge like any other: the waiters learn that it is gone. */
    if (err && a->is_gone)
        err = NULL;
    answer_waiters(get->client, a, sent_ms, err);
    free(get);
}

static void start_get(struct e2b_client *client, struct access *a)
{
    struct get *get;

    if (a->get)
        return;
    get = xcalloc(1, sizeof(*get));
    *get = (struct get){ .client = client, .access = a };
    a->get_started_ms = loop_now_ms(client->loop);
    a->get = e2b_sandbox_get(client, a->id, on_get, get);
}

int access_want(struct e2b_client *client, const char *id, int64_t since_ms,
                struct access_waiter *w, struct e2b_err *err)
{
    struct access *a = find_or_add(client, id);

    assert(!w->access);
    if (is_fresh(client, a, since_ms)) {
        int r = judge(client, a, err);

        if (r > 0 && loop_now_ms(client->loop) - a->checked_ms > ACCESS_REFRESH_MS)
            start_get(client, a);
        return r;
    }
    w->access = a;
    w->since_ms = since_ms;
    LIST_INSERT_HEAD(&a->waiters, w, link);
    start_get(client, a);
    return 0;
}

void access_leave(struct access_waiter *w)
{
    if (!w->access)
        return;
    LIST_REMOVE(w, link);
    w->access = NULL;
}

static void replace(char **to, const char *from)
{
    if (*to && from && strcmp(*to, from) == 0)
        return;
    free(*to);
    *to = xstrdup(from);
}

static void learn_secret(struct access *a, const struct model_access *secret)
{
    if (secret->token && (!a->token || strcmp(a->token, secret->token) != 0))
        log_secret(secret->token);
    replace(&a->token, secret->token);
    /* The answer for a paused sandbox never names the domain. */
    if (secret->domain || a->state == E2B_STATE_RUNNING)
        replace(&a->domain, secret->domain);
    a->has_detail = true;
}

void access_learn(struct e2b_client *client, const struct e2b_sandbox *s,
                  const struct model_access *secret, int64_t sent_ms)
{
    struct access *a = find_or_add(client, s->id);

    if (!a->is_known || sent_ms >= a->checked_ms) {
        a->is_known = true;
        a->is_gone = false;
        a->checked_ms = sent_ms;
        a->state = s->state;
        a->end_at = (double)s->end_at.tv_sec + (double)s->end_at.tv_nsec / 1e9;
        replace(&a->envd_version, s->envd_version);
        if (s->is_detail)
            a->wakes_up = s->auto_resume && s->pauses_on_timeout;
    }
    if (secret)
        learn_secret(a, secret);
}

void access_gone(struct e2b_client *client, const char *id, int64_t sent_ms)
{
    struct access *a = find_or_add(client, id);

    if (a->is_known && sent_ms < a->checked_ms)
        return;
    a->is_known = true;
    a->is_gone = true;
    a->checked_ms = sent_ms;
    a->state = E2B_STATE_UNKNOWN;
}

void access_moved_end(struct e2b_client *client, const char *id, double end_at)
{
    struct access *a = access_find(client, id);

    if (a)
        a->end_at = end_at;
}

void access_prune(struct e2b_client *client)
{
    int64_t now = loop_now_ms(client->loop);
    struct access *a, *next;

    HASH_ITER(hh, client->access, a, next)
    {
        if (!a->get && LIST_EMPTY(&a->waiters) && now - a->checked_ms > ACCESS_FORGET_MS)
            forget(client, a);
    }
}

void access_clear(struct e2b_client *client)
{
    struct access *a, *next;

    HASH_ITER(hh, client->access, a, next)
    {
        assert(!a->get && LIST_EMPTY(&a->waiters));
        forget(client, a);
    }
}

bool access_envd_before(const struct access *a, int major, int minor, int patch)
{
    const char *version = a ? a->envd_version : "";
    int have[3] = { 0 };
    const int want[3] = { major, minor, patch };

    /* v1.0.0 is what the service puts in place of a missing one (control-plane.md 13). */
    if (*version == 'v' || sscanf(version, "%d.%d.%d", &have[0], &have[1], &have[2]) != 3)
        return false;
    for (int i = 0; i < 3; i++)
        if (have[i] != want[i])
            return have[i] < want[i];
    return false;
}

enum e2b_state e2b_sandbox_known_state(const struct e2b_client *client, const char *id,
                                       int64_t *age_ms)
{
    const struct access *a = access_find(client, id);

    if (!a || !a->is_known || a->is_gone)
        return E2B_STATE_UNKNOWN;
    if (age_ms)
        *age_ms = loop_now_ms(client->loop) - a->checked_ms;
    return a->state;
}
