/* SPDX-License-Identifier: MIT */
/*
 * access: what is known of how to reach each sandbox.
 *
 * Filled by every answer of the control plane that speaks of a sandbox; asked before every
 * data-plane request, because a request to a paused sandbox may wake it (envd.md 4).  Attaching
 * is GET /sandboxes/{id} and nothing else: it has no side effects.
 *
 *   what is known            access_want
 *   nothing, no token yet    reads the sandbox first
 *   older than 2 s           reads the sandbox first
 *   end_at passed since      reads the sandbox first
 *   1 to 2 s old             goes on, and reads in the background: a busy stream never waits
 *   paused                   EHOSTDOWN       (no request)
 *   about to be paused, and
 *   traffic would wake it    EHOSTDOWN       (no request)
 *   gone                     ESTALE          (no request)
 *   another state            EBUSY           (no request)
 *
 * Waiters of one sandbox share one GET.  Answers are dated by when their request was sent, and
 * older ones never overwrite newer ones.
 *
 * Threads:   the loop's.
 * Ownership: the client owns the table; struct access is borrowed until the loop turns.
 * Memory:    entries that nobody waits for and no answer named for 10 minutes are dropped when
 *            a complete list comes.
 */
#ifndef E2B_ACCESS_H
#define E2B_ACCESS_H

#include "model.h"

#include <e2b/sandbox.h>
#include <sys/queue.h>
#include <uthash.h>

struct e2b_client;
struct e2b_call;

enum {
    ACCESS_MAX_AGE_MS = 2000,
    ACCESS_REFRESH_MS = 1000,
    ACCESS_FORGET_MS = 600 * 1000,
    /* How long before its end a sandbox that wakes by itself is left alone: a request on its
     * way, and what our clock may be wrong by. */
    ACCESS_MARGIN_MS = 1500,
};

typedef void access_fn(void *arg, const struct e2b_err *err);

struct access_waiter {
    LIST_ENTRY(access_waiter) link;
    struct access *access; /* NULL: not waiting */
    access_fn *fn;
    void *arg;
    int64_t since_ms; /* satisfied only by an answer to a request sent at or after this */
};

LIST_HEAD(access_waiters, access_waiter);

struct access {
    char *id;
    enum e2b_state state;
    bool is_gone;
    bool is_known;        /* any answer spoke of it */
    bool has_detail;      /* a GET, or the answer to create, did: the token is known */
    int64_t checked_ms;   /* loop time at which the newest answer's request was sent */
    char *token;          /* NULL: not secured */
    char *domain;         /* NULL: the configured one */
    char *envd_version;   /* "" if unknown */
    double end_at;        /* unix seconds; 0: unknown */
    bool wakes_up;        /* paused at its end, and resumed by any request */
    struct e2b_call *get; /* GET in flight, or NULL */
    int64_t get_started_ms;
    struct access_waiters waiters;
    UT_hash_handle hh;
};

/* NULL if nothing is known. */
struct access *access_find(const struct e2b_client *client, const char *id);

/*
 * Returns 1 if a data-plane request may be sent now, 0 if `w` was queued (fn(arg, err) comes on
 * a later turn; err says why not), or a negative errno with err filled.  since_ms 0: any answer
 * that is fresh enough will do.
 */
int access_want(struct e2b_client *client, const char *id, int64_t since_ms,
                struct access_waiter *w, struct e2b_err *err);
/* Stops waiting; fine if it does not wait. */
void access_leave(struct access_waiter *w);

/* An answer's sandbox.  secret NULL: the answer was a list's, which has no tokens. */
void access_learn(struct e2b_client *client, const struct e2b_sandbox *s,
                  const struct model_access *secret, int64_t sent_ms);
/* The API said 404, or the sandbox was killed. */
void access_gone(struct e2b_client *client, const char *id, int64_t sent_ms);
/* Its end was moved to `end_at` (unix seconds; 0: unknown). */
void access_moved_end(struct e2b_client *client, const char *id, double end_at);
/* After a complete list: drops what nobody spoke of for long. */
void access_prune(struct e2b_client *client);
void access_clear(struct e2b_client *client);

/* True if the sandbox's envd is known to be older than major.minor.patch. */
bool access_envd_before(const struct access *a, int major, int minor, int patch);

#endif
