/* SPDX-License-Identifier: MIT */
#include "rootfs.h"

#include "util/buf.h"
#include "util/xalloc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { USER_ID = 1000 };

const char *const rootfs_shared[] = { "/usr",   "/bin",    "/sbin",  "/lib",
                                      "/lib32", "/libx32", "/lib64", "/opt" };
const size_t rootfs_shared_count = ARRAY_LEN(rootfs_shared);

static const struct dir_row {
    const char *path;
    mode_t mode;
    int owner; /* effective only when we are root */
} dirs[] = {
    { "", 0755, 0 },         { "/usr", 0755, 0 },
    { "/opt", 0755, 0 },     { "/etc", 0755, 0 },
    { "/home", 0755, 0 },    { "/home/user", 0755, USER_ID },
    { "/root", 0700, 0 },    { "/tmp", 01777, 0 },
    { "/var", 0755, 0 },     { "/var/tmp", 01777, 0 },
    { "/var/log", 0755, 0 }, { "/var/lib", 0755, 0 },
    { "/run", 0755, 0 },     { "/proc", 0555, 0 },
    { "/sys", 0555, 0 },     { "/dev", 0755, 0 },
    { "/mnt", 0755, 0 },     { "/media", 0755, 0 },
    { "/srv", 0755, 0 },     { "/workspace", 0755, USER_ID },
};

static const struct file_row {
    const char *path;
    mode_t mode;
    const char *text;
} files[] = {
    { "/etc/passwd", 0644,
      "root:x:0:0:root:/root:/bin/bash\n"
      "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"
      "bin:x:2:2:bin:/bin:/usr/sbin/nologin\n"
      "user:x:1000:1000::/home/user:/bin/bash\n"
      "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n" },
    { "/etc/group", 0644,
      "root:x:0:\n"
      "daemon:x:1:\n"
      "bin:x:2:\n"
      "tty:x:5:\n"
      "sudo:x:27:user\n"
      "staff:x:50:\n"
      "user:x:1000:\n"
      "nogroup:x:65534:\n" },
    { "/etc/hostname", 0644, "e2b.local\n" },
    { "/etc/hosts", 0644, "127.0.0.1 localhost e2b.local\n::1 localhost\n" },
    { "/etc/resolv.conf", 0644, "" },
    { "/etc/os-release", 0644,
      "PRETTY_NAME=\"e2b-sandboxd\"\nNAME=\"e2b-sandboxd\"\nID=debian\n" },
};

/* Of the host's /etc only what programs need to run, nothing that says whose machine it is. */
static const char *const etc_copied[] = {
    "alternatives", "bash.bashrc",    "ld.so.cache", "ld.so.conf",    "ld.so.conf.d",
    "localtime",    "mime.types",     "magic",       "nsswitch.conf", "profile",
    "python3",      "python3.11",     "protocols",   "services",      "shells",
    "terminfo",     "debian_version", "skel",
};

static int fail(struct e2b_err *err, const char *path)
{
    return e2b_fail(err, errno, "preparing %s: %s", path, strerror(errno));
}

static int give(const char *path, int owner)
{
    if (geteuid() != 0)
        return 0;
    return lchown(path, (uid_t)owner, (gid_t)owner);
}

static int write_file(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
    size_t len = strlen(text);
    int r = fd >= 0 && write(fd, text, len) == (ssize_t)len ? 0 : -1;

    if (fd >= 0)
        close(fd);
    return r;
}

static int copy_file(const char *from, const char *to, mode_t mode)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    char data[KIB(16)];
    ssize_t n = -1;

    if (in >= 0 && out >= 0)
        while ((n = read(in, data, sizeof(data))) > 0)
            if (write(out, data, (size_t)n) != n) {
                n = -1;
                break;
            }
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    return n < 0 ? -1 : 0;
}

/* A copy of files, links and directories; what can't be read is left out. */
static int copy_tree(const char *from, const char *to, int owner)
{
    char target[4096];
    struct dirent *d;
    struct stat st;
    ssize_t n;
    DIR *dir;

    if (lstat(from, &st) < 0)
        return 0;
    if (S_ISLNK(st.st_mode)) {
        n = readlink(from, target, sizeof(target) - 1);
        if (n < 0)
            return 0;
        target[n] = '\0';
        return symlink(target, to) < 0 ? -1 : give(to, owner);
    }
    if (S_ISREG(st.st_mode))
        return access(from, R_OK) < 0                       ? 0
               : copy_file(from, to, st.st_mode & 0755) < 0 ? -1
                                                            : give(to, owner);
    if (!S_ISDIR(st.st_mode) || !(dir = opendir(from)))
        return 0;
    if ((mkdir(to, 0755) < 0 && errno != EEXIST) || give(to, owner) < 0) {
        closedir(dir);
        return -1;
    }
    while ((d = readdir(dir))) {
        autofree char *a = NULL, *b = NULL;

        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        a = xasprintf("%s/%s", from, d->d_name);
        b = xasprintf("%s/%s", to, d->d_name);
        if (copy_tree(a, b, owner) < 0) {
            closedir(dir);
            return -1;
        }
    }
    closedir(dir);
    return 0;
}

static int share_links(const char *root, struct e2b_err *err)
{
    for (size_t i = 0; i < rootfs_shared_count; i++) {
        autofree char *path = xasprintf("%s%s", root, rootfs_shared[i]);
        char target[256];
        ssize_t n = readlink(rootfs_shared[i], target, sizeof(target) - 1);

        if (n < 0)
            continue;
        target[n] = '\0';
        if (symlink(target, path) < 0)
            return fail(err, path);
    }
    return 0;
}

int rootfs_make(const char *root, struct e2b_err *err)
{
    autofree char *etc_skel = NULL, *home = xasprintf("%s/home/user", root);

    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        autofree char *path = xasprintf("%s%s", root, dirs[i].path);

        /* mkdir, then chmod: the umask must not decide. */
        if (mkdir(path, 0700) < 0 || chmod(path, dirs[i].mode) < 0 ||
            give(path, dirs[i].owner) < 0)
            return fail(err, path);
    }
    if (share_links(root, err) < 0)
        return -EIO;
    for (size_t i = 0; i < ARRAY_LEN(etc_copied); i++) {
        autofree char *from = xasprintf("/etc/%s", etc_copied[i]);
        autofree char *to = xasprintf("%s/etc/%s", root, etc_copied[i]);

        if (copy_tree(from, to, 0) < 0)
            return fail(err, to);
    }
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        autofree char *path = xasprintf("%s%s", root, files[i].path);

        if (write_file(path, files[i].text, files[i].mode) < 0)
            return fail(err, path);
    }
    etc_skel = xasprintf("%s/etc/skel", root);
    if (copy_tree(etc_skel, home, USER_ID) < 0)
        return fail(err, home);
    return 0;
}

static void remove_at(int at, const char *name)
{
    struct dirent *d;
    DIR *dir;
    int fd;

    if (unlinkat(at, name, 0) == 0 || (errno != EISDIR && errno != EPERM))
        return;
    /* A sandbox may have taken its own directories' permissions away. */
    if (fchmodat(at, name, 0700, 0) < 0)
        return;
    fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return;
    }
    while ((d = readdir(dir)))
        if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
            remove_at(fd, d->d_name);
    closedir(dir);
    unlinkat(at, name, AT_REMOVEDIR);
}

void rootfs_remove(const char *path)
{
    remove_at(AT_FDCWD, path);
}
