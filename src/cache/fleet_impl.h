/* SPDX-License-Identifier: MIT */
/*
 * fleet_impl: what the files of the fleet share.  Private.
 *
 *   fleet.c          looking, life         fleet_wait.c      who waits
 *   fleet_list.c     what the list says    fleet_request.c   list and GETs
 *   fleet_metrics.c  the samples
 */
#ifndef CACHE_FLEET_IMPL_H
#define CACHE_FLEET_IMPL_H

#include "cache/fleet.h"

#include <sys/queue.h>
#include <uthash.h>

struct batch;
TAILQ_HEAD(waits, fleet_wait);

/* One who waits, for the list (fn) or for a sample (done). */
struct fleet_wait {
    struct fleet *fleet;
    fleet_fn *fn;
    e2b_done_fn *done;
    void *arg;
    char *id;           /* owned; of the sandbox whose sample is wanted */
    struct waits *home; /* the queue that it is in */
    uint64_t turn;      /* of `deliver` that may complete it, once it is in `ready` */
    struct e2b_err err; /* the outcome, once it is in `ready`; errnum 0: success */
    TAILQ_ENTRY(fleet_wait) link;
};

/* What is known of one sandbox besides the API's object.  Exists while it is in the list. */
struct member {
    char *id;
    struct timespec changed_at; /* its object, here */
    bool is_touched;            /* updated here while a list was in flight */
    bool is_doubtful;           /* missing from the last list, to be confirmed */
    bool is_confirming;         /* the GET is under way */
    struct batch *batch;        /* the request that will bring its sample, or NULL */
    bool is_sampled;            /* the server was asked at sampled_ms */
    bool has_sample;            /* and had one: m */
    int64_t sampled_ms;
    struct e2b_metrics m;
    UT_hash_handle hh;
};

struct tomb { /* forgotten here while a list was in flight */
    char *id;
    UT_hash_handle hh;
};

struct fleet {
    struct loop *loop;
    struct e2b_client *client;
    struct fleet_config config; /* strings owned */
    fleet_change_fn *on_change;
    void *arg;

    struct e2b_sandbox_list list; /* the last complete one, sorted by id */
    bool has_list;
    uint64_t version; /* of what borrowers of `list` may have kept */
    int64_t listed_ms;
    struct timespec changed_at;
    struct member *members;
    struct tomb *tombs;

    struct e2b_call *list_call; /* borrowed; the list in flight */
    bool is_expired;            /* whoever looks must wait for a list asked for from now on */
    bool is_outdated;           /* the list in flight was asked for before is_expired was set */
    bool is_failing;            /* the last list failed, at failed_ms, with `failure` */
    int64_t failed_ms;
    struct timespec failing_since;
    struct e2b_err failure;
    size_t n_doubtful, n_confirming;

    bool is_metrics_failing;
    int64_t metrics_failed_ms;
    struct e2b_err metrics_failure;
    TAILQ_HEAD(batches, batch) batches;

    struct waits waiting; /* for the list */
    struct waits ready;   /* outcome known, to be completed on a later turn */
    uint64_t turn;
    struct loop_timer deliver;
    size_t n_calls; /* in flight; the struct lives until they have completed */
    bool is_closing, is_telling;
};

enum {
    FLEET_ERROR_MEMORY_MS = 1000, /* a failure answers for the next looks */
};

/* --- fleet_list.c --- */
struct member *fleet_member(const struct fleet *fleet, const char *id);
/* It is not doubtful (any more). */
void fleet_member_settle(struct fleet *fleet, struct member *m);
void fleet_member_remove(struct fleet *fleet, struct member *m);
void fleet_tombs_clear(struct fleet *fleet);
/* The index in the list, or -1. */
ptrdiff_t fleet_index(const struct fleet *fleet, const char *id);
/* Copies what we want of the server's list, sorted, each id once. */
struct e2b_sandbox_list fleet_list_select(const struct fleet *fleet,
                                          const struct e2b_sandbox_list *from);
/* Makes `fresh` (taken) the list, keeps what is only doubtful, and tells the difference. */
void fleet_list_adopt(struct fleet *fleet, struct e2b_sandbox_list fresh);
/* The sandbox at `index` leaves. */
void fleet_list_drop(struct fleet *fleet, size_t index);

/* --- fleet_request.c --- */
void fleet_list_start(struct fleet *fleet); /* unless one is in flight */
void fleet_confirm_next(struct fleet *fleet);

/* --- fleet_wait.c --- */
struct fleet_wait *fleet_wait_new(struct fleet *fleet, struct waits *home, void *arg);
/* Completes on a later turn; err NULL: success. */
void fleet_wait_finish(struct fleet_wait *w, const struct e2b_err *err);
void fleet_waits_finish(struct waits *waits, const struct e2b_err *err);
void fleet_wait_complete(struct fleet_wait *w); /* now */

/* --- fleet.c --- */
/* A call of this fleet has completed.  False: the fleet is closing and may be gone now. */
bool fleet_call_ended(struct fleet *fleet);

/* --- fleet_metrics.c --- */
/* Completes whoever waits for samples and cancels the requests (fleet_free). */
void fleet_metrics_close(struct fleet *fleet);

#endif
