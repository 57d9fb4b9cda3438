/* SPDX-License-Identifier: MIT */
#include "sandboxd/gzip_stored.h"

#include <stdio.h>
#include <unistd.h>

#include "test.h"
#include "util/buf.h"
#include "util/xalloc.h"

/* `gzip -d` is the judge. */
static void round_trip(size_t size, size_t piece)
{
    char name[] = "/tmp/test_sandboxd_gzip.XXXXXX";
    int fd = mkstemp(name);
    struct gzip_stored z = { 0 };
    autofree char *data = xmalloc(size + 1), *out = xmalloc(piece), *back = xmalloc(size + 1);
    autofree char *command = NULL;
    FILE *gzip;
    ssize_t n;

    REQUIRE(fd >= 0);
    for (size_t i = 0; i < size; i++)
        data[i] = (char)(i * 31 % 251);
    CHECK_INT(write(fd, data, size), size);
    (void)lseek(fd, 0, SEEK_SET);
    command = xasprintf("gzip -d >%s.out", name);
    gzip = popen(command, "w");
    REQUIRE(gzip != NULL);
    while ((n = gzip_stored_read(&z, fd, out, piece)) > 0)
        CHECK_INT(fwrite(out, 1, (size_t)n, gzip), n);
    CHECK_INT(pclose(gzip), 0);
    close(fd);
    {
        autofree char *out_name = xasprintf("%s.out", name);
        FILE *result = fopen(out_name, "r");

        REQUIRE(result != NULL);
        CHECK_INT(fread(back, 1, size + 1, result), size);
        CHECK(memcmp(back, data, size) == 0);
        (void)fclose(result);
        unlink(out_name);
    }
    unlink(name);
}

TEST(what_gzip_unpacks_is_what_went_in)
{
    static const size_t sizes[] = { 0, 1, 4096, 65535, 65536, 300000 };

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        CASE("%zu bytes", sizes[i]);
        round_trip(sizes[i], KIB(128));
        round_trip(sizes[i], 1000);
    }
}
