/* SPDX-License-Identifier: MIT */
/*
 * What the control plane and envd send, from hostile JSON to structs: whatever is taken obeys
 * the headers' promises, and a failure leaves nothing behind.  The first byte picks the model.
 */
#include "e2b/model.h"
#include "util/path.h"

#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
    if (!holds)
        abort();
}

static void check_entry(const struct e2b_entry *e)
{
    require(path_name_ok(e->name) && e->size >= 0 && e->owner && e->group);
    require((e->mode & S_IFMT) != 0 && (e->mode & ~(S_IFMT | 07777)) == 0);
}

static void entries(const json_t *v)
{
    struct e2b_entry_list list = { 0 };
    struct e2b_err err = { 0 };
    int r = model_entry_list(v, &list, &err);

    require((r == 0) == (err.errnum == 0));
    require(r == 0 || (!list.v && list.n == 0));
    for (size_t i = 0; list.v && i < list.n; i++) {
        check_entry(&list.v[i]);
        require(i == 0 || strcmp(list.v[i - 1].name, list.v[i].name) < 0);
    }
    e2b_entry_list_clear(&list);
}

static void entry(const json_t *v)
{
    struct e2b_entry e = { 0 }, copy = { 0 };

    if (model_entry(v, NULL, &e, NULL) < 0) {
        require(!e.name);
        return;
    }
    check_entry(&e);
    e2b_entry_copy(&copy, &e);
    e2b_entry_clear(&e);
    check_entry(&copy);
    e2b_entry_clear(&copy);
}

static void sandbox(const json_t *v)
{
    struct e2b_sandbox s = { 0 }, copy = { 0 };
    struct model_access access = { 0 };

    if (model_sandbox(v, &s, NULL) == 0) {
        require(model_id_ok(s.id) && s.template_id && s.client_id && s.envd_version);
        require(s.json && s.json[strlen(s.json) - 1] == '\n');
        require(s.cpu_count >= 0 && s.memory_mb >= 0 && s.disk_mb >= 0);
        e2b_sandbox_copy(&copy, &s);
        for (size_t i = 1; i < s.n_metadata; i++)
            require(strcmp(copy.metadata[i - 1].key, s.metadata[i].key) < 0);
        e2b_sandbox_clear(&copy);
        e2b_sandbox_clear(&s);
    } else {
        require(!s.id && !s.json);
    }
    if (model_access(v, &access, NULL) == 0) {
        require(!access.token || (*access.token && !strpbrk(access.token, " \r\n\t")));
        require(!access.domain || !strpbrk(access.domain, "/@:?# \r\n"));
        model_access_clear(&access);
    }
}

static void metrics(const json_t *v)
{
    struct e2b_metrics_series s = { 0 };

    if (model_metrics_series(v, &s, NULL) < 0) {
        require(!s.v);
        return;
    }
    for (size_t i = 0; i < s.n; i++) {
        require(s.v[i].timestamp_unix >= 0 && s.v[i].cpu_used_pct >= 0);
        require(s.v[i].mem_used >= 0 && s.v[i].disk_total >= 0 && s.v[i].mem_cache >= -1);
        require(i == 0 || s.v[i - 1].timestamp_unix <= s.v[i].timestamp_unix);
    }
    e2b_metrics_series_clear(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const models[])(const json_t *) = { entries, entry, sandbox, metrics };
    json_t *v = NULL;

    if (size == 0 || jparse((const char *)data + 1, size - 1, &v, NULL) < 0)
        return 0;
    models[data[0] % 4](v);
    json_decref(v);
    return 0;
}
