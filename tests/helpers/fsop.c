/* SPDX-License-Identifier: MIT */
/*
 * fsop: does one file operation with bare system calls and says how it ended.
 *
 *   fsop [-t] OPERATION PATH [ARGUMENT]
 *
 * Prints "OK" (for some operations: what they found) or the name of the errno, and exits with
 * 0 or 1.  No call is ever repeated, so an EINTR is seen.  With -t a 10 Hz interval timer ticks
 * meanwhile, whose handler does not restart system calls: a local file system never notices.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Each returns 0 or -1 with errno set. */
typedef int op_fn(const char *path, const char *arg);

static int op_stat(const char *path, const char *arg)
{
    (void)arg;
    struct stat st;
    return stat(path, &st);
}

static int op_lstat(const char *path, const char *arg)
{
    (void)arg;
    struct stat st;
    return lstat(path, &st);
}

static int op_access(const char *path, const char *arg)
{
    return access(path, arg ? atoi(arg) : R_OK);
}

static int op_readdir(const char *path, const char *arg)
{
    (void)arg;
    DIR *dir = opendir(path);
    if (!dir)
        return -1;
    do
        errno = 0;
    while (readdir(dir));
    int saved = errno;
    closedir(dir);
    errno = saved;
    return saved ? -1 : 0;
}

static int op_open(const char *path, const char *arg)
{
    (void)arg;
    int fd = open(path, O_RDONLY);
    return fd < 0 ? -1 : close(fd);
}

static int op_read(const char *path, const char *arg)
{
    (void)arg;
    static char buf[1 << 17];
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return -1;
    ssize_t n;
    while ((n = read(fd, buf, sizeof buf)) > 0)
        ;
    int saved = errno;
    close(fd);
    errno = saved;
    return n < 0 ? -1 : 0;
}

static int write_text(int fd, const char *text, int sync_too)
{
    if (fd < 0)
        return -1;
    size_t len = strlen(text);
    ssize_t n = write(fd, text, len);
    if (n != (ssize_t)len || (sync_too && fsync(fd) < 0)) {
        int saved = n >= 0 && n != (ssize_t)len ? EMSGSIZE : errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return close(fd);
}

static int op_create(const char *path, const char *arg)
{
    return write_text(open(path, O_WRONLY | O_CREAT | O_EXCL, 0644), arg ? arg : "", 0);
}

static int op_write(const char *path, const char *arg)
{
    return write_text(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644), arg ? arg : "x", 0);
}

static int op_append(const char *path, const char *arg)
{
    return write_text(open(path, O_WRONLY | O_APPEND), arg ? arg : "x", 0);
}

static int op_fsync(const char *path, const char *arg)
{
    return write_text(open(path, O_WRONLY | O_CREAT, 0644), arg ? arg : "x", 1);
}

/* What a shell does for `echo TEXT > ctl`: only the write itself is looked at. */
static int op_ctl(const char *path, const char *arg)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd < 0)
        return -1;
    size_t len = strlen(arg);
    ssize_t n = write(fd, arg, len);
    int saved = errno;
    close(fd);
    errno = saved;
    if (n >= 0 && n < (ssize_t)len) {
        printf("%zd ", n);
        errno = EIO;
        return -1;
    }
    return n < 0 ? -1 : 0;
}

static int op_mmap_write(const char *path, const char *arg)
{
    size_t len = strlen(arg);
    int fd = open(path, O_RDWR);
    if (fd < 0)
        return -1;
    char *map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return -1;
    /* No msync: the unmounting has to look after it. */
    memcpy(map, arg, len); /* NOLINT(bugprone-not-null-terminated-result): bytes, no string */
    return 0;
}

static int op_mkdir(const char *path, const char *arg)
{
    return mkdir(path, arg ? (mode_t)strtoul(arg, NULL, 8) : 0755);
}

static int op_mkfifo(const char *path, const char *arg)
{
    (void)arg;
    return mkfifo(path, 0644);
}

static int op_unlink(const char *path, const char *arg)
{
    (void)arg;
    return unlink(path);
}

