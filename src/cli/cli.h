/* SPDX-License-Identifier: MIT */
/*
 * cli: what all commands share: global options, the loop, accounts, output, errors.
 *
 * Threads: one.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "cli/opts.h"
#include "cli/out.h"

#include <e2b/client.h>
#include <stdbool.h>
#include <stdint.h>

struct account;

/* The global options; their rows are in globals.c. */
struct cli_globals {
    char *api_key;
    const char *api_key_file, *api_url, *sandbox_url, *domain;
    int64_t request_timeout_ms;
    struct opt_list headers;
    int format; /* enum out_format */
    bool is_quiet, is_verbose, has_no_input, wants_help, wants_version;
};
extern const struct opt cli_global_rows[];

struct cli {
    struct cli_globals g;
    struct loop *loop;        /* owned */
    struct account *accounts; /* owned; see account.h */
    struct out *out;          /* owned */
    const struct cmd *cmd;    /* NULL until known */
    bool is_usage_error;      /* the error being returned is the user's */
    const char *hint;         /* for the next report, instead of the general one */
    bool is_reader_gone;      /* nobody reads standard output any more */
    bool stdin_is_terminal, stdout_is_terminal, stderr_is_terminal;
};

/* A mistake in how the command was called: exit code 2. Fills err, returns -EINVAL. */
int cli_usage(struct cli *cli, struct e2b_err *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Prints an error as text or, with -o json or jsonl, as one JSON object; `id` may be NULL.
 * Returns the exit code that it stands for. */
int cli_report(struct cli *cli, const struct e2b_err *err, const char *id);

/* A line for people on standard error; nothing with -q. */
void cli_note(const struct cli *cli, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Asks on the terminal; false for anything but yes. Only call if cli_may_ask. */
bool cli_confirm(const struct cli *cli, const char *question);
/* The same, but the answer must be the number. */
bool cli_confirm_number(const struct cli *cli, const char *question, size_t number);
bool cli_may_ask(const struct cli *cli);

/* True if errors and results are JSON. */
bool cli_is_json(const struct cli *cli);

/* Exit codes of several things into one: all alike is that, else E2B_EXIT_PARTIAL. */
struct cli_tally {
    size_t n_ok, n_failed;
    int code; /* of the first failure */
};
void cli_tally_add(struct cli_tally *tally, int code);
int cli_tally_exit(const struct cli_tally *tally);
/* Ends the output and gives what run() returns; with only failures nothing is printed. */
int cli_tally_end(struct cli *cli, const struct cli_tally *tally, struct e2b_err *err);

/* Runs the program; returns its exit code. */
int cli_main(int argc, char **argv);

#endif
