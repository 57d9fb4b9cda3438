/* SPDX-License-Identifier: MIT */
/*
 * runfile: what a mount tells the command line tool about itself.
 *
 * Each mount keeps <dir>/<major>-<minor>.json, where the device number is the one that
 * /proc/self/mountinfo shows for it.  <dir> is the first of
 *
 *   $XDG_RUNTIME_DIR/e2bfs     if that is set
 *   /run/e2bfs                 for root
 *   /tmp/e2bfs-<uid>
 *
 * The directory is 0700, the file 0600, both ours: what belongs to somebody else or can be
 * opened by others is refused on reading and on writing, since the file decides where an
 * account's key is sent.
 *
 * The file is one JSON object: mountpoint, device ("0:52"), pid, api_url, sandbox_url (or
 * null), domain, user, key_source; api_key only with --local, whose key is worth nothing
 * elsewhere.
 *
 * Threads: any.
 */
#ifndef UTIL_RUNFILE_H
#define UTIL_RUNFILE_H

#include <e2b/error.h>
#include <stdint.h>

struct runfile {
    char *mountpoint;
    char *device; /* "major:minor" */
    int64_t pid;
    char *api_url;
    char *sandbox_url; /* NULL: derived per sandbox */
    char *domain;
    char *user;
    char *key_source; /* for people and for finding the key again, as in struct e2b_config */
    char *api_key;    /* NULL except with --local */
};

void runfile_clear(struct runfile *r);

/* The directory that runfile_write uses; the caller's.  It need not exist. */
char *runfile_dir(void);

/* Creates or replaces the file of r->device, and its directory.  EINVAL: device is not
 * "major:minor"; EACCES: the directory is not safe. */
int runfile_write(const struct runfile *r, struct e2b_err *err);

/*
 * Reads the file of a mount, looking in every directory of the list above: the mount may have
 * been made in another session.  ENOENT: there is none; EACCES: it is not ours or not private;
 * EPROTO: it is not such a file.
 */
int runfile_read_for_device(const char *device, struct runfile *out, struct e2b_err *err);

/* Removes the file of a mount from runfile_dir(); fine if there is none. */
void runfile_remove(const char *device);

/* Calls fn with each readable file in those directories until it returns non-zero, which is
 * returned.  `path` and `r` are borrowed. */
typedef int runfile_fn(void *arg, const char *path, const struct runfile *r);
int runfile_each(runfile_fn *fn, void *arg);

#endif
