/* SPDX-License-Identifier: MIT */
/* Ports, freezing, and what a sandbox uses. */
#include "agent.h"

#include "util/error.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* port -> a connection to it, as the sandbox's own loopback sees it */
bool op_connect(struct msg *in, struct msg *out, struct fail *fail)
{
    struct sockaddr_in addr = { .sin_family = AF_INET };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    addr.sin_port = htons((uint16_t)msg_get_u32(in));
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
        int e = errno;
        char text[64];

        if (fd >= 0)
            close(fd);
        return failf(fail, E2B_CONNECT_UNAVAILABLE, "%s", go_strerror(e, text));
    }
    out->fds[out->fd_count++] = fd;
    return true;
}

/* Stops or continues everything but the agent itself and the container's init. */
bool op_freeze(struct msg *in, struct msg *out, struct fail *fail)
{
    bool on = msg_get_u32(in);

    (void)out;
    if (kill(-1, on ? SIGSTOP : SIGCONT) < 0 && errno != ESRCH)
        return failf(fail, E2B_CONNECT_INTERNAL, "kill: %s", strerrordesc_np(errno));
    return true;
}

/* Adds the ticks and resident pages of one process. */
static void add_process(const char *pid, long long *ticks, long long *pages)
{
    char path[64], line[2048];
    unsigned long long utime, stime;
    long long cutime, cstime;
    long rss;
    char *after;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
    f = fopen(path, "re");
    if (!f)
        return;
    /* The name in parentheses may hold anything: what counts starts after the last one. */
    if (fgets(line, sizeof(line), f) && (after = strrchr(line, ')')) &&
        sscanf(after + 1,
               " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %lld %lld %*d %*d %*d "
               "%*d %*u %*u %ld",
               &utime, &stime, &cutime, &cstime, &rss) == 5) {
        *ticks += (long long)(utime + stime) + cutime + cstime;
        *pages += rss;
    }
    (void)fclose(f);
}

/* -> CPU time in ms of everything that runs or ran here, resident bytes */
bool op_metrics(struct msg *in, struct msg *out, struct fail *fail)
{
    long long ticks = 0, pages = 0;
    struct dirent *d;
    DIR *proc = opendir("/proc");

    (void)in;
    if (!proc)
        return failf(fail, E2B_CONNECT_INTERNAL, "/proc: %s", strerrordesc_np(errno));
    while ((d = readdir(proc)))
        if (isdigit((unsigned char)d->d_name[0]))
            add_process(d->d_name, &ticks, &pages);
    closedir(proc);
    msg_put_i64(out, ticks * 1000 / sysconf(_SC_CLK_TCK));
    msg_put_i64(out, pages * sysconf(_SC_PAGESIZE));
    return true;
}
