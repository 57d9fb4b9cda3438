/* SPDX-License-Identifier: MIT */
/*
 * e2b/sandbox: the control plane: list, get, create, end, time out, measure.
 *
 * Nothing here but what says so changes a sandbox.  In particular no call connects or resumes
 * to "attach": the token for files and processes comes from GET /sandboxes/{id} (reading only,
 * control-plane.md 3.4).
 *
 * Source of facts: control-plane.md 6, 7, 11 and 22.
 * Threads:   the client's.
 * Ownership: results die when the completion returns; the *_keep completions copy them.
 */
#ifndef E2B_SANDBOX_H
#define E2B_SANDBOX_H

#include <e2b/client.h>
#include <sys/types.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

enum e2b_state { E2B_STATE_UNKNOWN, E2B_STATE_RUNNING, E2B_STATE_PAUSED };

/* "running", "paused" or "unknown"; static. */
const char *e2b_state_name(enum e2b_state state);

struct e2b_pair {
    char *key;
    char *value;
};

struct e2b_sandbox {
    char *id;
    char *template_id;
    char *alias; /* NULL if none */
    char *client_id;
    enum e2b_state state;
    struct timespec started_at; /* start of the current (or last) run */
    struct timespec end_at;     /* running: expiry.  paused: when it was paused */
    int64_t cpu_count, memory_mb, disk_mb;
    char *envd_version;        /* "" if unknown */
    struct e2b_pair *metadata; /* sorted by key */
    size_t n_metadata;
    /* The API's own object, pretty-printed with a final newline; secrets removed (tokens,
     * egress header values, proxy credentials).  What info.json shows. */
    char *json;
    /* Only in answers of e2b_sandbox_get: */
    bool is_detail;
    bool auto_resume;       /* data-plane traffic would wake it if it were paused */
    bool pauses_on_timeout; /* lifecycle.onTimeout == "pause" */
    bool is_secure;         /* it has an envd token (which the client keeps to itself) */
};

void e2b_sandbox_clear(struct e2b_sandbox *s);
void e2b_sandbox_copy(struct e2b_sandbox *to, const struct e2b_sandbox *from);
/* Value of a metadata key, or NULL. */
const char *e2b_sandbox_meta(const struct e2b_sandbox *s, const char *key);

struct e2b_sandbox_list {
    struct e2b_sandbox *v;
    size_t n;
};
void e2b_sandbox_list_clear(struct e2b_sandbox_list *list);

/* Which sandboxes; all zero is all of them, running and paused.  Borrowed by the call. */
struct e2b_sandbox_query {
    enum e2b_state state;            /* UNKNOWN: both */
    const struct e2b_pair *metadata; /* all must match exactly */
    size_t n_metadata;
    const char *template_ref; /* id or alias */
    size_t limit;             /* 0: no limit */
};

typedef void e2b_sandbox_list_fn(void *arg, const struct e2b_sandbox_list *list,
                                 const struct e2b_err *err);
typedef void e2b_sandbox_fn(void *arg, const struct e2b_sandbox *sandbox,
                            const struct e2b_err *err);

/*
 * GET /v2/sandboxes, all pages (100 each, serial), newest first; one failed page fails the
 * call.  Filters are re-checked here, since old servers ignore unknown ones.  Falls back to v1
 * on servers without v2.
 */
struct e2b_call *e2b_sandbox_list(struct e2b_client *client,
                                  const struct e2b_sandbox_query *query,
                                  e2b_sandbox_list_fn *fn, void *arg);
/* arg: struct e2b_sandbox_list *, filled with copies. */
void e2b_sandbox_list_keep(void *arg, const struct e2b_sandbox_list *list,
                           const struct e2b_err *err);

/* GET /sandboxes/{id}.  ENOENT if it doesn't exist (any more). */
struct e2b_call *e2b_sandbox_get(struct e2b_client *client, const char *id, e2b_sandbox_fn *fn,
                                 void *arg);
/* arg: struct e2b_sandbox *. */
void e2b_sandbox_keep(void *arg, const struct e2b_sandbox *sandbox, const struct e2b_err *err);

