/* SPDX-License-Identifier: MIT */
/*
 * api_files: what downloads and uploads share.
 *
 * Threads: the request's.
 */
#ifndef SANDBOXD_API_FILES_H
#define SANDBOXD_API_FILES_H

#include "http_server.h"

/* Token or signature of a secured sandbox; false if the request was answered 401 or 400. */
bool files_authorised(struct request *rq, const char *operation);

/* The account that the request names; borrowed. */
const char *files_user(struct request *rq);

#endif
