/* SPDX-License-Identifier: MIT */
#include "sampler.h"

#include "util/clock.h"
#include "util/codec.h"
#include "util/xalloc.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

enum { CALL_MS = 2000 };

static pthread_t thread;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static bool is_ending;

static bool ask(struct sandbox *sb, int64_t *cpu_ms, int64_t *mem)
{
    automsg struct msg request = { .kind = MSG_METRICS }, reply = MSG_INIT;
    const char *text;
    int code = 0;

    if (channel_call(sb->channel, &request, &reply, CALL_MS, NULL, NULL, &code, &text) < 0 ||
        code)
        return false;
    *cpu_ms = msg_get_i64(&reply);
    *mem = msg_get_i64(&reply);
    return !reply.bad;
}

bool sampler_sample(struct sandbox *sb)
{
    int64_t now = clock_boot_ms(), cpu_ms = 0, mem = 0, passed;
    struct metric m = { .at = clock_wall().tv_sec };
    struct statvfs fs;

    if (!ask(sb, &cpu_ms, &mem))
        return false;
    m.mem_total = (int64_t)sb->memory_mb << 20;
    m.mem_used = mem < m.mem_total ? mem : m.mem_total;
    m.mem_cache = m.mem_total / 16;
    if (statvfs(sb->root, &fs) == 0) {
        m.disk_total = (int64_t)(fs.f_blocks * fs.f_frsize);
        m.disk_used = (int64_t)((fs.f_blocks - fs.f_bavail) * fs.f_frsize);
    }
    store_lock();
    passed = now - sb->sampled_at_ms;
    if (sb->sampled_at_ms && passed > 0 && cpu_ms > sb->cpu_ms_before)
        m.cpu_used_pct =
            100.0 * (double)(cpu_ms - sb->cpu_ms_before) / (double)passed / sb->cpu_count;
    if (m.cpu_used_pct > 100)
        m.cpu_used_pct = 100;
    sb->sampled_at_ms = now;
    sb->cpu_ms_before = cpu_ms;
    if (!sb->metrics)
        sb->metrics = xcalloc(METRICS_KEPT, sizeof(*sb->metrics));
    sb->metrics[sb->metric_next] = m;
    sb->metric_next = (sb->metric_next + 1) % METRICS_KEPT;
    if (sb->metric_count < METRICS_KEPT)
        sb->metric_count++;
    store_unlock();
    return true;
}

/* Numbers that look alive and are the same for a whole sampling interval. */
static struct metric synthetic(const struct sandbox *sb)
{
    int64_t at = clock_wall().tv_sec / SAMPLE_EVERY_S * SAMPLE_EVERY_S;
    uint64_t fixed = hash64(sb->id, NULL);
    struct metric m = { .at = at };

    m.mem_total = (int64_t)sb->memory_mb << 20;
    m.disk_total = (int64_t)sb->disk_mb << 20;
    m.cpu_used_pct = (double)((fixed + (uint64_t)at) % 1000) / 10;
    m.mem_used = m.mem_total / 100 * (int64_t)(5 + fixed / 7 % 90);
    m.mem_cache = m.mem_total / 20;
    m.disk_used = m.disk_total / 100 * (int64_t)(10 + fixed / 11 % 80);
    return m;
}

bool sampler_latest(const struct sandbox *sb, struct metric *out)
{
    if (sb->is_synthetic) {
        *out = synthetic(sb);
        return true;
    }
    if (sb->metric_count == 0)
        return false;
    *out = sb->metrics[(sb->metric_next + METRICS_KEPT - 1) % METRICS_KEPT];
    return true;
}

/* References to all running sandboxes; the array is the caller's. */
static struct sandbox **running(size_t *count)
{
    struct sandbox *sb, *next, **list;
    size_t n = 0;

    store_lock();
    list = calloc(HASH_COUNT(store_all()) + 1, sizeof(struct sandbox *));
    HASH_ITER(hh, store_all(), sb, next)
    {
        if (list && sb->state == RUNNING && !sb->is_synthetic)
            list[n++] = sandbox_ref(sb);
    }
    store_unlock();
    *count = n;
    return list;
}

static void *run(void *arg)
{
    (void)arg;
    for (;;) {
        struct timespec until;
        struct sandbox **list;
        size_t n;
        bool ends;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += SAMPLE_EVERY_S;
        pthread_mutex_lock(&lock);
        while (!is_ending && pthread_cond_timedwait(&wake, &lock, &until) == 0)
            ;
        ends = is_ending;
        pthread_mutex_unlock(&lock);
        if (ends)
            return NULL;
        list = running(&n);
        for (size_t i = 0; i < n; i++) {
            sampler_sample(list[i]);
            sandbox_unref(list[i]);
        }
        free(list);
    }
}

int sampler_start(struct e2b_err *err)
{
    int e = pthread_create(&thread, NULL, run, NULL);

    return e ? e2b_fail(err, e, "starting the sampler: %s", strerror(e)) : 0;
}

void sampler_stop(void)
{
    pthread_mutex_lock(&lock);
    is_ending = true;
    pthread_cond_signal(&wake);
    pthread_mutex_unlock(&lock);
    pthread_join(thread, NULL);
}
