/* SPDX-License-Identifier: MIT */
#include "fs/fuse_io.h"

#include "fs/fs.h"
#include "fs/ops.h"
#include "util/buf.h"
#include "util/log.h"
#include "util/mounts.h"
#include "util/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <spawn.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Requests taken in one turn: neither side of the loop starves the other. */
enum { BATCH = 32 };

struct fuse_io {
    struct fs *fs; /* borrowed */
    struct fuse_session *session;
    struct fuse_buf buf; /* libfuse allocates it at the first read */
    struct loop_fd watch;
    char *mountpoint; /* owned */
    char *device;     /* owned */
    bool init_sent;   /* the INIT reply went out */
    bool is_detaching, has_ended;
    loop_fn *on_ready, *on_end;
    void *arg;
};

/*
 * libfuse 3.14 never asks for FUSE_PARALLEL_DIROPS, without which one stalled lookup blocks
 * every other one in its directory, unkillably.  So the first thing written, the INIT reply,
 * gets the flag here.
 */
static ssize_t io_writev(int fd, struct iovec *iov, int count, void *userdata)
{
    struct fuse_io *io = ((struct fs *)userdata)->io; /* libfuse passes the session's */

    if (!io->init_sent) {
        io->init_sent = true;
        if (count == 2 && iov[1].iov_len >= offsetof(struct fuse_init_out, max_background))
            ((struct fuse_init_out *)iov[1].iov_base)->flags |= FUSE_PARALLEL_DIROPS;
        loop_post(io->fs->loop, io->on_ready, io->arg);
    }
    return writev(fd, iov, count);
}

static ssize_t io_read(int fd, void *buf, size_t len, void *userdata)
{
    (void)userdata;
    return read(fd, buf, len);
}

static const struct fuse_custom_io custom_io = { .writev = io_writev, .read = io_read };

void fuse_io_init(struct fuse_io *io, struct fuse_conn_info *conn)
{
    (void)io;
    conn->want |= conn->capable & (FUSE_CAP_READDIRPLUS | FUSE_CAP_ATOMIC_O_TRUNC |
                                   FUSE_CAP_ASYNC_READ | FUSE_CAP_ASYNC_DIO);
    /* Attributes come with a listing for nothing, so they always go along. */
    conn->want &= ~FUSE_CAP_READDIRPLUS_AUTO;
    /* We say when pages are stale: on our own a change of mtime would drop what we wrote. */
    if (conn->capable & FUSE_CAP_EXPLICIT_INVAL_DATA) {
        conn->want |= FUSE_CAP_EXPLICIT_INVAL_DATA;
        conn->want &= ~FUSE_CAP_AUTO_INVAL_DATA;
    }
    /* The kernel must not own size and mtime of files that others change, too. */
    conn->want &= ~(FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_POSIX_LOCKS | FUSE_CAP_FLOCK_LOCKS);
    conn->max_background = 128;
    conn->congestion_threshold = 96;
    conn->time_gran = 1;
}

static void end(struct fuse_io *io)
{
    if (io->has_ended)
        return;
    io->has_ended = true;
    loop_fd_remove(io->fs->loop, &io->watch);
    loop_post(io->fs->loop, io->on_end, io->arg);
}

static void readable(void *arg, uint32_t events)
{
    struct fuse_io *io = arg;

    (void)events;
    for (int k = 0; k < BATCH; k++) {
        int r = fuse_session_receive_buf(io->session, &io->buf);

        if (r == -EINTR)
            continue;
        if (r == -EAGAIN)
            return;
        if (r <= 0) { /* 0: unmounted */
            if (r < 0)
                log_error("fuse", "reading requests: %s", strerror(-r));
            end(io);
            return;
        }
        fuse_session_process_buf(io->session, &io->buf);
        if (fuse_session_exited(io->session)) {
            end(io);
            return;
        }
    }
}

static int find_device(void *arg, const struct mount_info *m)
{
    struct fuse_io *io = arg;

    if (strcmp(m->type, MOUNTS_E2BFS) == 0 && strcmp(m->mountpoint, io->mountpoint) == 0) {
        free(io->device); /* the last one in the table is the topmost */
        io->device = xstrdup(m->device);
    }
    return 0;
}

/* What libfuse and the kernel are told, as `-o` text. */
static char *mount_options(const struct fs *fs)
{
    const struct options *o = fs->options;
    struct buf text = BUF_INIT;
    const char *host = strstr(fs->config->api_url, "://");

    buf_puts(&text, "fsname=e2b:");
    for (host = host ? host + 3 : fs->config->api_url; *host && *host != '/'; host++)
        buf_putc(&text, *host == ',' || *host == '\\' ? '_' : *host);
    buf_puts(&text, ",subtype=e2bfs,nosuid,nodev");
    if (!o->exec)
        buf_puts(&text, ",noexec");
    if (o->ro)
        buf_puts(&text, ",ro");
    if (o->allow_other)
        buf_puts(&text, ",allow_other,default_permissions");
    if (o->fuse_opts)
        buf_printf(&text, ",%s", o->fuse_opts);
    return buf_steal(&text);
}