static int op_rmdir(const char *path, const char *arg)
{
    (void)arg;
    return rmdir(path);
}

static int op_rename(const char *path, const char *arg)
{
    return rename(path, arg);
}

static int op_rename_noreplace(const char *path, const char *arg)
{
    return renameat2(AT_FDCWD, path, AT_FDCWD, arg, RENAME_NOREPLACE);
}

static int op_link(const char *path, const char *arg)
{
    return link(path, arg);
}

/* fsop symlink NAME TARGET */
static int op_symlink(const char *path, const char *arg)
{
    return symlink(arg, path);
}

static int op_readlink(const char *path, const char *arg)
{
    (void)arg;
    char target[PATH_MAX];
    ssize_t n = readlink(path, target, sizeof target);
    if (n >= 0)
        printf("%.*s ", (int)n, target);
    return n < 0 ? -1 : 0;
}

static int op_truncate(const char *path, const char *arg)
{
    return truncate(path, arg ? atoll(arg) : 0);
}

static int op_chmod(const char *path, const char *arg)
{
    return chmod(path, arg ? (mode_t)strtoul(arg, NULL, 8) : 0600);
}

static int op_utimens(const char *path, const char *arg)
{
    struct timespec t = { .tv_sec = arg ? atoll(arg) : 1 };
    return utimensat(AT_FDCWD, path, (struct timespec[2]){ t, t }, AT_SYMLINK_NOFOLLOW);
}

static int op_statfs(const char *path, const char *arg)
{
    (void)arg;
    struct statvfs st;
    return statvfs(path, &st);
}

static int op_setxattr(const char *path, const char *arg)
{
    return setxattr(path, arg ? arg : "user.e2b.test", "v", 1, 0);
}

static int op_getxattr(const char *path, const char *arg)
{
    char value[256];
    return getxattr(path, arg ? arg : "security.capability", value, sizeof value) < 0 ? -1 : 0;
}

static const struct {
    const char *name;
    op_fn *fn;
    int needs_arg;
} ops[] = {
    { "stat", op_stat, 0 },         { "lstat", op_lstat, 0 },
    { "access", op_access, 0 },     { "readdir", op_readdir, 0 },
    { "open", op_open, 0 },         { "read", op_read, 0 },
    { "create", op_create, 0 },     { "write", op_write, 0 },
    { "append", op_append, 0 },     { "fsync", op_fsync, 0 },
    { "ctl", op_ctl, 1 },           { "mmap-write", op_mmap_write, 1 },
    { "mkdir", op_mkdir, 0 },       { "mkfifo", op_mkfifo, 0 },
    { "unlink", op_unlink, 0 },     { "rmdir", op_rmdir, 0 },
    { "rename", op_rename, 1 },     { "rename-noreplace", op_rename_noreplace, 1 },
    { "link", op_link, 1 },         { "symlink", op_symlink, 1 },
    { "readlink", op_readlink, 0 }, { "truncate", op_truncate, 0 },
    { "chmod", op_chmod, 0 },       { "utimens", op_utimens, 0 },
    { "statfs", op_statfs, 0 },     { "setxattr", op_setxattr, 0 },
    { "getxattr", op_getxattr, 0 },
};

static volatile sig_atomic_t ticks;

static void on_tick(int signum)
{
    (void)signum;
    ticks++;
}

static void start_ticking(void)
{
    struct sigaction action = { .sa_handler = on_tick };
    struct itimerval tenth = { { 0, 100000 }, { 0, 100000 } };
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &tenth, NULL);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "-t") == 0) {
        start_ticking();
        argv++, argc--;
    }
    for (size_t i = 0; argc >= 3 && i < sizeof ops / sizeof *ops; i++) {
        if (strcmp(argv[1], ops[i].name) != 0 || (ops[i].needs_arg && argc < 4))
            continue;
        int failed = ops[i].fn(argv[2], argc > 3 ? argv[3] : NULL) < 0;
        puts(failed ? strerrorname_np(errno) : "OK");
        return failed;
    }
    fputs("usage: fsop [-t] OPERATION PATH [ARGUMENT]\n", stderr);
    return 2;
}
