/* SPDX-License-Identifier: MIT */
/*
 * e2b/file: the files of a running sandbox, through its envd.
 *
 * Paths are absolute, normalised, without a trailing slash (anything else is EINVAL and sends
 * nothing: an empty path would mean somebody's home directory there).  envd executes file calls
 * as root whatever user is named; the user only decides who owns what is created.
 *
 * Before the first data-plane request to a sandbox the client reads GET /sandboxes/{id} (token,
 * domain, version, state).  State older than 2 s is read again: a paused sandbox gets no
 * data-plane request at all; calls on it fail with EHOSTDOWN, on one that is gone with ESTALE.
 *
 * Errors: the sandbox's own errno where its text names one (envd.md 11), else the cause's.
 * Source of facts: envd.md 3, 6, 7, 9, 13.
 * Threads: the client's.  Ownership: results die when the completion returns.
 */
#ifndef E2B_FILE_H
#define E2B_FILE_H

#include <e2b/client.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * One name in a directory, validated: `name` is one component (never ".", "..", or with '/'),
 * sizes are >= 0, the kind is one of S_IFREG S_IFDIR S_IFLNK S_IFIFO S_IFSOCK S_IFCHR S_IFBLK.
 */
struct e2b_entry {
    char *name;
    mode_t mode;  /* kind, permissions, set-id and sticky bits, of the name itself (lstat) */
    int64_t size; /* bytes */
    struct timespec mtime;
    char *owner; /* account name as the sandbox knows it, or a decimal id */
    char *group;
    /* Only with `is_rich` (a listing made by find): */
    bool is_rich;
    int64_t nlink, uid, gid, ino, blocks;
    struct timespec ctime, atime;
    char *link_text; /* symlinks: the raw text; else NULL */
};

void e2b_entry_clear(struct e2b_entry *e);
void e2b_entry_copy(struct e2b_entry *to, const struct e2b_entry *from);

struct e2b_entry_list {
    struct e2b_entry *v; /* sorted by strcmp of name, no duplicates */
    size_t n;
};
void e2b_entry_list_clear(struct e2b_entry_list *list);

typedef void e2b_entry_fn(void *arg, const struct e2b_entry *entry, const struct e2b_err *err);
typedef void e2b_entry_list_fn(void *arg, const struct e2b_entry_list *list,
                               const struct e2b_err *err);

/* lstat of one path: Filesystem.Stat.  The entry's name is the path's last component ("/" for
 * the root), whatever the sandbox says. */
struct e2b_call *e2b_file_stat(struct e2b_client *client, const char *id, const char *path,
                               e2b_entry_fn *fn, void *arg);
void e2b_entry_keep(void *arg, const struct e2b_entry *entry, const struct e2b_err *err);

/*
 * Makes a directory and all its missing parents, 0755, owned by the client's user
 * (Filesystem.MakeDir).  EEXIST if the name is there, directory or not; two callers at once may
 * both succeed: E2B_FOP_MKDIR is the exclusive one.
 */
struct e2b_call *e2b_file_make_dirs(struct e2b_client *client, const char *id, const char *path,
                                    e2b_entry_fn *fn, void *arg);

/*
 * The entries of one directory (depth 1).  Filesystem.ListDir; what it can't carry (names that
 * are not UTF-8, far times) or keeps failing on (vanishing subdirectories) is listed by `find`
 * in the sandbox.  All or nothing: a failed listing is an error, never a short list.
 */
struct e2b_call *e2b_file_list(struct e2b_client *client, const char *id, const char *path,
                               e2b_entry_list_fn *fn, void *arg);
void e2b_entry_list_keep(void *arg, const struct e2b_entry_list *list,
                         const struct e2b_err *err);

/*
 * Reads bytes [off, off + len) of a regular file; len 0: to its end.  on_data gets the bytes
 * in order, starting at `off` exactly; it returns 0, E2B_READ_PAUSE (the same bytes come again
 * after e2b_file_read_resume) or a negative errno to stop.  Past the end: no data, no error.
 * if_mtime (may be NULL): fail with ESTALE if the file is newer than that second.
 * The completion gets the total size of the file and its Last-Modified as the answer told
 * (size -1, mtime 0: it didn't).  A transfer that breaks off goes on from there, if the server
 * dates its files; a body that stays short is ECONNRESET.  Never call it for what is not
 * S_IFREG: a FIFO would hang in the sandbox.
 */
enum { E2B_READ_PAUSE = 1 };
struct e2b_read {
    const char *path;
    int64_t off;
    int64_t len;
    const struct timespec *if_mtime;
    bool may_pause;
};
struct e2b_read_info {
    int64_t size;
    time_t mtime;
};
typedef int e2b_data_fn(void *arg, const char *data, size_t len);
typedef void e2b_read_fn(void *arg, const struct e2b_read_info *info,
                         const struct e2b_err *err);
