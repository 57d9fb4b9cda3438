/* SPDX-License-Identifier: MIT */
/*
 * faults: switches that make requests go wrong, set by tests (PUT /_sandboxd/faults).
 *
 * The list is tried in order for each request; the first switch whose match fits and whose
 * `times` is not used up applies to it.  Kinds are the rows of faults.c:
 *
 *   delay      value ms                 answers later
 *   status     value HTTP status        answers that, in the error shape of the plane
 *   stall      -                        no answer until the switches are replaced, the client
 *                                       leaves or the sandbox ends; then goes on as usual
 *   refuse     -                        TCP reset at once; nothing is done
 *   reset      value n                  TCP reset after n bytes of the answer's body; with 0
 *                                       before its headers, but after the work was done
 *   reset_in   value n                  TCP reset after n bytes of the request's body
 *   truncate   value n                  the connection ends after n bytes of the body
 *   garble     value n                  byte n of the body is inverted
 *   oversize   value n, 0: no end       instead of the body n bytes that look like JSON
 *   bandwidth  value bytes per second   the answer's body arrives at that rate, until the
 *                                       switches are replaced
 *
 * Threads: any; one private mutex, a leaf.
 */
#ifndef SANDBOXD_FAULTS_H
#define SANDBOXD_FAULTS_H

#include <e2b/error.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum fault_kind {
    FAULT_NONE,
    FAULT_DELAY,
    FAULT_STATUS,
    FAULT_STALL,
    FAULT_REFUSE,
    FAULT_RESET,
    FAULT_RESET_IN,
    FAULT_TRUNCATE,
    FAULT_GARBLE,
    FAULT_OVERSIZE,
    FAULT_BANDWIDTH,
    FAULT_KINDS,
};

struct fault {
    enum fault_kind kind;
    int64_t value;
    uint64_t generation; /* of the list it came from: stall ends when the list changes */
};

/* Replaces the list; on failure it stays as it was. */
int faults_set(const json_t *list, struct e2b_err *err);
json_t *faults_json(void); /* new reference */

/* The switch for this request, used up once; kind FAULT_NONE if none fits. */
struct fault faults_match(const char *sandbox, const char *plane, const char *method,
                          const char *path);

/* True until the list that the fault came from is replaced. */
bool fault_is_current(const struct fault *f);

#endif
