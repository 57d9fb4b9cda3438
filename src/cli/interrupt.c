/* SPDX-License-Identifier: MIT */
#include "interrupt.h"

#include "util/xalloc.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void on_signal(void *arg, uint32_t events)
{
    struct interrupt *it = arg;
    struct signalfd_siginfo info;

    (void)events;
    if (read(it->fd, &info, sizeof(info)) != sizeof(info))
        return;
    it->signum = (int)info.ssi_signo;
    if (*it->call)
        e2b_call_cancel(*it->call);
}

void interrupt_start(struct interrupt *it, struct loop *loop, struct e2b_call **call)
{
    static const int caught[] = { SIGINT, SIGTERM, SIGHUP };
    struct sigaction old;
    sigset_t set;

    *it = (struct interrupt){ .loop = loop, .call = call };
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_LEN(caught); i++) {
        if (sigaction(caught[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaddset(&set, caught[i]);
    }
    sigprocmask(SIG_BLOCK, &set, &it->before);
    it->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    /* Without a descriptor signals act as ever: that is worse, but no reason to fail. */
    if (it->fd < 0 || loop_fd_add(loop, &it->watch, it->fd, EPOLLIN, on_signal, it, NULL) < 0)
        sigprocmask(SIG_SETMASK, &it->before, NULL);
}

void interrupt_stop(struct interrupt *it)
{
    loop_fd_remove(it->loop, &it->watch);
    if (it->fd >= 0)
        close(it->fd);
    sigprocmask(SIG_SETMASK, &it->before, NULL);
}
