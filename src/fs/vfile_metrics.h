/* SPDX-License-Identifier: MIT */
/*
 * vfile_metrics: the fields of a sample, for <id>/metrics and .e2b/metrics.
 *
 * Threads: loop only.
 */
#ifndef FS_VFILE_METRICS_H
#define FS_VFILE_METRICS_H

#include "util/buf.h"

#include <e2b/sandbox.h>
#include <stdbool.h>

enum {
    METRICS_FRESH_MS = 5000,  /* the period in which the service samples */
    METRICS_STALE_MS = 60000, /* better than nothing while the API can't be asked */
};

/* The name of the i-th field, in the documented order; NULL after the last. */
const char *metrics_field_key(size_t i);
/* Appends its value; false if the server doesn't say (a made-up 0 would be believed). */
bool metrics_field_text(const struct e2b_metrics *m, size_t i, struct buf *out);

#endif
