/* SPDX-License-Identifier: MIT */
/*
 * exec: a remote command with our standard streams, from start to exit code.
 *
 * It drives several calls at once on the client's loop: the output stream, one piece of input
 * at a time (exec_input.h), and signals.  Nothing blocks: output that our consumer does not
 * take holds the remote process back, not the loop, so input and signals go on.
 *
 * Signals (INT, TERM, HUP, QUIT, unless they were ignored when we started) go to the remote
 * process and its descendants, as a terminal would send them; the second one is KILL; the
 * third gives up waiting.
 *
 * Threads: the client's.
 */
#ifndef CLI_EXEC_H
#define CLI_EXEC_H

#include <e2b/process.h>
#include <stdbool.h>

struct loop;

struct exec_plan {
    struct e2b_client *client;
    struct loop *loop; /* the client's */
    const char *id;
    struct e2b_process_spec spec; /* has_stdin: standard input is sent */
    bool escapes_stdout, escapes_stderr;
};

/*
 * 0..255: the remote exit code, 128 + n if signal n ended the command.  Failures:
 * -ETIMEDOUT with timed_out: spec.timeout_ms is over; -EINTR: given up after signals
 * (gave_up_signal says which); -EPIPE with reader_gone: nobody reads our output; or the cause.
 */
struct exec_failure {
    bool timed_out, reader_gone;
    int gave_up_signal;
};
int exec_session(const struct exec_plan *plan, struct exec_failure *failure,
                 struct e2b_err *err);

#endif
