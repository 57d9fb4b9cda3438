/* SPDX-License-Identifier: MIT */
/*
 * path: absolute slash-separated paths inside a sandbox.
 *
 * Everything we send is absolute, normalised and without a trailing slash (envd.md 3.4): an
 * empty or relative path would mean somebody's home directory there.
 *
 * Threads: any.  Ownership: results are the caller's.
 */
#ifndef UTIL_PATH_H
#define UTIL_PATH_H

#include <stdbool.h>
#include <stddef.h>

/* "/a" + "b" -> "/a/b"; "/" + "b" -> "/b".  `name` must satisfy path_name_ok. */
char *path_join(const char *dir, const char *name);

/* True for one usable component: not empty, not "." or "..", no '/', at most 255 bytes. */
bool path_name_ok(const char *name);

/* True for an absolute normalised path: "/" or "/a/b", no "", "." or ".." component. */
bool path_is_normal(const char *path);

/* Lexically normalises an absolute path ("." and ".." resolved, clamped at "/"); NULL if it is
 * not absolute. */
char *path_normalise(const char *path);

/* Last component ("/" for "/"); borrowed from `path`. */
const char *path_base(const char *path);

/* Everything before the last component ("/" for "/a" and "/"). */
char *path_dir(const char *path);

/* True if `path` is `dir` or lies below it; both normal. */
bool path_is_below(const char *path, const char *dir);

#endif
