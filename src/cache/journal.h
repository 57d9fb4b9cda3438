/* SPDX-License-Identifier: MIT */
/*
 * journal: the spool's directory.
 *
 *   <dir>/<sandboxID>/<seq>.data   the content of one file, locked (flock) by its owner
 *   <dir>/<sandboxID>/<seq>.json   what it is; exists while the content is not in the sandbox
 *   <dir>/.number                  the last number given to a pending entry
 *
 *   on disk           lock  means
 *   .data             held  a file open in a living daemon, nothing to lose
 *   .data and .json   held  the same with content that the sandbox lacks, or pending
 *   .data             free  left behind clean: the next journal_adopt removes it
 *   .data and .json   free  its daemon is gone: the next journal_adopt takes it
 *   anything else     -     not ours: left alone
 *
 * Several daemons may share the directory.  What one process wrote survives its crash; only
 * journal_sync makes it survive the machine's.
 *
 * Threads:   loop only; fsync on a worker.
 * Ownership: a journal_entry owns its strings, its descriptor and with it the lock.
 */
#ifndef CACHE_JOURNAL_H
#define CACHE_JOURNAL_H

#include "util/worker.h"

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct journal;

struct journal_entry {
    char *sandbox;
    uint64_t seq; /* 0: no entry */
    int fd;       /* of .data, read and write */
};

/* What the .json says.  Borrowed strings. */
struct journal_note {
    const char *path;
    mode_t mode;     /* of a file to be created */
    bool is_created; /* the sandbox already has a file at path ... */
    int64_t base_size;
    struct timespec base_mtime; /* ... of this version */
    int64_t size;
    const char *ranges; /* "0-4096,8192-9000": the bytes that are here; NULL: not known */
    const char *reason; /* why it is not in the sandbox; NULL: nobody tried yet */
    uint64_t number;    /* of a pending entry, else 0 */
    struct timespec since;
};

/*
 * Creates `dir` (0700, parents too).  EPERM: it is not ours or others can enter; ELOOP: it lies
 * on a mount of ours.  `workers` may be NULL: then journal_sync does nothing.
 */
struct journal *journal_open(const char *dir, struct workers *workers, struct e2b_err *err);
void journal_close(struct journal *j);

/* A new empty .data; EINVAL for a sandbox ID that can't be a directory's name. */
int journal_add(struct journal *j, const char *sandbox, struct journal_entry *out,
                struct e2b_err *err);
/* Writes or replaces the .json, all or nothing. */
int journal_write(struct journal *j, const struct journal_entry *e,
                  const struct journal_note *note, struct e2b_err *err);
/* Removes the .json: the sandbox has it all. */
void journal_forget(struct journal *j, const struct journal_entry *e);
/* Starts to make both files survive a crash of the machine. */
void journal_sync(struct journal *j, const struct journal_entry *e);
/* Removes both files and clears the entry. */
void journal_remove(struct journal *j, struct journal_entry *e);
/* Gives up the lock, keeps the files. */
void journal_entry_clear(struct journal_entry *e);

/* "<dir>/<sandbox>/<seq>.data"; the caller's. */
char *journal_path(const struct journal *j, const struct journal_entry *e);

/* A number for people, never given before in this directory. */
uint64_t journal_number(struct journal *j);

/*
 * Takes what no living daemon holds: fn gets each entry (and owns it) with its note.  If the
 * .json can't be read, note->path is "/unknown" and note->reason says so.
 */
typedef void journal_adopt_fn(void *arg, struct journal_entry *e,
                              const struct journal_note *note);
void journal_adopt(struct journal *j, journal_adopt_fn *fn, void *arg);

/* Bytes free where the directory is. */
uint64_t journal_free_bytes(const struct journal *j);

#endif
