/* SPDX-License-Identifier: MIT */
#include "progress.h"

#include "text.h"

#include <inttypes.h>
#include <stdio.h>

enum { FIRST_MS = 500, NEXT_MS = 200, RATE_AFTER_MS = 100 };

void progress_text(struct buf *out, int64_t done, int64_t total, int64_t elapsed_ms)
{
    double rate = elapsed_ms >= RATE_AFTER_MS ? (double)done * 1000.0 / (double)elapsed_ms : 0;
    char text[TEXT_BYTES_MAX], left[TEXT_DURATION_MAX];

    buf_puts(out, text_bytes(done, text));
    if (total >= 0)
        buf_printf(out, " of %s", text_bytes(total, text));
    if (total > 0 && done <= total)
        buf_printf(out, ", %d %%", (int)((double)done * 100.0 / (double)total));
    if (rate <= 0)
        return;
    buf_printf(out, ", %s/s", text_bytes((int64_t)rate, text));
    if (done <= total)
        buf_printf(out, ", %s left",
                   text_duration((int64_t)((double)(total - done) / rate + 0.5), left));
}

static void show(struct progress *p)
{
    autobuf struct buf line = BUF_INIT;
    size_t width;

    progress_text(&line, p->done(p->arg), p->total, loop_now_ms(p->loop) - p->started_ms);
    width = line.len;
    (void)fprintf(stderr, "\r%s%*s", buf_str(&line),
                  (int)(p->width > width ? p->width - width : 0), "");
    (void)fflush(stderr);
    p->width = width;
}

static void on_time(void *arg)
{
    struct progress *p = arg;

    show(p);
    loop_timer_start(p->loop, &p->timer, NEXT_MS, on_time, p);
}

void progress_start(struct progress *p, const struct cli *cli, int64_t total, progress_fn *done,
                    void *arg)
{
    *p = (struct progress){ .loop = cli->loop, .done = done, .arg = arg, .total = total };
    p->started_ms = loop_now_ms(cli->loop);
    if (cli->stderr_is_terminal && !cli->g.is_quiet)
        loop_timer_start(cli->loop, &p->timer, FIRST_MS, on_time, p);
}

void progress_stop(struct progress *p)
{
    loop_timer_stop(p->loop, &p->timer);
    if (p->width > 0)
        (void)fprintf(stderr, "\r%*s\r", (int)p->width, "");
    (void)fflush(stderr);
    p->width = 0;
}
