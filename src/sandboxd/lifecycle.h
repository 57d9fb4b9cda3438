/* SPDX-License-Identifier: MIT */
/*
 * lifecycle: creating, ending, pausing and continuing sandboxes, by request or by the clock.
 *
 * Threads: any; a transition runs on the caller's thread and others wait for it or are told.
 * Errors:  enum life_result for what the API must tell apart, *err for a failing container.
 */
#ifndef SANDBOXD_LIFECYCLE_H
#define SANDBOXD_LIFECYCLE_H

#include "store.h"

#include <e2b/error.h>

enum life_result {
    LIFE_OK,
    LIFE_GONE,    /* unknown, or being killed */
    LIFE_ALREADY, /* it is in the wanted state */
    LIFE_BUSY,    /* another transition runs */
    LIFE_FAILED,
};

/* Everything a create request decides; strings and values are taken over. */
struct life_spec {
    char *template_id, *alias;
    json_t *metadata, *envs, *network, *volume_mounts;
    int64_t timeout_s;
    bool secure, auto_pause, auto_resume, allow_internet, has_allow_internet;
    bool has_traffic_token;
    int cpu_count, memory_mb, disk_mb;
};

/*
 * `data_dir`: where roots are made; `seed`: what tokens are derived from; is_kept: sandboxes
 * stay when the server ends, and those of an earlier one are there again.  Starts the timer.
 */
int life_start(const char *data_dir, const char *seed, bool is_kept, struct e2b_err *err);
/* Stops the timer and ends every sandbox; later creations fail. */
void life_stop(void);
/* When no thread is left that could create one. */
void life_free(void);

/* Starts a sandbox; *out is a new reference. 0 or -errno. */
int life_create(struct life_spec *spec, struct sandbox **out, struct e2b_err *err);
/* How many sandboxes there are that are not synthetic. */
int life_count(void);
/* Adds one that only shows in lists and metrics. */
void life_add_synthetic(struct life_spec *spec, struct timespec started_at, bool is_paused);

/* Waits for a running transition of its own; GONE if it is not there. */
enum life_result life_kill(struct sandbox *sb);
enum life_result life_pause(struct sandbox *sb);
/* ALREADY if running. */
enum life_result life_resume(struct sandbox *sb, int64_t timeout_s);

enum life_end { LIFE_SET, LIFE_EXTEND };
/* Moves end_at to now + timeout_s; LIFE_EXTEND only ever later. Running ones only. */
enum life_result life_set_end(struct sandbox *sb, int64_t timeout_s, enum life_end how);

/* The longest life of one run, seconds (the plan's limit). */
enum { LIFE_MAX_S = 24 * 3600 };

#endif
