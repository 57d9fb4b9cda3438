/* SPDX-License-Identifier: MIT */
/*
 * mime: the Content-Type of a file, by its name or by what it looks like.
 *
 * Threads: any.
 */
#ifndef SANDBOXD_MIME_H
#define SANDBOXD_MIME_H

#include <stddef.h>

/* Looks at `path`'s extension, else at the first 512 bytes of fd (position unchanged). */
void mime_type(int fd, const char *path, char *out, size_t size);

#endif
