/* SPDX-License-Identifier: MIT */
/*
 * contain: symlink texts that can't lead out of fs/.
 *
 * A sandbox is hostile and the kernel follows links on this machine: "/etc/passwd" in a link's
 * text would be ours.  A text is shown unchanged if no reading of it can leave fs/; otherwise
 * it is rewritten as a relative link to the same place as seen from the sandbox's root.
 *
 * Threads: any.  Pure.
 */
#ifndef FS_CONTAIN_H
#define FS_CONTAIN_H

#include <stddef.h>

/*
 * `dir`: the directory that holds the link, as a normal path in the sandbox.  `text`: what the
 * link says, len bytes, any bytes.  Returns the text to show (the caller's), or NULL if there
 * is none that could be: empty, with a NUL, or longer than a path may be.
 */
char *contain_link(const char *dir, const char *text, size_t len);

#endif
