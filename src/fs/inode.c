/* SPDX-License-Identifier: MIT */
#include "fs/inode.h"

#include "fs/fs.h"
#include "fs/node.h"
#include "fs/remote.h"
#include "fs/snapshot.h"
#include "util/codec.h"
#include "util/xalloc.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

void inodes_init(struct inodes *t)
{
    *t = (struct inodes){ .next = FUSE_ROOT_ID };
}

static void inode_free(struct inode *i)
{
    remote_free(i->remote);
    text_unref(i->text);
    free(i->sandbox);
    free(i->key);
    free(i);
}

void inodes_clear(struct inodes *t)
{
    struct inode *i, *tmp;

    HASH_CLEAR(by_name, t->by_name);
    HASH_CLEAR(by_number, t->by_number);
    HASH_ITER(by_nodeid, t->by_nodeid, i, tmp)
    {
        HASH_DELETE(by_nodeid, t->by_nodeid, i);
        inode_free(i);
    }
    inodes_init(t);
}

struct inode *inode_get(struct fs *fs, uint64_t nodeid)
{
    struct inode *i;

    HASH_FIND(by_nodeid, fs->inodes.by_nodeid, &nodeid, sizeof(nodeid), i);
    return i;
}

static char *make_key(const struct inode *parent, const char *name)
{
    return xasprintf("%" PRIu64 "/%s", parent ? parent->nodeid : 0, name);
}

struct inode *inode_child(struct inode *parent, const char *name)
{
    autofree char *key = make_key(parent, name);
    struct inode *i;

    HASH_FIND(by_name, parent->fs->inodes.by_name, key, strlen(key), i);
    return i;
}

static void inode_link(struct inode *i)
{
    struct inodes *t = &i->fs->inodes;

    HASH_ADD_KEYPTR(by_name, t->by_name, i->key, strlen(i->key), i);
}

/* The hash of its path, or of something as good where that is in use. */
static uint64_t make_number(const struct inode *i)
{
    autofree char *path = inode_path(i), *other = NULL;
    uint64_t number = hash64(path, NULL);
    struct inode *holder;

    HASH_FIND(by_number, i->fs->inodes.by_number, &number, sizeof(number), holder);
    if (!holder)
        return number;
    other = xasprintf("%s//%" PRIu64, path, i->nodeid);
    return hash64(other, NULL);
}

static struct inode *inode_new(struct fs *fs, struct inode *parent, const char *name,
                               const struct node_type *type, const struct node_entry *entry,
                               const char *sandbox)
{
    struct inode *i = xcalloc(1, sizeof(*i));

    i->fs = fs;
    i->nodeid = fs->inodes.next++;
    i->type = type;
    i->entry = entry;
    i->parent = parent;
    i->sandbox = xstrdup(sandbox);
    i->key = make_key(parent, name);
    i->name = strchr(i->key, '/') + 1;
    if (parent)
        inode_hold(parent);
    i->st_ino = make_number(i);
    HASH_ADD(by_number, fs->inodes.by_number, st_ino, sizeof(i->st_ino), i);
    HASH_ADD(by_nodeid, fs->inodes.by_nodeid, nodeid, sizeof(i->nodeid), i);
    inode_link(i);
    fs->inodes.count++;
    return i;
}

struct inode *inode_make_root(struct fs *fs, const struct node_type *type)
{
    assert(!fs->inodes.root);
    fs->inodes.root = inode_new(fs, NULL, "", type, NULL, NULL);
    inode_hold(fs->inodes.root); /* the mount's own */
    return fs->inodes.root;
}

struct inode *inode_make(struct inode *parent, const char *name, const struct node_type *type,
                         const struct node_entry *entry, const char *sandbox)
{
    struct inode *i = inode_child(parent, name);

    if (i && i->type == type)
        return i;
    if (i)
        inode_detach(i); /* another kind of thing has its name now */
    return inode_new(parent->fs, parent, name, type, entry, sandbox);
}

void inode_hold(struct inode *i)
{
    i->refs++;
}

void inode_drop_unused(struct inode *i)
{
    /* A loop, not a recursion: the last child of a deep path may let go of all of it. */
    while (i && i->refs == 0 && i->lookups == 0) {
        struct inode *parent = i->parent;

        inode_detach(i);
        HASH_DELETE(by_nodeid, i->fs->inodes.by_nodeid, i);
        HASH_DELETE(by_number, i->fs->inodes.by_number, i);
        i->fs->inodes.count--;
        inode_free(i);
        if (parent) {
            assert(parent->refs > 0);
            parent->refs--;
        }
        i = parent;
    }
}

void inode_release(struct inode *i)
{
    assert(i->refs > 0);
    i->refs--;
    inode_drop_unused(i);
}

void inode_lookup_given(struct inode *i)
{
    i->lookups++;
}

void inode_forget(struct inode *i, uint64_t n)
{
    assert(i->lookups >= n);
    i->lookups -= n < i->lookups ? n : i->lookups;
    inode_drop_unused(i);
}

void inode_detach(struct inode *i)
{
    if (i->is_detached)
        return;
    HASH_DELETE(by_name, i->fs->inodes.by_name, i);
    i->is_detached = true;
}

void inode_move(struct inode *i, struct inode *parent, const char *name)
{
    struct inode *old = i->parent, *there = inode_child(parent, name);

    if (there == i)
        return;
    if (there)
        inode_detach(there);
    if (!i->is_detached)
        HASH_DELETE(by_name, i->fs->inodes.by_name, i);
    inode_hold(parent);
    free(i->key);
    i->parent = parent;
    i->key = make_key(parent, name);
    i->name = strchr(i->key, '/') + 1;
    i->is_detached = false;
    inode_link(i);
    inode_release(old);
}

void inodes_each(struct fs *fs, const char *sandbox, void (*fn)(void *arg, struct inode *i),
                 void *arg)
{
    struct inode *i, *tmp;

    HASH_ITER(by_nodeid, fs->inodes.by_nodeid, i, tmp)
    {
        if (!sandbox || (i->sandbox && strcmp(i->sandbox, sandbox) == 0))
            fn(arg, i);
    }
}

char *inode_path(const struct inode *i)
{
    char *path = NULL;

    for (; i && i->parent; i = i->parent) {
        char *longer = path ? xasprintf("%s/%s", i->name, path) : xstrdup(i->name);

        free(path);
        path = longer;
    }
    return path ? path : xstrdup("");
}
