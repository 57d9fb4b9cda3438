/* SPDX-License-Identifier: MIT */
/* Symlinks with a fixed text: <id>/home. */
#include "fs/fs.h"
#include "fs/tree.h"
#include "util/xalloc.h"

#include <string.h>

static char *text_of(const struct inode *i)
{
    const char *pattern = i->entry->target, *hole = strstr(pattern, "%s");

    return hole ? xasprintf("%.*s%s%s", (int)(hole - pattern), pattern, i->fs->home, hole + 2)
                : xstrdup(pattern);
}

static int64_t link_peek_attr(struct inode *i, struct stat *st)
{
    autofree char *text = text_of(i);

    node_stat(i, i->entry->mode, st);
    st->st_size = (off_t)strlen(text);
    return 60 * 1000;
}

static void link_readlink(struct fsreq *req, struct inode *i)
{
    autofree char *text = text_of(i);

    fsreq_reply_readlink(req, text);
}

const struct node_type node_link = {
    .name = "link",
    .kind = S_IFLNK,
    .peek_attr = link_peek_attr,
    .readlink = link_readlink,
};
