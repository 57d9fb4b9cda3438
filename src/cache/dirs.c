/* SPDX-License-Identifier: MIT */
/*
 * A struct dir exists while it has a list or a request; dir_tidy removes it from everywhere.
 * A struct load is one request.  It outlives its dir if what it brings must not be kept, its
 * waiters if they all left, and even the module: its completion frees it, nothing else does.
 */
#include "cache/dirs.h"

#include "cache/listing.h"
#include "util/path.h"
#include "util/xalloc.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/queue.h>
#include <uthash.h>

/* "sandbox\0path", so that it is the hash key and both strings at once. */
struct key {
    char *sandbox; /* owned */
    const char *path;
    size_t len; /* of both strings with their NULs */
};

struct dir {
    struct key key; /* owned */
    struct listing listing;
    size_t bytes;  /* what it counts for; 0 without a list */
    bool has_list; /* and is in the LRU */
    int64_t listed_ms;
    struct load *load; /* the request that new waiters join; NULL: none */
    TAILQ_ENTRY(dir) lru;
    UT_hash_handle hh;
};

TAILQ_HEAD(wait_queue, dirs_wait);

struct load {
    struct dirs *dirs;     /* NULL: the module is gone */
    struct dir *dir;       /* NULL: the answer is not kept */
    struct e2b_call *call; /* NULL: it is over, or was asked to end */
    struct wait_queue waits;
    LIST_ENTRY(load) all;
};

struct dirs_wait {
    struct dirs *dirs;
    struct key key;    /* owned */
    struct load *load; /* NULL: in the queue of what is due */
    uint64_t turn;     /* in which it became due */
    bool is_cancelled;
    bool is_running; /* its completion is */
    dirs_fn *fn;
    void *arg;
    TAILQ_ENTRY(dirs_wait) link; /* in load->waits or dirs->due */
};

struct dirs {
    struct loop *loop;
    struct e2b_client *client;
    const struct file_source *source;
    struct dirs_config config;
    struct dir *map;
    TAILQ_HEAD(dir_queue, dir) lru; /* oldest first */
    LIST_HEAD(load_list, load) loads;
    struct wait_queue due;
    bool is_posted; /* deliver_due is; always true between turns if anything is due */
    uint64_t turn;
    struct dirs_stats stats;
};

/* ---- keys ---- */

static struct key key_new(const char *sandbox, const char *path)
{
    size_t n = strlen(sandbox) + 1;
    struct key key = { .len = n + strlen(path) + 1 };

    key.sandbox = xmalloc(key.len);
    memcpy(key.sandbox, sandbox, n);
    memcpy(key.sandbox + n, path, key.len - n);
    key.path = key.sandbox + n;
    return key;
}

static void key_clear(struct key *key)
{
    free(key->sandbox);
    *key = (struct key){ 0 };
}

static struct dir *dir_find(struct dirs *dirs, const struct key *key)
{
    struct dir *dir;

    HASH_FIND(hh, dirs->map, key->sandbox, key->len, dir);
    return dir;
}

static struct dir *dir_find_named(struct dirs *dirs, const char *sandbox, const char *path)
{
    struct key key = key_new(sandbox, path);
    struct dir *dir = dir_find(dirs, &key);

    key_clear(&key);
    return dir;
}

/* ---- snapshots ---- */

static void dir_check(const struct dir *dir)
{
    assert(dir->has_list || dir->load);
    assert(dir->has_list || (!dir->listing.list.v && dir->bytes == 0));
    assert(!dir->load || (dir->load->dir == dir && dir->load->call));
    assert(!dir->load || !TAILQ_EMPTY(&dir->load->waits));
    (void)dir;
}

static bool is_fresh(const struct dirs *dirs, const struct dir *dir)
{
    return dir->has_list && loop_now_ms(dirs->loop) - dir->listed_ms < dirs->config.ttl_ms;
}

static void touch(struct dirs *dirs, struct dir *dir)
{
    TAILQ_REMOVE(&dirs->lru, dir, lru);
    TAILQ_INSERT_TAIL(&dirs->lru, dir, lru);
}

static size_t base_size(const struct dir *dir)
{
    return sizeof(*dir) + dir->key.len;
}

