/* SPDX-License-Identifier: MIT */
#include "lifecycle.h"

#include "http_server.h"
#include "keep.h"
#include "process.h"
#include "sampler.h"
#include "util/clock.h"
#include "util/codec.h"
#include "util/log.h"
#include "util/xalloc.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HELLO_MS = 15000, FREEZE_MS = 10000, TRANSITION_MS = 60000 };

static char *roots_dir, *token_seed;
static bool keeps; /* sandboxes outlive the server */
static pthread_t timer;
static bool is_ending; /* under the store lock */

/* i and 20 characters of [a-z0-9], as the real ones look. */
static void make_id(char out[24])
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    char hex[81];
    unsigned pair;

    random_hex(hex, 40);
    out[0] = 'i';
    for (int i = 0; i < 20; i++) {
        (void)sscanf(hex + 4 * i, "%4x", &pair);
        out[1 + i] = alphabet[pair % 36];
    }
    out[21] = '\0';
}

/* Tokens are a function of the id, so they survive everything (control-plane.md 3.4). */
static char *make_token(const char *id, const char *purpose)
{
    autofree char *text = xasprintf("%s:%s", purpose, id);
    char out[SHA256_HEX];

    hmac_sha256_hex(token_seed, strlen(token_seed), text, strlen(text), out);
    return xstrdup(out);
}

/* Clients must cope with any number of fractional digits: ids choose how many (not so few that
 * the order of starts would suffer; the fleet has times without any). */
static struct timespec now_for(const char *id)
{
    static const long unit[] = { 1000000, 1000, 1 };
    struct timespec now = clock_wall();

    now.tv_nsec -= now.tv_nsec % unit[(unsigned char)id[1] % 3];
    return now;
}

static struct timespec plus_seconds(struct timespec t, int64_t s)
{
    t.tv_sec += s;
    return t;
}

static bool is_before(struct timespec a, struct timespec b)
{
    return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec < b.tv_nsec;
}

/* What every sandbox has, wherever its description came from. */
static void complete(struct sandbox *sb)
{
    if (!sb->envs)
        sb->envs = json_object();
    json_object_set_new(sb->envs, "E2B_SANDBOX", json_string("true"));
    json_object_set_new(sb->envs, "E2B_SANDBOX_ID", json_string(sb->id));
    json_object_set_new(sb->envs, "E2B_TEMPLATE_ID", json_string(sb->template_id));
    sb->state = STARTING;
    sb->refs = 1;
    LIST_INIT(&sb->live);
    sb->processes = process_table_new();
}

static struct sandbox *make(struct life_spec *spec)
{
    struct sandbox *sb = xcalloc(1, sizeof(*sb));

    make_id(sb->id);
    sb->template_id = spec->template_id;
    sb->alias = spec->alias;
    sb->metadata = spec->metadata;
    sb->envs = spec->envs;
    sb->network = spec->network;
    sb->volume_mounts = spec->volume_mounts;
    sb->cpu_count = spec->cpu_count;
    sb->memory_mb = spec->memory_mb;
    sb->disk_mb = spec->disk_mb;
    sb->auto_pause = spec->auto_pause;
    sb->auto_resume = spec->auto_resume;
    sb->allow_internet = spec->allow_internet;
    sb->has_allow_internet = spec->has_allow_internet;
    sb->resume_timeout_s = spec->timeout_s > 300 ? spec->timeout_s : 300;
    if (spec->secure)
        sb->envd_token = make_token(sb->id, "envd");
    if (spec->has_traffic_token)
        sb->traffic_token = make_token(sb->id, "traffic");
    sb->started_at = now_for(sb->id);
    sb->end_at = plus_seconds(sb->started_at, spec->timeout_s);
    complete(sb);
    *spec = (struct life_spec){ 0 };
    return sb;
}

static void set_state(struct sandbox *sb, enum sandbox_state state)
{
    store_lock();
    sb->state = state;
    store_changed();
    store_unlock();
}

/* Starts the container of a sandbox whose root is there. */
static int run(struct sandbox *sb, struct e2b_err *err)
{
    int sock, r = container_start(sb->root, &sb->container, &sock, err);

    if (r < 0)
        return r;
    sb->channel = channel_open(sock, HELLO_MS, process_exited, sb);
    if (!sb->channel)
        return e2b_fail(err, EIO, "the container of sandbox %s did not start", sb->id);
    sampler_sample(sb);
    return 0;
}

