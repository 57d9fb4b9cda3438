/* SPDX-License-Identifier: MIT */
/* The public objects: copying and clearing; the *_keep completions. */
#include "util/xalloc.h"

#include <e2b/file.h>
#include <e2b/sandbox.h>
#include <string.h>

void e2b_sandbox_clear(struct e2b_sandbox *s)
{
    free(s->id);
    free(s->template_id);
    free(s->alias);
    free(s->client_id);
    free(s->envd_version);
    if (s->metadata) {
        for (size_t i = 0; i < s->n_metadata; i++) {
            free(s->metadata[i].key);
            free(s->metadata[i].value);
        }
    }
    free(s->metadata);
    free(s->json);
    *s = (struct e2b_sandbox){ 0 };
}

void e2b_sandbox_copy(struct e2b_sandbox *to, const struct e2b_sandbox *from)
{
    *to = *from;
    to->id = xstrdup(from->id);
    to->template_id = xstrdup(from->template_id);
    to->alias = xstrdup(from->alias);
    to->client_id = xstrdup(from->client_id);
    to->envd_version = xstrdup(from->envd_version);
    to->json = xstrdup(from->json);
    to->metadata = NULL;
    if (from->n_metadata > 0)
        to->metadata = xcalloc(from->n_metadata, sizeof(*to->metadata));
    for (size_t i = 0; i < from->n_metadata; i++) {
        to->metadata[i].key = xstrdup(from->metadata[i].key);
        to->metadata[i].value = xstrdup(from->metadata[i].value);
    }
}

const char *e2b_sandbox_meta(const struct e2b_sandbox *s, const char *key)
{
    for (size_t i = 0; i < s->n_metadata; i++)
        if (strcmp(s->metadata[i].key, key) == 0)
            return s->metadata[i].value;
    return NULL;
}

void e2b_sandbox_list_clear(struct e2b_sandbox_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        e2b_sandbox_clear(&list->v[i]);
    free(list->v);
    *list = (struct e2b_sandbox_list){ 0 };
}

void e2b_sandbox_list_keep(void *arg, const struct e2b_sandbox_list *list,
                           const struct e2b_err *err)
{
    struct e2b_sandbox_list *to = arg;

    if (err)
        return;
    to->v = xcalloc(list->n + 1, sizeof(*to->v));
    to->n = list->n;
    for (size_t i = 0; i < list->n; i++)
        e2b_sandbox_copy(&to->v[i], &list->v[i]);
}

void e2b_sandbox_keep(void *arg, const struct e2b_sandbox *sandbox, const struct e2b_err *err)
{
    if (!err)
        e2b_sandbox_copy(arg, sandbox);
}

void e2b_metrics_series_clear(struct e2b_metrics_series *s)
{
    free(s->v);
    *s = (struct e2b_metrics_series){ 0 };
}

void e2b_metrics_series_keep(void *arg, const struct e2b_metrics_series *series,
                             const struct e2b_err *err)
{
    struct e2b_metrics_series *to = arg;

    if (err)
        return;
    to->v = xcalloc(series->n + 1, sizeof(*to->v));
    to->n = series->n;
    if (series->n > 0)
        memcpy(to->v, series->v, series->n * sizeof(*to->v));
}

void e2b_entry_clear(struct e2b_entry *e)
{
    free(e->name);
    free(e->owner);
    free(e->group);
    free(e->link_text);
    *e = (struct e2b_entry){ 0 };
}

void e2b_entry_copy(struct e2b_entry *to, const struct e2b_entry *from)
{
    *to = *from;
    to->name = xstrdup(from->name);
    to->owner = xstrdup(from->owner);
    to->group = xstrdup(from->group);
    to->link_text = xstrdup(from->link_text);
}

void e2b_entry_list_clear(struct e2b_entry_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        e2b_entry_clear(&list->v[i]);
    free(list->v);
    *list = (struct e2b_entry_list){ 0 };
}

void e2b_entry_keep(void *arg, const struct e2b_entry *entry, const struct e2b_err *err)
{
    (void)err;
    if (entry) /* an operation that removes has none */
        e2b_entry_copy(arg, entry);
}

void e2b_entry_list_keep(void *arg, const struct e2b_entry_list *list,
                         const struct e2b_err *err)
{
    struct e2b_entry_list *to = arg;

    if (err)
        return;
    to->v = xcalloc(list->n + 1, sizeof(*to->v));
    to->n = list->n;
    for (size_t i = 0; i < list->n; i++)
        e2b_entry_copy(&to->v[i], &list->v[i]);
}
