/* SPDX-License-Identifier: MIT */
/*
 * paths: the check that every file operation begins with.
 *
 * Threads: any.
 */
#ifndef E2B_PATHS_H
#define E2B_PATHS_H

#include <e2b/error.h>

/*
 * Copies a sandbox's id and a path in it: EINVAL unless the path is absolute, normalised and
 * without a trailing slash.  An empty or relative one would mean somebody's home directory to
 * envd (envd.md 3.4).
 */
int file_target(const char *id, const char *path, char **id_out, char **path_out,
                struct e2b_err *err);

#endif
