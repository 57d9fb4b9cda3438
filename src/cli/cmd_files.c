/* SPDX-License-Identifier: MIT */
/*
 * files: list, level by level.  The directories of one level are asked for side by side; links
 * are never followed below the operand, so that the walk ends.
 */
#include "cmd.h"

#include "pool.h"
#include "prefix.h"
#include "remote.h"
#include "util/path.h"
#include "util/xalloc.h"

#include <errno.h>
#include <string.h>

enum { ENTRIES_MAX = 500000 };

struct files_opts {
    bool is_recursive;
};

static const struct opt files_rows[] = {
    { OPT_FLAG, 'r', "recursive", offsetof(struct files_opts, is_recursive), NULL,
      "also what is in the directories below; links are not followed", NULL },
    { .kind = OPT_END },
};

/* People see names in one directory, and paths in several. */
#define FILES_COLUMNS(name_show, path_show)                                                    \
    {                                                                                          \
        { "mode", "MODE", OUT_IN_TABLE, 0 }, { "owner", "OWNER", OUT_IN_TABLE, 0 },            \
            { "group", "GROUP", 0, 0 }, { "size_bytes", "SIZE", OUT_IN_TABLE | OUT_RIGHT, 0 }, \
            { "mtime", "MODIFIED", OUT_IN_TABLE, 0 }, { "type", "TYPE", 0, 0 },                \
            { "is_dir", "DIR", 0, 0 }, { "name", "NAME", (name_show), 0 },                     \
            { "path", "PATH", (path_show) | OUT_IS_ID, 0 }, { NULL, NULL, 0, 0 },              \
    }
static const struct out_col flat_cols[] = FILES_COLUMNS(OUT_IN_TABLE, 0);
static const struct out_col deep_cols[] = FILES_COLUMNS(0, OUT_IN_TABLE);

static const struct kind {
    mode_t mode;
    char letter;
    const char *name;
} kinds[] = { { S_IFREG, '-', "file" },        { S_IFDIR, 'd', "directory" },
              { S_IFLNK, 'l', "link" },        { S_IFIFO, 'p', "fifo" },
              { S_IFSOCK, 's', "socket" },     { S_IFCHR, 'c', "char-device" },
              { S_IFBLK, 'b', "block-device" } };

static const struct kind *kind_of(mode_t mode)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (kinds[i].mode == (mode & S_IFMT))
            return &kinds[i];
    }
    return &kinds[0];
}

/* As ls writes it. */
static char *mode_text(mode_t mode, char out[11])
{
    static const char letters[] = "rwxrwxrwx";
    static const struct {
        mode_t bit;
        int at;
        char with_x, without;
    } specials[] = { { S_ISUID, 3, 's', 'S' },
                     { S_ISGID, 6, 's', 'S' },
                     { S_ISVTX, 9, 't', 'T' } };

    out[0] = kind_of(mode)->letter;
    for (int i = 0; i < 9; i++)
        out[i + 1] = mode & (0400u >> i) ? letters[i] : '-';
    for (size_t i = 0; i < ARRAY_LEN(specials); i++) {
        char *at = &out[specials[i].at];

        if (mode & specials[i].bit)
            *at = *at == 'x' ? specials[i].with_x : specials[i].without;
    }
    out[10] = '\0';
    return out;
}

static void file_row(struct out *out, const char *path, const struct e2b_entry *e)
{
    bool is_dir = S_ISDIR(e->mode);
    char mode[11];

    out_str(out, mode_text(e->mode, mode));
    out_str(out, e->owner);
    out_str(out, e->group);
    out_int(out, is_dir ? 0 : e->size);
    out_time(out, e->mtime);
    out_str(out, kind_of(e->mode)->name);
    out_bool(out, is_dir);
    out_str(out, path_base(path));
    out_str(out, path);
    out_end_row(out);
}

/* --- the walk ---------------------------------------------------------------------------- */

struct dir {
    char *path;
    struct e2b_entry_list list;
    struct e2b_err err;
    struct pool *pool;
};

struct dirs {
    struct dir *v;
    size_t n, cap;
};

struct found {
    char *path;
    struct e2b_entry entry;
};

struct walk {
    struct cli *cli;
    const struct target *target;
    struct dirs level; /* being asked for */
    struct found *found;
    size_t n_found, cap_found;
    struct cli_tally tally;
};

static void dirs_add(struct dirs *dirs, const char *path)
{
    if (dirs->n == dirs->cap) {
        dirs->cap = dirs->cap ? 2 * dirs->cap : 16;
        dirs->v = xreallocarray(dirs->v, dirs->cap, sizeof(*dirs->v));
    }
    dirs->v[dirs->n++] = (struct dir){ .path = xstrdup(path) };
}

static void dirs_clear(struct dirs *dirs)
{
    for (size_t i = 0; i < dirs->n; i++) {
        free(dirs->v[i].path);
        e2b_entry_list_clear(&dirs->v[i].list);
    }
    free(dirs->v);
    *dirs = (struct dirs){ 0 };
}

static void on_listed(void *arg, const struct e2b_entry_list *list, const struct e2b_err *err)
{
    struct dir *dir = arg;

    if (err)
        dir->err = *err;
    else
        e2b_entry_list_keep(&dir->list, list, NULL);
    pool_done(dir->pool);
}

static void start_list(void *arg, struct pool *pool, size_t i)
{
    struct walk *w = arg;
    struct dir *dir = &w->level.v[i];

    dir->pool = pool;
    e2b_file_list(w->target->account->client, w->target->id, dir->path, on_listed, dir);
}

