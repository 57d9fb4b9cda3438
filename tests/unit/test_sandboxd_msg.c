/* SPDX-License-Identifier: MIT */
#include "sandboxd/msg.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test.h"
#include "util/xalloc.h"

static int pair[2];

static bool open_pair(void)
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0;
}

static void close_pair(void)
{
    close(pair[0]);
    close(pair[1]);
}

TEST(fields_arrive_as_they_were_put)
{
    automsg struct msg out = MSG_INIT, in = MSG_INIT;
    size_t len;

    REQUIRE(open_pair());
    out.id = 7;
    out.kind = MSG_STAT;
    msg_put_u32(&out, 4000000000u);
    msg_put_i64(&out, -5);
    msg_put_bytes(&out, "a\0b", 3);
    msg_put_str(&out, NULL);
    CHECK_INT(msg_send(pair[0], &out), 0);
    CHECK_INT(msg_recv(pair[1], &in), 0);
    CHECK_INT(in.id, 7);
    CHECK_INT(in.kind, MSG_STAT);
    CHECK_INT(msg_get_u32(&in), 4000000000u);
    CHECK_INT(msg_get_i64(&in), -5);
    CHECK(memcmp(msg_get_str(&in, &len), "a\0b", 4) == 0);
    CHECK_INT(len, 3);
    CHECK_STR(msg_get_str(&in, &len), "");
    CHECK(!in.bad);
    CHECK_INT(msg_get_u32(&in), 0);
    CHECK(in.bad);
    close_pair();
}

TEST(a_big_payload_travels_beside_the_packet)
{
    automsg struct msg out = MSG_INIT, in = MSG_INIT;
    autofree char *big = xmalloc(MIB(3));
    int null[2];
    size_t len;
    char byte;

    REQUIRE(open_pair() && pipe(null) == 0);
    memset(big, 'x', MIB(3));
    msg_put_bytes(&out, big, MIB(3));
    out.fds[out.fd_count++] = null[1];
    CHECK_INT(msg_send(pair[0], &out), 0);
    CHECK_INT(msg_recv(pair[1], &in), 0);
    CHECK(memcmp(msg_get_str(&in, &len), big, MIB(3)) == 0);
    CHECK_INT(len, MIB(3));
    CHECK_INT(in.fd_count, 1);
    msg_clear(&in); /* closes the descriptor that nobody took */
    msg_clear(&out);
    CHECK_INT(read(null[0], &byte, 1), 0);
    close(null[0]);
    close_pair();
}

TEST(lengths_that_lie_are_not_believed)
{
    struct {
        uint32_t id, kind;
        uint64_t spilled;
        uint32_t len;
    } packet = { .kind = MSG_STAT, .len = 100 };
    automsg struct msg in = MSG_INIT;

    REQUIRE(open_pair());
    CHECK(send(pair[0], &packet, 20, 0) == 20);
    CHECK_INT(msg_recv(pair[1], &in), 0);
    CHECK_STR(msg_get_str(&in, NULL), "");
    CHECK(in.bad);

    packet.spilled = 50; /* but no descriptor */
    CHECK(send(pair[0], &packet, 16, 0) == 16);
    CHECK_INT(msg_recv(pair[1], &in), -EPROTO);
    CHECK(send(pair[0], &packet, 3, 0) == 3);
    CHECK_INT(msg_recv(pair[1], &in), -EPROTO);
    close(pair[0]);
    CHECK_INT(msg_recv(pair[1], &in), -ECONNRESET);
    close(pair[1]);
}
