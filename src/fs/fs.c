/* SPDX-License-Identifier: MIT */
#include "fs/fs.h"

#include "fs/file_snapshot.h"
#include "fs/fuse_io.h"
#include "fs/node.h"
#include "fs/notify.h"
#include "fs/remote.h"
#include "fs/view.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/runfile.h"
#include "util/xalloc.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
    LINGER_MS = 3000, /* after a lazy unmount: how long users of open files are served */
    END_REQUESTS_MS = 5000,
    DRAIN_MS = 60000, /* how long shutdown waits for commits */
    WAKE_CHECK_MS = 5000,
    ASLEEP_MS = 15000, /* a gap this long between two checks was a suspend */
};

/* What only the start and the end of a mount need. */
struct mount {
    struct fs fs;
    fs_ready_fn *ready;
    void *arg;
    struct loop_fd signals;
    int signal_fd;
    struct loop_timer linger, wake;
    int64_t wake_checked_ms;
    bool has_ended; /* no more requests will come */
    size_t drained_left;
    bool is_drained;
    int list_result; /* of the first list: 1 while it is under way */
    struct e2b_err list_err;
};

static struct mount *mount_of(struct fs *fs)
{
    return container_of(fs, struct mount, fs);
}

/* --- changes of the fleet ------------------------------------------------------------------
 */

static void detach_gone(void *arg, struct inode *i)
{
    (void)arg;
    if (i->type == &node_sandbox)
        inode_detach(i);
}

static void fleet_changed(void *arg, enum fleet_change change, const struct e2b_sandbox *s)
{
    struct fs *fs = arg;

    switch (change) {
    case FLEET_CAME:
        log_info("fleet", "sandbox appears id=%s template=%s", s->id, s->template_id);
        break;
    case FLEET_GONE:
        log_info("fleet", "sandbox gone id=%s", s->id);
        dirs_invalidate_all(fs->dirs, s->id);
        groups_forget(fs->groups, s->id);
        inodes_each(fs, s->id, detach_gone, NULL);
        if (fs->inodes.root)
            notify_entry(fs, fs->inodes.root, s->id);
        errlog_forget(&fs->errlog, s->id);
        break;
    case FLEET_RESTARTED:
    case FLEET_STATE:
        if (change == FLEET_RESTARTED)
            groups_forget(fs->groups, s->id);
        log_info("fleet", "sandbox changed id=%s state=%s", s->id, e2b_state_name(s->state));
        dirs_invalidate_all(fs->dirs, s->id);
        break;
    }
}

/* --- dropping what is known -----------------------------------------------------------------
 */

static void refresh_inode(void *arg, struct inode *i)
{
    (void)arg;
    if (i->text)
        snapshot_expire(i);
    if (!i->remote || i->is_detached)
        return;
    i->remote->known_until_ms = i->remote->told_ms = 0;
    if (i->lookups > 0 && !i->remote->spool)
        notify_inode(i->fs, i, true, NULL, NULL);
    if (i->parent && i->lookups > 0)
        notify_entry(i->fs, i->parent, i->name);
}

void fs_refresh(struct fs *fs, const char *sandbox)
{
    dirs_invalidate_all(fs->dirs, sandbox);
    groups_forget(fs->groups, sandbox);
    fleet_expire(fs->fleet);
    inodes_each(fs, sandbox, refresh_inode, NULL);
}

void fs_drop_caches(struct fs *fs)
{
    log_info("fs", "dropping caches");
    e2b_client_drop_idle(fs->client);
    fs_refresh(fs, NULL);
}

void fs_log_state(struct fs *fs)
{
    struct fsreq *req;
    size_t n = 0;

    TAILQ_FOREACH(req, &fs->requests, link)
    {
        autofree char *path = req->inode ? inode_path(req->inode) : NULL;

        log_info("fs", "waiting op=%s id=%" PRIu64 " path=%s pid=%d ms=%" PRId64, req->op,
                 req->id, path ? path : "", (int)req->pid,
                 loop_now_ms(fs->loop) - req->started_ms);
        n++;
    }
    log_info("fs", "state requests=%zu inodes=%zu handled=%" PRIu64 " errors=%" PRIu64, n,
             fs->inodes.count, fs->counters.requests, fs->counters.errors);
}

/* --- signals, suspend
 * ------------------------------------------------------------------------- */

static void linger_over(void *arg)
{
    struct mount *m = arg;

    log_warning("fs", "files of the mount are still in use; ending all the same");
    m->has_ended = true;
}

void fs_shutdown(struct fs *fs)
{
    struct mount *m = mount_of(fs);

    log_info("fs", "unmounting");
    if (!fs->io) { /* the first list is under way still */
        m->has_ended = true;
        return;
    }
    fuse_io_detach(fs->io);
    loop_timer_start(fs->loop, &m->linger, LINGER_MS, linger_over, m);
}

