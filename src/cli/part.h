/* SPDX-License-Identifier: MIT */
/*
 * part: a local file that appears whole or not at all.
 *
 * Bytes go to NAME.part beside it, which becomes NAME at the end.  Links are never followed;
 * two programs never write the same one.  A FIFO or a character device is written directly.
 *
 * Threads: any.  Ownership: part_end and part_abandon free what is in it.
 */
#ifndef CLI_PART_H
#define CLI_PART_H

#include <e2b/error.h>
#include <sys/types.h>

struct part {
    int fd;
    char *path;
    char *temp; /* NULL: written directly */
};

/*
 * `path` is a file's name, or a directory's, in which it will be called `name` (one component).
 * -ELOOP: it is a link; -EBUSY: another program is writing it; or why it can't be written.
 */
int part_open(const char *path, const char *name, struct part *out, struct e2b_err *err);

/* All is written: takes effect. */
int part_end(struct part *part, struct e2b_err *err);

/* Something failed.  What came so far stays as NAME.part if `is_kept`. */
void part_abandon(struct part *part, bool is_kept);

#endif
