/* SPDX-License-Identifier: MIT */
#include "metadata_filter.h"

#include "util/xalloc.h"

#include <string.h>

static bool add(struct metadata_filter *f, char *pair)
{
    char *equals = strchr(pair, '=');
    char *name, *value;

    if (!equals || strchr(equals + 1, '='))
        return false;
    *equals = '\0';
    name = percent_decode(pair, true);
    value = percent_decode(equals + 1, true);
    if (!name || !value) {
        free(name);
        free(value);
        return false;
    }
    f->pairs = xreallocarray(f->pairs, f->count + 1, sizeof(*f->pairs));
    f->pairs[f->count++] = (struct query_pair){ name, value };
    return true;
}

bool metadata_filter_parse(struct metadata_filter *f, const char *text)
{
    autofree char *whole = percent_decode(text, true);
    char *rest = whole, *pair;

    *f = (struct metadata_filter){ 0 };
    if (!whole)
        return false;
    while ((pair = strsep(&rest, "&"))) {
        if (!add(f, pair)) {
            metadata_filter_clear(f);
            return false;
        }
    }
    return true;
}

void metadata_filter_clear(struct metadata_filter *f)
{
    for (size_t i = 0; i < f->count; i++) {
        free(f->pairs[i].name);
        free(f->pairs[i].value);
    }
    free(f->pairs);
    *f = (struct metadata_filter){ 0 };
}

bool metadata_filter_fits(const struct metadata_filter *f, const json_t *metadata)
{
    for (size_t i = 0; i < f->count; i++) {
        const char *value = json_string_value(json_object_get(metadata, f->pairs[i].name));

        if (!value || strcmp(value, f->pairs[i].value) != 0)
            return false;
    }
    return true;
}
