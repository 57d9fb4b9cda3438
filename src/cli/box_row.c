/* SPDX-License-Identifier: MIT */
#include "box_row.h"

#include "util/clock.h"

const char *box_name(const struct e2b_sandbox *box)
{
    const char *name = e2b_sandbox_meta(box, "name");

    if (name && *name)
        return name;
    return box->alias && *box->alias ? box->alias : NULL;
}

static int64_t not_negative(int64_t v)
{
    return v > 0 ? v : 0;
}

int64_t box_uptime(const struct e2b_sandbox *box, int64_t now)
{
    bool is_paused = box->state == E2B_STATE_PAUSED;

    return not_negative((is_paused ? box->end_at.tv_sec : now) - box->started_at.tv_sec);
}

void box_row(struct out *out, const struct e2b_sandbox *box, int64_t now)
{
    out_str(out, box->id);
    out_str(out, box->template_id);
    out_str(out, box_name(box));
    out_pairs(out, box->metadata, box->n_metadata);
    out_str(out, e2b_state_name(box->state));
    out_time(out, box->started_at);
    out_time(out, box->end_at);
    out_int(out, box->cpu_count);
    out_int(out, box->memory_mb);
    out_duration(out, box_uptime(box, now));
    if (box->state == E2B_STATE_PAUSED)
        out_null(out);
    else
        out_duration(out, not_negative(box->end_at.tv_sec - now));
}

int64_t box_now(const struct e2b_client *client)
{
    struct timespec wall = clock_wall();

    return wall.tv_sec + (e2b_client_clock_offset_ms(client) + wall.tv_nsec / 1000000) / 1000;
}
