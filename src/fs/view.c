/* SPDX-License-Identifier: MIT */
#include "fs/view.h"

#include "fs/view_name.h"
#include "util/xalloc.h"

#include <string.h>
#include <uthash.h>

enum { POINTER = sizeof(const struct e2b_sandbox *) };

struct view_dir {
    char *name; /* owned */
    bool is_link;
    struct view_dir *children; /* by name */
    /* A directory: what is linked by its id, sorted by that.  A link: the one it means. */
    const struct e2b_sandbox **members;
    size_t n, cap;
    UT_hash_handle hh;
};

struct views {
    struct view_dir *tops[VIEW_KINDS];
    uint64_t version;
};

static void dir_free(struct view_dir *dir)
{
    struct view_dir *child, *next;

    if (!dir)
        return;
    HASH_ITER(hh, dir->children, child, next)
    {
        HASH_DEL(dir->children, child);
        dir_free(child); /* three levels at most */
    }
    free(dir->members);
    free(dir->name);
    free(dir);
}

static struct view_dir *child_of(const struct view_dir *dir, const char *name)
{
    struct view_dir *child;

    HASH_FIND(hh, dir->children, name, strlen(name), child);
    return child;
}

/* Finds or makes it; takes `name`. */
static struct view_dir *make_child(struct view_dir *dir, char *name)
{
    struct view_dir *child = child_of(dir, name);

    if (child) {
        free(name);
        return child;
    }
    child = xcalloc(1, sizeof(*child));
    child->name = name;
    HASH_ADD_KEYPTR(hh, dir->children, child->name, strlen(child->name), child);
    return child;
}

static void add_member(struct view_dir *dir, const struct e2b_sandbox *s)
{
    if (dir->n > 0 && dir->members[dir->n - 1] == s)
        return; /* a key that stands twice in its metadata */
    if (dir->n == dir->cap) {
        dir->cap = dir->cap ? 2 * dir->cap : 1;
        dir->members = xreallocarray(dir->members, dir->cap, POINTER);
    }
    dir->members[dir->n++] = s;
}

/* --- the four kinds ----------------------------------------------------------------------- */

static const char *template_of(const struct e2b_sandbox *s)
{
    if (s->alias && *s->alias)
        return s->alias;
    return s->template_id ? s->template_id : "";
}

static void add_template(struct view_dir *top, const struct e2b_sandbox *s)
{
    add_member(make_child(top, view_name(template_of(s))), s);
}

static void add_state(struct view_dir *top, const struct e2b_sandbox *s)
{
    add_member(make_child(top, xstrdup(e2b_state_name(s->state))), s);
}

static void add_metadata(struct view_dir *top, const struct e2b_sandbox *s)
{
    for (size_t i = 0; i < s->n_metadata; i++) {
        struct view_dir *key = make_child(top, view_name(s->metadata[i].key));

        add_member(make_child(key, view_name(s->metadata[i].value)), s);
    }
}

/* First all of one name together: add_links sorts out which are alone. */
static void add_name(struct view_dir *top, const struct e2b_sandbox *s)
{
    const char *name = e2b_sandbox_meta(s, "name");

    if (name)
        add_member(make_child(top, view_name(name)), s);
}

static void add_link(struct view_dir *top, const char *name, const struct e2b_sandbox *s)
{
    char *unique = xasprintf("%s~%.8s", name, s->id);
    struct view_dir *link;

    if (child_of(top, unique)) { /* so alike are ids only if somebody wants it */
        free(unique);
        unique = xasprintf("%s~%s", name, s->id);
    }
    link = make_child(top, unique);
    link->is_link = true;
    if (link->n == 0)
        add_member(link, s);
}

static void resolve_names(struct view_dir *top)
{
    struct view_dir *groups = top->children, *group, *next;

    /* Those that are alone keep their name, and are in the way of no other. */
    top->children = NULL;
    HASH_ITER(hh, groups, group, next)
    {
        if (group->n > 1)
            continue;
        HASH_DEL(groups, group);
        group->is_link = true;
        HASH_ADD_KEYPTR(hh, top->children, group->name, strlen(group->name), group);
    }
    HASH_ITER(hh, groups, group, next)
    {
        HASH_DEL(groups, group);
        for (size_t i = 0; i < group->n; i++)
            add_link(top, group->name, group->members[i]);
        dir_free(group);
    }
}

static struct view_dir *make_view(enum view_kind kind, const struct e2b_sandbox_list *list)
{
    static void (*const add[VIEW_KINDS])(struct view_dir *, const struct e2b_sandbox *) = {
        [VIEW_NAME] = add_name,
        [VIEW_TEMPLATE] = add_template,
        [VIEW_STATE] = add_state,
        [VIEW_METADATA] = add_metadata,
    };
    struct view_dir *top = xcalloc(1, sizeof(*top));

    if (kind == VIEW_STATE) { /* there, even if empty: scripts loop over them */
        make_child(top, xstrdup(e2b_state_name(E2B_STATE_RUNNING)));
        make_child(top, xstrdup(e2b_state_name(E2B_STATE_PAUSED)));
    }
    for (size_t i = 0; i < list->n; i++)
        add[kind](top, &list->v[i]);
    if (kind == VIEW_NAME)
        resolve_names(top);
    return top;
}

/* --- looking ------------------------------------------------------------------------------ */

struct views *views_new(void)
{
    return xcalloc(1, sizeof(struct views));
}

static void forget(struct views *views)
{
    for (size_t i = 0; i < VIEW_KINDS; i++) {
        dir_free(views->tops[i]);
        views->tops[i] = NULL;
    }
}

void views_free(struct views *views)
{
    if (!views)
        return;
    forget(views);
    free(views);
}

const struct view_dir *views_top(struct views *views, enum view_kind kind,
                                 const struct e2b_sandbox_list *list, uint64_t version)
{
    if (views->version != version)
        forget(views);
    views->version = version;
    if (!views->tops[kind])
        views->tops[kind] = make_view(kind, list);
    return views->tops[kind];
}

const struct view_dir *view_subdir(const struct view_dir *dir, const char *name)
{
    const struct view_dir *child = child_of(dir, name);

    return child && !child->is_link ? child : NULL;
}

static int by_id(const void *id, const void *member)
{
    return strcmp(id, (*(const struct e2b_sandbox *const *)member)->id);
}

const struct e2b_sandbox *view_link(const struct view_dir *dir, const char *name)
{
    const struct view_dir *child = child_of(dir, name);
    const struct e2b_sandbox **member;

    if (child)
        return child->is_link ? child->members[0] : NULL;
    if (dir->n == 0)
        return NULL;
    member = bsearch(name, dir->members, dir->n, POINTER, by_id);
    return member ? *member : NULL;
}

void view_each(const struct view_dir *dir, view_name_fn *fn, void *arg)
{
    for (const struct view_dir *c = dir->children; c; c = c->hh.next)
        fn(arg, c->name, !c->is_link);
    for (size_t i = 0; i < dir->n; i++)
        fn(arg, dir->members[i]->id, false);
}
