/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "http/hosts.h"
#include "http/pool.h"
#include "util/xalloc.h"

enum { N = POOL_MAX_STREAMS + 3 };

/* As the engine does it, without libcurl. */
static void arrive(struct hosts *hosts, struct http_transfer *t)
{
    t->state = host_admit(hosts, t) ? TRANSFER_RUNNING : TRANSFER_HELD;
    if (t->state == TRANSFER_HELD)
        TAILQ_INSERT_TAIL(&t->at->held, t, link);
}

static struct http_transfer *leave(struct hosts *hosts, struct http_transfer *t)
{
    struct http_transfer *next;

    if (t->state == TRANSFER_HELD)
        TAILQ_REMOVE(&t->at->held, t, link);
    t->state = TRANSFER_FINISHED;
    next = host_release(hosts, t);
    if (next) {
        TAILQ_REMOVE(&next->at->held, next, link);
        next->state = TRANSFER_WAITING;
    }
    return next;
}

static struct http_transfer *make(char *host)
{
    struct http_transfer *t = xcalloc(N, sizeof(*t));

    for (int i = 0; i < N; i++)
        t[i] = (struct http_transfer){ .host = host, .shares_connection = true };
    return t;
}

TEST(what_does_not_fit_into_a_connection_waits_for_its_turn)
{
    struct hosts hosts = { 0 };
    char a[] = "a", b[] = "b:81";
    autofree struct http_transfer *t = make(a);
    struct http_transfer other = { .host = b, .shares_connection = true };

    for (int i = 0; i < N; i++)
        arrive(&hosts, &t[i]);
    CHECK_INT(t[N - 4].state, TRANSFER_RUNNING);
    CHECK_INT(t[N - 3].state, TRANSFER_HELD);
    arrive(&hosts, &other);
    CHECK_INT(other.state, TRANSFER_RUNNING);

    CHECK(leave(&hosts, &t[N - 2]) == NULL); /* one that waited gives up */
    CHECK(leave(&hosts, &t[5]) == &t[N - 3]);
    CHECK(leave(&hosts, &t[N - 3]) == &t[N - 1]); /* gives up with a place but not started */
    arrive(&hosts, &t[N - 1]);
    CHECK_INT(t[N - 1].state, TRANSFER_RUNNING);

    for (int i = 0; i < N; i++)
        if (t[i].state != TRANSFER_FINISHED)
            CHECK(leave(&hosts, &t[i]) == NULL);
    CHECK(leave(&hosts, &other) == NULL);
    CHECK(hosts.table == NULL);
}

TEST(requests_with_a_connection_of_their_own_are_not_counted)
{
    struct hosts hosts = { 0 };
    char a[] = "a";
    autofree struct http_transfer *t = make(a);

    for (int i = 0; i < N; i++) {
        t[i].shares_connection = false;
        arrive(&hosts, &t[i]);
        CHECK_INT(t[i].state, TRANSFER_RUNNING);
    }
    for (int i = 0; i < N; i++)
        CHECK(leave(&hosts, &t[i]) == NULL);
    CHECK(hosts.table == NULL);
}