/* Shows it to everybody, unless the server is ending. */
static int publish(struct sandbox *sb, struct e2b_err *err)
{
    bool ends;

    store_add(sb);
    if (keeps)
        keep_save(sb);
    store_lock();
    ends = is_ending;
    store_unlock();
    if (!ends)
        return 0;
    life_kill(sb);
    return e2b_fail(err, ECANCELED, "the server is ending");
}

int life_create(struct life_spec *spec, struct sandbox **out, struct e2b_err *err)
{
    struct sandbox *sb = make(spec);
    int64_t timeout_s = sb->end_at.tv_sec - sb->started_at.tv_sec;
    int r;

    sb->root = xasprintf("%s/%s", roots_dir, sb->id);
    r = container_make_root(sb->root, err);
    if (r == 0)
        r = run(sb, err);
    if (r == 0) {
        sb->started_at = now_for(sb->id);
        sb->end_at = plus_seconds(sb->started_at, timeout_s);
        sb->state = RUNNING;
        r = publish(sb, err);
    }
    if (r < 0) {
        sandbox_unref(sb);
        return r;
    }
    log_info("sandbox", "created id=%s template=%s", sb->id, sb->template_id);
    *out = sb;
    return 0;
}

void life_add_synthetic(struct life_spec *spec, struct timespec started_at, bool is_paused)
{
    int64_t timeout_s = spec->timeout_s;
    struct sandbox *sb = make(spec);

    sb->is_synthetic = true;
    sb->started_at = started_at;
    sb->end_at = plus_seconds(started_at, timeout_s);
    sb->state = is_paused ? PAUSED : RUNNING;
    store_add(sb);
    sandbox_unref(sb);
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
    request_abort(rq);
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
    n += !sb->is_synthetic;
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

/* One of an earlier server; what can't be used stays where it is. */
static void restore(const char *id)
{
    struct sandbox *sb = xcalloc(1, sizeof(*sb));
    bool is_paused = false, is_secure = true, has_traffic_token = false;
    struct e2b_err err = { 0 };
    int r = -EINVAL;

    memcpy(sb->id, id, strlen(id) + 1); /* restore_all() knows that it fits */
    sb->root = xasprintf("%s/%s", roots_dir, id);
    if (keep_load(sb->root, sb, &is_paused, &is_secure, &has_traffic_token)) {
        sb->envd_token = is_secure ? make_token(id, "envd") : NULL;
        sb->traffic_token = has_traffic_token ? make_token(id, "traffic") : NULL;
        complete(sb);
        r = run(sb, &err);
        sb->state = is_paused ? PAUSED : RUNNING;
        if (r == 0)
            r = publish(sb, &err);
    } else {
        complete(sb);
    }
    if (r < 0) {
        log_warning("sandbox", "can't restore id=%s: %s", id,
                    err.errnum ? err.msg : "its description is damaged");
        sb->is_kept = true;
    }
    sandbox_unref(sb);
}

static void restore_all(void)
{
    DIR *dir = opendir(roots_dir);
    struct dirent *d;

    while (dir && (d = readdir(dir))) {
        autofree char *description = xasprintf("%s/%s.json", roots_dir, d->d_name);

        if (d->d_name[0] != '.' && strlen(d->d_name) < sizeof(((struct sandbox *)0)->id) &&
            access(description, F_OK) == 0)
            restore(d->d_name);
    }
    if (dir)
        closedir(dir);
}

int life_start(const char *data_dir, const char *seed, bool is_kept, struct e2b_err *err)
{
    int e;

    keeps = is_kept;
    roots_dir = xasprintf("%s/sandboxes", data_dir);
    token_seed = xstrdup(seed);
    if (mkdir(roots_dir, 0755) < 0 && errno != EEXIST)
        return e2b_fail(err, errno, "creating %s: %s", roots_dir, strerror(errno));
    e = pthread_create(&timer, NULL, run_timer, NULL);
    if (e)
        return e2b_fail(err, e, "starting the timer: %s", strerror(e));
    restore_all();
    return 0;
}

static void kill_all(void)
{
    struct sandbox *each, *after;

    store_lock();
    HASH_ITER(hh, store_all(), each, after)
    if (each->state != KILLING)
        container_kill(each->container);
    store_unlock();
    for (;;) {
        struct sandbox *sb, *next, *found = NULL;

        store_lock();
        HASH_ITER(hh, store_all(), sb, next)
        if (sb->state != KILLING)
            found = sb;
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
