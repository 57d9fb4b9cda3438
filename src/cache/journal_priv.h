/* SPDX-License-Identifier: MIT */
/* What journal.c and journal_adopt.c share. */
#ifndef CACHE_JOURNAL_PRIV_H
#define CACHE_JOURNAL_PRIV_H

#include "cache/journal.h"

enum { JOURNAL_VERSION = 1, JOURNAL_NAME_MAX = 128 };

struct journal {
    char *dir; /* owned; absolute */
    int dirfd;
    struct workers *workers; /* borrowed; may be NULL */
    uint64_t next_seq;       /* the next .data; taken ones are skipped */
    uint64_t last_number;    /* the highest pending number seen */
    char *checked;           /* owned: the last sandbox whose directory was found to be ours */
};

/* Removes the directories of sandboxes that have no entry any more. */
void journal_tidy(struct journal *j);

/* True for what may be the name of a directory: letters, digits, '-' and '_', at most 64. */
bool journal_sandbox_ok(const char *sandbox);

/* "<sandbox>/<seq><suffix>" */
void journal_name(char out[JOURNAL_NAME_MAX], const char *sandbox, uint64_t seq,
                  const char *suffix);

#endif
