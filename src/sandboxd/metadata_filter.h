/* SPDX-License-Identifier: MIT */
/*
 * metadata_filter: the `metadata` parameter of lists, encoded in three layers
 * (control-plane.md 6.2).
 *
 * Threads: any.
 */
#ifndef SANDBOXD_METADATA_FILTER_H
#define SANDBOXD_METADATA_FILTER_H

#include "query.h"

#include <jansson.h>

struct metadata_filter {
    struct query_pair *pairs;
    size_t count;
};

/*
 * `text` has lost its first layer (it is a decoded query value).  False unless every pair has
 * exactly one '=' and good escapes; the filter is then empty.
 */
bool metadata_filter_parse(struct metadata_filter *f, const char *text);
void metadata_filter_clear(struct metadata_filter *f);

/* True if every pair is in `metadata` (which may be NULL); an empty filter fits all. */
bool metadata_filter_fits(const struct metadata_filter *f, const json_t *metadata);

#endif
