/* SPDX-License-Identifier: MIT */
/*
 * pattern: is a file read in sequence or at random?
 *
 * Several programs may read one file at once, and the kernel's read-ahead sends requests in
 * any order, so there is no "last offset": the last few places are remembered and a new one is
 * compared with all of them.
 */
#ifndef CACHE_PATTERN_H
#define CACHE_PATTERN_H

#include <stdbool.h>
#include <stdint.h>

enum {
    PATTERN_RECENT = 8, /* places that are remembered */
    PATTERN_NEAR = 8,   /* blocks (1 MiB) that read-ahead may be out of order */
    PATTERN_MISSES = 3, /* jumps until the file counts as read at random */
};

struct pattern {
    int64_t recent[PATTERN_RECENT]; /* last blocks of runs */
    unsigned n;                     /* recorded in all; n % PATTERN_RECENT is the next place */
    unsigned misses;
};

/*
 * The blocks first to last are missing and no stream brings them.  True: they look like the
 * beginning of more, start a stream; false: fetch exactly these.  `is_hole`: the block behind
 * them is there or on its way, so this is a straggler of something sequential.
 */
bool pattern_wants_stream(struct pattern *p, int64_t first, int64_t last, bool is_hole);

/* Blocks up to `last` are being read, from the cache or from a stream. */
void pattern_note(struct pattern *p, int64_t last);

/* A stream's window was used up: this is sequential, whatever jumps there were. */
void pattern_proved(struct pattern *p);

bool pattern_is_random(const struct pattern *p);

#endif
