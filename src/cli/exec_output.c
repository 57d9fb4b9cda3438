/* SPDX-License-Identifier: MIT */
#include "exec_output.h"

#include "text.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void on_writable(void *arg, uint32_t events);

void sink_init(struct sink *s, struct loop *loop, int fd, bool is_escaping, loop_fn *on_change,
               void *arg)
{
    struct stat st;

    *s = (struct sink){
        .loop = loop,
        .fd = fd,
        .is_escaping = is_escaping,
        .queue = BUF_MAX(SINK_MAX),
        .on_change = on_change,
        .arg = arg,
    };
    s->is_socket = fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
    /* Regular files can't be polled (EPERM), and don't need to be. */
    s->is_pollable = loop_fd_add(loop, &s->watch, fd, EPOLLOUT, on_writable, s, NULL) == 0;
    loop_fd_remove(loop, &s->watch);
}

void sink_clear(struct sink *s)
{
    loop_fd_remove(s->loop, &s->watch);
    buf_clear(&s->queue);
}

bool sink_is_drained(const struct sink *s)
{
    return s->queue.len == 0 || s->error;
}

/* True if a write of up to PIPE_BUF bytes would not block. */
static bool is_ready(const struct sink *s)
{
    struct pollfd p = { .fd = s->fd, .events = POLLOUT };

    return !s->is_pollable || poll(&p, 1, 0) > 0;
}

static ssize_t write_some(const struct sink *s, const char *data, size_t len)
{
    if (s->is_socket)
        return send(s->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (s->is_pollable && len > PIPE_BUF)
        len = PIPE_BUF;
    return write(s->fd, data, len);
}

/* Writes what goes without blocking; returns how much, and notes failures. */
static size_t write_ready(struct sink *s, const char *data, size_t len)
{
    size_t done = 0;

    while (done < len && !s->error && is_ready(s)) {
        ssize_t n = write_some(s, data + done, len - done);

        if (n >= 0)
            done += (size_t)n;
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            break;
        else if (errno != EINTR)
            s->error = -errno;
    }
    return done;
}

static void on_writable(void *arg, uint32_t events)
{
    struct sink *s = arg;

    (void)events;
    buf_consume(&s->queue, write_ready(s, s->queue.data, s->queue.len));
    if (!sink_is_drained(s))
        return;
    loop_fd_remove(s->loop, &s->watch);
    buf_clear(&s->queue);
    s->on_change(s->arg);
}

static int put(struct sink *s, const char *data, size_t len)
{
    size_t done = s->queue.len > 0 ? 0 : write_ready(s, data, len);
    int r;

    if (s->error)
        return s->error;
    if (done == len)
        return 0;
    r = buf_append(&s->queue, data + done, len - done);
    if (r == 0 && s->queue.len == len - done)
        r = loop_fd_add(s->loop, &s->watch, s->fd, EPOLLOUT, on_writable, s, NULL);
    if (r < 0)
        s->error = r;
    return r;
}

int sink_write(struct sink *s, const char *data, size_t len)
{
    autobuf struct buf safe = BUF_MAX(SINK_MAX);
    int r;

    if (s->error)
        return s->error;
    if (!s->is_escaping)
        return put(s, data, len);
    r = text_escape_stream(&safe, s->held, &s->n_held, data, len);
    return r < 0 ? r : put(s, buf_str(&safe), safe.len);
}

int sink_finish(struct sink *s)
{
    return sink_write(s, NULL, 0);
}
