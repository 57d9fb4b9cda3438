/* SPDX-License-Identifier: MIT */
#include "find.h"

#include "call.h"
#include "helper.h"

#include "model.h"

#include "util/path.h"
#include "util/xalloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_OUTPUT = 64 * 1024 * 1024 };

enum column {
    COL_KIND,
    COL_MODE,
    COL_OWNER,
    COL_GROUP,
    COL_UID,
    COL_GID,
    COL_SIZE,
    COL_NLINK,
    COL_INO,
    COL_BLOCKS,
    COL_MTIME,
    COL_CTIME,
    COL_ATIME,
    COL_LINK, /* the rest, tabs included */
    COLUMNS
};

static const struct {
    char letter;
    mode_t kind;
} kinds[] = {
    { 'f', S_IFREG },  { 'd', S_IFDIR }, { 'l', S_IFLNK }, { 'p', S_IFIFO },
    { 's', S_IFSOCK }, { 'c', S_IFCHR }, { 'b', S_IFBLK },
};

static int parse_number(const char *s, int base, int64_t *out)
{
    char *end;

    if (*s < '0' || *s > '9')
        return -EPROTO;
    errno = 0;
    *out = strtoll(s, &end, base);
    return errno || *end ? -EPROTO : 0;
}

/* Whole seconds and the fraction that is added to them, before 1970 too: half a second before
 * 1970 is "-1.5000000000". */
static int parse_time(const char *s, struct timespec *out)
{
    char digits[10] = "000000000";
    char *end;
    long long sec;

    errno = 0;
    sec = strtoll(s, &end, 10);
    if (errno || end == s)
        return -EPROTO;
    if (*end == '.') {
        size_t n = strspn(++end, "0123456789");

        if (end[n])
            return -EPROTO;
        memcpy(digits, end, n < 9 ? n : 9);
    } else if (*end) {
        return -EPROTO;
    }
    *out = (struct timespec){ .tv_sec = sec, .tv_nsec = strtol(digits, NULL, 10) };
    return 0;
}

static int parse_kind(const char *kind, const char *mode, mode_t *out)
{
    int64_t bits;

    if (strlen(kind) != 1 || parse_number(mode, 8, &bits) < 0 || bits > 07777)
        return -EPROTO;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (kinds[i].letter == *kind) {
            *out = kinds[i].kind | (S_ISLNK(kinds[i].kind) ? 0777 : (mode_t)bits);
            return 0;
        }
    return -EPROTO;
}

static int parse_columns(char *const *col, struct e2b_entry *e)
{
    if (parse_kind(col[COL_KIND], col[COL_MODE], &e->mode) < 0 ||
        parse_number(col[COL_UID], 10, &e->uid) < 0 ||
        parse_number(col[COL_GID], 10, &e->gid) < 0 ||
        parse_number(col[COL_SIZE], 10, &e->size) < 0 ||
        parse_number(col[COL_NLINK], 10, &e->nlink) < 0 ||
        parse_number(col[COL_INO], 10, &e->ino) < 0 ||
        parse_number(col[COL_BLOCKS], 10, &e->blocks) < 0 ||
        parse_time(col[COL_MTIME], &e->mtime) < 0 ||
        parse_time(col[COL_CTIME], &e->ctime) < 0 || parse_time(col[COL_ATIME], &e->atime) < 0)
        return -EPROTO;
    e->is_rich = true;
    e->owner = xstrdup(col[COL_OWNER]);
    e->group = xstrdup(col[COL_GROUP]);
    if (S_ISLNK(e->mode))
        e->link_text = xstrdup(col[COL_LINK]);
    return 0;
}

static int parse_record(const char *record, const char *name, struct e2b_entry *e)
{
    autofree char *copy = xstrdup(record);
    char *col[COLUMNS];
    char *at = copy;

    for (int i = 0; i < COLUMNS; i++) {
        col[i] = at;
        if (i == COL_LINK)
            break;
        at = strchr(at, '\t');
        if (!at)
            return -EPROTO;
        *at++ = '\0';
    }
    if (parse_columns(col, e) < 0)
        return -EPROTO;
    e->name = xstrdup(name);
    return 0;
}

static int parse_all(const char *at, const char *end, struct e2b_entry_list *list,
                     struct e2b_err *err)
{
    size_t cap = 0;

