/* SPDX-License-Identifier: MIT */
/* When a transfer has taken too long. */
#include "http/transfer.h"

#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>

/* How often unsent bytes are looked at while a body is on its way. */
enum { SEND_CHECK_MS = 1000 };

/*
 * Bytes of the body that left this machine, as far as the kernel tells: what libcurl wrote
 * minus what still waits in the socket.  Its growth is progress although no callback runs.
 */
static int64_t sent_bytes(const struct http_transfer *t)
{
    curl_off_t written = 0;
    int waiting = 0;

    (void)curl_easy_getinfo(t->easy, CURLINFO_SIZE_UPLOAD_T, &written);
    if (t->socket != CURL_SOCKET_BAD && ioctl(t->socket, SIOCOUTQ, &waiting) < 0)
        waiting = 0;
    return written - waiting;
}

static bool is_sending(const struct http_transfer *t)
{
    bool is_small = t->body.kind == HTTP_BODY_BYTES && t->body.len <= TRANSFER_SMALL_BODY;

    return t->body.kind != HTTP_BODY_NONE && !is_small && !t->head_done;
}

static void note_sending(struct http_transfer *t)
{
    int64_t sent = sent_bytes(t);
    curl_off_t written = 0;

    if (sent != t->last_sent) {
        t->last_sent = sent;
        t->active_ms = transfer_now_ms(t);
        if (t->body_sent_ms >= 0)
            t->body_sent_ms = t->active_ms; /* the last byte is still going */
    }
    /* A body of bytes has no callback that would have seen its end. */
    if (t->body.kind == HTTP_BODY_BYTES && t->body_sent_ms < 0 &&
        curl_easy_getinfo(t->easy, CURLINFO_SIZE_UPLOAD_T, &written) == CURLE_OK &&
        (uint64_t)written >= t->body.len)
        t->body_sent_ms = transfer_now_ms(t);
}

/* The deadline that comes first; INT64_MAX if none runs.  *why says which. */
static int64_t next_deadline(const struct http_transfer *t, const char **why)
{
    int64_t due = INT64_MAX;

    if (t->limits.total_ms > 0) {
        due = t->started_ms + t->limits.total_ms;
        *why = "not complete";
    }
    if (!t->head_done && t->body_sent_ms >= 0 && t->limits.first_byte_ms > 0 &&
        t->body_sent_ms + t->limits.first_byte_ms < due) {
        due = t->body_sent_ms + t->limits.first_byte_ms;
        *why = "no answer";
    }
    /* Before the head, and with the body sent, silence is what the first-byte limit is for. */
    if (!t->recv_paused && !t->send_paused && t->active_ms + t->limits.stall_ms < due) {
        due = t->active_ms + t->limits.stall_ms;
        *why = "stalled, no data";
    }
    return due;
}

static void on_deadline(void *arg)
{
    struct http_transfer *t = arg;
    int64_t now = transfer_now_ms(t);
    const char *why = "";
    int64_t due, since;

    if (is_sending(t) && t->state == TRANSFER_RUNNING)
        note_sending(t);
    due = next_deadline(t, &why);
    if (due > now) {
        transfer_watch_deadlines(t);
        return;
    }
    since = strncmp(why, "stalled", 7) == 0 ? now - t->active_ms : now - t->started_ms;
    e2b_fail(&t->err, ETIMEDOUT, "%s: %s within %.1f s", t->host, why, (double)since / 1000);
    engine_abort(t);
}

void transfer_watch_deadlines(struct http_transfer *t)
{
    const char *why;
    int64_t due = next_deadline(t, &why);
    int64_t delay;

    /* Activity only moves the dates; the timer finds out when it rings. */
    if (due == INT64_MAX && !is_sending(t)) {
        loop_timer_stop(engine_loop(t->engine), &t->deadline);
        return;
    }
    delay = due - transfer_now_ms(t);
    if (is_sending(t) && delay > SEND_CHECK_MS)
        delay = SEND_CHECK_MS;
    if (delay < 0)
        delay = 0;
    loop_timer_start(engine_loop(t->engine), &t->deadline, delay, on_deadline, t);
}
