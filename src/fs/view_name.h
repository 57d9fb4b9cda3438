/* SPDX-License-Identifier: MIT */
/*
 * view_name: values as file names, for the directories below .e2b/by-*.
 *
 * Values are chosen by whoever creates sandboxes: any bytes.  A name is never empty, "." or
 * "..", never has a '/', a control character or bytes that aren't UTF-8, and never begins with
 * a '.'.  Two values have two names (of long ones: unless 32 bits of a hash agree).
 *
 * Threads: any.
 */
#ifndef FS_VIEW_NAME_H
#define FS_VIEW_NAME_H

enum { VIEW_NAME_MAX = 200 }; /* bytes; a longer name is cut, and gets '~' and 8 digits */

/*
 * '/', '%', '~', a leading '.', what utf8_is_unsafe and what isn't UTF-8 becomes %XX, a byte
 * each; an empty value is "%".  '~' is ours: a name has one only where it was cut.
 */
char *view_name(const char *value);

#endif
