/* SPDX-License-Identifier: MIT */
/* Where sandboxes come from: a request, the fleet, or an earlier server. */
#include "lifecycle_internal.h"

#include "keep.h"
#include "process.h"
#include "sampler.h"
#include "util/codec.h"
#include "util/log.h"
#include "util/xalloc.h"
#include "watchers.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HELLO_MS = 15000 };

static char *roots_dir, *token_seed;

int birth_setup(const char *data_dir, const char *seed, struct e2b_err *err)
{
    roots_dir = xasprintf("%s/sandboxes", data_dir);
    token_seed = xstrdup(seed);
    if (mkdir(roots_dir, 0755) < 0 && errno != EEXIST)
        return e2b_fail(err, errno, "creating %s: %s", roots_dir, strerror(errno));
    return 0;
}

void birth_teardown(void)
{
    free(roots_dir);
    free(token_seed);
    roots_dir = token_seed = NULL;
}

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
    sb->watchers = watchers_new();
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
    store_add(sb);
    if (life_keeps())
        keep_save(sb);
    if (!life_is_ending())
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

void birth_restore_all(void)
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
