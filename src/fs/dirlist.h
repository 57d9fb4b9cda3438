/* SPDX-License-Identifier: MIT */
/*
 * dirlist: the names of one open directory, fixed at opendir so that offsets stay true
 * whatever happens to the directory meanwhile.
 *
 * Threads: loop only.  Ownership: the handle owns its list; names are copied.
 */
#ifndef FS_DIRLIST_H
#define FS_DIRLIST_H

#include "fs/node.h"

struct dirlist;

struct dirlist *dirlist_new(void);
void dirlist_free(struct dirlist *list);
void dirlist_add(struct dirlist *list, const char *name, mode_t kind);

/*
 * Answers READDIR, or READDIRPLUS if is_plus.  With plus, children whose attributes are in
 * memory (peek_child) go out with them and their lookup is counted; the others go out as bare
 * names, which costs nothing now and a LOOKUP if somebody looks.
 */
void dirlist_reply(struct fsreq *req, struct handle *h, size_t size, off_t off, bool is_plus);

#endif
