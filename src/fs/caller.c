/* SPDX-License-Identifier: MIT */
#include "fs/caller.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PF_EXITING = 0x4 }; /* include/linux/sched.h; the flags field of /proc/TID/stat */

/* The whole of a small /proc file as a string; -1 if it can't be read. */
static int proc_read(pid_t tid, const char *file, char *buf, size_t size)
{
    char path[64];
    ssize_t n;
    int fd;

    if (tid <= 0)
        return -1;
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)tid, file);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    n = read(fd, buf, size - 1);
    close(fd);
    if (n < 0)
        return -1;
    buf[n] = '\0';
    return 0;
}

static uint64_t signal_set(const char *status, const char *field)
{
    const char *p = strstr(status, field);

    return p ? strtoull(p + strlen(field), NULL, 16) : 0;
}

#define SIGNAL_BIT(n) (UINT64_C(1) << ((n)-1))

bool caller_wants_out(pid_t tid)
{
    const uint64_t stop = SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGINT) | SIGNAL_BIT(SIGQUIT) |
                          SIGNAL_BIT(SIGTERM) | SIGNAL_BIT(SIGHUP);
    char status[4096];
    uint64_t pending;

    if (proc_read(tid, "status", status, sizeof(status)) < 0)
        return false;
    pending = signal_set(status, "\nSigPnd:") | signal_set(status, "\nShdPnd:");
    return pending & ~signal_set(status, "\nSigBlk:") & stop;
}

bool caller_is_exiting(pid_t tid)
{
    char stat[1024];
    unsigned long flags;
    const char *p;

    if (proc_read(tid, "stat", stat, sizeof(stat)) < 0)
        return false;
    /* pid (comm) state ppid pgrp session tty tpgid flags; comm may hold anything */
    p = strrchr(stat, ')');
    if (!p || sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %lu", &flags) != 1)
        return false;
    return flags & PF_EXITING;
}

bool caller_has_open(pid_t tid, const char *path)
{
    char dir[64], target[PATH_MAX];
    struct dirent *d;
    bool found = false;
    ssize_t n;
    DIR *fds;

    if (tid <= 0)
        return false;
    snprintf(dir, sizeof(dir), "/proc/%d/fd", (int)tid);
    fds = opendir(dir);
    if (!fds)
        return false;
    while (!found && (d = readdir(fds))) {
        n = readlinkat(dirfd(fds), d->d_name, target, sizeof(target) - 1);
        if (n < 0)
            continue;
        target[n] = '\0';
        found = strcmp(target, path) == 0;
    }
    closedir(fds);
    return found;
}
