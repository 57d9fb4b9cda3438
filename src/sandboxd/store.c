/* SPDX-License-Identifier: MIT */
#include "store.h"

#include "process.h"
#include "util/clock.h"
#include "util/xalloc.h"
#include "watchers.h"

#include <pthread.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct sandbox *table;
static int64_t last_order;

void store_lock(void)
{
    pthread_mutex_lock(&lock);
}

void store_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

void store_wait(int64_t ms)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_cond_timedwait(&changed, &lock, &until);
}

void store_changed(void)
{
    pthread_cond_broadcast(&changed);
}

struct sandbox *store_peek(const char *id)
{
    struct sandbox *sb;

    HASH_FIND_STR(table, id, sb);
    return sb;
}

struct sandbox *store_all(void)
{
    return table;
}

struct sandbox *sandbox_ref(struct sandbox *sb)
{
    __atomic_add_fetch(&sb->refs, 1, __ATOMIC_RELAXED);
    return sb;
}

struct sandbox *sandbox_find(const char *id)
{
    struct sandbox *sb;

    store_lock();
    sb = store_peek(id);
    if (sb)
        sandbox_ref(sb);
    store_unlock();
    return sb;
}

static void sandbox_free(struct sandbox *sb)
{
    container_stop(sb->container);
    channel_close(sb->channel);
    process_table_free(sb->processes);
    watchers_free(sb->watchers);
    if (sb->root && !sb->is_kept)
        container_remove_tree(sb->root);
    json_decref(sb->metadata);
    json_decref(sb->envs);
    json_decref(sb->network);
    json_decref(sb->volume_mounts);
    free(sb->template_id);
    free(sb->alias);
    free(sb->envd_token);
    free(sb->traffic_token);
    free(sb->metrics);
    free(sb->root);
    free(sb);
}

void sandbox_unref(struct sandbox *sb)
{
    if (sb && __atomic_sub_fetch(&sb->refs, 1, __ATOMIC_ACQ_REL) == 0)
        sandbox_free(sb);
}

void store_add(struct sandbox *sb)
{
    store_lock();
    sb->order = ++last_order;
    sandbox_ref(sb);
    HASH_ADD_STR(table, id, sb);
    store_changed();
    store_unlock();
}

void store_remove(struct sandbox *sb)
{
    bool was_in;

    store_lock();
    was_in = store_peek(sb->id) == sb;
    if (was_in)
        HASH_DEL(table, sb);
    store_changed();
    store_unlock();
    if (was_in)
        sandbox_unref(sb);
}

const char *state_name(enum sandbox_state state)
{
    switch (state) {
    case RUNNING:
        return "running";
    case PAUSING:
    case PAUSED:
    case RESUMING:
        return "paused";
    case STARTING:
    case KILLING:
        break;
    }
    return NULL;
}