/* libfuse prints why it could not mount; what it does not say is said here. */
static int mount_failed(const struct fuse_io *io, struct e2b_err *err)
{
    if (access("/dev/fuse", F_OK) < 0)
        return e2b_fail(err, ENODEV,
                        "/dev/fuse is missing: load the fuse module (modprobe fuse), "
                        "or give the container that device");
    if (access("/dev/fuse", R_OK | W_OK) < 0)
        return e2b_fail(err, EACCES, "no permission to use /dev/fuse");
    if (geteuid() != 0 && access("/usr/bin/fusermount3", X_OK) < 0)
        return e2b_fail(err, EACCES, "fusermount3 is missing: install the package fuse3");
    return e2b_fail(err, EBUSY, "cannot mount on %s (no permission, or it is in use)",
                    io->mountpoint);
}

int fuse_io_open(struct fs *fs, struct fuse_io **out, loop_fn *on_ready, loop_fn *on_end,
                 void *arg, struct e2b_err *err)
{
    struct fuse_io *io = xcalloc(1, sizeof(*io));
    autofree char *options = mount_options(fs);
    char *argv[] = { (char *)"e2bfs", (char *)"-o", options, NULL };
    struct fuse_args args = FUSE_ARGS_INIT(3, argv);
    int r, fd;

    *io = (struct fuse_io){ .fs = fs, .on_ready = on_ready, .on_end = on_end, .arg = arg };
    io->mountpoint = xstrdup(fs->options->mountpoint);
    fs->io = io;
    io->session = fuse_session_new(&args, &fs_ops, sizeof(fs_ops), fs);
    fuse_opt_free_args(&args); /* libfuse replaced ours by a copy */
    if (!io->session) {
        r = e2b_fail(err, EINVAL, "libfuse refuses the mount options '%s'", options);
        goto fail;
    }
    if (fuse_session_mount(io->session, io->mountpoint) != 0) {
        r = mount_failed(io, err);
        goto fail;
    }
    fd = fuse_session_fd(io->session);
    r = fuse_session_custom_io(io->session, &custom_io, fd);
    if (r != 0) {
        r = e2b_fail(err, EIO, "libfuse refuses our input and output functions");
        goto fail;
    }
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    mounts_each(find_device, io, NULL);
    r = loop_fd_add(fs->loop, &io->watch, fd, EPOLLIN, readable, io, err);
    if (r < 0)
        goto fail;
    *out = io;
    return 0;
fail:
    fuse_io_close(io);
    fs->io = NULL;
    return r;
}

void fuse_io_quiesce(struct fuse_io *io)
{
    loop_fd_remove(io->fs->loop, &io->watch);
}

/*
 * After a lazy unmount the connection lives on while files are in use, and libfuse would
 * unmount whatever is at the mountpoint now.  It doesn't if its descriptor polls as broken;
 * putting the end of a dead pipe in its place also ends the connection, so that those files get
 * ENOTCONN.
 */
static void abandon(struct fuse_io *io)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        return;
    close(fds[0]);
    dup3(fds[1], fuse_session_fd(io->session), O_CLOEXEC);
    close(fds[1]);
}

void fuse_io_close(struct fuse_io *io)
{
    if (!io)
        return;
    fuse_io_quiesce(io);
    if (io->session) {
        if (io->is_detaching && !io->has_ended)
            abandon(io);
        fuse_session_unmount(io->session); /* does nothing if that has happened */
        fuse_session_destroy(io->session);
    }
    free(io->buf.mem);
    free(io->mountpoint);
    free(io->device);
    free(io);
}

struct detach_job {
    struct fuse_io *io; /* lives until the job is done: fs_run waits for the workers */
    char *mountpoint;
};

static void detach_work(void *arg)
{
    struct detach_job *job = arg;
    char *argv[] = { (char *)"fusermount3", (char *)"-uzq", (char *)"--", job->mountpoint,
                     NULL };
    int fd = open(job->mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    pid_t pid;

    /* Dirty pages of memory maps come as WRITEs now; the descriptor must not keep it busy. */
    if (fd >= 0) {
        syncfs(fd);
        close(fd);
    }
    if (umount2(job->mountpoint, MNT_DETACH) == 0)
        return;
    if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) == 0)
        waitpid(pid, NULL, 0);
}

static void detach_done(void *arg)
{
    struct detach_job *job = arg;

    free(job->mountpoint);
    free(job);
}

void fuse_io_detach(struct fuse_io *io)
{
    struct detach_job *job;

    if (io->is_detaching || io->has_ended)
        return;
    io->is_detaching = true;
    job = xcalloc(1, sizeof(*job));
    *job = (struct detach_job){ .io = io, .mountpoint = xstrdup(io->mountpoint) };
    worker_run(io->fs->workers, detach_work, detach_done, job);
}

struct fuse_session *fuse_io_session(struct fuse_io *io)
{
    return io->session;
}

const char *fuse_io_device(const struct fuse_io *io)
{
    return io->device;
}
