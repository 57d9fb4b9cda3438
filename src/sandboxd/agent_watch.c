/* SPDX-License-Identifier: MIT */
/*
 * Watching a directory (envd.md 10): inotify inside the sandbox, as envd's own library uses it.
 *
 * Each watch is a thread that writes MSG_WATCH_EVENT packets to a socket of its own, whose
 * other end the server got; it ends when that is closed.  While the server doesn't read, the
 * thread waits and the kernel's queue holds the events: what doesn't fit there ends the watch
 * with MSG_WATCH_ERROR, as with the real one.
 */
#include "agent.h"

#include "util/error.h"
#include "util/xalloc.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uthash.h>

#define WATCHED                                                                    \
    (IN_CREATE | IN_ATTRIB | IN_MODIFY | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | \
     IN_DELETE_SELF | IN_MOVE_SELF)

/* EventType of the wire */
enum { CREATE = 1, WRITE, REMOVE, RENAME, CHMOD };

static const struct kind {
    uint32_t mask, type;
} kinds[] = {
    { IN_CREATE | IN_MOVED_TO, CREATE },
    { IN_MODIFY, WRITE },
    { IN_DELETE | IN_DELETE_SELF, REMOVE },
    { IN_MOVED_FROM | IN_MOVE_SELF, RENAME },
    { IN_ATTRIB, CHMOD },
};

struct dir {
    int wd;
    char *name; /* owned: relative to the watched one, "" for itself */
    UT_hash_handle hh;
};

struct watch {
    char *path; /* the watched directory, as it was asked for */
    int inotify, sock;
    bool is_recursive, wants_entry;
    struct dir *dirs; /* by descriptor */
};

static void watch_free(struct watch *w)
{
    struct dir *d, *next;

    HASH_ITER(hh, w->dirs, d, next)
    {
        HASH_DEL(w->dirs, d);
        free(d->name);
        free(d);
    }
    if (w->inotify >= 0)
        close(w->inotify);
    if (w->sock >= 0)
        close(w->sock);
    free(w->path);
    free(w);
}

static char *below(const char *dir, const char *name)
{
    return !dir[0] ? xstrdup(name) : !name[0] ? xstrdup(dir) : xasprintf("%s/%s", dir, name);
}

/* --- telling the server; false when it is gone -----------------------------------------------
 */

static bool tell(struct watch *w, const char *name, uint32_t type)
{
    automsg struct msg m = MSG_INIT;
    size_t flag_at;
    uint32_t one = 1;

    m.kind = MSG_WATCH_EVENT;
    msg_put_str(&m, name[0] ? name : ".");
    msg_put_u32(&m, type);
    flag_at = m.payload.len;
    msg_put_u32(&m, 0);
    if (w->wants_entry && type != REMOVE && type != RENAME) {
        autofree char *path = xasprintf("%s/%s", w->path, name);
        struct names *names = names_new();

        if (entry_put(&m, names, path, path) && !m.bad)
            memcpy(m.payload.data + flag_at, &one, sizeof(one));
        names_free(names);
    }
    return msg_send(w->sock, &m) == 0;
}

static bool tell_error(struct watch *w, const char *text)
{
    automsg struct msg m = MSG_INIT;

    m.kind = MSG_WATCH_ERROR;
    msg_put_u32(&m, E2B_CONNECT_INTERNAL);
    msg_put_str(&m, text);
    msg_send(w->sock, &m);
    return false;
}

/* --- which directories -----------------------------------------------------------------------
 */

/* Watches `name` and, if recursive, what is below it; what was there is told if `tells`. */
static int add_tree(struct watch *w, const char *name, bool tells)
{
    autofree char *path = xasprintf("%s/%s", w->path, name);
    int wd = inotify_add_watch(w->inotify, path, WATCHED | IN_ONLYDIR);
    struct dirent *entry;
    struct dir *d;
    DIR *list;
    int r = 0;

    if (wd < 0)
        return -errno;
    HASH_FIND_INT(w->dirs, &wd, d);
    if (d) {
        /* Known by the name it had before it was moved: so are those below it. */
        tells = false;
        free(d->name);
        d->name = xstrdup(name);
    } else {
        d = xcalloc(1, sizeof(*d));
        d->wd = wd;
        d->name = xstrdup(name);
        HASH_ADD_INT(w->dirs, wd, d);
    }
    list = w->is_recursive ? opendir(path) : NULL;
    while (list && r == 0 && (entry = readdir(list))) {
        autofree char *child = NULL;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        child = below(name, entry->d_name);
        if (tells && !tell(w, child, CREATE))
            r = -EPIPE;
        else if (entry->d_type == DT_DIR)
            r = add_tree(w, child, tells);
        /* What vanished meanwhile is told by an event. */
        if (r == -ENOENT || r == -ENOTDIR)
            r = 0;
    }
    if (list)
        closedir(list);
    return r;
}

