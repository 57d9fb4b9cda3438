/* SPDX-License-Identifier: MIT */
#include "retry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    BACKOFF_MS = 100,
    RETRY_AFTER_MAX_S = 60, /* beyond that the user is better served by the error */
};

/* Which classes an answer's status allows another try for. */
static const struct {
    int status;
    bool idempotent;
    bool refused;
} statuses[] = {
    { 429, true, true },
    { 502, true, false },
    { 503, true, true },
    { 504, true, false },
};

/* Failures of the way there; the others would only happen again, or were the caller's wish. */
static bool is_transient(int errnum)
{
    return errnum == EHOSTUNREACH || errnum == ECONNRESET || errnum == ECONNREFUSED ||
           errnum == ENETUNREACH;
}

static int64_t backoff_ms(int tries_done)
{
    uint32_t full = (uint32_t)BACKOFF_MS << (tries_done - 1);

    return full / 2 + arc4random_uniform(full / 2 + 1);
}

static int64_t after_failure(enum retry_class class, int tries_done,
                             const struct http_response *resp, const struct e2b_err *err)
{
    bool sent = !resp || resp->sent_any;

    if (!is_transient(err->errnum) || (sent && class != RETRY_IDEMPOTENT))
        return -1;
    /* A kept connection that the server closed just now is ordinary, and nobody's overload. */
    if (err->errnum == ECONNRESET && tries_done == 1)
        return 0;
    return backoff_ms(tries_done);
}

/* Answers that say something final although their status sounds temporary. */
static bool is_final(const struct http_response *resp)
{
    const char *text = resp->body ? buf_str(resp->body) : "";

    /* A plan's limit does not go away by asking again (control-plane.md 4.3); and an edge that
     * names the sandbox knows what it says, a broken gateway does not (12). */
    return (resp->head.status == 429 && strstr(text, "maximum number of concurrent")) ||
           (resp->head.status == 502 && strstr(text, "\"sandboxId\""));
}

/* Seconds from Retry-After; -1 without one, or with a date (which nobody sends us). */
static int64_t retry_after_s(const struct http_response *resp)
{
    const char *value = http_header(&resp->head, "Retry-After");
    char *end;
    long s;

    if (!value || *value < '0' || *value > '9')
        return -1;
    errno = 0;
    s = strtol(value, &end, 10);
    return errno == 0 && *end == '\0' ? s : -1;
}

static int64_t after_answer(enum retry_class class, int tries_done,
                            const struct http_response *resp)
{
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        bool allowed = class == RETRY_IDEMPOTENT ? statuses[i].idempotent
                       : class == RETRY_REFUSED  ? statuses[i].refused
                                                 : false;
        int64_t after_s;

        if (statuses[i].status != resp->head.status)
            continue;
        if (!allowed || is_final(resp))
            return -1;
        after_s = retry_after_s(resp);
        if (after_s > RETRY_AFTER_MAX_S)
            return -1;
        return after_s >= 0 ? after_s * 1000 : backoff_ms(tries_done);
    }
    return -1;
}

int64_t retry_delay_ms(enum retry_class class, int tries_done, const struct http_response *resp,
                       const struct e2b_err *err)
{
    if (tries_done >= RETRY_MAX_TRIES)
        return -1;
    if (err)
        return after_failure(class, tries_done, resp, err);
    return after_answer(class, tries_done, resp);
}