/* What is made up by the sandbox's kernel is as endless as it is uninteresting. */
static bool is_descended(const char *path)
{
    return strcmp(path, "/proc") != 0 && strcmp(path, "/sys") != 0 && strcmp(path, "/dev") != 0;
}

static void found_add(struct walk *w, char *path, struct e2b_entry *entry)
{
    if (w->n_found == w->cap_found) {
        w->cap_found = w->cap_found ? 2 * w->cap_found : 64;
        w->found = xreallocarray(w->found, w->cap_found, sizeof(*w->found));
    }
    w->found[w->n_found++] = (struct found){ path, *entry };
    *entry = (struct e2b_entry){ 0 };
}

/* Moves a level's entries to what was found, and its directories to the next level. */
static int take_level(struct walk *w, bool is_recursive, struct dirs *next, struct e2b_err *err)
{
    for (size_t i = 0; i < w->level.n; i++) {
        struct dir *dir = &w->level.v[i];

        if (dir->err.errnum) {
            cli_tally_add(&w->tally, cli_report(w->cli, &dir->err, w->target->id));
            continue;
        }
        cli_tally_add(&w->tally, 0);
        if (w->n_found + dir->list.n > ENTRIES_MAX)
            return e2b_fail(err, EFBIG, "%s: more than %d entries; name a directory below it",
                            w->level.v[0].path, ENTRIES_MAX);
        for (size_t k = 0; k < dir->list.n; k++) {
            struct e2b_entry *e = &dir->list.v[k];
            char *path = path_join(dir->path, e->name);

            if (is_recursive && S_ISDIR(e->mode) && is_descended(path))
                dirs_add(next, path);
            found_add(w, path, e);
        }
    }
    return 0;
}

static int walk_levels(struct walk *w, bool is_recursive, struct e2b_err *err)
{
    int r = 0;

    while (r == 0 && w->level.n > 0) {
        struct dirs next = { 0 };
        struct pool pool;

        pool_run(&pool, w->cli->loop, w->level.n, start_list, w);
        r = take_level(w, is_recursive, &next, err);
        dirs_clear(&w->level);
        w->level = next;
    }
    dirs_clear(&w->level);
    return r;
}

/* A directory stands right before what is in it: '/' sorts before everything. */
static int by_path(const void *a, const void *b)
{
    const unsigned char *x = (const unsigned char *)((const struct found *)a)->path;
    const unsigned char *y = (const unsigned char *)((const struct found *)b)->path;

    while (*x && *x == *y) {
        x++;
        y++;
    }
    if (*x == *y)
        return 0;
    if (*x == '/' && *y)
        return -1;
    if (*y == '/' && *x)
        return 1;
    return *x < *y ? -1 : 1;
}

static int list_dir(struct walk *w, const char *path, bool is_recursive, struct e2b_err *err)
{
    int r;

    dirs_add(&w->level, path);
    out_begin(w->cli->out, is_recursive ? deep_cols : flat_cols, 0);
    r = walk_levels(w, is_recursive, err);
    if (r == 0 && w->n_found > 0)
        qsort(w->found, w->n_found, sizeof(*w->found), by_path);
    for (size_t i = 0; i < w->n_found; i++) {
        if (r == 0)
            file_row(w->cli->out, w->found[i].path, &w->found[i].entry);
        free(w->found[i].path);
        e2b_entry_clear(&w->found[i].entry);
    }
    free(w->found);
    return r < 0 ? r : cli_tally_end(w->cli, &w->tally, err);
}

static int list_there(struct cli *cli, const struct target *target, const char *path,
                      bool is_recursive, struct e2b_err *err)
{
    struct walk walk = { .cli = cli, .target = target };
    autofree char *real = NULL;
    struct e2b_entry entry = { 0 };
    int r = remote_find(target, path, &real, &entry, err);

    if (r < 0)
        return r;
    if (!entry.mode) {
        r = e2b_fail(err, ENOENT, "sandbox %s: %s: no such file or directory", target->id,
                     path);
    } else if (S_ISDIR(entry.mode)) {
        r = list_dir(&walk, real, is_recursive, err);
    } else {
        out_begin(cli->out, flat_cols, 0);
        file_row(cli->out, real, &entry);
        r = out_end(cli->out, err);
    }
    e2b_entry_clear(&entry);
    return r;
}

static int files_run(struct cli *cli, const void *opts, const struct opt_operands *operands,
                     struct e2b_err *err)
{
    const struct files_opts *o = opts;
    autofree char *path = NULL;
    struct target target = { 0 };
    int r = target_resolve(cli, operands->v[0], PREFIX_MIN, &target, err);

    if (r == 0 && operands->n > 1)
        r = remote_path(cli, &target, operands->v[1], &path, err);
    else if (r == 0)
        path = xstrdup(target.dir ? target.dir : "/");
    if (r == 0)
        r = list_there(cli, &target, path, o->is_recursive, err);
    target_clear(&target);
    return r;
}

const struct cmd cmd_files = {
    .name = "files",
    .args = "[-r] SANDBOX [PATH]",
    .summary = "list a directory of a sandbox (default /)",
    .details =
        "A path below fs/ of a mount as SANDBOX gives the directory, too, and PATH may be\n"
        "relative to it. -r does not enter /proc, /sys and /dev unless they are named. What\n"
        "can't be listed is reported, and the exit code is 7. -q prints paths only.",
    .opts = files_rows,
    .opts_size = sizeof(struct files_opts),
    .min_operands = 1,
    .max_operands = 2,
    .quiet_is_ids = true,
    .run = files_run,
};
