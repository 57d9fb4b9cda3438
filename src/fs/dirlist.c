/* SPDX-License-Identifier: MIT */
#include "fs/dirlist.h"

#include "util/codec.h"
#include "util/xalloc.h"

#include <errno.h>
#include <string.h>

struct dirname {
    char *name; /* owned */
    mode_t kind;
};

struct dirlist {
    struct dirname *v;
    size_t n, cap;
};

struct dirlist *dirlist_new(void)
{
    return xcalloc(1, sizeof(struct dirlist));
}

void dirlist_free(struct dirlist *list)
{
    if (!list)
        return;
    for (size_t i = 0; i < list->n; i++)
        free(list->v[i].name);
    free(list->v);
    free(list);
}

void dirlist_add(struct dirlist *list, const char *name, mode_t kind)
{
    if (list->n == list->cap) {
        list->cap = list->cap ? 2 * list->cap : 32;
        list->v = xreallocarray(list->v, list->cap, sizeof(*list->v));
    }
    list->v[list->n++] = (struct dirname){ .name = xstrdup(name), .kind = kind };
}

/* What "." and ".." need: a number and a kind. */
static size_t add_dot(fuse_req_t fuse, char *buf, size_t size, const char *name,
                      const struct inode *i, off_t next, bool is_plus)
{
    struct fuse_entry_param e = { .attr = { .st_ino = i->st_ino, .st_mode = S_IFDIR } };

    return is_plus ? fuse_add_direntry_plus(fuse, buf, size, name, &e, next)
                   : fuse_add_direntry(fuse, buf, size, name, &e.attr, next);
}

/*
 * One name.  *given is set to the inode whose attributes went into the buffer: its lookup
 * counts once the reply is delivered.
 */
static size_t add_name(fuse_req_t fuse, char *buf, size_t size, struct inode *dir,
                       const struct dirname *d, off_t next, bool is_plus, struct inode **given)
{
    struct fuse_entry_param e = { .attr = { .st_mode = d->kind } };
    struct inode *child = NULL;
    int64_t left_ms = 0, attr_ms;
    size_t used;

    if (dir->type->peek_child)
        child = dir->type->peek_child(dir, d->name, &left_ms);
    if (child) {
        attr_ms = child->type->peek_attr(child, &e.attr);
        if (attr_ms >= 0 && is_plus) {
            e.ino = child->nodeid;
            e.attr_timeout = (double)attr_ms / 1000;
            e.entry_timeout = (double)left_ms / 1000;
        }
    }
    if (e.attr.st_ino ==
        0) { /* the number that the inode will have, or it would seem deleted */
        autofree char *path = inode_path(dir);
        autofree char *full = *path ? xasprintf("%s/%s", path, d->name) : xstrdup(d->name);

        e.attr.st_ino = hash64(full, NULL);
    }
    used = is_plus ? fuse_add_direntry_plus(fuse, buf, size, d->name, &e, next)
                   : fuse_add_direntry(fuse, buf, size, d->name, &e.attr, next);
    *given = used <= size && e.ino ? child : NULL;
    if (child && !*given)
        inode_drop_unused(child);
    return used;
}

void dirlist_reply(struct fsreq *req, struct handle *h, size_t size, off_t off, bool is_plus)
{
    const struct dirlist *list = h->list;
    struct inode *dir = h->inode;
    autofree char *buf = xmalloc(size);
    struct inode **given = NULL;
    size_t len = 0, n_given = 0, used;

    given = xcalloc(size / 24 + 1, sizeof(*given)); /* a dirent takes at least 24 bytes */
    for (size_t i = (size_t)off; i < list->n + 2; i++) {
        off_t next = (off_t)i + 1;
        struct inode *child = NULL;

        if (i < 2)
            used = add_dot(req->fuse, buf + len, size - len, i == 0 ? "." : "..",
                           i == 1 && dir->parent ? dir->parent : dir, next, is_plus);
        else
            used = add_name(req->fuse, buf + len, size - len, dir, &list->v[i - 2], next,
                            is_plus, &child);
        if (used > size - len)
            break;
        len += used;
        if (child) {
            inode_hold(child); /* until it is known whether the kernel took it */
            given[n_given++] = child;
        }
    }

    if (fuse_reply_buf(req->fuse, buf, len) == 0) {
        for (size_t i = 0; i < n_given; i++)
            inode_lookup_given(given[i]);
    }
    for (size_t i = 0; i < n_given; i++)
        inode_release(given[i]);
    free(given);
    fsreq_replied(req);
}
