/* SPDX-License-Identifier: MIT */
/*
 * view: the sandboxes sorted into directories by what the list says of them.
 *
 *   VIEW_NAME      <name>                  one link each
 *   VIEW_TEMPLATE  <alias or id>/<id>
 *   VIEW_STATE     running/<id> paused/<id>
 *   VIEW_METADATA  <key>/<value>/<id>
 *
 * Names are those of view_name.  Where several sandboxes have one name, all of them get it with
 * '~' and the first 8 characters of their id: a name that meant one may not silently mean
 * another.
 *
 * A view is made when somebody looks at it, and again when the list has changed since.
 *
 * Threads: loop only.
 */
#ifndef FS_VIEW_H
#define FS_VIEW_H

#include <e2b/sandbox.h>
#include <stdbool.h>
#include <stdint.h>

enum view_kind { VIEW_NAME, VIEW_TEMPLATE, VIEW_STATE, VIEW_METADATA, VIEW_KINDS };

struct views;
struct view_dir;

struct views *views_new(void);
void views_free(struct views *views); /* NULL is fine */

/* The top of a view of `list`, which has this version (fleet_version): borrowed, like all that
 * is found in it, until the list changes. */
const struct view_dir *views_top(struct views *views, enum view_kind kind,
                                 const struct e2b_sandbox_list *list, uint64_t version);

/* The directory of that name in it, or NULL. */
const struct view_dir *view_subdir(const struct view_dir *dir, const char *name);
/* The sandbox that the link of that name in it means, or NULL. */
const struct e2b_sandbox *view_link(const struct view_dir *dir, const char *name);
/* All names in it. */
typedef void view_name_fn(void *arg, const char *name, bool is_dir);
void view_each(const struct view_dir *dir, view_name_fn *fn, void *arg);

#endif
