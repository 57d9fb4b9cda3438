/* SPDX-License-Identifier: MIT */
/*
 * What the commit's own files share: commit.c (choice, simple methods, the end), commit_tail.c
 * (TAIL), commit_upload.c (an upload of one version), commit_fetch.c (old bytes).
 */
#ifndef CACHE_COMMIT_PRIV_H
#define CACHE_COMMIT_PRIV_H

#include "cache/commit.h"

enum commit_method {
    COMMIT_CREATE,
    COMMIT_FILL,
    COMMIT_TRUNCATE,
    COMMIT_TAIL,
    COMMIT_REPLACE,
};

/* What to go on with when a step succeeded; failures end the commit. */
typedef void commit_step(struct commit *c);

struct commit {
    struct spool_file *file; /* borrowed; lives until the commit is over */
    enum commit_method method;
    struct e2b_call *call; /* in flight, or NULL */
    char *path;            /* the target, as it was named at the start */
    char *temp;            /* its temporary sibling, if that may exist */
    bool is_made;          /* target (CREATE) or temporary was made with its mode */
    bool has_made_target;  /* a failure removes it */

    /* What is sent: the file as it was at the choice of the method. */
    struct change change;
    uint64_t gen;
    int64_t size;

    /* commit_upload.c */
    int64_t from;
    int64_t sending_from, sending_to;
    bool is_sending, is_torn;
    int repeats; /* uploads that were torn */
    int copy_fd; /* of a version that holds still; -1: none */
    commit_step *uploaded;
    int64_t sent;

    /* commit_fetch.c */
    int64_t fetch_at; /* where the next bytes go */
    int64_t fetch_to; /* end of the request */
    bool is_rebased;  /* the remote version changed once already */
    commit_step *fetched;

    /* commit_tail.c */
    bool has_asked; /* what became of an earlier append */

    bool is_renamed, is_foreign;
    struct e2b_err err;
    struct e2b_entry entry;
    bool has_entry;
};

/* commit.c */
void commit_op(struct commit *c, enum e2b_fop op, const struct e2b_fop_args *args,
               e2b_entry_fn *fn);
/* For completions: the call is over; true if that ended the commit (err, or no longer wanted).
 */
bool commit_step_failed(struct commit *c, const struct e2b_err *err);
void commit_fail(struct commit *c, const struct e2b_err *err);
/* The same with c->err, for what fails before a request was sent: the outcome must not come
 * from inside spool_commit. */
void commit_fail_later(struct commit *c);
void commit_succeed(struct commit *c, const struct e2b_entry *entry);
void commit_finish(struct commit *c);
/* Chooses the method again, for the file as it is now. */
void commit_replan(struct commit *c);
/* ENOENT of a file that was there means ESTALE: it was removed in the sandbox. */
const struct e2b_err *commit_target_gone(struct commit *c, const struct e2b_err *err);

/* commit_tail.c */
void commit_tail(struct commit *c);

/* commit_fetch.c: makes every byte of the file be here. */
void commit_fetch(struct commit *c, commit_step *then);

/* commit_upload.c: POSTs the bytes from `from` to the file's end.  owner: whose file it becomes
 * (NULL: the client's user).  If the file changed since the method was chosen, it is chosen
 * again. */
void commit_upload(struct commit *c, const char *path, const char *owner, int64_t from,
                   commit_step *then);
/* commit.c: the same, to a temporary sibling. */
void commit_upload_temp(struct commit *c, int64_t from, commit_step *then);
void commit_upload_clear(struct commit *c);

#endif
