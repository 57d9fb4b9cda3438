/* SPDX-License-Identifier: MIT */
#include "agent.h"

#include "util/xalloc.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#define METADATA_PREFIX "user.e2b."

struct name_row {
    unsigned id;
    bool is_group;
    char *name;
};

struct names {
    struct name_row *rows;
    size_t count;
};

static void names_add(struct names *n, unsigned id, bool is_group, const char *name)
{
    n->rows = xreallocarray(n->rows, n->count + 1, sizeof(*n->rows));
    n->rows[n->count++] =
        (struct name_row){ .id = id, .is_group = is_group, .name = xstrdup(name) };
}

struct names *names_new(void)
{
    struct names *n = xcalloc(1, sizeof(*n));
    struct passwd pw, *pw_hit;
    struct group gr, *gr_hit;
    char line[8192];
    FILE *f;

    f = fopen("/etc/passwd", "re");
    while (f && fgetpwent_r(f, &pw, line, sizeof(line), &pw_hit) == 0)
        names_add(n, pw.pw_uid, false, pw.pw_name);
    if (f)
        (void)fclose(f);
    f = fopen("/etc/group", "re");
    while (f && fgetgrent_r(f, &gr, line, sizeof(line), &gr_hit) == 0)
        names_add(n, gr.gr_gid, true, gr.gr_name);
    if (f)
        (void)fclose(f);
    return n;
}

void names_free(struct names *n)
{
    if (!n)
        return;
    for (size_t i = 0; i < n->count; i++)
        free(n->rows[i].name);
    free(n->rows);
    free(n);
}

static void put_name(struct msg *out, const struct names *n, unsigned id, bool is_group)
{
    char number[16];

    for (size_t i = 0; i < n->count; i++) {
        if (n->rows[i].id == id && n->rows[i].is_group == is_group) {
            msg_put_str(out, n->rows[i].name);
            return;
        }
    }
    snprintf(number, sizeof(number), "%u", id);
    msg_put_str(out, number);
}

/* Go's fs.FileMode.String(): letters for what is special, then nine permission letters. */
static void mode_string(mode_t mode, char out[24])
{
    static const char rwx[] = "rwxrwxrwx";
    char *p = out;

    if (S_ISDIR(mode))
        *p++ = 'd';
    if (S_ISLNK(mode))
        *p++ = 'L';
    if (S_ISBLK(mode) || S_ISCHR(mode))
        *p++ = 'D';
    if (S_ISFIFO(mode))
        *p++ = 'p';
    if (S_ISSOCK(mode))
        *p++ = 'S';
    if (mode & S_ISUID)
        *p++ = 'u';
    if (mode & S_ISGID)
        *p++ = 'g';
    if (S_ISCHR(mode))
        *p++ = 'c';
    if (mode & S_ISVTX)
        *p++ = 't';
    if (p == out)
        *p++ = '-';
    for (int i = 0; i < 9; i++)
        *p++ = (mode & (0400 >> i)) ? rwx[i] : '-';
    *p = '\0';
}

/* FileType of the wire; links never have one of their own. */
static uint32_t file_type(mode_t mode)
{
    if (S_ISREG(mode))
        return 1;
    if (S_ISDIR(mode))
        return 2;
    return 0;
}

/* The user.e2b.* attributes without their prefix; errors mean none. */
static void put_metadata(struct msg *out, const char *path)
{
    char names[KIB(8)], value[KIB(4)];
    ssize_t len = listxattr(path, names, sizeof(names));
    size_t count_at = out->payload.len;
    uint32_t count = 0;

    msg_put_u32(out, 0);
    for (const char *name = names; len > 0 && name < names + len; name += strlen(name) + 1) {
        ssize_t n;

        if (strncmp(name, METADATA_PREFIX, strlen(METADATA_PREFIX)) != 0)
            continue;
        n = getxattr(path, name, value, sizeof(value));
        if (n < 0)
            continue;
        msg_put_str(out, name + strlen(METADATA_PREFIX));
        msg_put_bytes(out, value, (size_t)n);
        count++;
    }
    if (!out->bad)
        memcpy(out->payload.data + count_at, &count, sizeof(count));
}

static void put_base_name(struct msg *out, const char *path)
{
    size_t end = strlen(path), start;

    while (end > 1 && path[end - 1] == '/')
        end--;
    start = end;
    while (start > 0 && path[start - 1] != '/')
        start--;
    if (start == end)
        msg_put_str(out, "/");
    else
        msg_put_bytes(out, path + start, end - start);
}

bool entry_put(struct msg *out, const struct names *names, const char *path,
               const char *shown_path)
{
    autofree char *target = NULL;
    struct stat st, seen;
    char permissions[24];

    if (lstat(path, &st) < 0)
        return false;
    seen = st;
    if (S_ISLNK(st.st_mode)) {
        /* Type and mode are those of what the link leads to (envd.md 9.2). */
        target = realpath(path, NULL);
        if (!target || stat(target, &seen) < 0) {
            free(target);
            target = xstrdup(path);
            seen.st_mode = 0;
        }
    }
    mode_string(st.st_mode, permissions);
    put_base_name(out, path);
    msg_put_str(out, shown_path);
    msg_put_u32(out, file_type(seen.st_mode));
    msg_put_i64(out, st.st_size);
    msg_put_u32(out, seen.st_mode & 0777);
    msg_put_str(out, permissions);
    put_name(out, names, st.st_uid, false);
    put_name(out, names, st.st_gid, true);
    msg_put_i64(out, st.st_mtim.tv_sec);
    msg_put_u32(out, (uint32_t)st.st_mtim.tv_nsec);
    msg_put_u32(out, target != NULL);
    msg_put_str(out, target);
    put_metadata(out, path);
    return true;
}
