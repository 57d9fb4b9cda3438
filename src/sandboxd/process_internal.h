/* SPDX-License-Identifier: MIT */
/*
 * process_internal: what process.c (who exists, who listens), process_pump.c (output),
 * process_start.c and process_input.c share.
 *
 * Threads: the table's lock guards everything that has no other comment.
 */
#ifndef SANDBOXD_PROCESS_INTERNAL_H
#define SANDBOXD_PROCESS_INTERNAL_H

#include "process.h"

#include <pthread.h>

enum {
    KEEP_ENDED_MS = 30000, /* how long an exit status is remembered */
    AGENT_CALL_MS = 10000,
};

struct subscriber {
    struct process *process; /* owned reference */
    int event_fd;            /* readable while the queue is not empty; owned */
    size_t queued;           /* bytes */
    bool is_starter;
    STAILQ_HEAD(, event) events;
    LIST_ENTRY(subscriber) link;
};

struct process {
    struct process_table *table; /* borrowed: pumps and callers hold the sandbox */
    struct sandbox *sandbox;     /* same */
    json_t *config;
    char *tag;
    pid_t pid;
    int refs;
    int in;       /* under input_lock; -1: closed; a terminal's is the same as out */
    int out, err; /* the pump's; -1: closed */
    bool is_pty;
    int wake_fd; /* tells the pump that the process exited; -1 afterwards */
    bool has_exited, was_signalled, is_over;
    int wait_status;
    int64_t ended_at;
    int64_t deadline;           /* the pump's; 0: none */
    pthread_mutex_t input_lock; /* serialises writers; a leaf */
    LIST_HEAD(, subscriber) subscribers;
    LIST_ENTRY(process) link;
};

struct process_table {
    pthread_mutex_t lock;
    pthread_cond_t drained; /* some queue got shorter, or a subscriber left */
    LIST_HEAD(, process) all;
    /* exits reported before process_start() has put the process into the table */
    struct early {
        pid_t pid;
        int wait_status;
    } early[64];
    unsigned early_next;
};

struct process *process_ref(struct process *p);

/* Locked. */
struct subscriber *process_subscribe_locked(struct process *p);
void subscriber_push(struct subscriber *sub, enum event_kind kind, int wait_status,
                     const void *data, size_t len);

/* 0 or -errno; the pump has references of its own. */
int process_start_pump(struct process *p);

#endif
