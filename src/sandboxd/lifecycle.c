/* SPDX-License-Identifier: MIT */
#include "lifecycle_internal.h"

#include "http_server.h"
#include "keep.h"
#include "util/log.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

enum { FREEZE_MS = 10000, TRANSITION_MS = 60000 };

static bool keeps;
static pthread_t timer;
static bool is_ending; /* under the store lock */

bool life_keeps(void)
{
    return keeps;
}

bool life_is_ending(void)
{
    bool ends;

    store_lock();
    ends = is_ending;
    store_unlock();
    return ends;
}

static bool is_before(struct timespec a, struct timespec b)
{
    return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec < b.tv_nsec;
}

static void set_state(struct sandbox *sb, enum sandbox_state state)
{
    store_lock();
    sb->state = state;
    store_changed();
    store_unlock();
}

/* --- transitions -------------------------------------------------------------------------- */

static bool in_transition(const struct sandbox *sb)
{
    return sb->state == STARTING || sb->state == PAUSING || sb->state == RESUMING;
}

/* Data-plane connections break when the machine behind them stops. */
static void abort_live(struct sandbox *sb)
{
    struct request *rq;

    LIST_FOREACH(rq, &sb->live, live_link)
    {
        request_abort(rq);
    }
}

enum life_result life_kill(struct sandbox *sb)
{
    int64_t end = clock_boot_ms() + TRANSITION_MS;

    store_lock();
    while (in_transition(sb) && clock_boot_ms() < end)
        store_wait(1000);
    if (sb->state == KILLING) {
        store_unlock();
        return LIFE_GONE;
    }
    sb->state = KILLING;
    abort_live(sb);
    store_changed();
    store_unlock();

    /* From here on this thread alone touches the container. */
    container_stop(sb->container);
    sb->container = NULL;
    if (keeps && !sb->is_kept && sb->root)
        keep_forget(sb);
    store_remove(sb);
    log_info("sandbox", "%s id=%s", sb->is_kept ? "put away" : "killed", sb->id);
    return LIFE_OK;
}

static void save(const struct sandbox *sb)
{
    if (keeps && sb->root)
        keep_save(sb);
}

static int freeze(struct sandbox *sb, bool on)
{
    automsg struct msg request = MSG_INIT, reply = MSG_INIT;
    const char *text;
    int code = 0, r;

    if (sb->is_synthetic)
        return 0;
    request.kind = MSG_FREEZE;
    msg_put_u32(&request, on);
    r = channel_call(sb->channel, &request, &reply, FREEZE_MS, NULL, NULL, &code, &text);
    return r < 0 ? r : code ? -EIO : 0;
}

enum life_result life_pause(struct sandbox *sb)
{
    enum life_result result = LIFE_OK;

    store_lock();
    if (sb->state == PAUSING) {
        /* Two pauses at once are both told it worked. */
        while (sb->state == PAUSING)
            store_wait(1000);
        result = sb->state == PAUSED ? LIFE_OK : LIFE_FAILED;
        store_unlock();
        return result;
    }
    if (sb->state != RUNNING) {
        result = sb->state == PAUSED    ? LIFE_ALREADY
                 : sb->state == KILLING ? LIFE_GONE
                                        : LIFE_BUSY;
        store_unlock();
        return result;
    }
    sb->state = PAUSING;
    sb->end_at = now_for(sb->id);
    abort_live(sb);
    store_changed();
    store_unlock();

    if (freeze(sb, true) < 0)
        result = LIFE_FAILED;
    set_state(sb, result == LIFE_OK ? PAUSED : RUNNING);
    save(sb);
    log_info("sandbox", "paused id=%s", sb->id);
    return result;
}

enum life_result life_resume(struct sandbox *sb, int64_t timeout_s)
{
    int64_t end = clock_boot_ms() + TRANSITION_MS;
    enum life_result result = LIFE_OK;

    store_lock();
    while (in_transition(sb) && clock_boot_ms() < end)
        store_wait(1000);
    if (sb->state != PAUSED) {
        result = sb->state == RUNNING   ? LIFE_ALREADY
                 : sb->state == KILLING ? LIFE_GONE
                                        : LIFE_BUSY;
        store_unlock();
        return result;
    }
    sb->state = RESUMING;
    store_changed();
    store_unlock();

