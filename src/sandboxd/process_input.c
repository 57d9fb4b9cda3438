/* SPDX-License-Identifier: MIT */
/* What reaches a process from outside: input, its end, a terminal's size, signals. */
#include "process_internal.h"

#include "http_server.h"
#include "store.h"

#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum input_result process_input(struct process *p, enum input_kind kind, const void *data,
                                size_t len, struct request *rq)
{
    enum input_result result = INPUT_OK;
    const char *at = data;

    if (kind == INPUT_STDIN && p->is_pty)
        return INPUT_IS_TTY;
    if (kind == INPUT_PTY && !p->is_pty)
        return INPUT_NOT_TTY;
    pthread_mutex_lock(&p->input_lock);
    while (result == INPUT_OK && len > 0) {
        struct pollfd room = { .fd = p->in, .events = POLLOUT };
        ssize_t n = p->in < 0 ? -1 : write(p->in, at, len);

        if (p->in < 0) {
            result = INPUT_NO_STDIN;
        } else if (n > 0) {
            at += n;
            len -= (size_t)n;
        } else if (errno != EAGAIN && errno != EINTR) {
            result = INPUT_BROKEN;
        } else if (request_is_over(rq)) {
            result = INPUT_GIVEN_UP;
        } else {
            poll(&room, 1, 100);
        }
    }
    if (result == INPUT_OK && p->in < 0)
        result = INPUT_NO_STDIN;
    pthread_mutex_unlock(&p->input_lock);
    return result;
}

enum input_result process_close_stdin(struct process *p)
{
    if (p->is_pty)
        return INPUT_IS_TTY;
    pthread_mutex_lock(&p->input_lock);
    if (p->in >= 0)
        close(p->in);
    p->in = -1;
    pthread_mutex_unlock(&p->input_lock);
    return INPUT_OK;
}

enum input_result process_resize(struct process *p, uint32_t cols, uint32_t rows)
{
    struct winsize size = { .ws_col = (unsigned short)cols, .ws_row = (unsigned short)rows };

    int r;

    if (!p->is_pty)
        return INPUT_NOT_TTY;
    pthread_mutex_lock(&p->input_lock);
    r = ioctl(p->in, TIOCSWINSZ, &size);
    pthread_mutex_unlock(&p->input_lock);
    return r < 0 ? INPUT_BROKEN : INPUT_OK;
}

bool process_signal(struct process *p, int sig)
{
    automsg struct msg request = { .kind = MSG_SIGNAL, .payload = BUF_MAX(KIB(1)) };
    automsg struct msg reply = MSG_INIT;
    const char *text;
    int code = 0;

    pthread_mutex_lock(&p->table->lock);
    p->was_signalled = true;
    pthread_mutex_unlock(&p->table->lock);
    msg_put_u32(&request, (uint32_t)p->pid);
    msg_put_u32(&request, (uint32_t)sig);
    return channel_call(p->sandbox->channel, &request, &reply, AGENT_CALL_MS, NULL, NULL, &code,
                        &text) == 0 &&
           code == 0;
}