struct e2b_call *e2b_file_read(struct e2b_client *client, const char *id,
                               const struct e2b_read *read, e2b_data_fn *on_data,
                               e2b_read_fn *fn, void *arg);
void e2b_file_read_resume(struct e2b_call *call);

/*
 * POST /files: creates or overwrites `path` with `len` bytes of `fd` from `off` (pread;
 * borrowed until the completion).  The server truncates first: if this fails, old content is
 * gone and a part may be there; replace existing files through a temporary sibling and
 * E2B_FOP_REPLACE. New files get 0644 and belong to `owner` (NULL: the client's user).
 */
struct e2b_write {
    const char *path;
    const char *owner;
    int fd;
    int64_t off, len;
};
struct e2b_call *e2b_file_write(struct e2b_client *client, const char *id,
                                const struct e2b_write *write, e2b_done_fn *fn, void *arg);
/* How many of the bytes have left so far (0 again after a retry began), for a call of
 * e2b_file_write that has not ended. */
int64_t e2b_file_write_sent(struct e2b_call *call);

/* rename(2) of the sandbox through Filesystem.Move; where that refuses what POSIX allows (a
 * directory over an empty one) `mv -f -T` decides.  The parent of `to` must exist (not
 * checked here: Move would create it). */
struct e2b_call *e2b_file_move(struct e2b_client *client, const char *id, const char *from,
                               const char *to, e2b_done_fn *fn, void *arg);

/*
 * The operations that envd has no call for: one helper program each (envd.md 13), run in the
 * sandbox with a fixed argv, LC_ALL=C and a safe PATH.  A row of a table each; add rows there.
 * `user` NULL: the client's user.
 */
enum e2b_fop {
    E2B_FOP_MKDIR,    /* path, mode: exclusive */
    E2B_FOP_UNLINK,   /* path */
    E2B_FOP_RMDIR,    /* path */
    E2B_FOP_CHMOD,    /* path, mode */
    E2B_FOP_CHOWN,    /* path, uid and gid (-1: leave) */
    E2B_FOP_UTIMENS,  /* path, atime and mtime (tv_nsec UTIME_OMIT and UTIME_NOW understood) */
    E2B_FOP_TRUNCATE, /* path, size */
    E2B_FOP_SYMLINK,  /* path is the new link, text its target */
    E2B_FOP_LINK,     /* path, to: a second name */
    E2B_FOP_CREATE,   /* path, mode: exclusive */
    E2B_FOP_REPLACE,  /* path is a finished temporary, to the file it replaces: keeps the old
                       * one's owner and mode, and its inode if it has hard links */
    E2B_FOP_APPEND,   /* path, data and len (<= E2B_FOP_DATA_MAX): O_APPEND write */
    E2B_FOP_PWRITE,   /* path, size is the offset, data and len */
    E2B_FOP_SPLICE,   /* path is a temporary, written into `to` at offset size, then removed;
                       * size -1: appended */
    E2B_FOP_SYNC,     /* path */
    E2B_FOP_RENAME,   /* path, to: never replaces anything (EEXIST).  EPERM or EOPNOTSUPP: not
                       * possible on that file system */
};
enum { E2B_FOP_DATA_MAX = 64 * 1024 };
struct e2b_fop_args {
    const char *path;
    const char *to;
    const char *text;
    const char *user;
    mode_t mode;
    int64_t uid, gid;
    int64_t size;
    struct timespec atime, mtime;
    const void *data; /* copied */
    size_t len;
};
/*
 * The completion gets the rich lstat of the name that the operation leaves (`to` for LINK,
 * REPLACE, SPLICE and RENAME, else `path`), printed by the same helper, so that no second
 * request is needed; NULL after UNLINK, RMDIR and SYNC, and after operations on an existing
 * name (CHMOD to TRUNCATE, REPLACE, APPEND, PWRITE, SPLICE, RENAME) if the sandbox can't tell:
 * they are done all the same.
 */
struct e2b_call *e2b_file_op(struct e2b_client *client, const char *id, enum e2b_fop op,
                             const struct e2b_fop_args *args, e2b_entry_fn *fn, void *arg);

/* The raw text of a symlink (may be any bytes but NUL), EINVAL if it is none. */
typedef void e2b_text_fn(void *arg, const char *text, size_t len, const struct e2b_err *err);
struct e2b_call *e2b_file_readlink(struct e2b_client *client, const char *id, const char *path,
                                   e2b_text_fn *fn, void *arg);

#ifdef __cplusplus
}
#endif
#endif
