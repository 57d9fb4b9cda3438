/* SPDX-License-Identifier: MIT */
/*
 * options: the command line; usage text and parsing come from the same rows.
 *
 * Threads: main's, before any other.
 */
#ifndef SANDBOXD_OPTIONS_H
#define SANDBOXD_OPTIONS_H

#include <e2b/error.h>
#include <stdbool.h>

struct options {
    const char *listen; /* host:port, loopback */
    const char *data;   /* NULL: a temporary directory, removed at the end */
    const char *key;    /* NULL: random */
    int sandboxes, fleet;
    int ready_fd;    /* -1: stdout */
    int lifeline_fd; /* -1: none */
    bool background, verbose, help, version, agent;
};

/* 0 or -EINVAL with a sentence. */
int options_parse(int argc, char **argv, struct options *out, struct e2b_err *err);
void options_usage(void);

#endif
