/* SPDX-License-Identifier: MIT */
/*
 * What the spool's own files share: spool.c (the whole, pending entries, drain), spool_file.c
 * (one file's bytes), spool_wait.c (who waits for a commit, and its outcome), commit.c (the
 * methods).
 */
#ifndef CACHE_SPOOL_PRIV_H
#define CACHE_SPOOL_PRIV_H

#include <sys/queue.h>

#include "cache/journal.h"
#include "cache/ranges.h"
#include "cache/spool.h"

struct commit;

/* What was changed, since when is the owner's business: of a file since the last commit began,
 * of a commit what it carries.  A failed commit gives it back (change_merge). */
struct change {
    int64_t data_from; /* lowest offset written; INT64_MAX: none */
    int64_t cut_to;    /* lowest size it was truncated to; INT64_MAX: it wasn't */
    bool append_only;  /* all data was written with is_append */
};
#define CHANGE_NONE \
    ((struct change){ .data_from = INT64_MAX, .cut_to = INT64_MAX, .append_only = true })

struct spool_wait {
    TAILQ_ENTRY(spool_wait) next;
    struct spool_file *file; /* borrowed; NULL once the outcome is on its way */
    uint64_t gen;            /* this and everything before must be there */
    spool_fn *fn;
    void *arg;
    struct e2b_err err;
    struct e2b_entry entry; /* owned copy */
    bool has_entry;
};

struct spool_file {
    TAILQ_ENTRY(spool_file) next;
    struct spool *spool; /* borrowed */
    char *sandbox, *path;
    mode_t mode;                /* for creation */
    struct journal_entry local; /* .seq is 0 before the first write */
    struct ranges here;         /* what .data has; the rest of it reads as zeros */
    struct ranges fetched;      /* the part of `here` that came from the sandbox */
    int64_t size;               /* as readers see it; .data is as long */

    /* The remote file as we know it. */
    bool is_created;
    int64_t base_size;
    struct timespec base_mtime; /* tv_sec 0: not known */
    char *owner;                /* NULL: not known */
    int64_t
        base_limit; /* below this, bytes that are not here are the remote file's; else holes */
    struct e2b_entry entry; /* the last report of it */
    bool has_entry;

    struct change change;
    uint64_t gen;           /* counts changes */
    uint64_t committed_gen; /* the sandbox has all changes up to this one */
    struct timespec written_at;
    bool is_noted; /* a .json exists */

    struct commit *commit; /* owned; NULL: none runs */
    TAILQ_HEAD(, spool_wait) waits;
    bool is_detached, is_closing;
    bool is_skewed;    /* the sandbox has foreign bytes in its tail that we don't show yet */
    int64_t attempted; /* largest size that a failed commit may have given the remote file */
    int64_t unsure;    /* length of an append whose fate is not known; 0: none */
    bool was_appended; /* it was found to have happened: its bytes are written again in place */
    uint32_t failures;
    uint64_t failed_gen; /* what the last failed commit would have reached; 0: it succeeded */
    struct e2b_err last_err;
    struct timespec failed_at;
};

struct pending {
    TAILQ_ENTRY(pending) next;
    uint64_t number;
    char *path, *reason, *file;
    int64_t bytes, held;
    struct timespec since;
    struct journal_entry local;
};

struct spool {
    struct loop *loop; /* borrowed, as the next two */
    struct e2b_client *client;
    struct journal *journal; /* owned */
    uint64_t max_bytes, held;
    bool is_stopped;
    TAILQ_HEAD(, spool_file) files;
    TAILQ_HEAD(, pending) pending;
    uint64_t commits, failures, bytes_committed;
};

/* spool.c */
/* Makes room for `need` more bytes, or -ENOSPC. */
int spool_make_room(struct spool *spool, int64_t need, struct e2b_err *err);
/* Turns a dirty file's local content into a pending entry. */
void spool_keep_pending(struct spool_file *f);

/* spool_file.c */
void change_merge(struct change *to, const struct change *from);
/* Marks bytes as here (whoever wrote them into .data), and back; keeps account. */
int spool_file_have(struct spool_file *f, int64_t from, int64_t to, bool is_fetched);
void spool_file_lose(struct spool_file *f, int64_t from, int64_t to);
/* Reads come from the remote file from now on: forgets local bytes of a clean file. */
void spool_file_yield(struct spool_file *f, int64_t size);
/* Writes the .json; its state is the file's, `number` is for pending entries. */
int spool_file_note(struct spool_file *f, uint64_t number, struct e2b_err *err);
/* Goes on with spool_close when a commit ended; may free the file. */
void spool_file_close_next(struct spool_file *f);
void spool_file_free(struct spool_file *f);
/* "ENOSPC: no space ... (only bytes 0-10 are here)"; the caller's. */
char *spool_file_reason(const struct spool_file *f);

/* spool_wait.c */
/* The commit is over (freed by its owner): err is NULL on success; `entry` may be NULL. */
struct commit_result {
    const struct e2b_err *err;
    const struct e2b_entry *entry;
    uint64_t gen;         /* what it reached */
    int64_t size;         /* of the remote file, as sent */
    struct change change; /* what it carried */
    int64_t sent;         /* bytes */
    bool is_renamed;      /* the file got another name meanwhile */
    bool is_foreign;      /* somebody else wrote to the tail, too */
};
void spool_commit_over(struct spool_file *f, const struct commit_result *result);

/* Asserts what must hold between two events. */
void spool_file_check(const struct spool_file *f);

#endif
