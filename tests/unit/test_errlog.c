/* SPDX-License-Identifier: MIT */
/* errlog: the last failures, as `error` shows them. */
#include "test.h"

#include "fs/errlog.h"
#include "util/xalloc.h"

#include <errno.h>

static void add(struct errlog *log, const char *sandbox, const char *path, int errnum,
                const char *msg)
{
    struct e2b_err err = { 0 };

    e2b_fail(&err, errnum, "%s", msg);
    errlog_add(log, sandbox, "write", path, &err);
}

/* The rendering without the times, which start each line. */
static char *render(const struct errlog *log, const char *sandbox)
{
    autobuf struct buf out = BUF_INIT, bare = BUF_INIT;
    char *save = NULL;

    errlog_render(log, sandbox, &out);
    if (out.len == 0)
        return xstrdup("");
    CHECK(out.data[out.len - 1] == '\n');
    for (char *l = strtok_r(out.data, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
        CHECK(strlen(l) > 21 && l[10] == 'T' && l[19] == 'Z' && l[20] == ' ');
        buf_printf(&bare, "%s\n", l + 21);
    }
    return buf_steal(&bare);
}

TEST(a_failure_shows_at_its_sandbox_and_at_the_mount)
{
    struct errlog log;

    errlog_init(&log);
    add(&log, "ia", "ia/ctl", EHOSTDOWN, "sandbox is paused");
    add(&log, NULL, ".e2b/ctl", EINVAL, "no");
    {
        autofree char *ours = render(&log, "ia"), *all = render(&log, NULL);
        autofree char *other = render(&log, "ib");

        CHECK_STR(ours, "write ia/ctl EHOSTDOWN: sandbox is paused; "
                        "try: echo 'resume 10m' > ctl\n");
        CHECK_STR(all, "write .e2b/ctl EINVAL: no\n"
                       "write ia/ctl EHOSTDOWN: sandbox is paused; "
                       "try: echo 'resume 10m' > ctl\n");
        CHECK_STR(other, "");
    }
    errlog_clear(&log);
}

TEST(the_last_sixteen_stay_newest_first)
{
    struct errlog log;
    char msg[20];

    errlog_init(&log);
    for (int i = 0; i < 20; i++) {
        snprintf(msg, sizeof(msg), "bad%d", i);
        add(&log, "ia", "p", EINVAL, msg);
    }
    {
        autofree char *text = render(&log, "ia");
        int lines = 0;

        for (char *p = text; *p; p++)
            lines += *p == '\n';
        CHECK_INT(lines, 16);
        CHECK(strncmp(text, "write p EINVAL: bad19\n", 22) == 0);
        CHECK(!strstr(text, "bad3\n"));
        CHECK_CONTAINS(text, "bad4\n");
    }
    errlog_clear(&log);
}

TEST(equal_failures_in_a_row_are_one_line)
{
    struct errlog log;

    errlog_init(&log);
    add(&log, "ia", "p", EIO, "first");
    for (int i = 0; i < 50; i++)
        add(&log, "ia", "p", EIO, "again");
    {
        autofree char *text = render(&log, "ia");

        CHECK_STR(text, "write p EIO: again (50 times)\nwrite p EIO: first\n");
    }
    errlog_clear(&log);
}

TEST(hostile_names_stay_on_their_line)
{
    struct errlog log;
    char path[3000];

    errlog_init(&log);
    add(&log, "ia", "a\nb\033[31m\302\233\377\342\200\256\303\244", ENOENT, "x\ny");
    memset(path, 'p', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    add(&log, "ia", path, ENOENT, "long");
    {
        autofree char *text = render(&log, "ia");

        CHECK(strlen(text) < 1000);
        CHECK_CONTAINS(text, " ENOENT: long\n");
        CHECK_CONTAINS(text, "write a?b?[31m??????\303\244 ENOENT: x?y\n");
    }
    errlog_clear(&log);
}

TEST(notes_are_no_failures_and_rings_can_be_forgotten)
{
    struct errlog log;

    errlog_init(&log);
    errlog_note(&log, "ia", "ctl", "ia/ctl", "timeout capped: ends %s", "03:20:00Z");
    {
        autofree char *text = render(&log, "ia");

        CHECK_STR(text, "ctl ia/ctl note: timeout capped: ends 03:20:00Z\n");
    }
    add(&log, "ia", "p", EIO, "a failure");
    {
        autobuf struct buf notes = BUF_INIT;

        errlog_notes(&log, "ia", "# ", &notes);
        CHECK_STR(buf_str(&notes), "# timeout capped: ends 03:20:00Z\n");
    }
    errlog_forget(&log, "ia");
    errlog_forget(&log, "unknown");
    {
        autofree char *ours = render(&log, "ia"), *all = render(&log, NULL);

        CHECK_STR(ours, "");
        CHECK(all[0] != '\0');
    }
    errlog_forget(&log, NULL);
    {
        autofree char *all = render(&log, NULL);

        CHECK_STR(all, "");
    }
    errlog_clear(&log);
}
