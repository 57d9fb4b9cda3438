/* SPDX-License-Identifier: MIT */
/*
 * box_row: a sandbox as cells.  The keys are the tool's stable ones:
 *
 *   sandbox_id template_id name metadata state started_at end_at cpu_count memory_mb
 *   uptime_seconds time_remaining_seconds
 *
 * name is the metadata's `name`, as in the mount's by-name, else the template's alias.
 * A paused sandbox's end_at is when it was paused: its uptime is that run's length, and its
 * remaining time is null.
 */
#ifndef CLI_BOX_ROW_H
#define CLI_BOX_ROW_H

#include "cli/out.h"

#include <e2b/sandbox.h>

/* For designated use in a table of columns. */
#define BOX_COLUMNS                                                                          \
    { "sandbox_id", "ID", OUT_IN_TABLE | OUT_IS_ID, 0 },                                     \
        { "template_id", "TEMPLATE", OUT_IN_TABLE, 0 }, { "name", "NAME", OUT_IN_TABLE, 0 }, \
        { "metadata", "METADATA", 0, 0 }, { "state", "STATE", OUT_IN_TABLE, 0 },             \
        { "started_at", "STARTED", 0, 0 }, { "end_at", "ENDS", 0, 0 },                       \
        { "cpu_count", "CPU", OUT_RIGHT, 0 }, { "memory_mb", "MB", OUT_RIGHT, 0 },           \
        { "uptime_seconds", "UP", OUT_IN_TABLE | OUT_RIGHT, 0 },                             \
    {                                                                                        \
        "time_remaining_seconds", "LEFT", OUT_IN_TABLE | OUT_RIGHT, 0                        \
    }

/* The cells of BOX_COLUMNS.  `now` is the server's time (unix seconds). */
void box_row(struct out *out, const struct e2b_sandbox *box, int64_t now);

/* Its `name` as in the list; NULL if it has none. */
const char *box_name(const struct e2b_sandbox *box);

/* How long its current run has lasted, or its last one if it is paused; seconds. */
int64_t box_uptime(const struct e2b_sandbox *box, int64_t now);

/* The server's time as this machine knows it. */
int64_t box_now(const struct e2b_client *client);

#endif
