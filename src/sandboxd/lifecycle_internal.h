/* SPDX-License-Identifier: MIT */
/*
 * lifecycle_internal: what lifecycle.c (transitions and time) and birth.c (where sandboxes
 * come from) share.
 *
 * Threads: birth_setup on main's before any other thread; the rest from any.
 */
#ifndef SANDBOXD_LIFECYCLE_INTERNAL_H
#define SANDBOXD_LIFECYCLE_INTERNAL_H

#include "lifecycle.h"
#include "util/clock.h"

/*
 * Clients must cope with any number of fractional digits: ids choose how many (not so few that
 * the order of starts would suffer; the fleet has times without any).
 */
static inline struct timespec now_for(const char *id)
{
    static const long unit[] = { 1000000, 1000, 1 };
    struct timespec now = clock_wall();

    now.tv_nsec -= now.tv_nsec % unit[(unsigned char)id[1] % 3];
    return now;
}

static inline struct timespec plus_seconds(struct timespec t, int64_t s)
{
    t.tv_sec += s;
    return t;
}

int birth_setup(const char *data_dir, const char *seed, struct e2b_err *err);
/* Brings back what an earlier server kept. */
void birth_restore_all(void);
void birth_teardown(void);

/* Whether sandboxes outlive this server, and whether it is ending already. */
bool life_keeps(void);
bool life_is_ending(void);

#endif