static void forget(struct watch *w, struct dir *d)
{
    HASH_DEL(w->dirs, d);
    free(d->name);
    free(d);
}

/* --- events ----------------------------------------------------------------------------------
 */

static bool take_event(struct watch *w, const struct inotify_event *e)
{
    autofree char *name = NULL;
    bool is_self = e->len == 0 || !e->name[0];
    struct dir *d;
    int wd = e->wd, r;

    if (e->mask & IN_Q_OVERFLOW)
        return tell_error(w, "watcher error: fsnotify: queue or buffer overflow");
    HASH_FIND_INT(w->dirs, &wd, d);
    if (!d)
        return true;
    if (e->mask & IN_IGNORED) {
        forget(w, d);
        return true;
    }
    /* What happens to a directory itself is told by its parent, unless it is the root. */
    if (is_self && d->name[0])
        return true;
    name = below(d->name, is_self ? "" : e->name);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (e->mask & kinds[i].mask && !tell(w, name, kinds[i].type))
            return false;
    if (!w->is_recursive || !(e->mask & IN_ISDIR) || !(e->mask & (IN_CREATE | IN_MOVED_TO)))
        return true;
    r = add_tree(w, name, true);
    if (r == -ENOSPC)
        return tell_error(w, "watcher error: no space left on device");
    return r != -EPIPE;
}

static bool take_events(struct watch *w)
{
    char data[KIB(16)] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t n = read(w->inotify, data, sizeof(data));

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    for (const char *p = data; p < data + n;) {
        const struct inotify_event *e = (const struct inotify_event *)(const void *)p;

        if (!take_event(w, e))
            return false;
        p += sizeof(*e) + e->len;
    }
    return true;
}

static void *watch_run(void *arg)
{
    struct watch *w = arg;
    struct pollfd fds[2] = { { .fd = w->inotify, .events = POLLIN },
                             { .fd = w->sock, .events = POLLRDHUP } };

    do {
        fds[0].revents = fds[1].revents = 0;
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            break;
    } while (!fds[1].revents && (!fds[0].revents || take_events(w)));
    watch_free(w);
    return NULL;
}

/* --- the operation
 * ---------------------------------------------------------------------------- */

static bool check_target(const struct watch *w, struct fail *fail)
{
    char text[64];
    struct stat st;

    if (stat(w->path, &st) < 0) {
        if (errno == ENOENT)
            return failf(fail, E2B_CONNECT_NOT_FOUND,
                         "path %s not found: stat %s: no such file or directory", w->path,
                         w->path);
        return failf(fail, E2B_CONNECT_INTERNAL, "error statting path %s: stat %s: %s", w->path,
                     w->path, go_strerror(errno, text));
    }
    if (!S_ISDIR(st.st_mode))
        return failf(fail, E2B_CONNECT_INVALID_ARGUMENT, "path %s not a directory: %%!w(<nil>)",
                     w->path);
    if (w->is_recursive && lstat(w->path, &st) == 0 && S_ISLNK(st.st_mode))
        return failf(fail, E2B_CONNECT_INTERNAL,
                     "error adding path %s to watcher: fsnotify: not a directory: \"%s\"",
                     w->path, w->path);
    return true;
}

/* Takes `w` when it succeeds. */
static bool start(struct watch *w, struct msg *out, struct fail *fail)
{
    pthread_attr_t attr;
    pthread_t thread;
    char text[64];
    int pair[2], r;

    w->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (w->inotify < 0)
        return failf(fail, E2B_CONNECT_INTERNAL, "error creating watcher: %s",
                     go_strerror(errno, text));
    r = add_tree(w, "", false);
    if (r < 0)
        return failf(fail, E2B_CONNECT_INTERNAL, "error adding path %s to watcher: %s", w->path,
                     go_strerror(-r, text));
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return failf(fail, E2B_CONNECT_INTERNAL, "error creating watcher: %s",
                     go_strerror(errno, text));
    w->sock = pair[0];
    out->fds[out->fd_count++] = pair[1];
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, KIB(512));
    r = pthread_create(&thread, &attr, watch_run, w);
    pthread_attr_destroy(&attr);
    return r == 0 || failf(fail, E2B_CONNECT_INTERNAL, "error creating watcher: %s",
                           go_strerror(r, text));
}

/* user, path, recursive, include entry -> the socket that events come from */
bool op_watch(struct msg *in, struct msg *out, struct fail *fail)
{
    autoaccount struct account account = { 0 };
    struct watch *w = xcalloc(1, sizeof(*w));
    uint32_t flags;

    w->inotify = w->sock = -1;
    if (request_account(in, STYLE_RPC, &account, fail) &&
        request_path(in, STYLE_RPC, &account, &w->path, fail)) {
        flags = msg_get_u32(in);
        w->is_recursive = flags & WATCH_RECURSIVE;
        w->wants_entry = flags & WATCH_ENTRIES;
        if (check_target(w, fail) && start(w, out, fail))
            return true;
    }
    watch_free(w);
    return false;
}
