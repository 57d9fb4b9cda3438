/* SPDX-License-Identifier: MIT */
/*
 * seed: what a server starts with: sandboxes with a few files, and a synthetic fleet.
 *
 * Threads: main's.
 */
#ifndef SANDBOXD_SEED_H
#define SANDBOXD_SEED_H

#include <e2b/error.h>

int seed_sandboxes(int count, struct e2b_err *err);
void seed_fleet(int count);

#endif
