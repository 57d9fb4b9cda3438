/* SPDX-License-Identifier: MIT */
#include "fs/permit.h"

#include "fs/groups.h"
#include "fs/identity.h"
#include "util/xalloc.h"

#include <assert.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what is known ---- */

enum verdict { MAY, MAY_NOT, MUST_OWN, ASK_NODE, ASK_TAKEN, ASK_GROUPS };

/* NULL: has to be asked.  *holds false: as last told, perhaps a while ago. */
static const struct e2b_entry *known(struct inode *i, bool *holds)
{
    const struct remote *r = i->remote;
    int64_t now = loop_now_ms(i->fs->loop);
    struct stat st;

    *holds = r->is_root ? r->told_ms && now - r->told_ms < REMOTE_TTL_MS
                        : remote_peek_attr(i, &st) >= 0;
    return *holds || (r->told_ms && now - r->told_ms < PERMIT_AGE_MS) ? &r->entry : NULL;
}

static struct identity identity_of(const struct inode *i)
{
    return (struct identity){ .user = i->fs->config->user,
                              .groups = groups_peek(i->fs->groups, i->sandbox) };
}

static enum verdict judge_taken(const struct permit_step *s, const struct e2b_entry *dir,
                                bool dir_holds)
{
    struct identity who = identity_of(s->inode);
    const struct e2b_entry *entry;
    bool holds;

    if (!s->taken || !identity_must_own(&who, dir))
        return MAY;
    entry = known(s->taken, &holds);
    if (entry && identity_owns(&who, entry))
        return MAY;
    return !entry || !holds ? ASK_TAKEN : dir_holds ? MUST_OWN : ASK_NODE;
}

static enum verdict judge(const struct permit_step *s)
{
    struct identity who = identity_of(s->inode);
    const struct e2b_entry *entry;
    bool holds;

    /* Looking at "/" is everybody's right; it is never asked about for that (remote.h). */
    if (s->inode->remote->is_root && !(s->want & W_OK))
        return MAY;
    entry = known(s->inode, &holds);
    if (!entry)
        return ASK_NODE;
    switch (identity_may(&who, entry, s->want)) {
    case IDENTITY_NEEDS_GROUPS:
        return ASK_GROUPS;
    case IDENTITY_MAY_NOT:
        return holds ? MAY_NOT : ASK_NODE;
    case IDENTITY_MAY:
        break;
    }
    return judge_taken(s, entry, holds);
}

bool permit_known(const struct permit_step *steps, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        if (judge(&steps[k]) != MAY)
            return false;
    }
    return true;
}

bool permit_refused(struct inode *i, int want)
{
    struct permit_step step = { .inode = i, .want = want };

    return judge(&step) == MAY_NOT;
}

/* ---- asking ---- */

struct permit {
    struct permit_step steps[PERMIT_STEPS]; /* inodes are held */
    size_t n, at;
    bool has_asked_node, has_asked_taken; /* in this step: their answers are the last word */
    struct loop_timer begin;
    struct e2b_call *call;
    struct groups_wait *groups;
    bool is_cancelled;
    remote_fn *fn;
    void *arg;
};

static void permit_finish(struct permit *p, const struct e2b_err *err)
{
    p->fn(p->arg, err);
    for (size_t k = 0; k < p->n; k++) {
        inode_release(p->steps[k].inode);
        if (p->steps[k].taken)
            inode_release(p->steps[k].taken);
    }
    free(p);
}

static const char *const verbs[] = {
    [0] = "use",
    [X_OK] = "enter",
    [W_OK] = "write",
    [W_OK | X_OK] = "change names in",
    [R_OK] = "read",
    [R_OK | X_OK] = "read and enter",
    [R_OK | W_OK] = "read and write",
    [R_OK | W_OK | X_OK] = "read, write and enter",
};

static void permit_refuse(struct permit *p, enum verdict why)
{
    const struct permit_step *s = &p->steps[p->at];
    const struct e2b_entry *e = &s->inode->remote->entry;
    const char *user = s->inode->fs->config->user;
    struct e2b_err err = { 0 };

    if (why == MUST_OWN)
        e2b_fail(&err, EPERM, "%s may not take away what is %s's in a sticky directory", user,
                 s->taken->remote->entry.owner);
    else
        e2b_fail(&err, EACCES, "%s may not %s this (%s:%s, %04o); with -o user=root one may",
                 user, verbs[s->want], e->owner, e->group, (unsigned)(e->mode & 07777));
    permit_finish(p, &err);
}

static void permit_next(struct permit *p);

static void on_known(void *arg, const struct e2b_err *err)
{
    struct permit *p = arg;

    p->call = NULL;
    p->groups = NULL;
    if (err)
        permit_finish(p, err);
    else
        permit_next(p);
}

/* "/" itself, about which only writing in it is asked. */
static void on_root(void *arg, const struct e2b_entry *entry, const struct e2b_err *err)
{
    struct permit *p = arg;

    if (!err)
        remote_update(p->steps[p->at].inode, entry, REMOTE_TTL_MS, false);
    on_known(p, err);
}

static void ask_node(struct permit *p, struct inode *i)
{
    if (i->remote->is_root)
        p->call = e2b_file_stat(i->fs->client, i->sandbox, "/", on_root, p);
    else
        p->call = remote_refresh(i, on_known, p);
}

static void permit_next(struct permit *p)
{
    struct e2b_err err = { 0 };

    if (p->is_cancelled) {
        e2b_fail(&err, ECANCELED, "asking for permission: cancelled");
        permit_finish(p, &err);
        return;
    }
    for (; p->at < p->n; p->at++) {
        struct permit_step *s = &p->steps[p->at];
        enum verdict verdict = judge(s);

        if ((verdict == ASK_NODE && p->has_asked_node) ||
            (verdict == ASK_TAKEN && p->has_asked_taken))
            verdict = MAY_NOT;
        switch (verdict) {
        case MAY:
            p->has_asked_node = p->has_asked_taken = false;
            continue;
        case MAY_NOT:
        case MUST_OWN:
            permit_refuse(p, verdict);
            return;
        case ASK_NODE:
            p->has_asked_node = true;
            ask_node(p, s->inode);
            return;
        case ASK_TAKEN:
            p->has_asked_taken = true;
            ask_node(p, s->taken);
            return;
        case ASK_GROUPS:
            p->groups = groups_want(s->inode->fs->groups, s->inode->sandbox, on_known, p);
            return;
        }
    }
    permit_finish(p, NULL);
}

static void permit_begin(void *arg)
{
    permit_next(arg);
}

struct permit *permit_want(const struct permit_step *steps, size_t n, remote_fn *fn, void *arg)
{
    struct permit *p = xcalloc(1, sizeof(*p));

    assert(n > 0 && n <= PERMIT_STEPS);
    *p = (struct permit){ .n = n, .fn = fn, .arg = arg };
    for (size_t k = 0; k < n; k++) {
        p->steps[k] = steps[k];
        inode_hold(steps[k].inode);
        if (steps[k].taken)
            inode_hold(steps[k].taken);
    }
    loop_timer_start(steps[0].inode->fs->loop, &p->begin, 0, permit_begin, p);
    return p;
}

void permit_cancel(struct permit *p)
{
    p->is_cancelled = true;
    if (p->call)
        e2b_call_cancel(p->call);
    else if (p->groups)
        groups_cancel(p->groups);
}
