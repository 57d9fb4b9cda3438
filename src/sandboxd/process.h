/* SPDX-License-Identifier: MIT */
/*
 * process: the processes that were started through envd, and who listens to them.
 *
 * Each process has a pump, a thread that reads its output and hands it to the subscribers.
 * Without subscribers output is dropped, and never replayed.  A subscriber that does not read
 * holds the pump, hence the process and all other subscribers (envd.md 12.4): that is what the
 * real one does and what clients must be tested against.
 *
 * Threads:   any.  Each table has a private mutex, a leaf.
 * Ownership: process_find and process_start give references.  Pumps hold the sandbox.
 */
#ifndef SANDBOXD_PROCESS_H
#define SANDBOXD_PROCESS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

struct sandbox;
struct request;
struct process;
struct process_table;

enum event_kind {
    EVENT_NONE, /* nothing within the time */
    EVENT_STDOUT,
    EVENT_STDERR,
    EVENT_PTY,
    EVENT_END,      /* status holds how */
    EVENT_DEADLINE, /* the start's time limit killed it */
    EVENT_LOST,     /* the sandbox ended under it */
    EVENT_OVER,     /* the subscriber's own request is over */
};

struct event {
    enum event_kind kind;
    int wait_status;
    size_t len;
    STAILQ_ENTRY(event) link;
    char data[];
};

struct process_table *process_table_new(void);
void process_table_free(struct process_table *t);

/* The agent's report (channel_exited_fn); arg is the sandbox. */
void process_exited(void *arg, pid_t pid, int wait_status);

struct process_spec {
    json_t *config; /* {cmd, args, envs, cwd}, as List shows it; borrowed */
    const char *user;
    const char *tag; /* NULL: none */
    bool wants_stdin, wants_pty;
    uint32_t cols, rows;
    int64_t time_limit_ms; /* 0: none */
};

struct subscriber;

/*
 * Starts it with the caller as its first subscriber, so that nothing is missed.  On refusal
 * returns NULL with *code (a Connect code) and *message (owned).
 */
struct process *process_start(struct sandbox *sb, const struct process_spec *spec,
                              struct subscriber **sub, int *code, char **message);

/* By pid, or by tag if pid is 0. Also those that ended less than 30 s ago, if `and_ended`. */
struct process *process_find(struct sandbox *sb, pid_t pid, const char *tag, bool and_ended);
void process_unref(struct process *p);
pid_t process_pid(const struct process *p);

struct subscriber *process_subscribe(struct process *p);
void process_unsubscribe(struct subscriber *sub); /* NULL is fine */

/* The next event, owned by the caller (free); an EVENT_NONE after ms without one. */
struct event *process_next(struct subscriber *sub, struct request *rq, int64_t ms);

/* New reference: [{config, pid, tag?}] */
json_t *process_list(struct sandbox *sb);

enum input_result {
    INPUT_OK,
    INPUT_NO_STDIN,
    INPUT_IS_TTY,
    INPUT_NOT_TTY,
    INPUT_BROKEN,
    INPUT_GIVEN_UP
};
enum input_kind { INPUT_STDIN, INPUT_PTY };
/* Writes all of it; waits while the pipe is full. */
enum input_result process_input(struct process *p, enum input_kind kind, const void *data,
                                size_t len, struct request *rq);
enum input_result process_close_stdin(struct process *p);
enum input_result process_resize(struct process *p, uint32_t cols, uint32_t rows);
/* False if it is not there any more. */
bool process_signal(struct process *p, int sig);

/* Waits until every pump has ended (their sandboxes must have been killed). */
void process_wait_pumps(void);

#endif
