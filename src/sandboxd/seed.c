/* SPDX-License-Identifier: MIT */
#include "seed.h"

#include "lifecycle.h"
#include "templates.h"
#include "util/clock.h"
#include "util/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { USER_ID = 1000, FLEET_PAUSED_EVERY = 10 };

static const char *const names[] = { "alpha", "bravo",   "charlie", "delta",
                                     "echo",  "foxtrot", "golf",    "hotel" };

/* Under /home/user; a NULL text is a directory. */
static const struct file_row {
    const char *path, *text;
    mode_t mode;
} files[] = {
    { "README.txt", "This is a sandbox of e2b-sandboxd. Its files and processes are real.\n",
      0644 },
    { "app", NULL, 0755 },
    { "app/main.py",
      "import sys\n\n\ndef main():\n    print('hello from', sys.platform)\n\n\n"
      "if __name__ == '__main__':\n    main()\n",
      0644 },
    { "app/config.json", "{\n  \"name\": \"demo\",\n  \"debug\": true\n}\n", 0644 },
    { "app/run.sh", "#!/bin/sh\nexec python3 \"$(dirname \"$0\")/main.py\"\n", 0755 },
    { "app/lib", NULL, 0755 },
    { "app/lib/util.py", "def double(n):\n    return 2 * n\n", 0644 },
    { "data", NULL, 0755 },
    { "data/numbers.csv", "n,square\n1,1\n2,4\n3,9\n4,16\n", 0644 },
    { "notes with spaces.txt", "names may hold spaces\n", 0644 },
};

static void fill_spec(struct life_spec *spec, const struct template *t, json_t *metadata)
{
    *spec = (struct life_spec){
        .template_id = xstrdup(t->id),
        .alias = xstrdup(t->alias),
        .metadata = metadata,
        .timeout_s = LIFE_MAX_S / 2, /* half a day, so that extend has something to add to */
        .secure = true,
        .allow_internet = true,
        .cpu_count = t->cpu_count,
        .memory_mb = t->memory_mb,
        .disk_mb = t->disk_mb,
    };
}

/* The sandbox has run nothing yet, so its directories are as we made them. */
static int write_files(const struct sandbox *sb, struct e2b_err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        autofree char *path = xasprintf("%s/home/user/%s", sb->root, files[i].path);
        const char *text = files[i].text;
        int r, fd;

        if (!text) {
            r = mkdir(path, files[i].mode);
        } else {
            fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, files[i].mode);
            r = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
            if (fd >= 0)
                close(fd);
        }
        if (r == 0)
            r = chmod(path, files[i].mode);
        if (r == 0 && geteuid() == 0)
            r = chown(path, USER_ID, USER_ID);
        if (r < 0)
            return e2b_fail(err, errno, "writing %s: %s", path, strerror(errno));
    }
    return 0;
}

int seed_sandboxes(int count, struct e2b_err *err)
{
    for (int i = 0; i < count; i++) {
        struct life_spec spec;
        struct sandbox *sb = NULL;
        char name[64];
        int r;

        if ((size_t)i < ARRAY_LEN(names))
            snprintf(name, sizeof(name), "%s", names[i]);
        else
            snprintf(name, sizeof(name), "%s-%d", names[(size_t)i % ARRAY_LEN(names)], i);
        fill_spec(&spec, template_find(i % 2 ? "code-interpreter-v1" : "base"),
                  json_pack("{s:s,s:s,s:s}", "app", "demo", "name", name, "env",
                            i % 2 ? "dev" : "prod"));
        r = life_create(&spec, &sb, err);
        if (r == 0)
            r = write_files(sb, err);
        sandbox_unref(sb);
        if (r < 0)
            return r;
    }
    return 0;
}

void seed_fleet(int count)
{
    /* As many digits as clients may meet: none, 3, 6, 9. */
    static const long fractions[] = { 0, 123000000, 4567000, 890123456 };
    struct timespec start = clock_wall();

    for (int i = 0; i < count; i++) {
        struct life_spec spec;
        char name[32];

        snprintf(name, sizeof(name), "fleet-%05d", i);
        fill_spec(&spec, template_find("base"),
                  json_pack("{s:s,s:s}", "app", "fleet", "name", name));
        start.tv_nsec = fractions[i % 4];
        life_add_synthetic(&spec, start, i % FLEET_PAUSED_EVERY == FLEET_PAUSED_EVERY - 1);
        start.tv_sec--;
    }
}
