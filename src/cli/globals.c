/* SPDX-License-Identifier: MIT */
/* globals: the options that every command has. */
#include "cli.h"

#define G(member) offsetof(struct cli_globals, member)

const struct opt cli_global_rows[] = {
    { OPT_CHOICE, 'o', "output", G(format), "FORMAT",
      "table (default), wide, json, jsonl, csv or id", out_formats },
    { OPT_CHOICE, 0, "format", G(format), "FORMAT", "the same", out_formats },
    { OPT_FLAG, 'q', "quiet", G(is_quiet), NULL,
      "lists: ids only; actions: say nothing if they worked", NULL },
    { OPT_FLAG, 'v', "verbose", G(is_verbose), NULL, "one line per request on standard error",
      NULL },
    { OPT_FLAG, 0, "no-input", G(has_no_input), NULL, "never ask", NULL },
    { OPT_SECRET, 0, "api-key", G(api_key), "KEY", "API key (better: E2B_API_KEY or a file)",
      NULL },
    { OPT_STRING, 0, "api-key-file", G(api_key_file), "FILE",
      "file with the API key, - for standard input", NULL },
    { OPT_STRING, 0, "api-url", G(api_url), "URL", "address of the API", NULL },
    { OPT_STRING, 0, "sandbox-url", G(sandbox_url), "URL", "one address for all sandboxes",
      NULL },
    { OPT_STRING, 0, "domain", G(domain), "DOMAIN", "base domain (e2b.app)", NULL },
    { OPT_DURATION, 0, "request-timeout", G(request_timeout_ms), "TIME",
      "deadline of one request", NULL },
    { OPT_LIST, 0, "header", G(headers), "'NAME: VALUE'", "one more header for the API", NULL },
    { OPT_FLAG, 'h', "help", G(wants_help), NULL, "this text, or that of a command", NULL },
    { OPT_FLAG, 'V', "version", G(wants_version), NULL, "print the version", NULL },
    { .kind = OPT_END },
};
