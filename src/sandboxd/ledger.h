/* SPDX-License-Identifier: MIT */
/*
 * ledger: what was asked of this server, for tests that count round trips.
 *
 * A row is made when a request's headers have arrived, so the order is that of arrival; status
 * and bytes are filled in as the answer goes out.  /_sandboxd/ itself leaves no rows.
 *
 * Threads: any; one private mutex, a leaf.
 * Memory:  the newest LEDGER_MAX rows are kept; "dropped" counts the others.
 */
#ifndef SANDBOXD_LEDGER_H
#define SANDBOXD_LEDGER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum { LEDGER_MAX = 100000 };

/* Returns the row's number, from 1. Strings are copied; sandbox may be NULL. */
uint64_t ledger_open(const char *sandbox, const char *plane, const char *method,
                     const char *path, const char *query, bool is_paused);
/* Does nothing if the row is gone. */
void ledger_answer(uint64_t seq, int status);
void ledger_bytes(uint64_t seq, uint64_t bytes_in, uint64_t bytes_out_more);

void ledger_clear(void);
json_t *ledger_json(void); /* new reference */

#endif
