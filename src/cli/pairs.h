/* SPDX-License-Identifier: MIT */
/* pairs: KEY=VALUE options as struct e2b_pair. */
#ifndef CLI_PAIRS_H
#define CLI_PAIRS_H

#include "cli/opts.h"

#include <e2b/sandbox.h>

/* The caller's; pairs_free(v, list->n).  The strings are copies. NULL for an empty list. */
struct e2b_pair *pairs_new(const struct opt_list *list);
void pairs_free(struct e2b_pair *v, size_t n);

#endif
