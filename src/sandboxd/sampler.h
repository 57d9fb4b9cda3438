/* SPDX-License-Identifier: MIT */
/*
 * sampler: what running sandboxes use, every five seconds.
 *
 * Threads: one of its own; sampler_sample from any, one per sandbox at a time.
 */
#ifndef SANDBOXD_SAMPLER_H
#define SANDBOXD_SAMPLER_H

#include "store.h"

int sampler_start(struct e2b_err *err);
void sampler_stop(void);

/* Takes a sample now and keeps it. False if the sandbox doesn't answer. */
bool sampler_sample(struct sandbox *sb);

/* The newest sample of `sb`, which may be synthetic; false if there is none. Locked. */
bool sampler_latest(const struct sandbox *sb, struct metric *out);

#endif