    while (at < end) {
        const char *name = memchr(at, '\0', (size_t)(end - at));
        const char *next = name ? memchr(name + 1, '\0', (size_t)(end - name - 1)) : NULL;

        if (!next)
            return e2b_fail(err, EPROTO, "find: the output is cut");
        name++;
        if (!path_name_ok(name) && strcmp(name, "/") != 0)
            return e2b_fail(err, EPROTO, "find: a name that no file can have");
        if (list->n == cap) {
            cap = cap ? 2 * cap : 64;
            list->v = xreallocarray(list->v, cap, sizeof(*list->v));
        }
        list->v[list->n] = (struct e2b_entry){ 0 };
        if (parse_record(at, name, &list->v[list->n]) < 0) {
            e2b_entry_clear(&list->v[list->n]);
            return e2b_fail(err, EPROTO, "find: unknown form of output");
        }
        list->n++;
        at = next + 1;
    }
    return model_entries_finish(list, err);
}

int find_parse(const char *text, size_t len, struct e2b_entry_list *out, struct e2b_err *err)
{
    struct e2b_entry_list list = { 0 };
    int r = parse_all(text, text + len, &list, err);

    if (r < 0) {
        e2b_entry_list_clear(&list);
        return r;
    }
    *out = list;
    return 0;
}

/* ---- running it ---- */

struct find_op {
    struct e2b_call call;
    find_fn *fn;
    void *arg;
    char *id, *path;
    struct e2b_entry_list list;
};

static void find_end(struct e2b_call *call, const struct e2b_err *err)
{
    struct find_op *op = (struct find_op *)call;

    op->fn(op->arg, err ? NULL : &op->list, err);
    e2b_entry_list_clear(&op->list);
    free(op->id);
    free(op->path);
}

/*
 * find goes on after an entry that vanished under it, and exits with 1: those lines are no
 * failure.  Anything else is, and so is the directory's own absence.
 */
static int check_errors(const struct find_op *op, const char *text, struct e2b_err *err)
{
    autofree char *own = xasprintf("'%s/.': ", strcmp(op->path, "/") == 0 ? "" : op->path);
    autofree char *own_entry = xasprintf("'%s': ", op->path);

    while (*text) {
        size_t len = strcspn(text, "\n");
        autofree char *line = xstrndup(text, len);
        int errnum = helper_errno(line, 1);

        if (errnum != ENOENT || strstr(line, own) || strstr(line, own_entry))
            return e2b_fail(err, errnum, "sandbox %s: find %s: %s", op->id, op->path, line);
        text += len + (text[len] == '\n');
    }
    return 0;
}

static void find_done(void *arg, const struct e2b_exec_result *result,
                      const struct e2b_err *err)
{
    struct find_op *op = arg;
    struct e2b_err why = { 0 };

    if (err) {
        call_end(&op->call, err);
        return;
    }
    if (result->exit_code > 1)
        e2b_fail(&why, EIO, "sandbox %s: find %s: exit status %d", op->id, op->path,
                 result->exit_code);
    else if (check_errors(op, result->err_text, &why) == 0)
        find_parse(result->out, result->out_len, &op->list, &why);
    call_end(&op->call, why.errnum ? &why : NULL);
}

static struct e2b_call *run(struct e2b_client *client, const char *id, const char *path,
                            const char *start, const char *depth, find_fn *fn, void *arg)
{
    const char *const argv[] = { "find", start,     "-mindepth", depth, "-maxdepth",
                                 depth,  "-printf", FIND_FORMAT, NULL };
    struct find_op *op = call_new(client, sizeof(*op), find_end);

    op->fn = fn;
    op->arg = arg;
    op->id = xstrdup(id);
    op->path = xstrdup(path);
    /* As root, like envd's own listing. */
    call_adopt(&op->call, helper_run(client,
                                     &(struct helper){ .id = id,
                                                       .what = "find",
                                                       .subject = path,
                                                       .argv = argv,
                                                       .user = "root",
                                                       .max_output = MAX_OUTPUT,
                                                       .is_lenient = true },
                                     find_done, op));
    return &op->call;
}

struct e2b_call *find_children(struct e2b_client *client, const char *id, const char *path,
                               find_fn *fn, void *arg)
{
    autofree char *start = path_join(path, "x");

    strcpy(strrchr(start, '/') + 1, "."); /* "/dir/.": a link to a directory is followed */
    return run(client, id, path, start, "1", fn, arg);
}

struct e2b_call *find_entry(struct e2b_client *client, const char *id, const char *path,
                            find_fn *fn, void *arg)
{
    return run(client, id, path, path, "0", fn, arg);
}
