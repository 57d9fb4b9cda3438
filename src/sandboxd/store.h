/* SPDX-License-Identifier: MIT */
/*
 * store: every sandbox this server knows, and the one lock over them.
 *
 * State of a sandbox (control-plane.md 5 and 6):
 *
 *   state      shown as   leaves by
 *   STARTING   (absent)   RUNNING, or removed when the container can't start
 *   RUNNING    running    PAUSING, KILLING
 *   PAUSING    paused     PAUSED; RUNNING if freezing failed
 *   PAUSED     paused     RESUMING, KILLING
 *   RESUMING   paused     RUNNING; PAUSED if continuing failed
 *   KILLING    (absent)   removed
 *
 * The states ending in -ING belong to the one thread that works on the transition; others wait
 * with store_wait() or answer 409.
 *
 * Threads:   any.  Lock order: store, then the leaves (ledger, faults, channel, process).
 *            Nothing that may block is done while the store is locked.
 * Ownership: sandbox_find and sandbox_ref give references; the last sandbox_unref frees the
 *            sandbox, closes its channel and removes its files.
 */
#ifndef SANDBOXD_STORE_H
#define SANDBOXD_STORE_H

#include "channel.h"
#include "container.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <time.h>
#include <uthash.h>

enum sandbox_state { STARTING, RUNNING, PAUSING, PAUSED, RESUMING, KILLING };

struct metric {
    int64_t at; /* unix seconds */
    double cpu_used_pct;
    int64_t mem_used, mem_total, mem_cache, disk_used, disk_total;
};

enum { METRICS_KEPT = 720, SAMPLE_EVERY_S = 5 }; /* an hour */

struct request;
struct process;

struct sandbox {
    /* fixed at creation */
    char id[24];
    char *template_id, *alias;
    char *envd_token, *traffic_token;           /* NULL: none */
    json_t *metadata, *network, *volume_mounts; /* NULL: not given */
    json_t *envs;                               /* of every process */
    int cpu_count, memory_mb, disk_mb;
    bool auto_pause, auto_resume, allow_internet, has_allow_internet;
    bool is_synthetic;        /* listed only: no container behind it */
    int64_t resume_timeout_s; /* what an automatic resume grants at least */
    int64_t order;            /* position by start: store-wide, grows */
    char *root;               /* its "/" */
    bool is_kept;             /* its files stay when the server ends (keep.h) */
    struct container *container;
    struct channel *channel;

    /* under the store lock */
    enum sandbox_state state;
    struct timespec started_at, end_at; /* end_at of a paused one: when it was paused */
    int refs;
    LIST_HEAD(, request) live; /* data-plane requests in flight */
    struct metric *metrics;    /* a ring of METRICS_KEPT, once there is a sample */
    int metric_count, metric_next;
    int64_t cpu_ms_before, sampled_at_ms; /* the sampler's */
    UT_hash_handle hh;

    /* process.c's, under its own lock */
    struct process_table *processes;
    /* watchers.c's, likewise */
    struct watcher_table *watchers;
};

void store_lock(void);
void store_unlock(void);
/* Waits for a change of any state, at most ms; the store is locked before and after. */
void store_wait(int64_t ms);
/* Tells waiters (and the timer) that something changed; locked. */
void store_changed(void);

/* Locked. Borrowed until the lock is released. NULL if unknown. */
struct sandbox *store_peek(const char *id);
/* Locked. The table, for iteration with HASH_ITER or sandbox->hh.next. */
struct sandbox *store_all(void);

/* Unlocked. Also finds sandboxes that start or end: look at the state. */
struct sandbox *sandbox_find(const char *id);
struct sandbox *sandbox_ref(struct sandbox *sb); /* locked or with a reference */
void sandbox_unref(struct sandbox *sb);          /* unlocked; NULL is fine */

/* Unlocked: puts it into the table (which holds a reference), or takes it out. */
void store_add(struct sandbox *sb);
void store_remove(struct sandbox *sb);

/* What the API shows: NULL for the absent states. */
const char *state_name(enum sandbox_state state);

#endif
