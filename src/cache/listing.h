/* SPDX-License-Identifier: MIT */
/*
 * listing: a sorted copy of a directory's entries that knows how many bytes it takes.
 *
 * Each entry's strings are one allocation, so a listing of n names costs n + 1 of them.
 *
 * Memory:    sized by a remote peer, so running out of it is an ordinary failure (false).
 * Ownership: owns everything; the entries must not be changed or cleared by others.
 */
#ifndef CACHE_LISTING_H
#define CACHE_LISTING_H

#include <e2b/file.h>

struct listing {
    struct e2b_entry_list list; /* sorted by strcmp of name */
    size_t cap;                 /* entries that list.v has room for */
    size_t bytes;               /* of everything, without the allocator's own */
};

/* What a copy of `list` would take. */
size_t listing_size(const struct e2b_entry_list *list);

/* `to` is empty (all zero) and stays so on failure. */
bool listing_copy(struct listing *to, const struct e2b_entry_list *list);
void listing_clear(struct listing *l);

/* NULL if absent. */
const struct e2b_entry *listing_find(const struct e2b_entry_list *list, const char *name);

/* Inserts or replaces; on failure the name is absent. */
bool listing_put(struct listing *l, const struct e2b_entry *entry);
void listing_remove(struct listing *l, const char *name); /* fine if absent */

/* Asserts that the order and the count of bytes are right. */
void listing_check(const struct listing *l);

#endif