/* To be called after each change of the list. */
static void count_bytes(struct dirs *dirs, struct dir *dir)
{
    size_t bytes = dir->has_list ? base_size(dir) + dir->listing.bytes : 0;

    dirs->stats.bytes = dirs->stats.bytes - dir->bytes + bytes;
    dir->bytes = bytes;
}

static void forget_list(struct dirs *dirs, struct dir *dir)
{
    if (!dir->has_list)
        return;
    listing_clear(&dir->listing);
    dir->has_list = false;
    count_bytes(dirs, dir);
    TAILQ_REMOVE(&dirs->lru, dir, lru);
    dirs->stats.snapshots--;
}

/* Its waiters get what comes, but it may be older than what was just done here. */
static void detach_load(struct dir *dir)
{
    if (dir->load)
        dir->load->dir = NULL;
    dir->load = NULL;
}

/* To be called after whatever may have taken the dir's last reason to exist. */
static void dir_tidy(struct dirs *dirs, struct dir *dir)
{
    if (dir->has_list || dir->load) {
        dir_check(dir);
        return;
    }
    assert(dirs->map);
    HASH_DEL(dirs->map, dir);
    key_clear(&dir->key);
    free(dir);
}

static void forget(struct dirs *dirs, struct dir *dir)
{
    forget_list(dirs, dir);
    detach_load(dir);
    dir_tidy(dirs, dir);
}

static void make_room(struct dirs *dirs, size_t bytes)
{
    while (dirs->stats.bytes + bytes > dirs->config.max_bytes && !TAILQ_EMPTY(&dirs->lru)) {
        struct dir *oldest = TAILQ_FIRST(&dirs->lru);

        forget_list(dirs, oldest);
        dir_tidy(dirs, oldest);
        dirs->stats.evicted++;
    }
}

/* `dir` has a load or is about to be tidied by the caller. */
static void keep_list(struct dirs *dirs, struct dir *dir, const struct e2b_entry_list *list)
{
    size_t bytes = base_size(dir) + listing_size(list);

    forget_list(dirs, dir);
    if (bytes > dirs->config.max_bytes)
        return;
    make_room(dirs, bytes);
    if (!listing_copy(&dir->listing, list))
        return;
    dir->has_list = true;
    /* The age counts from the answer, as the sandbox read the directory just before it. */
    dir->listed_ms = loop_now_ms(dirs->loop);
    count_bytes(dirs, dir);
    TAILQ_INSERT_TAIL(&dirs->lru, dir, lru);
    dirs->stats.snapshots++;
}

const struct e2b_entry *dirs_find(const struct e2b_entry_list *list, const char *name)
{
    return listing_find(list, name);
}

const struct e2b_entry_list *dirs_peek(struct dirs *dirs, const char *sandbox, const char *path,
                                       int64_t *left_ms)
{
    struct dir *dir = dir_find_named(dirs, sandbox, path);

    loop_assert_here(dirs->loop);
    if (!dir || !is_fresh(dirs, dir))
        return NULL;
    touch(dirs, dir);
    dirs->stats.hits++;
    if (left_ms)
        *left_ms = dir->listed_ms + dirs->config.ttl_ms - loop_now_ms(dirs->loop);
    return &dir->listing.list;
}

/* ---- waits ---- */

static void deliver_due(void *arg);

static void finish(struct dirs_wait *wait, const struct e2b_entry_list *list,
                   const struct e2b_err *err)
{
    wait->is_running = true;
    wait->fn(wait->arg, list, err);
    key_clear(&wait->key);
    free(wait);
}

static void make_due(struct dirs_wait *wait)
{
    struct dirs *dirs = wait->dirs;

    wait->load = NULL;
    wait->turn = dirs->turn;
    if (!dirs->is_posted)
        loop_post(dirs->loop, deliver_due, dirs);
    dirs->is_posted = true;
    TAILQ_INSERT_TAIL(&dirs->due, wait, link);
}

static void on_list(void *arg, const struct e2b_entry_list *list, const struct e2b_err *err)
{
    struct load *load = arg;
    struct dirs *dirs = load->dirs;
    struct dir *dir = load->dir;
    struct dirs_wait *wait;

    load->call = NULL;
    if (!dirs) {
        free(load);
        return;
    }
    if (dir) {
        detach_load(dir);
        if (!err)
            keep_list(dirs, dir, list);
        dir_tidy(dirs, dir);
    }
    while ((wait = TAILQ_FIRST(&load->waits))) {
        TAILQ_REMOVE(&load->waits, wait, link);
        finish(wait, list, err);
    }
    LIST_REMOVE(load, all);
    free(load);
}

