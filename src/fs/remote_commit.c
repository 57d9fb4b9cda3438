/* SPDX-License-Identifier: MIT */
/* From the spool to the sandbox: when a file's content is committed and what is learnt by it.
 */
#include "fs/remote.h"
#include "util/xalloc.h"

#include <errno.h>

int remote_spool(struct inode *i, bool truncate, struct e2b_err *err)
{
    struct remote *r = i->remote;
    autofree char *path = NULL;
    struct spool_open how;

    if (r->spool)
        return truncate ? spool_truncate(r->spool, 0, err) : 0;
    path = remote_path(i);
    how = (struct spool_open){ .sandbox = i->sandbox,
                               .path = path,
                               .base = r->is_new ? NULL : &r->entry,
                               .mode = r->entry.mode & 07777,
                               .truncate = truncate };
    r->is_written = false;
    if (spool_open(i->fs->spool, &how, &r->spool, err) < 0)
        return -err->errnum;
    if (i->is_detached) /* removed or replaced while open: its name is not its own any more */
        spool_detach(r->spool);
    return 0;
}

struct remote_commit {
    struct inode *inode; /* held */
    struct spool_wait *wait;
    remote_fn *fn; /* NULL: nobody waits (any more) */
    void *arg;
};

/* The sandbox has the file now; `entry` is what it said of it, if it did. */
static void learn_commit(struct inode *i, const struct e2b_entry *entry)
{
    struct remote *r = i->remote;
    struct e2b_entry unknown;

    if (r->is_new) {
        r->is_new = false;
        LIST_REMOVE(r, created);
    }
    if (!entry) {
        /* It is there; when and how it looks is asked for when somebody looks. */
        unknown = r->entry;
        unknown.size = REMOTE_SIZE_UNKNOWN;
        entry = &unknown;
    }
    remote_learn(i, entry, true);
    /* What is read of the old bytes from now on is of this version. */
    if (r->spool && r->blocks && entry->size != REMOTE_SIZE_UNKNOWN)
        blocks_set_version(r->blocks, entry->size, entry->mtime);
}

static void committed(void *arg, const struct e2b_entry *entry, const struct e2b_err *err)
{
    struct remote_commit *c = arg;
    struct inode *i = c->inode;
    struct remote *r = i->remote;

    if (--r->commits == 0)
        LIST_REMOVE(r, committing);
    if (!err)
        learn_commit(i, entry);
    if (c->fn)
        c->fn(c->arg, err);
    else if (err)
        errlog_add(&i->fs->errlog, i->sandbox, "commit", i->name, err);
    if (!err && r->spool && r->writers == 0 && r->commits == 0 && spool_is_dirty(r->spool))
        remote_commit(i, NULL, NULL); /* written after it began, and nobody will flush again */
    remote_settle(i);
    inode_release(i);
    free(c);
}

struct remote_commit *remote_commit(struct inode *i, remote_fn *fn, void *arg)
{
    struct remote_commit *c = xcalloc(1, sizeof(*c));

    *c = (struct remote_commit){ .inode = i, .fn = fn, .arg = arg };
    inode_hold(i);
    if (i->remote->commits++ == 0)
        LIST_INSERT_HEAD(&i->fs->committing, i->remote, committing);
    c->wait = spool_commit(i->remote->spool, committed, c);
    return c;
}

void remote_commit_forget(struct remote_commit *c)
{
    c->fn = NULL;
}

void remote_settle(struct inode *i)
{
    struct remote *r = i->remote;

    if (!r->spool || r->writers > 0 || r->commits > 0)
        return;
    spool_close(r->spool); /* what could not be committed becomes a pending entry */
    r->spool = NULL;
    if (r->is_new) { /* it never came to be in the sandbox */
        r->is_new = false;
        LIST_REMOVE(r, created);
        inode_detach(i);
        return;
    }
    if (r->blocks && r->known_until_ms > 0)
        blocks_set_version(r->blocks, r->entry.size, r->entry.mtime);
}
