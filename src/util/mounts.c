/* SPDX-License-Identifier: MIT */
#include "mounts.h"

#include "buf.h"
#include "path.h"
#include "xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char mountinfo_path[] = "/proc/self/mountinfo";
enum { TABLE_MAX_MIB = 16 };

void mount_info_clear(struct mount_info *m)
{
    free(m->device);
    free(m->root);
    free(m->mountpoint);
    free(m->type);
    free(m->source);
    *m = (struct mount_info){ 0 };
}

/* Takes the next blank-separated field off *p, with the table's octal escapes undone. */
static char *take_field(const char **p)
{
    const char *s = *p + strspn(*p, " ");
    size_t len = strcspn(s, " \n");
    char *out;
    size_t n = 0;

    if (len == 0)
        return NULL;
    out = xmalloc(len + 1);
    for (size_t i = 0; i < len; i++) {
        unsigned code;

        if (s[i] == '\\' && i + 3 < len && sscanf(s + i + 1, "%3o", &code) == 1) {
            out[n++] = (char)code;
            i += 3;
        } else {
            out[n++] = s[i];
        }
    }
    out[n] = '\0';
    *p = s + len;
    return out;
}

int mounts_parse(const char *line, struct mount_info *out)
{
    struct mount_info m = { 0 };
    const char *rest;
    int skip = 0;

    /* 36 35 98:0 /root /point rw,noatime master:1 - type source options */
    if (sscanf(line, "%d %*d %n", &m.id, &skip) != 1 || skip == 0)
        return -EPROTO;
    rest = line + skip;
    m.device = take_field(&rest);
    m.root = take_field(&rest);
    m.mountpoint = take_field(&rest);
    rest = strstr(rest, " - ");
    if (rest) {
        rest += 3;
        m.type = take_field(&rest);
        m.source = take_field(&rest);
    }
    if (!m.type || !m.mountpoint) {
        mount_info_clear(&m);
        return -EPROTO;
    }
    *out = m;
    return 0;
}

static int read_table(struct buf *out, struct e2b_err *err)
{
    int fd = open(mountinfo_path, O_RDONLY | O_CLOEXEC);
    ssize_t n;
    char *at;
    int r = 0;

    if (fd < 0)
        return e2b_fail(err, errno, "%s: %s", mountinfo_path, strerror(errno));
    do {
        r = buf_reserve(out, KIB(16), &at);
        if (r < 0)
            break;
        n = read(fd, at, KIB(16));
        if (n < 0)
            r = errno == EINTR ? 0 : -errno;
        else
            out->len += (size_t)n;
    } while (r == 0 && n != 0);
    close(fd);
    if (r < 0)
        return e2b_fail(err, -r, "%s: %s", mountinfo_path, strerror(-r));
    return buf_putc(out, '\n');
}

int mounts_each(mounts_fn *fn, void *arg, struct e2b_err *err)
{
    autobuf struct buf table = BUF_MAX(MIB(TABLE_MAX_MIB));
    int r = read_table(&table, err);
    char *line = table.data, *end;

    while (r == 0 && line && (end = strchr(line, '\n'))) {
        struct mount_info m = { 0 };

        *end = '\0';
        if (mounts_parse(line, &m) == 0)
            r = fn(arg, &m);
        mount_info_clear(&m);
        line = end + 1;
    }
    return r;
}

struct find_id {
    int id;
    struct mount_info found;
};

static int take_if_id(void *arg, const struct mount_info *m)
{
    struct find_id *find = arg;

    if (m->id != find->id)
        return 0;
    find->found = (struct mount_info){
        .id = m->id,
        .device = xstrdup(m->device),
        .root = xstrdup(m->root),
        .mountpoint = xstrdup(m->mountpoint),
        .type = xstrdup(m->type),
        .source = xstrdup(m->source),
    };
    return 1;
}

/* The mount id of an open descriptor, from its fdinfo; -1 if the kernel doesn't say. */
static int mount_id_of(int fd)
{
    char name[64], line[256];
    int id = -1;
    FILE *f;

    (void)snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", fd);
    f = fopen(name, "re");
    if (!f)
        return -1;
    while (id < 0 && fgets(line, sizeof(line), f)) {
        if (sscanf(line, "mnt_id: %d", &id) != 1)
            id = -1;
    }
    (void)fclose(f);
    return id;
}

/* Where the kernel says that `fd` is, as seen from this process's root. */
static char *name_of(int fd)
{
    char link[64];
    char *name = xmalloc(PATH_MAX);
    ssize_t n;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, name, PATH_MAX - 1);
    if (n < 0) {
        free(name);
        return NULL;
    }
    name[n] = '\0';
    return name;
}

/* "/mnt/a/b" in a mount at "/mnt" of the directory "/r" -> "/r/a/b". */
static char *path_inside(const struct mount_info *m, const char *name)
{
    autofree char *joined = NULL;

    if (!path_is_below(name, m->mountpoint))
        return NULL;
    name += strcmp(m->mountpoint, "/") == 0 ? 0 : strlen(m->mountpoint);
    joined = xasprintf("%s/%s", m->root, name);
    return path_normalise(joined);
}

int mounts_locate(const char *path, struct mount_info *mount, char **inside,
                  struct e2b_err *err)
{
    struct find_id find = { 0 };
    autofree char *name = NULL;
    char *in;
    int fd, r;

    fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return e2b_fail(err, errno, "%s: %s", path, strerror(errno));
    find.id = mount_id_of(fd);
    name = name_of(fd);
    close(fd);

    r = find.id < 0 ? 0 : mounts_each(take_if_id, &find, err);
    if (r < 0)
        return r;
    in = find.found.mountpoint && name ? path_inside(&find.found, name) : NULL;
    if (!in) {
        mount_info_clear(&find.found);
        return e2b_fail(err, ENOENT, "%s: not in this process's mount table", path);
    }
    *mount = find.found;
    *inside = in;
    return 0;
}
