/* SPDX-License-Identifier: MIT */
#include "cache/download.h"

#include "util/xalloc.h"

#include <assert.h>
#include <errno.h>

static void download_check(const struct download *d)
{
    assert(d->off <= d->pos && d->pos <= d->end);
    assert(d->edge <= d->end && d->asked <= d->end);
    assert(!d->is_paused || d->may_pause);
    assert(d->may_pause || d->edge == d->end);
    assert(d->is_dropped || loop_timer_active(&d->idle) == (d->is_stream && d->holders == 0));
    (void)d;
}

static void abandon(void *arg)
{
    struct download *d = arg;
    struct e2b_err err = { 0 };

    e2b_fail(&err, ECANCELED, "nobody reads on");
    download_drop(d);
    d->done(d->arg, d, &err);
}

static void watch_idle(struct download *d)
{
    if (d->is_stream && d->holders == 0 && !d->is_dropped)
        loop_timer_start(d->loop, &d->idle, DOWNLOAD_IDLE_MS, abandon, d);
}

static void set_edge(struct download *d, int64_t limit)
{
    int64_t window = d->window < limit ? d->window : limit;

    d->edge = !d->may_pause || d->end - d->asked < window ? d->end : d->asked + window;
}

/* Flowing again for each block that was read would cost more than it brings. */
static bool is_worth_resuming(const struct download *d)
{
    int64_t ahead = d->edge - d->pos;

    return d->asked > d->pos || (ahead > 0 && d->edge == d->end) ||
           ahead >= (d->edge - d->asked) / 2;
}

bool download_asked(struct download *d, int64_t end, int64_t limit)
{
    bool is_used_up = false;

    if (!d->is_stream)
        return false;
    if (end > d->asked)
        d->asked = end < d->end ? end : d->end;
    if (d->asked - d->mark >= d->window) {
        is_used_up = true;
        d->window = d->window * 2 < WINDOW_MAX ? d->window * 2 : WINDOW_MAX;
        d->mark = d->asked;
    }
    set_edge(d, limit);
    watch_idle(d);
    if (d->is_paused && d->pos < d->edge && is_worth_resuming(d)) {
        d->is_paused = false;
        d->source->resume(d->call);
    }
    download_check(d);
    return is_used_up;
}

bool download_covers(const struct download *d, int64_t off, int64_t slack)
{
    return d->is_stream && off >= d->pos && off < d->end && off - d->edge <= slack;
}

void download_hold(struct download *d)
{
    d->holders++;
    loop_timer_stop(d->loop, &d->idle);
}

void download_release(struct download *d)
{
    assert(d->holders > 0);
    d->holders--;
    watch_idle(d);
}

static int on_data(void *arg, const char *data, size_t len)
{
    struct download *d = arg;
    int r;

    if (d->is_dropped)
        return -ECANCELED;
    if ((int64_t)len > d->end - d->pos)
        return -ESTALE; /* more than there is in this version */
    /* A chunk that begins before the edge is taken whole: bytes come all or none. */
    r = d->may_pause && d->pos >= d->edge ? E2B_READ_PAUSE
                                          : d->bytes(d->arg, d, d->pos, data, len);
    if (r == 0)
        d->pos += (int64_t)len;
    else
        d->is_paused = true;
    download_check(d);
    return r;
}

/* 0, or -ESTALE if what came is not the version that was asked for. */
static int check_version(const struct download *d, const struct e2b_read_info *info,
                         struct e2b_err *err)
{
    if (d->pos < d->end)
        return e2b_fail(err, ESTALE, "the file became shorter than %lld bytes",
                        (long long)d->end);
    if (info->size >= 0 && info->size != d->size)
        return e2b_fail(err, ESTALE, "the file has %lld bytes now, not %lld",
                        (long long)info->size, (long long)d->size);
    /* HTTP's dates know whole seconds, and none before 1970. */
    if (info->mtime != 0 && d->mtime.tv_sec > 0 && info->mtime != d->mtime.tv_sec)
        return e2b_fail(err, ESTALE, "the file was modified");
    return 0;
}

static void on_done(void *arg, const struct e2b_read_info *info, const struct e2b_err *err)
{
    struct download *d = arg;
    struct e2b_err stale = { 0 };

    if (!d->is_dropped) {
        loop_timer_stop(d->loop, &d->idle);
        d->is_dropped = true;
        if (!err && check_version(d, info, &stale) < 0)
            err = &stale;
        d->done(d->arg, d, err);
    }
    free(d);
}

struct download *download_start(const struct download_how *how)
{
    struct download *d = xcalloc(1, sizeof(*d));
    struct e2b_read read = {
        .path = how->path,
        .off = how->off,
        .len = how->end - how->off,
        .if_mtime = how->mtime.tv_sec > 0 ? &how->mtime : NULL,
    };

    assert(0 <= how->off && how->off < how->end && how->end <= how->size);
    *d = (struct download){
        .arg = how->arg,
        .is_stream = how->is_stream,
        .off = how->off,
        .pos = how->off,
        .end = how->end,
        .asked = how->is_stream ? how->asked : how->end,
        .loop = how->loop,
        .source = how->source,
        .size = how->size,
        .mtime = how->mtime,
        .window = WINDOW_MIN,
        .bytes = how->bytes,
        .done = how->done,
    };
    d->mark = d->asked;
    /* What fits into the first window needs no pause, and so no connection of its own. */
    d->may_pause = read.may_pause = d->is_stream && d->end - d->asked > WINDOW_MIN;
    set_edge(d, how->limit);
    watch_idle(d);
    d->call = d->source->read(how->client, how->sandbox, &read, on_data, on_done, d);
    download_check(d);
    return d;
}

void download_drop(struct download *d)
{
    loop_timer_stop(d->loop, &d->idle);
    d->is_dropped = true;
    d->source->cancel(d->call);
}
