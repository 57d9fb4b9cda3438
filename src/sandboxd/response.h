/* SPDX-License-Identifier: MIT */
/*
 * response: from respond_*() to bytes on the wire, fault switches included.
 *
 * An answer is kept as plain data until the library may take it (a body must have been read to
 * its end), and then goes out through one function, so that every switch works on every kind
 * of answer.
 *
 * Threads: the request's.
 */
#ifndef SANDBOXD_RESPONSE_H
#define SANDBOXD_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct request;

enum { RESPONSE_HEADERS_MAX = 12 };

typedef ssize_t body_read_fn(void *state, struct request *rq, char *out, size_t max);

struct response {
    char *names[RESPONSE_HEADERS_MAX], *values[RESPONSE_HEADERS_MAX]; /* owned */
    int header_count;
    char *data; /* owned; for answers that are there as a whole */
    int64_t size;
    body_read_fn *read; /* for streams */
    void (*free_stream)(void *);
    void *stream;   /* owned through free_stream */
    uint64_t sent;  /* bytes of the body that went out */
    bool is_opened; /* oversize: the beginning went out */
};

void response_clear(struct response *r);

/* Hands the answer to the library. enum MHD_Result as an int-like value. */
int response_queue(struct request *rq);

#endif
