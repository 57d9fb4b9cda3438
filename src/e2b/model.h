/* SPDX-License-Identifier: MIT */
/*
 * model: tables of fields, from JSON to structs.
 *
 * Everything that a peer sends is checked here and nowhere else: types, ranges, names, kinds.
 * A wrong field is EPROTO and names the field; nothing half-read is returned.
 *
 * Source of facts: control-plane.md 5, 6.0, 7; envd.md 9.2, 9.3.
 * Threads:   any; pure functions.
 * Ownership: results are the caller's (e2b_*_clear); untouched on failure.
 */
#ifndef E2B_MODEL_H
#define E2B_MODEL_H

#include "util/json.h"

#include <e2b/file.h>
#include <e2b/sandbox.h>

enum field_kind {
    FIELD_STRING, /* char *, owned; "" is kept */
    FIELD_INT,    /* int64_t; not negative: nothing that is counted here can be */
    FIELD_DOUBLE, /* double; finite, not negative */
    FIELD_BOOL,
    FIELD_TIME, /* struct timespec */
};

/* One row: where a member goes.  A missing or null member leaves the target as it was. */
struct field {
    const char *key; /* NULL ends the rows */
    enum field_kind kind;
    size_t off;
    int64_t scale; /* INT: the value is multiplied (0: by 1) */
};

/* Fills `out` from `obj`.  On failure strings already stored stay in `out`: the caller clears
 * the whole object. */
int model_fill(const json_t *obj, const struct field *rows, void *out, struct e2b_err *err);

/* True for an id that can be a path segment, a host label and a directory name. */
bool model_id_ok(const char *id);
/* The id that the API uses: a legacy "<id>-<client>" is cut.  NULL if it is none. */
char *model_id(const char *id);

/* ListedSandbox, SandboxDetail (is_detail) or Sandbox (create). */
int model_sandbox(const json_t *obj, struct e2b_sandbox *out, struct e2b_err *err);

/* What the same object says about reaching the sandbox; never leaves the client. */
struct model_access {
    char *token;  /* NULL: the sandbox is not secured */
    char *domain; /* NULL: the configured one */
};
int model_access(const json_t *obj, struct model_access *out, struct e2b_err *err);
void model_access_clear(struct model_access *a);

/* An array of samples, sorted by time. */
int model_metrics_series(const json_t *array, struct e2b_metrics_series *out,
                         struct e2b_err *err);
int model_metrics(const json_t *obj, struct e2b_metrics *out, struct e2b_err *err);

/* envd's EntryInfo.  `name` NULL: the object's own name, which must be one component. */
int model_entry(const json_t *obj, const char *name, struct e2b_entry *out,
                struct e2b_err *err);
/* {"entries": [...]}: validated, sorted, without duplicates. */
int model_entry_list(const json_t *obj, struct e2b_entry_list *out, struct e2b_err *err);

/* st_mode from envd's permissions string (envd.md 9.3); EPROTO. */
int model_mode(const char *permissions, mode_t *out);

/* Sorts and refuses duplicates. */
int model_entries_finish(struct e2b_entry_list *list, struct e2b_err *err);

#endif
