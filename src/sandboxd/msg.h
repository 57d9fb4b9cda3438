/* SPDX-License-Identifier: MIT */
/*
 * msg: what the server and the agent inside a sandbox say to each other.
 *
 * The wire is one SOCK_SEQPACKET pair.  A packet is a fixed header and a payload of packed
 * fields; descriptors travel beside it.  A payload over MSG_INLINE_MAX is put into a memfd
 * that goes in front of the other descriptors, so that a listing of a million names needs no
 * protocol of its own.
 *
 * Requests carry an id that the reply repeats; replies come in any order.  MSG_EXITED is the
 * only message that nobody asked for.
 *
 * Processes of the sandbox may get hold of the agent, so the server trusts nothing here: every
 * read is checked, sizes have ceilings.
 *
 * Threads:   any; one message is one system call, senders need no lock for order of bytes.
 * Ownership: received descriptors belong to the caller (msg_clear closes what is left).
 */
#ifndef SANDBOXD_MSG_H
#define SANDBOXD_MSG_H

#include "util/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum msg_kind {
    MSG_REPLY = 1,
    MSG_EXITED, /* pid, wait status */
    MSG_HELLO,  /* the agent runs */

    /* On the socket that a watch is told through (agent_watch.c). */
    MSG_WATCH_EVENT, /* name, EventType, has entry, EntryInfo if it has */
    MSG_WATCH_ERROR, /* code, text; the last one */

    /* Requests; the payloads are described where agent.h lists the operations. */
    MSG_STAT = 16,
    MSG_LIST,
    MSG_MKDIR,
    MSG_MOVE,
    MSG_REMOVE,
    MSG_OPEN_READ,
    MSG_OPEN_WRITE,
    MSG_COMPOSE,
    MSG_SPAWN,
    MSG_SIGNAL,
    MSG_CONNECT,
    MSG_FREEZE,
    MSG_METRICS,
    MSG_WATCH,
    MSG_KIND_END,
};

/* flags of MSG_WATCH */
enum { WATCH_RECURSIVE = 1, WATCH_ENTRIES = 2 };

enum { MSG_INLINE_MAX = 60 << 10, MSG_FDS_MAX = 8 };
#define MSG_PAYLOAD_MAX MIB(256)

struct msg {
    uint32_t id;
    uint32_t kind;
    struct buf payload;
    int fds[MSG_FDS_MAX];
    int fd_count;
    /* reading position */
    size_t at;
    bool bad; /* a read went past the end: everything read since is zero or empty */
};

#define MSG_INIT                            \
    {                                       \
        .payload = BUF_MAX(MSG_PAYLOAD_MAX) \
    }

void msg_clear(struct msg *m); /* frees, closes the descriptors */
#define automsg __attribute__((cleanup(msg_clear)))

/* 0 or -errno. Does not take the descriptors. */
int msg_send(int sock, const struct msg *m);
/* 0, -ECONNRESET at the end of the stream, -EPROTO for a malformed packet, or -errno. */
int msg_recv(int sock, struct msg *m);

/* Takes the i-th descriptor out of the message; -1 if there is none. */
int msg_take_fd(struct msg *m, int i);

/* Packing fails only beyond MSG_PAYLOAD_MAX; the message is then marked bad. */
void msg_put_u32(struct msg *m, uint32_t v);
void msg_put_i64(struct msg *m, int64_t v);
void msg_put_bytes(struct msg *m, const void *data, size_t len);
void msg_put_str(struct msg *m, const char *s); /* NULL is sent as "" */

uint32_t msg_get_u32(struct msg *m);
int64_t msg_get_i64(struct msg *m);
/* Borrowed from the message, followed by a NUL; "" when bad. `len` may be NULL. */
const char *msg_get_str(struct msg *m, size_t *len);

#endif
