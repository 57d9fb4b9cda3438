/* SPDX-License-Identifier: MIT */
#include "watchers.h"

#include "api_filesystem.h"
#include "util/codec.h"
#include "util/xalloc.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

struct watcher {
    char id[WATCHER_ID];
    int sock;                     /* owned */
    struct watch_failure failure; /* code is not 0: it failed for ever */
    LIST_ENTRY(watcher) link;
};

struct watcher_table {
    pthread_mutex_t lock;
    LIST_HEAD(, watcher) all;
};

/* A batch holds no more than this, the rest waits for the next one. */
enum { BATCH_MAX = 100000 };

static const char *const types[] = { NULL,
                                     "EVENT_TYPE_CREATE",
                                     "EVENT_TYPE_WRITE",
                                     "EVENT_TYPE_REMOVE",
                                     "EVENT_TYPE_RENAME",
                                     "EVENT_TYPE_CHMOD" };

static void fail_with(struct watch_failure *failure, enum e2b_connect_code code,
                      const char *text)
{
    failure->code = code;
    snprintf(failure->text, sizeof(failure->text), "%s", text);
}

/* The event of a message; NULL with the field that isn't UTF-8. */
static json_t *read_event(struct msg *m, const char **bad_field)
{
    size_t len;
    const char *name = msg_get_str(m, &len);
    uint32_t type = msg_get_u32(m);
    json_t *event = json_object(), *text = json_stringn(name, len), *entry;

    *bad_field = "FilesystemEvent.name";
    if (!text) {
        json_decref(event);
        return NULL;
    }
    json_object_set_new(event, "name", text);
    if (type > 0 && type < ARRAY_LEN(types))
        json_object_set_new(event, "type", json_string(types[type]));
    if (msg_get_u32(m)) {
        entry = filesystem_entry(m, bad_field);
        if (!entry) {
            json_decref(event);
            return NULL;
        }
        json_object_set_new(event, "entry", entry);
    }
    return event;
}

enum watch_result watch_read(int sock, json_t **event, struct watch_failure *failure)
{
    automsg struct msg m = MSG_INIT;
    struct pollfd p = { .fd = sock, .events = POLLIN };
    const char *bad_field = NULL;

    if (poll(&p, 1, 0) <= 0)
        return WATCH_NONE;
    if (msg_recv(sock, &m) < 0) {
        fail_with(failure, E2B_CONNECT_UNAVAILABLE, "watcher closed");
        return WATCH_FAILED;
    }
    if (m.kind == MSG_WATCH_EVENT) {
        *event = read_event(&m, &bad_field);
        if (*event)
            return WATCH_EVENT;
        failure->code = E2B_CONNECT_UNKNOWN;
        snprintf(failure->text, sizeof(failure->text),
                 "marshal message: proto: field filesystem.%s contains invalid UTF-8",
                 bad_field);
        return WATCH_FAILED;
    }
    failure->code = (enum e2b_connect_code)msg_get_u32(&m);
    fail_with(failure, failure->code ? failure->code : E2B_CONNECT_INTERNAL,
              msg_get_str(&m, NULL));
    return WATCH_FAILED;
}

/* --- the table ------------------------------------------------------------------------------
 */

struct watcher_table *watchers_new(void)
{
    struct watcher_table *t = xcalloc(1, sizeof(*t));

    pthread_mutex_init(&t->lock, NULL);
    LIST_INIT(&t->all);
    return t;
}

static void watcher_free(struct watcher *w)
{
    LIST_REMOVE(w, link);
    close(w->sock);
    free(w);
}

void watchers_free(struct watcher_table *t)
{
    if (!t)
        return;
    while (!LIST_EMPTY(&t->all))
        watcher_free(LIST_FIRST(&t->all));
    pthread_mutex_destroy(&t->lock);
    free(t);
}

/* Locked. */
static struct watcher *find(struct watcher_table *t, const char *id)
{
    struct watcher *w;

    LIST_FOREACH(w, &t->all, link)
    {
        if (strcmp(w->id, id) == 0)
            return w;
    }
    return NULL;
}

void watchers_add(struct watcher_table *t, int sock, char id[WATCHER_ID])
{
    struct watcher *w = xcalloc(1, sizeof(*w));

    w->sock = sock;
    w->id[0] = 'w';
    random_hex(w->id + 1, (WATCHER_ID - 2) / 2);
    memcpy(id, w->id, WATCHER_ID);
    pthread_mutex_lock(&t->lock);
    LIST_INSERT_HEAD(&t->all, w, link);
    pthread_mutex_unlock(&t->lock);
}

json_t *watchers_drain(struct watcher_table *t, const char *id, struct watch_failure *failure)
{
    json_t *list = json_array(), *event;
    enum watch_result result = WATCH_EVENT;
    struct watcher *w;

    pthread_mutex_lock(&t->lock);
    w = find(t, id);
    if (!w) {
        failure->code = E2B_CONNECT_NOT_FOUND;
        snprintf(failure->text, sizeof(failure->text), "watcher with id %.100s not found", id);
        result = WATCH_FAILED;
    } else if (w->failure.code) {
        *failure = w->failure;
        result = WATCH_FAILED;
    }
    while (result == WATCH_EVENT && json_array_size(list) < BATCH_MAX) {
        result = watch_read(w->sock, &event, failure);
        if (result == WATCH_EVENT)
            json_array_append_new(list, event);
        else if (result == WATCH_FAILED && failure->code != E2B_CONNECT_UNKNOWN)
            w->failure = *failure;
    }
    pthread_mutex_unlock(&t->lock);
    /* What was read before a failure is delivered first. */
    if (result != WATCH_FAILED || (w && w->failure.code && json_array_size(list) > 0))
        return list;
    json_decref(list);
    return NULL;
}

bool watchers_remove(struct watcher_table *t, const char *id)
{
    struct watcher *w;

    pthread_mutex_lock(&t->lock);
    w = find(t, id);
    if (w)
        watcher_free(w);
    pthread_mutex_unlock(&t->lock);
    return w != NULL;
}
