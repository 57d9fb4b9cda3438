/* SPDX-License-Identifier: MIT */
/*
 * find: listings by GNU find in the sandbox, for what envd's ListDir can't carry: names that
 * are not UTF-8, times far away, directories that vanish (envd.md 13.3).
 *
 * Threads: the loop's.  find_parse: any.
 */
#ifndef E2B_FIND_H
#define E2B_FIND_H

#include <e2b/file.h>

/*
 * One column a member, tabs between, NUL after the link's text and after the name: any bytes
 * are safe there.  Owners come as names, which is what envd sends, too.
 */
#define FIND_FORMAT \
    "%y\\t%m\\t%u\\t%g\\t%U\\t%G\\t%s\\t%n\\t%i\\t%b\\t%T@\\t%C@\\t%A@\\t%l\\0%f\\0"

/* *list may be taken (left empty) by the completion. */
typedef void find_fn(void *arg, struct e2b_entry_list *list, const struct e2b_err *err);

/* The entries of a directory (a link to one is followed). */
struct e2b_call *find_children(struct e2b_client *client, const char *id, const char *path,
                               find_fn *fn, void *arg);
/* The one entry that `path` is. */
struct e2b_call *find_entry(struct e2b_client *client, const char *id, const char *path,
                            find_fn *fn, void *arg);

/* Reads what FIND_FORMAT prints. */
int find_parse(const char *text, size_t len, struct e2b_entry_list *out, struct e2b_err *err);

#endif
