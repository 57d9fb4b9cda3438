/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "util/runfile.h"
#include "util/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* A private $XDG_RUNTIME_DIR for one test; removed with everything in it. */
static char *new_dir(void)
{
    char *dir = xstrdup("/tmp/e2b-test-XXXXXX");

    if (!mkdtemp(dir))
        abort();
    setenv("XDG_RUNTIME_DIR", dir, 1);
    return dir;
}

static void remove_dir(char *dir)
{
    autofree char *sub = xasprintf("%s/e2bfs", dir);
    autofree char *file = xasprintf("%s/0-52.json", sub);

    unlink(file);
    rmdir(sub);
    CHECK_INT(rmdir(dir), 0);
    free(dir);
}

static struct runfile sample(void)
{
    return (struct runfile){
        .mountpoint = (char *)"/mnt/with \"quotes\"",
        .device = (char *)"0:52",
        .pid = 4711,
        .api_url = (char *)"http://127.0.0.1:3000",
        .domain = (char *)"e2b.app",
        .user = (char *)"user",
        .key_source = (char *)"E2B_API_KEY",
    };
}

TEST(what_is_written_reads_back)
{
    struct runfile in = sample(), out = { 0 };
    char *dir = new_dir();

    CHECK_INT(runfile_write(&in, NULL), 0);
    REQUIRE(runfile_read_for_device("0:52", &out, NULL) == 0);
    CHECK_STR(out.mountpoint, in.mountpoint);
    CHECK_INT(out.pid, 4711);
    CHECK_STR(out.api_url, in.api_url);
    CHECK_STR(out.key_source, "E2B_API_KEY");
    CHECK(!out.sandbox_url);
    CHECK(!out.api_key);
    runfile_clear(&out);

    runfile_remove("0:52");
    CHECK_INT(runfile_read_for_device("0:52", &out, NULL), -ENOENT);
    remove_dir(dir);
}

TEST(a_file_or_directory_that_others_can_use_is_refused)
{
    struct runfile in = sample(), out = { 0 };
    struct e2b_err err = { 0 };
    char *dir = new_dir();
    autofree char *sub = xasprintf("%s/e2bfs", dir);
    autofree char *file = xasprintf("%s/0-52.json", sub);

    REQUIRE(runfile_write(&in, NULL) == 0);
    CHECK_INT(chmod(file, 0640), 0);
    CHECK_INT(runfile_read_for_device("0:52", &out, &err), -EACCES);
    CHECK_CONTAINS(err.msg, "0600");
    CHECK_INT(chmod(file, 0600), 0);
    CHECK_INT(chmod(sub, 0755), 0);
    CHECK_INT(runfile_read_for_device("0:52", &out, NULL), -EACCES);
    CHECK_INT(runfile_write(&in, NULL), -EACCES);
    CHECK_INT(chmod(sub, 0700), 0);
    CHECK_INT(unlink(file), 0);
    CHECK_INT(symlink("/etc/passwd", file), 0);
    CHECK_INT(runfile_read_for_device("0:52", &out, NULL), -ELOOP);
    remove_dir(dir);
}

TEST(a_device_that_is_no_number_never_becomes_a_path)
{
    static const char *const bad[] = { "", "0", "0:", ":1", "0:52x", "../x", "0:5/2", "0:1:2" };
    struct runfile in = sample(), out = { 0 };
    char *dir = new_dir();

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CASE("%s", bad[i]);
        in.device = (char *)bad[i];
        CHECK_INT(runfile_write(&in, NULL), -EINVAL);
        CHECK_INT(runfile_read_for_device(bad[i], &out, NULL), -EINVAL);
    }
    remove_dir(dir);
}
