/* SPDX-License-Identifier: MIT */
/*
 * api_control: what the control plane's handlers share.
 *
 * Threads: the request's.
 */
#ifndef SANDBOXD_API_CONTROL_H
#define SANDBOXD_API_CONTROL_H

#include "http_server.h"
#include "store.h"

#define SANDBOXD_ENVD_VERSION "0.6.13"
#define SANDBOXD_CLIENT_ID    "6532622b"

/* The objects of control-plane.md 6.0; new references.  Locked. */
json_t *sandbox_created_json(const struct sandbox *sb);
json_t *sandbox_listed_json(const struct sandbox *sb);
json_t *sandbox_detail_json(const struct sandbox *sb);
json_t *metric_json(const struct metric *m, const struct sandbox *sb);

/*
 * The body as an object: {} for an empty one if `is_optional`.  NULL if the request was
 * answered 400.
 */
json_t *api_body(struct request *rq, bool is_optional);

/* A whole number; true and untouched if absent; false if the request was answered 400. */
bool api_int(struct request *rq, const json_t *in, const char *name, int64_t min, int64_t max,
             int64_t *out);
bool api_bool(struct request *rq, const json_t *in, const char *name, bool *out);
/* A string-to-string map, new reference in *out; NULL if absent. */
bool api_map(struct request *rq, const json_t *in, const char *name, json_t **out);

/*
 * The sandbox that the path names, as a reference.  NULL if the request was answered: 400 for
 * a bad id, 404 for one that isn't there (any more).
 */
struct sandbox *api_sandbox(struct request *rq);
void api_no_sandbox(struct request *rq, const char *id);

#endif
