/* SPDX-License-Identifier: MIT */
/*
 * identity: what an account of the sandbox may do with a file, decided as its kernel would: by
 * owner, groups and permission bits.
 *
 * envd does file calls as root whoever is named, so somebody else has to decide (envd.md 1).
 * It tells owners by name, hence names are compared.  A group that is called like the user is
 * the user's; what else he is in has to be asked, and most decisions don't need it.  Lists of
 * further users (ACLs) and capabilities can't be seen from here.
 *
 * Threads: any.  Pure.
 */
#ifndef FS_IDENTITY_H
#define FS_IDENTITY_H

#include <e2b/file.h>
#include <stdbool.h>
#include <stddef.h>

/* The names of groups. */
struct identity_groups {
    char *names; /* owned: strings, one behind the other */
    size_t len;  /* of all with their NULs */
};

/* What `id -Gn` prints. */
void identity_groups_parse(const char *text, size_t len, struct identity_groups *out);
void identity_groups_clear(struct identity_groups *groups);

struct identity {
    const char *user;                     /* "root" may do everything */
    const struct identity_groups *groups; /* NULL: not known (yet) */
};

enum identity_answer { IDENTITY_MAY, IDENTITY_MAY_NOT, IDENTITY_NEEDS_GROUPS };

/* `want`: R_OK, W_OK, X_OK of <unistd.h>, or'ed; all are needed.  IDENTITY_NEEDS_GROUPS only
 * while the groups are not known. */
enum identity_answer identity_may(const struct identity *who, const struct e2b_entry *entry,
                                  int want);

bool identity_owns(const struct identity *who, const struct e2b_entry *entry);
/* True if only the owner of a name may take it out of this directory (its sticky bit), and the
 * user isn't above that. */
bool identity_must_own(const struct identity *who, const struct e2b_entry *dir);

#endif