    if (freeze(sb, false) < 0)
        result = LIFE_FAILED;
    store_lock();
    if (result == LIFE_OK) {
        sb->started_at = now_for(sb->id);
        sb->end_at = plus_seconds(sb->started_at, timeout_s);
    }
    sb->state = result == LIFE_OK ? RUNNING : PAUSED;
    store_changed();
    store_unlock();
    save(sb);
    log_info("sandbox", "resumed id=%s", sb->id);
    return result;
}

enum life_result life_set_end(struct sandbox *sb, int64_t timeout_s, enum life_end how)
{
    enum life_result result = LIFE_OK;
    struct timespec wanted, latest;

    store_lock();
    if (sb->state == PAUSED || sb->state == KILLING) {
        result = LIFE_GONE;
    } else if (sb->state != RUNNING) {
        result = LIFE_BUSY;
    } else {
        wanted = plus_seconds(now_for(sb->id), timeout_s);
        latest = plus_seconds(sb->started_at, LIFE_MAX_S);
        if (is_before(latest, wanted))
            wanted = latest; /* the plan's limit, silently */
        if (how == LIFE_SET || is_before(sb->end_at, wanted))
            sb->end_at = wanted;
        store_changed();
    }
    store_unlock();
    if (result == LIFE_OK)
        save(sb);
    return result;
}

int life_count(void)
{
    struct sandbox *sb, *next;
    int n = 0;

    store_lock();
    HASH_ITER(hh, store_all(), sb, next)
    {
        n += !sb->is_synthetic;
    }
    store_unlock();
    return n;
}

/* --- the clock ---------------------------------------------------------------------------- */

/* Locked: the next sandbox to end, and how long until then. */
static struct sandbox *next_to_end(int64_t *ms)
{
    struct timespec now = clock_wall();
    struct sandbox *sb, *next, *found = NULL;

    *ms = 60000;
    HASH_ITER(hh, store_all(), sb, next)
    {
        int64_t left = (sb->end_at.tv_sec - now.tv_sec) * 1000 +
                       (sb->end_at.tv_nsec - now.tv_nsec) / 1000000;

        if (sb->state != RUNNING || sb->is_synthetic || left >= *ms)
            continue;
        *ms = left;
        found = sb;
    }
    return found;
}

static void *run_timer(void *arg)
{
    (void)arg;
    store_lock();
    while (!is_ending) {
        int64_t ms;
        struct sandbox *sb = next_to_end(&ms);

        if (!sb || ms > 0) {
            store_wait(ms);
            continue;
        }
        sandbox_ref(sb);
        store_unlock();
        log_info("sandbox", "its time is over id=%s", sb->id);
        if (sb->auto_pause)
            life_pause(sb);
        else
            life_kill(sb);
        sandbox_unref(sb);
        store_lock();
    }
    store_unlock();
    return NULL;
}

int life_start(const char *data_dir, const char *seed, bool is_kept, struct e2b_err *err)
{
    int e;

    keeps = is_kept;
    e = birth_setup(data_dir, seed, err);
    if (e < 0)
        return e;
    e = pthread_create(&timer, NULL, run_timer, NULL);
    if (e)
        return e2b_fail(err, e, "starting the timer: %s", strerror(e));
    birth_restore_all();
    return 0;
}

static void kill_all(void)
{
    struct sandbox *each, *after;

    store_lock();
    HASH_ITER(hh, store_all(), each, after)
    {
        if (each->state != KILLING)
            container_kill(each->container);
    }
    store_unlock();
    for (;;) {
        struct sandbox *sb, *next, *found = NULL;

        store_lock();
        HASH_ITER(hh, store_all(), sb, next)
        {
            if (sb->state != KILLING)
                found = sb;
        }
        if (found)
            sandbox_ref(found);
        store_unlock();
        if (!found)
            return;
        save(found);
        found->is_kept = keeps;
        life_kill(found);
        sandbox_unref(found);
    }
}

void life_stop(void)
{
    store_lock();
    is_ending = true;
    store_changed();
    store_unlock();
    pthread_join(timer, NULL);
    kill_all();
}

void life_free(void)
{
    birth_teardown();
}