/* The wait joins the request in flight, or starts one. */
static void join_load(struct dirs *dirs, struct dirs_wait *wait)
{
    struct dir *dir = dir_find(dirs, &wait->key);

    if (!dir) {
        dir = xcalloc(1, sizeof(*dir));
        dir->key = key_new(wait->key.sandbox, wait->key.path);
        HASH_ADD_KEYPTR(hh, dirs->map, dir->key.sandbox, dir->key.len, dir);
    }
    if (dir->load) {
        dirs->stats.merged++;
    } else {
        dir->load = xcalloc(1, sizeof(*dir->load));
        dir->load->dirs = dirs;
        dir->load->dir = dir;
        TAILQ_INIT(&dir->load->waits);
        LIST_INSERT_HEAD(&dirs->loads, dir->load, all);
        dirs->stats.misses++;
        dir->load->call = dirs->source->list(dirs->client, wait->key.sandbox, wait->key.path,
                                             on_list, dir->load);
    }
    wait->load = dir->load;
    TAILQ_INSERT_TAIL(&dir->load->waits, wait, link);
    dir_check(dir);
}

static void deliver(struct dirs *dirs, struct dirs_wait *wait)
{
    struct dir *dir = dir_find(dirs, &wait->key);
    struct e2b_err err = { 0 };

    if (wait->is_cancelled) {
        e2b_fail(&err, ECANCELED, "listing %s: cancelled", wait->key.path);
        finish(wait, NULL, &err);
    } else if (dir && dir->has_list) {
        finish(wait, &dir->listing.list, NULL);
    } else {
        join_load(dirs, wait); /* it went since it was found fresh */
    }
}

static void deliver_due(void *arg)
{
    struct dirs *dirs = arg;
    struct dirs_wait *wait;

    dirs->is_posted = false;
    dirs->turn++; /* what completions add now is for a later turn */
    while ((wait = TAILQ_FIRST(&dirs->due)) && wait->turn < dirs->turn) {
        TAILQ_REMOVE(&dirs->due, wait, link);
        deliver(dirs, wait);
    }
}

struct dirs_wait *dirs_want(struct dirs *dirs, const char *sandbox, const char *path,
                            dirs_fn *fn, void *arg)
{
    struct dirs_wait *wait = xcalloc(1, sizeof(*wait));
    struct dir *dir;

    loop_assert_here(dirs->loop);
    *wait = (struct dirs_wait){ .dirs = dirs, .fn = fn, .arg = arg };
    wait->key = key_new(sandbox, path);
    dir = dir_find(dirs, &wait->key);
    if (dir && is_fresh(dirs, dir)) {
        touch(dirs, dir);
        dirs->stats.hits++;
        make_due(wait);
    } else {
        join_load(dirs, wait);
    }
    return wait;
}

void dirs_cancel(struct dirs_wait *wait)
{
    struct load *load = wait->load;
    struct dir *dir;

    loop_assert_here(wait->dirs->loop);
    if (wait->is_running)
        return;
    wait->is_cancelled = true;
    if (!load)
        return; /* due already */
    TAILQ_REMOVE(&load->waits, wait, link);
    make_due(wait);
    if (!TAILQ_EMPTY(&load->waits) || !load->call)
        return;
    /* Nobody may join what is about to fail. */
    dir = load->dir;
    if (dir) {
        detach_load(dir);
        dir_tidy(wait->dirs, dir);
    }
    wait->dirs->source->cancel(steal_ptr(&load->call));
}

/* ---- what this mount did ---- */

void dirs_put(struct dirs *dirs, const char *sandbox, const char *dir_path,
              const struct e2b_entry *entry)
{
    struct dir *dir = dir_find_named(dirs, sandbox, dir_path);

    loop_assert_here(dirs->loop);
    if (!dir)
        return;
    detach_load(dir);
    if (dir->has_list && !listing_put(&dir->listing, entry))
        forget_list(dirs, dir);
    count_bytes(dirs, dir);
    dir_tidy(dirs, dir);
    make_room(dirs, 0);
}

