/* SPDX-License-Identifier: MIT */
/*
 * api_filesystem: what the Filesystem service's calls and watches share.
 *
 * Threads: the request's.
 */
#ifndef SANDBOXD_API_FILESYSTEM_H
#define SANDBOXD_API_FILESYSTEM_H

#include "msg.h"
#include "rpc.h"

/* Reads one EntryInfo; NULL with the field's name in *bad_field if it can't be JSON. */
json_t *filesystem_entry(struct msg *m, const char **bad_field);

/*
 * Sends {user, the message's `fields`..., extra unless it is negative}; true with the reply at
 * its results, false if the request was answered.
 */
bool filesystem_ask(struct rpc *rpc, enum msg_kind kind, const char *const *fields,
                    int64_t extra, struct msg *reply);

#endif
