/* SPDX-License-Identifier: MIT */
#include "pairs.h"

#include "util/xalloc.h"

#include <string.h>

struct e2b_pair *pairs_new(const struct opt_list *list)
{
    struct e2b_pair *v = list->n ? xcalloc(list->n, sizeof(*v)) : NULL;

    for (size_t i = 0; i < list->n; i++) {
        size_t len = strcspn(list->v[i], "="); /* opts made sure that there is one */

        v[i].key = xstrndup(list->v[i], len);
        v[i].value = xstrdup(list->v[i] + len + 1);
    }
    return v;
}

void pairs_free(struct e2b_pair *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(v[i].key);
        free(v[i].value);
    }
    free(v);
}