static void forget_below(struct dirs *dirs, const char *sandbox, const char *path)
{
    struct dir *dir, *next;

    for (dir = dirs->map; dir; dir = next) {
        next = dir->hh.next;
        if (strcmp(dir->key.sandbox, sandbox) == 0 && path_is_below(dir->key.path, path))
            forget(dirs, dir);
    }
}

void dirs_drop(struct dirs *dirs, const char *sandbox, const char *dir_path, const char *name)
{
    autofree char *path = path_join(dir_path, name);
    struct dir *parent = dir_find_named(dirs, sandbox, dir_path);
    const struct e2b_entry *entry;
    bool is_leaf = false;

    loop_assert_here(dirs->loop);
    if (parent) {
        entry = listing_find(&parent->listing.list, name);
        is_leaf = entry && !S_ISDIR(entry->mode);
        listing_remove(&parent->listing, name);
        count_bytes(dirs, parent);
        detach_load(parent);
        dir_tidy(dirs, parent);
    }
    /* `rm -r` is not to look through all snapshots once for each of its files. */
    if (is_leaf)
        dirs_invalidate(dirs, sandbox, path);
    else
        forget_below(dirs, sandbox, path);
}

void dirs_invalidate(struct dirs *dirs, const char *sandbox, const char *path)
{
    struct dir *dir = dir_find_named(dirs, sandbox, path);

    loop_assert_here(dirs->loop);
    if (dir)
        forget(dirs, dir);
}

void dirs_invalidate_all(struct dirs *dirs, const char *sandbox)
{
    struct dir *dir, *next;

    loop_assert_here(dirs->loop);
    for (dir = dirs->map; dir; dir = next) {
        next = dir->hh.next;
        if (!sandbox || strcmp(dir->key.sandbox, sandbox) == 0)
            forget(dirs, dir);
    }
}

/* ---- life ---- */

struct dirs *dirs_new(struct loop *loop, struct e2b_client *client,
                      const struct dirs_config *config)
{
    struct dirs *dirs = xcalloc(1, sizeof(*dirs));

    dirs->loop = loop;
    dirs->client = client;
    dirs->source = &file_source_e2b;
    dirs->config = *config;
    TAILQ_INIT(&dirs->lru);
    TAILQ_INIT(&dirs->due);
    LIST_INIT(&dirs->loads);
    return dirs;
}

void dirs_use_source(struct dirs *dirs, const struct file_source *source)
{
    dirs->source = source;
}

void dirs_free(struct dirs *dirs)
{
    struct load *load;

    if (!dirs)
        return;
    loop_assert_here(dirs->loop);
    assert(TAILQ_EMPTY(&dirs->due) && !dirs->is_posted);
    dirs_invalidate_all(dirs, NULL);
    /* What is left was cancelled and nobody waits for it; its completion frees it. */
    while ((load = LIST_FIRST(&dirs->loads))) {
        assert(TAILQ_EMPTY(&load->waits) && !load->call);
        LIST_REMOVE(load, all);
        load->dirs = NULL;
    }
    free(dirs);
}

void dirs_stats(const struct dirs *dirs, struct dirs_stats *out)
{
    *out = dirs->stats;
}

void dirs_check(const struct dirs *dirs)
{
    size_t bytes = 0, snapshots = 0;
    const struct dir *dir;
    const struct load *load;

    for (dir = dirs->map; dir; dir = dir->hh.next) {
        dir_check(dir);
        listing_check(&dir->listing);
        assert(dir->bytes == (dir->has_list ? base_size(dir) + dir->listing.bytes : 0));
        bytes += dir->bytes;
        snapshots += dir->has_list;
    }
    assert(bytes == dirs->stats.bytes && bytes <= dirs->config.max_bytes);
    assert(snapshots == dirs->stats.snapshots);
    for (dir = TAILQ_FIRST(&dirs->lru); dir; dir = TAILQ_NEXT(dir, lru)) {
        assert(dir->has_list);
        snapshots--;
    }
    assert(snapshots == 0);
    for (load = LIST_FIRST(&dirs->loads); load; load = LIST_NEXT(load, all))
        assert(!load->dir || load->dir->load == load);
    assert(dirs->is_posted == !TAILQ_EMPTY(&dirs->due));
}
