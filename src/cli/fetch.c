/* SPDX-License-Identifier: MIT */
#include "fetch.h"

#include "exec_output.h"
#include "progress.h"
#include "remote.h"
#include "util/loop.h"
#include "util/xalloc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct session {
    struct fetch *fetch;
    struct e2b_call *call; /* NULL once it has ended */
    struct sink sink;
    bool is_paused;
};

static int on_data(void *arg, const char *data, size_t len)
{
    struct session *s = arg;
    int r;

    if (!sink_is_drained(&s->sink)) {
        s->is_paused = true;
        return E2B_READ_PAUSE; /* the same bytes come again */
    }
    r = sink_write(&s->sink, data, len);
    if (r == 0)
        s->fetch->got += (int64_t)len;
    return r;
}

/* The sink is drained or broken; a broken one ends the call with the next bytes. */
static void on_sink_change(void *arg)
{
    struct session *s = arg;

    if (s->call && s->is_paused)
        e2b_file_read_resume(s->call);
    s->is_paused = false;
}

static void on_read(void *arg, const struct e2b_read_info *info, const struct e2b_err *err)
{
    struct session *s = arg;

    (void)info;
    (void)err; /* e2b_wait says it */
    s->call = NULL;
}

static int64_t bytes_done(void *arg)
{
    return ((struct session *)arg)->fetch->got;
}

static int sink_failed(const struct session *s, struct e2b_err *err)
{
    const struct fetch *f = s->fetch;

    f->cli->is_reader_gone |= s->sink.error == -EPIPE && f->fd == STDOUT_FILENO;
    return e2b_fail(err, -s->sink.error, "%s: %s", f->fd_name, strerror(-s->sink.error));
}

int fetch_file(struct fetch *f, struct e2b_err *err)
{
    const struct e2b_read read = { .path = f->path, .may_pause = true };
    struct session s = { .fetch = f };
    struct e2b_err cause = { 0 };
    struct progress progress;
    int r;

    f->got = 0;
    sink_init(&s.sink, f->cli->loop, f->fd, f->is_escaping, on_sink_change, &s);
    progress_start(&progress, f->cli, f->size, bytes_done, &s);
    s.call =
        e2b_file_read(f->target->account->client, f->target->id, &read, on_data, on_read, &s);
    r = e2b_wait(s.call, &cause);
    if (r == 0)
        (void)sink_finish(&s.sink);
    /* However slow the reader is: it is there, or the sink fails. */
    while (r == 0 && !sink_is_drained(&s.sink))
        loop_turn(f->cli->loop, -1);
    progress_stop(&progress);
    if (s.sink.error)
        r = sink_failed(&s, err);
    else if (r < 0 && err)
        *err = cause;
    sink_clear(&s.sink);
    return r;
}

int fetch_to_stdout(struct cli *cli, const struct target *target, const char *path,
                    struct e2b_err *err)
{
    autofree char *real = NULL;
    struct e2b_entry entry = { 0 };
    struct fetch fetch = {
        .cli = cli,
        .target = target,
        .fd = STDOUT_FILENO,
        .fd_name = "standard output",
        .is_escaping = cli->stdout_is_terminal,
    };
    int r = remote_find_file(cli, target, path, &real, &entry, err);

    if (r < 0)
        return r;
    fetch.path = real;
    fetch.size = entry.size;
    e2b_entry_clear(&entry);
    (void)fflush(stdout);
    return fetch_file(&fetch, err);
}