static void signal_came(void *arg, uint32_t events)
{
    struct mount *m = arg;
    struct signalfd_siginfo info;

    (void)events;
    while (read(m->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        switch (info.ssi_signo) {
        case SIGHUP:
            fs_drop_caches(&m->fs);
            break;
        case SIGUSR1:
            fs_log_state(&m->fs);
            break;
        default:
            fs_shutdown(&m->fs);
            break;
        }
    }
}

/* The signals were blocked before any thread was made (main.c). */
static int watch_signals(struct mount *m, struct e2b_err *err)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    m->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (m->signal_fd < 0)
        return e2b_fail(err, errno, "signalfd: %s", strerror(errno));
    return loop_fd_add(m->fs.loop, &m->signals, m->signal_fd, EPOLLIN, signal_came, m, err);
}

/* Only while the mount is in use would this matter; it costs a wake-up each 5 s. */
static void check_wake(void *arg)
{
    struct mount *m = arg;
    int64_t now = loop_now_ms(m->fs.loop);

    if (now - m->wake_checked_ms > ASLEEP_MS) {
        log_info("fs", "the machine slept ms=%" PRId64, now - m->wake_checked_ms);
        fs_drop_caches(&m->fs);
    }
    m->wake_checked_ms = now;
    loop_timer_start(m->fs.loop, &m->wake, WAKE_CHECK_MS, check_wake, m);
}

/* --- start
 * ------------------------------------------------------------------------------------- */

static void listed(void *arg, const struct e2b_sandbox_list *list, const struct e2b_err *err)
{
    struct mount *m = arg;

    (void)list;
    if (err)
        m->list_err = *err;
    m->list_result = err ? -err->errnum : 0;
}

/* The first list proves that the account works, before anything is mounted. */
static int first_list(struct mount *m, struct e2b_err *err)
{
    m->list_result = 1;
    fleet_want(m->fs.fleet, listed, m);
    while (m->list_result == 1 && !m->has_ended)
        loop_turn(m->fs.loop, -1);
    if (m->has_ended)
        return e2b_fail(err, ECANCELED, "interrupted");
    if (m->list_result < 0)
        *err = m->list_err;
    return m->list_result;
}

static char *home_of(const char *user)
{
    return strcmp(user, "root") == 0 ? xstrdup("root") : xasprintf("home/%s", user);
}

static int fs_start(struct mount *m, struct e2b_err *err)
{
    struct fs *fs = &m->fs;
    const struct options *o = fs->options;
    struct fleet_config fleet = { .ttl_ms = 2000,
                                  .stale_ms = 60000,
                                  .metrics_ttl_ms = 5000,
                                  .query = options_query(o),
                                  .only = o->only };
    struct dirs_config dirs = { .ttl_ms = REMOTE_TTL_MS, .max_bytes = o->memory / 4 };
    struct spool_config spool = { .dir = o->spool, .max_bytes = o->spool_max };
    int r;

    TAILQ_INIT(&fs->requests);
    LIST_INIT(&fs->created);
    LIST_INIT(&fs->handles);
    inodes_init(&fs->inodes);
    errlog_init(&fs->errlog);
    fs->mounted_at = clock_wall();
    fs->uid = getuid();
    fs->gid = getgid();
    fs->home = home_of(fs->config->user);
    fs->loop = loop_new(err);
    if (!fs->loop)
        return -err->errnum;
    r = watch_signals(m, err);
    if (r < 0)
        return r;
    fs->workers = workers_new(fs->loop, 3, err);
    fs->notifier = fs->workers ? workers_new(fs->loop, 1, err) : NULL;
    if (!fs->notifier)
        return -err->errnum;
    fs->client = e2b_client_new(fs->config, fs->loop, err);
    if (!fs->client)
        return -err->errnum;
    fs->fleet = fleet_new(fs->loop, fs->client, &fleet, fleet_changed, fs);
    fs->views = views_new();
    fs->groups = groups_new(fs->loop, fs->client, fs->config->user);
    fs->dirs = dirs_new(fs->loop, fs->client, &dirs);
    fs->blocks = blocks_new(fs->loop, fs->client, o->memory - o->memory / 4);
    fs->spool = spool_new(fs->loop, fs->workers, fs->client, &spool, err);
    if (!fs->spool)
        return -err->errnum;
    return first_list(m, err);
}

static void write_runfile(const struct fs *fs)
{
    const char *device = fuse_io_device(fs->io);
    struct e2b_err err = { 0 };
    struct runfile r;

    if (!device)
        return;
    r = (struct runfile){ .mountpoint = fs->options->mountpoint,
                          .device = (char *)device,
                          .pid = getpid(),
                          .api_url = fs->config->api_url,
                          .sandbox_url = fs->config->sandbox_url,
                          .domain = fs->config->domain,
                          .user = fs->config->user,
                          .key_source = fs->config->api_key_source,
                          .api_key = fs->options->local ? fs->config->api_key : NULL };
    if (runfile_write(&r, &err) < 0)
        log_warning("fs", "e2b-inspect won't recognise this mount: %s", err.msg);
}

