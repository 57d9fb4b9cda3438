/* SPDX-License-Identifier: MIT */
#include "fs/identity.h"

#include "util/xalloc.h"

#include <string.h>
#include <sys/stat.h>

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\0';
}

void identity_groups_parse(const char *text, size_t len, struct identity_groups *out)
{
    struct identity_groups groups = { .names = xmalloc(len + 1) };

    for (size_t i = 0; i < len; i++) {
        if (!is_space(text[i]))
            groups.names[groups.len++] = text[i];
        else if (groups.len > 0 && groups.names[groups.len - 1])
            groups.names[groups.len++] = '\0';
    }
    if (groups.len > 0 && groups.names[groups.len - 1])
        groups.names[groups.len++] = '\0';
    *out = groups;
}

void identity_groups_clear(struct identity_groups *groups)
{
    free(groups->names);
    *groups = (struct identity_groups){ 0 };
}

static bool is_in(const struct identity_groups *groups, const char *group)
{
    for (size_t i = 0; i < groups->len; i += strlen(groups->names + i) + 1) {
        if (strcmp(groups->names + i, group) == 0)
            return true;
    }
    return false;
}

static bool is_root(const struct identity *who)
{
    return strcmp(who->user, "root") == 0;
}

bool identity_owns(const struct identity *who, const struct e2b_entry *entry)
{
    return entry->owner && strcmp(entry->owner, who->user) == 0;
}

static bool allows(mode_t mode, int shift, int want)
{
    return (((int)mode >> shift) & want) == want;
}

enum identity_answer identity_may(const struct identity *who, const struct e2b_entry *entry,
                                  int want)
{
    const char *group = entry->group ? entry->group : "";
    bool as_group = allows(entry->mode, 3, want), as_other = allows(entry->mode, 0, want);
    bool is_allowed;

    /* The first class that fits decides: an owner without rights isn't helped by the others'.
     */
    if (is_root(who))
        is_allowed = true;
    else if (identity_owns(who, entry))
        is_allowed = allows(entry->mode, 6, want);
    else if (as_group == as_other || strcmp(group, who->user) == 0)
        is_allowed = as_group;
    else if (who->groups)
        is_allowed = is_in(who->groups, group) ? as_group : as_other;
    else
        return IDENTITY_NEEDS_GROUPS;
    return is_allowed ? IDENTITY_MAY : IDENTITY_MAY_NOT;
}

bool identity_must_own(const struct identity *who, const struct e2b_entry *dir)
{
    return (dir->mode & S_ISVTX) && !is_root(who) && !identity_owns(who, dir);
}
