/* SPDX-License-Identifier: MIT */
#include "msg.h"

#include "util/xalloc.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct header {
    uint32_t id;
    uint32_t kind;
    uint64_t spilled; /* bytes of the payload in the first descriptor; 0: inline */
};

void msg_clear(struct msg *m)
{
    for (int i = 0; i < m->fd_count; i++)
        if (m->fds[i] >= 0)
            close(m->fds[i]);
    m->fd_count = 0;
    m->at = 0;
    m->bad = false;
    buf_clear(&m->payload);
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

static int spill(const struct buf *payload)
{
    int fd = memfd_create("sandboxd-msg", MFD_CLOEXEC);
    int r;

    if (fd < 0)
        return -errno;
    r = write_all(fd, payload->data, payload->len);
    if (r < 0) {
        close(fd);
        return r;
    }
    return fd;
}

int msg_send(int sock, const struct msg *m)
{
    struct header header = { .id = m->id, .kind = m->kind };
    struct iovec iov[2] = { { &header, sizeof(header) }, { NULL, 0 } };
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int) * (MSG_FDS_MAX + 1))];
    } control = { 0 };
    struct msghdr packet = { .msg_iov = iov, .msg_iovlen = 2 };
    int fds[MSG_FDS_MAX + 1];
    int count = 0, spilled = -1, r = 0;

    if (m->bad)
        return -EFBIG;
    if (m->payload.len > MSG_INLINE_MAX) {
        spilled = spill(&m->payload);
        if (spilled < 0)
            return spilled;
        header.spilled = m->payload.len;
        fds[count++] = spilled;
    } else {
        iov[1] = (struct iovec){ m->payload.data, m->payload.len };
    }
    for (int i = 0; i < m->fd_count; i++)
        fds[count++] = m->fds[i];
    if (count > 0) {
        struct cmsghdr *c;

        packet.msg_control = control.space;
        packet.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count);
        c = CMSG_FIRSTHDR(&packet);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * (size_t)count);
    }
    while (sendmsg(sock, &packet, MSG_NOSIGNAL) < 0) {
        if (errno == EINTR)
            continue;
        r = -errno;
        break;
    }
    if (spilled >= 0)
        close(spilled);
    return r;
}

/* Reads the memfd that holds the payload; it leaves the message's descriptors. */
static int unspill(struct msg *m, uint64_t len)
{
    struct stat st;
    char *room;
    int fd, r;

    if (m->fd_count < 1 || len > MSG_PAYLOAD_MAX)
        return -EPROTO;
    fd = m->fds[0];
    m->fd_count--;
    memmove(m->fds, m->fds + 1, sizeof(m->fds[0]) * (size_t)m->fd_count);
    r = buf_reserve(&m->payload, len, &room);
    if (r == 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != len))
        r = -EPROTO;
    for (uint64_t done = 0; r == 0 && done < len;) {
        ssize_t n = pread(fd, room + done, len - done, (off_t)done);

        if (n <= 0)
            r = -EPROTO;
        else
            done += (uint64_t)n;
    }
    close(fd);
    if (r == 0) {
        m->payload.len += len;
        m->payload.data[m->payload.len] = '\0';
    }
    return r;
}

int msg_recv(int sock, struct msg *m)
{
    char data[MSG_INLINE_MAX];
    struct header header;
    struct iovec iov[2] = { { &header, sizeof(header) }, { data, sizeof(data) } };
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int) * (MSG_FDS_MAX + 1))];
    } control;
    struct msghdr packet = { .msg_iov = iov,
                             .msg_iovlen = 2,
                             .msg_control = control.space,
                             .msg_controllen = sizeof(control.space) };
    int fds[MSG_FDS_MAX + 1];
    int count = 0;
    ssize_t n;
    int r = 0;

    do {
        n = recvmsg(sock, &packet, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    if (n == 0)
        return -ECONNRESET;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(&packet); c; c = CMSG_NXTHDR(&packet, c)) {
        size_t here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        if (here > ARRAY_LEN(fds) - (size_t)count)
            here = ARRAY_LEN(fds) - (size_t)count;
        memcpy(fds + count, CMSG_DATA(c), here * sizeof(int));
        count += (int)here;
    }
    msg_clear(m);
    if ((size_t)n < sizeof(header) || (packet.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
        r = -EPROTO;
    /* A spilled payload brings one descriptor more than a message can hold. */
    if (r == 0 && count == MSG_FDS_MAX + 1)
        r = -EPROTO;
    if (r < 0) {
        for (int i = 0; i < count; i++)
            close(fds[i]);
        return r;
    }
    memcpy(m->fds, fds, sizeof(int) * (size_t)count);
    m->fd_count = count;
    m->id = header.id;
    m->kind = header.kind;
    if (header.spilled)
        r = unspill(m, header.spilled);
    else
        r = buf_append(&m->payload, data, (size_t)n - sizeof(header));
    if (r < 0)
        msg_clear(m);
    return r;
}

int msg_take_fd(struct msg *m, int i)
{
    int fd;

    if (i < 0 || i >= m->fd_count)
        return -1;
    fd = m->fds[i];
    m->fds[i] = -1;
    return fd;
}

void msg_put_u32(struct msg *m, uint32_t v)
{
    if (buf_append(&m->payload, &v, sizeof(v)) < 0)
        m->bad = true;
}

void msg_put_i64(struct msg *m, int64_t v)
{
    if (buf_append(&m->payload, &v, sizeof(v)) < 0)
        m->bad = true;
}

void msg_put_bytes(struct msg *m, const void *data, size_t len)
{
    msg_put_u32(m, (uint32_t)len);
    if (buf_append(&m->payload, data, len) < 0 || buf_putc(&m->payload, '\0') < 0)
        m->bad = true;
}

void msg_put_str(struct msg *m, const char *s)
{
    msg_put_bytes(m, s ? s : "", s ? strlen(s) : 0);
}

static const char *get(struct msg *m, size_t len)
{
    const char *p;

    if (m->bad || m->payload.len - m->at < len) {
        m->bad = true;
        return NULL;
    }
    p = m->payload.data + m->at;
    m->at += len;
    return p;
}

uint32_t msg_get_u32(struct msg *m)
{
    const char *p = get(m, sizeof(uint32_t));
    uint32_t v = 0;

    if (p)
        memcpy(&v, p, sizeof(v));
    return v;
}

int64_t msg_get_i64(struct msg *m)
{
    const char *p = get(m, sizeof(int64_t));
    int64_t v = 0;

    if (p)
        memcpy(&v, p, sizeof(v));
    return v;
}

const char *msg_get_str(struct msg *m, size_t *len)
{
    uint32_t n = msg_get_u32(m);
    const char *p = get(m, (size_t)n + 1);

    if (!p || p[n] != '\0') {
        m->bad = true;
        p = "";
        n = 0;
    }
    if (len)
        *len = n;
    return p;
}
