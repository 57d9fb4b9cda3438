/* SPDX-License-Identifier: MIT */
/*
 * mounts: the kernel's mount table, /proc/self/mountinfo.
 *
 * The only thing that says which mount a path belongs to: a file found in a tree could have
 * been planted by whoever owns the tree.
 *
 * Threads: any.
 */
#ifndef UTIL_MOUNTS_H
#define UTIL_MOUNTS_H

#include <e2b/error.h>
#include <stdbool.h>

/* The type that the kernel shows for our mounts (subtype=e2bfs). */
#define MOUNTS_E2BFS "fuse.e2bfs"

struct mount_info {
    int id;
    char *device;     /* "major:minor" */
    char *root;       /* which directory of the file system is mounted: "/" unless bound */
    char *mountpoint; /* absolute; escapes of the table undone */
    char *type;
    char *source;
};

void mount_info_clear(struct mount_info *m);

/* One line of mountinfo (with or without newline). 0 or -EPROTO; *out untouched then. */
int mounts_parse(const char *line, struct mount_info *out);

/* Calls fn for each mount in table order until it returns non-zero, which is returned.
 * `m` is borrowed. */
typedef int mounts_fn(void *arg, const struct mount_info *m);
int mounts_each(mounts_fn *fn, void *arg, struct e2b_err *err);

/*
 * The mount that `path` lies in, and where: *inside is the path from the root of that file
 * system ("/" or "/a/b"), symbolic links resolved.  Works for what can't be opened, too
 * (O_PATH).  Both results are the caller's.
 */
int mounts_locate(const char *path, struct mount_info *mount, char **inside,
                  struct e2b_err *err);

#endif
