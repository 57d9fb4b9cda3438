/* SPDX-License-Identifier: MIT */
/*
 * watchers: the server's end of watched directories (agent_watch.c), and those that are read
 * by polling.
 *
 * Threads:   any; a table has a private mutex, a leaf.
 * Ownership: a sandbox owns its table, the table its watchers; they live until they are
 *            removed or the sandbox ends.
 */
#ifndef SANDBOXD_WATCHERS_H
#define SANDBOXD_WATCHERS_H

#include <e2b/error.h>
#include <jansson.h>
#include <stdbool.h>

struct watcher_table;
struct watcher_table *watchers_new(void);
void watchers_free(struct watcher_table *t); /* NULL is fine */

/* Takes the socket; the new one's id in `id`. */
enum { WATCHER_ID = 21 };
void watchers_add(struct watcher_table *t, int sock, char id[WATCHER_ID]);

enum watch_result {
    WATCH_NONE,  /* nothing there */
    WATCH_EVENT, /* *event */
    WATCH_FAILED /* code and text */
};
struct watch_failure {
    enum e2b_connect_code code;
    char text[200];
};

/* Reads the next FilesystemEvent (a new reference) if there is one; never waits. */
enum watch_result watch_read(int sock, json_t **event, struct watch_failure *failure);

/*
 * What happened since the last time, as a new reference, or NULL with *failure.  What failed
 * once fails for ever, but for an event that can't be JSON: that loses its batch.
 */
json_t *watchers_drain(struct watcher_table *t, const char *id, struct watch_failure *failure);

/* False if there is none of that id. */
bool watchers_remove(struct watcher_table *t, const char *id);

#endif
