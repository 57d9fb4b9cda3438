/* SPDX-License-Identifier: MIT */
#include "cache/listing.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static size_t string_size(const char *s)
{
    return s ? strlen(s) + 1 : 0;
}

static size_t strings_size(const struct e2b_entry *e)
{
    return string_size(e->name) + string_size(e->owner) + string_size(e->group) +
           string_size(e->link_text);
}

static char *pack(char **at, const char *s)
{
    size_t n = string_size(s);

    if (!s)
        return NULL;
    *at += n;
    return memcpy(*at - n, s, n);
}

/* `name` comes first, so that free(name) frees all. */
static bool entry_pack(struct e2b_entry *to, const struct e2b_entry *from)
{
    char *at;

    assert(from->name);
    at = malloc(strings_size(from));
    if (!at)
        return false;
    *to = *from;
    to->name = pack(&at, from->name);
    to->owner = pack(&at, from->owner);
    to->group = pack(&at, from->group);
    to->link_text = pack(&at, from->link_text);
    return true;
}

/* The index of `name`, or where it would be inserted. */
static size_t place(const struct e2b_entry_list *list, const char *name, bool *found)
{
    size_t low = 0, high = list->n;

    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(list->v[middle].name, name);

        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct e2b_entry *listing_find(const struct e2b_entry_list *list, const char *name)
{
    bool found;
    size_t i = place(list, name, &found);

    return found ? &list->v[i] : NULL;
}

size_t listing_size(const struct e2b_entry_list *list)
{
    size_t bytes = list->n * sizeof(*list->v);

    for (size_t i = 0; i < list->n; i++)
        bytes += strings_size(&list->v[i]);
    return bytes;
}

bool listing_copy(struct listing *to, const struct e2b_entry_list *list)
{
    struct listing l = { .cap = list->n, .bytes = listing_size(list) };

    l.list.v = reallocarray(NULL, list->n ? list->n : 1, sizeof(*l.list.v));
    if (!l.list.v)
        return false;
    for (; l.list.n < list->n; l.list.n++) {
        if (!entry_pack(&l.list.v[l.list.n], &list->v[l.list.n])) {
            listing_clear(&l);
            return false;
        }
    }
    *to = l;
    return true;
}

void listing_clear(struct listing *l)
{
    for (size_t i = 0; i < l->list.n; i++)
        free(l->list.v[i].name);
    free(l->list.v);
    *l = (struct listing){ 0 };
}

static bool grow(struct listing *l)
{
    size_t cap = l->cap + l->cap / 2 + 8;
    struct e2b_entry *v = reallocarray(l->list.v, cap, sizeof(*v));

    if (!v)
        return false;
    l->bytes += (cap - l->cap) * sizeof(*v);
    l->list.v = v;
    l->cap = cap;
    return true;
}

void listing_remove(struct listing *l, const char *name)
{
    bool found;
    size_t at = place(&l->list, name, &found);
    struct e2b_entry *v = l->list.v;

    if (!found)
        return;
    l->bytes -= strings_size(&v[at]);
    free(v[at].name);
    l->list.n--;
    memmove(&v[at], &v[at + 1], (l->list.n - at) * sizeof(*v));
}

bool listing_put(struct listing *l, const struct e2b_entry *entry)
{
    struct e2b_entry packed, *v;
    size_t at;
    bool found;

    /* Packed first: `entry` may be the one that is replaced. */
    if (!entry_pack(&packed, entry))
        return false;
    listing_remove(l, packed.name);
    if (l->list.n == l->cap && !grow(l)) {
        free(packed.name);
        return false;
    }
    at = place(&l->list, packed.name, &found);
    v = l->list.v;
    memmove(&v[at + 1], &v[at], (l->list.n - at) * sizeof(*v));
    v[at] = packed;
    l->list.n++;
    l->bytes += strings_size(&packed);
    return true;
}

void listing_check(const struct listing *l)
{
    assert(l->list.n <= l->cap);
    assert(l->bytes ==
           listing_size(&l->list) + (l->cap - l->list.n) * sizeof(struct e2b_entry));
    for (size_t i = 1; i < l->list.n; i++)
        assert(strcmp(l->list.v[i - 1].name, l->list.v[i].name) < 0);
}
