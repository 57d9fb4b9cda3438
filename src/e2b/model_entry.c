/* SPDX-License-Identifier: MIT */
/* model: files as envd describes them. */
#include "model.h"

#include "util/path.h"
#include "util/xalloc.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

/* Letters of Go's FileMode.String(), which envd sends (envd.md 9.3).  Kind 0: a flag. */
static const struct {
    char letter;
    mode_t kind;
    mode_t flag;
} letters[] = {
    { 'd', S_IFDIR, 0 },  { 'L', S_IFLNK, 0 }, { 'D', S_IFBLK, 0 }, { 'p', S_IFIFO, 0 },
    { 'S', S_IFSOCK, 0 }, { 'u', 0, S_ISUID }, { 'g', 0, S_ISGID }, { 't', 0, S_ISVTX },
    { 'c', 0, 0 },        { 'a', 0, 0 },       { 'l', 0, 0 },       { 'T', 0, 0 },
    { '-', 0, 0 },
};

static int prefix_mode(const char *prefix, size_t len, mode_t *out)
{
    mode_t kind = 0, flags = 0;

    for (size_t i = 0; i < len; i++) {
        size_t row = 0;

        while (row < ARRAY_LEN(letters) && letters[row].letter != prefix[i])
            row++;
        if (row == ARRAY_LEN(letters)) /* '?' (irregular) is none either */
            return -EPROTO;
        if (!kind)
            kind = letters[row].kind;
        flags |= letters[row].flag;
    }
    /* "Dc": a character device; D alone is a block device. */
    if (kind == S_IFBLK && memchr(prefix, 'c', len))
        kind = S_IFCHR;
    *out = (kind ? kind : S_IFREG) | flags;
    return 0;
}

int model_mode(const char *permissions, mode_t *out)
{
    static const char all[] = "rwxrwxrwx";
    size_t len = strlen(permissions);
    const char *bits;
    mode_t mode;

    if (len < 10 || len > 24 || prefix_mode(permissions, len - 9, &mode) < 0)
        return -EPROTO;
    bits = permissions + len - 9;
    for (int i = 0; i < 9; i++) {
        if (bits[i] == all[i])
            mode |= 0400 >> i;
        else if (bits[i] != '-')
            return -EPROTO;
    }
    *out = S_ISLNK(mode) ? S_IFLNK | 0777 : mode;
    return 0;
}

struct entry_text {
    char *name;
    char *permissions;
};

static const struct field text_fields[] = {
    { "name", FIELD_STRING, offsetof(struct entry_text, name), 0 },
    { "permissions", FIELD_STRING, offsetof(struct entry_text, permissions), 0 },
    { NULL, 0, 0, 0 },
};

static const struct field entry_fields[] = {
    { "size", FIELD_INT, offsetof(struct e2b_entry, size), 0 },
    { "modifiedTime", FIELD_TIME, offsetof(struct e2b_entry, mtime), 0 },
    { "owner", FIELD_STRING, offsetof(struct e2b_entry, owner), 0 },
    { "group", FIELD_STRING, offsetof(struct e2b_entry, group), 0 },
    { NULL, 0, 0, 0 },
};

static int fill_entry(const json_t *obj, const char *name, struct e2b_entry *e,
                      struct entry_text *text, struct e2b_err *err)
{
    int r = model_fill(obj, text_fields, text, err);

    if (r == 0)
        r = model_fill(obj, entry_fields, e, err);
    if (r < 0)
        return r;
    if (!name && (!text->name || !path_name_ok(text->name)))
        return e2b_fail(err, EPROTO, "a name that no file can have");
    e->name = name ? xstrdup(name) : steal_ptr(&text->name);
    /* Before envd 0.2.5 there is nothing but a name: not enough for a file system. */
    if (!text->permissions)
        return e2b_fail(err, EPROTO, "field 'permissions' is missing (envd before 0.2.5?)");
    if (model_mode(text->permissions, &e->mode) < 0)
        return e2b_fail(err, EPROTO, "field 'permissions': unknown form '%.30s'",
                        text->permissions);
    if (!e->owner)
        e->owner = xstrdup("");
    if (!e->group)
        e->group = xstrdup("");
    return 0;
}

int model_entry(const json_t *obj, const char *name, struct e2b_entry *out, struct e2b_err *err)
{
    struct e2b_entry e = { 0 };
    struct entry_text text = { 0 };
    int r = fill_entry(obj, name, &e, &text, err);

    free(text.name);
    free(text.permissions);
    if (r < 0) {
        e2b_entry_clear(&e);
        return r;
    }
    *out = e;
    return 0;
}

static int entry_cmp(const void *a, const void *b)
{
    return strcmp(((const struct e2b_entry *)a)->name, ((const struct e2b_entry *)b)->name);
}

int model_entries_finish(struct e2b_entry_list *list, struct e2b_err *err)
{
    /* qsort's arguments must not be NULL. */
    if (list->n == 0)
        return 0;
    qsort(list->v, list->n, sizeof(*list->v), entry_cmp);
    for (size_t i = 1; i < list->n; i++)
        if (strcmp(list->v[i - 1].name, list->v[i].name) == 0)
            return e2b_fail(err, EPROTO, "two entries of the same name");
    return 0;
}

int model_entry_list(const json_t *obj, struct e2b_entry_list *out, struct e2b_err *err)
{
    struct e2b_entry_list list = { 0 };
    const json_t *array = json_object_get(obj, "entries");
    int r = 0;

    if (!json_is_object(obj) || (array && !json_is_array(array)))
        return e2b_fail(err, EPROTO, "field 'entries': expected an array");
    /* protojson leaves out empty lists. */
    list.v = xcalloc(json_array_size(array) + 1, sizeof(*list.v));
    for (size_t i = 0; i < json_array_size(array) && r == 0; i++) {
        r = model_entry(json_array_get(array, i), NULL, &list.v[i], err);
        if (r == 0)
            list.n++;
    }
    if (r == 0)
        r = model_entries_finish(&list, err);
    if (r < 0) {
        e2b_entry_list_clear(&list);
        return r;
    }
    *out = list;
    return 0;
}