static void kernel_is_ready(void *arg)
{
    struct mount *m = arg;

    log_info("fs", "mounted on %s", m->fs.options->mountpoint);
    if (m->ready)
        m->ready(m->arg);
}

static void kernel_has_ended(void *arg)
{
    struct mount *m = arg;

    m->has_ended = true;
}

/* --- end
 * --------------------------------------------------------------------------------------- */

static void drained(void *arg, size_t left)
{
    struct mount *m = arg;

    m->is_drained = true;
    m->drained_left = left;
}

/* Commits what is dirty, within a bound. */
static void drain_spool(struct mount *m)
{
    struct fs *fs = &m->fs;

    if (!fs->spool)
        return;
    m->is_drained = false;
    spool_drain(fs->spool, DRAIN_MS, drained, m);
    while (!m->is_drained)
        loop_turn(fs->loop, -1);
}

static void cancel_requests(struct fs *fs)
{
    struct fsreq *req, *next;

    for (req = TAILQ_FIRST(&fs->requests); req; req = next) {
        next = TAILQ_NEXT(req, link);
        if (req->on_interrupt)
            req->on_interrupt(req->interrupt_arg);
    }
}

/* Ends what waits, and while anything does, what comes: a notification under way may wait for a
 * page whose READ is only now taken from the kernel. */
static void end_requests(struct fs *fs)
{
    int64_t end = loop_now_ms(fs->loop) + END_REQUESTS_MS;

    while ((fs->notices > 0 || !TAILQ_EMPTY(&fs->requests)) && loop_now_ms(fs->loop) < end) {
        cancel_requests(fs);
        loop_turn(fs->loop, 10);
    }
}

/* No RELEASE comes for what is open when the connection ends. */
static void close_handles(struct fs *fs)
{
    struct handle *h;

    if (!TAILQ_EMPTY(&fs->requests)) {
        log_warning("fs", "a request would not end");
        return;
    }
    while ((h = LIST_FIRST(&fs->handles)))
        handle_free(h);
}

/*
 * The reverse of fs_start, in one place.  When it begins the kernel sends no more requests, or
 * what still could come is from files in use after a lazy unmount.
 */
static void fs_stop(struct mount *m)
{
    struct fs *fs = &m->fs;
    struct fuse_io *io = fs->io;

    if (io && fuse_io_device(io))
        runfile_remove(fuse_io_device(io));
    drain_spool(m); /* whoever waits in close() hears how it ended */
    fs->is_stopping = true;
    if (io) {
        end_requests(fs);
        fuse_io_quiesce(io);
        end_requests(fs);
        close_handles(fs);
        drain_spool(m);
    }
    if (m->drained_left > 0)
        log_warning("fs", "not committed: %zu files; they are kept in the spool",
                    m->drained_left);
    workers_free(fs->notifier);
    spool_stop(fs->spool);
    e2b_client_free(fs->client); /* runs the completions of what was in flight */
    if (fs->loop) {
        for (int k = 0; k < 3; k++) /* and what they posted */
            loop_turn(fs->loop, 0);
    }
    workers_free(fs->workers);
    fuse_io_close(io);
    inodes_clear(&fs->inodes);
    spool_free(fs->spool);
    blocks_free(fs->blocks);
    dirs_free(fs->dirs);
    fleet_free(fs->fleet);
    views_free(fs->views);
    groups_free(fs->groups);
    errlog_clear(&fs->errlog);
    if (fs->loop) {
        loop_fd_remove(fs->loop, &m->signals);
        loop_timer_stop(fs->loop, &m->linger);
        loop_timer_stop(fs->loop, &m->wake);
        loop_free(fs->loop);
    }
    if (m->signal_fd >= 0)
        close(m->signal_fd);
    free(fs->home);
    log_info("fs", "ended");
}

int fs_run(const struct options *options, const struct e2b_config *config, fs_ready_fn *ready,
           void *arg, struct e2b_err *err)
{
    struct mount m = { .fs = { .options = options, .config = config },
                       .ready = ready,
                       .arg = arg,
                       .signal_fd = -1 };
    int r;

    r = fs_start(&m, err);
    if (r == 0) {
        inode_make_root(&m.fs, &node_root);
        r = fuse_io_open(&m.fs, &m.fs.io, kernel_is_ready, kernel_has_ended, &m, err);
    }
    if (r == 0) {
        write_runfile(&m.fs);
        m.wake_checked_ms = loop_now_ms(m.fs.loop);
        check_wake(&m);
        while (!m.has_ended)
            loop_turn(m.fs.loop, -1);
    }
    fs_stop(&m);
    return r;
}
