/* SPDX-License-Identifier: MIT */
#include "keep.h"

#include "util/clock.h"
#include "util/json.h"
#include "util/log.h"
#include "util/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MAX = 1 << 20 };

static char *file_of(const char *root)
{
    return xasprintf("%s.json", root);
}

static json_t *to_json(const struct sandbox *sb)
{
    struct timespec now = clock_wall();
    json_t *o;

    store_lock();
    o = json_pack("{s:s,s:s*,s:i,s:i,s:i,s:b,s:b,s:b,s:b,s:b,s:b,s:b,s:I,s:I,s:I}",
                  "templateID", sb->template_id, "alias", sb->alias, "cpuCount", sb->cpu_count,
                  "memoryMB", sb->memory_mb, "diskSizeMB", sb->disk_mb, "autoPause",
                  sb->auto_pause, "autoResume", sb->auto_resume, "allowInternet",
                  sb->allow_internet, "hasAllowInternet", sb->has_allow_internet, "secure",
                  sb->envd_token != NULL, "trafficToken", sb->traffic_token != NULL, "paused",
                  sb->state == PAUSED || sb->state == PAUSING, "resumeTimeout",
                  (json_int_t)sb->resume_timeout_s, "startedAt",
                  (json_int_t)sb->started_at.tv_sec, "left",
                  (json_int_t)(sb->end_at.tv_sec - now.tv_sec));
    store_unlock();
    if (sb->metadata)
        json_object_set(o, "metadata", sb->metadata);
    if (sb->envs)
        json_object_set(o, "envs", sb->envs);
    if (sb->network)
        json_object_set(o, "network", sb->network);
    if (sb->volume_mounts)
        json_object_set(o, "volumeMounts", sb->volume_mounts);
    return o;
}

void keep_save(const struct sandbox *sb)
{
    autofree char *path = file_of(sb->root), *temporary = xasprintf("%s.tmp", path);
    autojson json_t *o = to_json(sb);
    autobuf struct buf text = BUF_MAX(FILE_MAX);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && jdump_pretty(o, &text) == 0 &&
              write(fd, text.data, text.len) == (ssize_t)text.len;

    if (fd >= 0)
        close(fd);
    if (!ok || rename(temporary, path) < 0)
        log_warning("keep", "can't save id=%s: %s", sb->id, strerror(errno));
}

void keep_forget(const struct sandbox *sb)
{
    autofree char *path = file_of(sb->root);

    unlink(path);
}

static json_t *read_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    autofree char *text = NULL;
    json_t *o = NULL;
    ssize_t n;

    if (fd < 0)
        return NULL;
    text = xmalloc(FILE_MAX);
    n = read(fd, text, FILE_MAX);
    close(fd);
    if (n <= 0 || jparse(text, (size_t)n, &o, NULL) < 0)
        return NULL;
    return o;
}

static json_t *take(const json_t *o, const char *name)
{
    return json_incref(json_object_get(o, name));
}

bool keep_load(const char *root, struct sandbox *sb, bool *is_paused, bool *is_secure,
               bool *has_traffic_token)
{
    autofree char *path = file_of(root);
    autojson json_t *o = read_file(path);
    int64_t cpu = 2, memory = 512, disk = 2048, left = 0, started = 0;
    struct timespec now = clock_wall();

    if (!o || jget_string(o, "templateID", &sb->template_id, NULL) < 0 ||
        jget_string_opt(o, "alias", &sb->alias, NULL) < 0 ||
        jget_int64(o, "cpuCount", &cpu, NULL) < 0 ||
        jget_int64(o, "memoryMB", &memory, NULL) < 0 ||
        jget_int64(o, "diskSizeMB", &disk, NULL) < 0 ||
        jget_int64(o, "left", &left, NULL) < 0 ||
        jget_int64(o, "startedAt", &started, NULL) < 0 ||
        jget_int64_opt(o, "resumeTimeout", &sb->resume_timeout_s, NULL) < 0 ||
        jget_bool_opt(o, "autoPause", &sb->auto_pause, NULL) < 0 ||
        jget_bool_opt(o, "autoResume", &sb->auto_resume, NULL) < 0 ||
        jget_bool_opt(o, "allowInternet", &sb->allow_internet, NULL) < 0 ||
        jget_bool_opt(o, "hasAllowInternet", &sb->has_allow_internet, NULL) < 0 ||
        jget_bool_opt(o, "secure", is_secure, NULL) < 0 ||
        jget_bool_opt(o, "trafficToken", has_traffic_token, NULL) < 0 ||
        jget_bool_opt(o, "paused", is_paused, NULL) < 0)
        return false;
    sb->cpu_count = (int)cpu;
    sb->memory_mb = (int)memory;
    sb->disk_mb = (int)disk;
    sb->metadata = take(o, "metadata");
    sb->envs = take(o, "envs");
    sb->network = take(o, "network");
    sb->volume_mounts = take(o, "volumeMounts");
    /* A run of its own starts here, unless it is paused: then both times stay. */
    sb->started_at = sb->end_at = now;
    if (*is_paused)
        sb->started_at = (struct timespec){ .tv_sec = started };
    else
        sb->end_at.tv_sec += left;
    return true;
}