struct e2b_create {
    const char *template_ref; /* NULL: "base" */
    int64_t timeout_s;        /* 0: 300.  Always sent */
    const struct e2b_pair *metadata, *envs;
    size_t n_metadata, n_envs;
    bool auto_pause, auto_resume, no_internet;
};
/* POST /v2/sandboxes, on old servers v1 with secure:true.  Costs money. The result has only the
 * fields of the API's Sandbox object (id, template_id, alias, envd_version). */
struct e2b_call *e2b_sandbox_create(struct e2b_client *client, const struct e2b_create *create,
                                    e2b_sandbox_fn *fn, void *arg);

/* DELETE: ends a running or paused sandbox, its saved state included.  ENOENT: was gone. */
struct e2b_call *e2b_sandbox_kill(struct e2b_client *client, const char *id, e2b_done_fn *fn,
                                  void *arg);

/* POST timeout: ends timeout_s (>= 1, else EINVAL and nothing is sent) from now; may shorten.
 * EHOSTDOWN if paused (the API says 404, GET tells the cases apart). */
struct e2b_call *e2b_sandbox_set_timeout(struct e2b_client *client, const char *id,
                                         int64_t timeout_s, e2b_done_fn *fn, void *arg);

/*
 * POST pause: stops a running sandbox and keeps its memory and files; takes seconds to a
 * minute. One that is paused already is a success.  The completion gets the sandbox as GET
 * shows it afterwards.  EBUSY: it is in another transition.
 */
struct e2b_call *e2b_sandbox_pause(struct e2b_client *client, const char *id,
                                   e2b_sandbox_fn *fn, void *arg);

/*
 * Continues a paused sandbox, to end timeout_s (>= 1) from now.  A running one is only ever
 * prolonged by this, never shortened.  Costs money.  The completion as for pause.
 */
struct e2b_call *e2b_sandbox_resume(struct e2b_client *client, const char *id,
                                    int64_t timeout_s, e2b_sandbox_fn *fn, void *arg);

/* One sample.  Bytes; cpu_used_pct is 0..100 over all cores (control-plane.md 7.1). */
struct e2b_metrics {
    int64_t timestamp_unix; /* seconds */
    int64_t cpu_count;
    double cpu_used_pct;
    int64_t mem_used, mem_total;
    int64_t mem_cache; /* -1: the server doesn't say */
    int64_t disk_used, disk_total;
};

struct e2b_metrics_series {
    struct e2b_metrics *v; /* ascending by time */
    size_t n;              /* 0: no sample yet, or no such sandbox: the API can't tell */
};
void e2b_metrics_series_clear(struct e2b_metrics_series *s);

typedef void e2b_metrics_series_fn(void *arg, const struct e2b_metrics_series *series,
                                   const struct e2b_err *err);
/* start and end in unix seconds; 0: open. */
struct e2b_call *e2b_sandbox_metrics(struct e2b_client *client, const char *id, int64_t start,
                                     int64_t end, e2b_metrics_series_fn *fn, void *arg);
/* arg: struct e2b_metrics_series *. */
void e2b_metrics_series_keep(void *arg, const struct e2b_metrics_series *series,
                             const struct e2b_err *err);

struct e2b_metrics_entry {
    const char *id;
    struct e2b_metrics m;
};
typedef void e2b_metrics_batch_fn(void *arg, const struct e2b_metrics_entry *v, size_t n,
                                  const struct e2b_err *err);
/* Latest samples of up to 100 distinct ids in one request; ids without data are absent.
 * More than 100 ids is EINVAL. */
struct e2b_call *e2b_sandbox_metrics_batch(struct e2b_client *client, const char *const *ids,
                                           size_t n, e2b_metrics_batch_fn *fn, void *arg);
enum { E2B_METRICS_BATCH_MAX = 100 };

/*
 * What the client last learnt of a sandbox's state, from any answer of the API, and how long
 * ago (ms).  E2B_STATE_UNKNOWN if never.  Costs nothing.
 */
enum e2b_state e2b_sandbox_known_state(const struct e2b_client *client, const char *id,
                                       int64_t *age_ms);

#ifdef __cplusplus
}
#endif
#endif
