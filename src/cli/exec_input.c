/* SPDX-License-Identifier: MIT */
#include "exec_input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static void pump(struct feeder *f);

static void on_readable(void *arg, uint32_t events)
{
    (void)events;
    pump(arg);
}

void feeder_init(struct feeder *f, struct e2b_client *client, struct loop *loop, const char *id,
                 int fd, feeder_failed_fn *on_failed, void *arg)
{
    *f = (struct feeder){
        .client = client,
        .loop = loop,
        .id = id,
        .fd = fd,
        .waiting = BUF_MAX(FEEDER_CHUNK),
        .on_failed = on_failed,
        .arg = arg,
    };
}

void feeder_start(struct feeder *f, uint32_t pid)
{
    f->pid = pid;
    f->state = FEEDER_FEEDING;
    f->is_pollable = loop_fd_add(f->loop, &f->watch, f->fd, EPOLLIN, on_readable, f, NULL) == 0;
    pump(f);
}

static void stop_reading(struct feeder *f)
{
    /* Removed, not masked: epoll reports a hang-up whatever it is asked for. */
    loop_fd_remove(f->loop, &f->watch);
}

void feeder_stop(struct feeder *f)
{
    stop_reading(f);
    f->state = FEEDER_DONE;
    if (f->call)
        e2b_call_cancel(f->call);
}

bool feeder_is_quiet(const struct feeder *f)
{
    return !f->call;
}

void feeder_clear(struct feeder *f)
{
    stop_reading(f);
    buf_clear(&f->waiting);
}

/* The other side reads no more: whoever writes to us learns it as from a pipe. */
static void hang_up(struct feeder *f)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    stop_reading(f);
    f->state = FEEDER_DONE;
    if (null < 0)
        return;
    dup2(null, f->fd);
    close(null);
}

static bool is_end_of_reader(int errnum)
{
    return errnum == EPIPE || errnum == ENOENT || errnum == ESTALE || errnum == ESRCH;
}

static void finish(struct feeder *f, const struct e2b_err *err)
{
    f->call = NULL;
    if (f->state == FEEDER_DONE)
        return;
    if (err && is_end_of_reader(err->errnum)) {
        hang_up(f);
    } else if (err) {
        stop_reading(f);
        f->state = FEEDER_DONE;
        f->on_failed(f->arg, err);
    } else if (f->state == FEEDER_CLOSING) {
        f->state = FEEDER_DONE;
    } else {
        pump(f);
    }
}

static void on_sent(void *arg, const struct e2b_err *err)
{
    finish(arg, err);
}

/* Reads once, up to the room that is left.  0 or a negative errno (EAGAIN: nothing now). */
static int read_once(struct feeder *f)
{
    size_t room = FEEDER_CHUNK - f->waiting.len;
    char *at;
    ssize_t n;
    int r = buf_reserve(&f->waiting, room, &at);

    if (r < 0)
        return r;
    n = read(f->fd, at, room);
    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    f->waiting.len += (size_t)n;
    f->is_at_end = n == 0;
    return 0;
}

static void send_waiting(struct feeder *f)
{
    f->call = e2b_process_input(f->client, f->id, f->pid, f->waiting.data, f->waiting.len,
                                on_sent, f);
    buf_reset(&f->waiting);
}

static void set_reading(struct feeder *f)
{
    bool wants = f->state == FEEDER_FEEDING && f->is_pollable && !f->is_at_end &&
                 f->waiting.len < FEEDER_CHUNK;

    if (!wants)
        stop_reading(f);
    else if (!f->watch.active)
        loop_fd_add(f->loop, &f->watch, f->fd, EPOLLIN, on_readable, f, NULL);
}

static bool is_readable(const struct feeder *f)
{
    struct pollfd p = { .fd = f->fd, .events = POLLIN };

    return !f->is_pollable || poll(&p, 1, 0) > 0;
}

/* Does all that can be done now: read if there is room, send if nothing is under way. */
static void pump(struct feeder *f)
{
    int r = 0;

    while (f->state == FEEDER_FEEDING && !f->is_at_end && r == 0 &&
           f->waiting.len < FEEDER_CHUNK && is_readable(f))
        r = read_once(f);
    if (r < 0 && r != -EAGAIN) {
        struct e2b_err err = { 0 };

        e2b_fail(&err, -r, "standard input: %s", strerror(-r));
        stop_reading(f);
        f->state = FEEDER_DONE;
        f->on_failed(f->arg, &err);
        return;
    }
    if (!f->call && f->state == FEEDER_FEEDING) {
        if (f->waiting.len > 0) {
            send_waiting(f);
        } else if (f->is_at_end) {
            f->state = FEEDER_CLOSING;
            f->call = e2b_process_close_stdin(f->client, f->id, f->pid, on_sent, f);
        }
    }
    set_reading(f);
}
