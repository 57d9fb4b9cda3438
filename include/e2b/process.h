/* SPDX-License-Identifier: MIT */
/*
 * e2b/process: programs in a running sandbox, through its envd.
 *
 * Source of facts: envd.md 12.  The rules of file.h about paused sandboxes hold here too.
 * Threads: the client's.  Ownership: event data dies when the event function returns.
 */
#ifndef E2B_PROCESS_H
#define E2B_PROCESS_H

#include <e2b/client.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct e2b_pair; /* sandbox.h */

struct e2b_process_spec {
    const char *const *argv; /* NULL-terminated, at least one; passed untouched, no shell */
    const struct e2b_pair *envs;
    size_t n_envs;
    const char *cwd;    /* NULL: the user's home */
    const char *user;   /* NULL: the client's user */
    int64_t timeout_ms; /* 0: none.  At its end the process is killed: ETIMEDOUT */
    bool has_stdin;     /* false: /dev/null */
};

enum e2b_process_event_kind { E2B_PROCESS_START, E2B_PROCESS_STDOUT, E2B_PROCESS_STDERR };
struct e2b_process_event {
    enum e2b_process_event_kind kind;
    uint32_t pid;     /* START */
    const char *data; /* STDOUT, STDERR */
    size_t len;
};
/* 0 to go on, negative errno to stop listening (the process is not stopped by that). */
typedef int e2b_process_event_fn(void *arg, const struct e2b_process_event *event);

struct e2b_process_end {
    int exit_code;      /* 0..255; 128 + n if signal n ended it */
    int signal;         /* 0, or the number */
    const char *status; /* as the server said: "exit status 7", "signal: killed" */
};
/* err == NULL: the process ended, end says how.  A stream that broke is an error: the process
 * may still run. */
typedef void e2b_process_fn(void *arg, const struct e2b_process_end *end,
                            const struct e2b_err *err);

/* Starts a process and follows its output to its end. */
struct e2b_call *e2b_process_start(struct e2b_client *client, const char *id,
                                   const struct e2b_process_spec *spec,
                                   e2b_process_event_fn *on_event, e2b_process_fn *fn,
                                   void *arg);

/*
 * Holds the output of e2b_process_start back while a consumer is slow; envd then holds the
 * process.  What has arrived already (about 100 KiB at most) still comes.  A paused stream does
 * not count as stalled.  Both may be called more than once, also from inside an event.
 */
void e2b_process_pause(struct e2b_call *call);
void e2b_process_resume(struct e2b_call *call);

/* Writes to the stdin of a process started with has_stdin; copied, at most
 * E2B_PROCESS_INPUT_MAX bytes (EINVAL).  One at a time keeps order: the completion says that
 * the process's pipe took it.  EPIPE: it doesn't read any more.
 * Ends only with the process: envd waits as long as the pipe is full (envd.md 12.5), and a
 * retry would write twice.  ENOENT: the process is gone. */
enum { E2B_PROCESS_INPUT_MAX = 1024 * 1024 };
struct e2b_call *e2b_process_input(struct e2b_client *client, const char *id, uint32_t pid,
                                   const void *data, size_t len, e2b_done_fn *fn, void *arg);
struct e2b_call *e2b_process_close_stdin(struct e2b_client *client, const char *id,
                                         uint32_t pid, e2b_done_fn *fn, void *arg);
/* SIGTERM and SIGKILL by envd; others by `kill` in the sandbox.  ESRCH: it has ended. */
struct e2b_call *e2b_process_signal(struct e2b_client *client, const char *id, uint32_t pid,
                                    int signum, e2b_done_fn *fn, void *arg);

/*
 * Runs a helper to its end and collects its output, each stream up to max_output bytes (more
 * is EFBIG).  A non-zero exit is not an error.
 */
struct e2b_exec_result {
    const char *out;
    size_t out_len;
    const char *err_text;
    size_t err_len;
    int exit_code;
};
typedef void e2b_exec_fn(void *arg, const struct e2b_exec_result *result,
                         const struct e2b_err *err);
struct e2b_call *e2b_process_exec(struct e2b_client *client, const char *id,
                                  const struct e2b_process_spec *spec, size_t max_output,
                                  e2b_exec_fn *fn, void *arg);

#ifdef __cplusplus
}
#endif
#endif
