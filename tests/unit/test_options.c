/* SPDX-License-Identifier: MIT */
/* options: the command line, -o, the config file, and what is none of them. */
#include "test.h"

#include "fs/options.h"
#include "util/xalloc.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/test_options.XXXXXX";

/* Nothing of the user's is read: a home of our own. */
__attribute__((constructor)) static void own_home(void)
{
    if (!mkdtemp(dir) || setenv("HOME", dir, 1) || unsetenv("XDG_CONFIG_HOME"))
        abort();
}

__attribute__((destructor)) static void remove_home(void)
{
    autofree char *config = xasprintf("%s/config", dir);

    unlink(config);
    rmdir(dir);
}

/* Words of a command line, separated by '|'. */
static int parse(struct options *o, const char *words, struct e2b_err *err)
{
    autofree char *copy = xstrdup(words);
    char *argv[32] = { NULL }, *save = NULL;
    int argc = 0;

    *o = (struct options){ 0 };
    for (char *w = strtok_r(copy, "|", &save); w; w = strtok_r(NULL, "|", &save))
        argv[argc++] = w;
    return options_parse(o, argc, argv, err);
}

static char *write_config(const char *text)
{
    char *path = xasprintf("%s/config", dir);
    FILE *f = fopen(path, "w");

    if (!f || fputs(text, f) < 0 || fclose(f) != 0 || chmod(path, 0600) != 0)
        abort();
    return path;
}

TEST(defaults_are_those_of_the_manual)
{
    struct options o;

    REQUIRE(parse(&o, "e2bfs|/mnt", NULL) == 0);
    CHECK_STR(o.mountpoint, "/mnt");
    CHECK_INT(o.memory, 256 << 20);
    CHECK_INT(o.spool_max, 0);
    CHECK_INT(o.rm, RM_HOME);
    CHECK_INT(o.idmap, IDMAP_NONE);
    CHECK(o.deadline == 1.0);
    CHECK(!o.foreground && !o.ro && !o.exec && !o.nokill && !o.local && !o.only &&
          !o.fuse_opts);
    options_clear(&o);
}

TEST(every_form_of_an_option_is_the_same_option)
{
    static const char *const forms[] = {
        "e2bfs|--spool_max|3M|/mnt",      "e2bfs|--spool-max=3M|/mnt",
        "e2bfs|-o|spool_max=3M|/mnt",     "e2bfs|-ospool-max=3M|/mnt",
        "e2bfs|/mnt|-o|spool_max=3MiB",   "e2bfs|/mnt|--spool-max=3072K",
        "e2bfs|-o|ro,spool_max=3MB|/mnt",
    };

    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct options o;

        CASE("%s", forms[i]);
        REQUIRE(parse(&o, forms[i], NULL) == 0);
        CHECK_INT(o.spool_max, 3 << 20);
        CHECK_STR(o.mountpoint, "/mnt");
        options_clear(&o);
    }
}

TEST(values_are_read)
{
    struct options o;

    REQUIRE(parse(&o,
                  "e2bfs|-f|-o|fs=ro,rm=none,nokill,only=iabc-12345678,state=paused|-m|a=b=c|"
                  "--metadata|k=|--template=base|--deadline|2.5|--user=root|"
                  "-o|noatime,max_read=4096,_netdev,x-systemd.automount|/mnt/x",
                  NULL) == 0);
    CHECK(o.foreground && o.fs_ro && o.nokill && !o.ro);
    CHECK_INT(o.rm, RM_NONE);
    CHECK_STR(o.only, "iabc");
    CHECK_STR(o.state, "paused");
    CHECK_STR(o.template_ref, "base");
    CHECK_STR(o.user, "root");
    CHECK(o.deadline == 2.5);
    CHECK_STR(o.fuse_opts, "noatime,max_read=4096");
    REQUIRE(o.n_metadata == 2);
    CHECK_STR(o.metadata[0].key, "a");
    CHECK_STR(o.metadata[0].value, "b=c");
    CHECK_STR(o.metadata[1].value, "");
    CHECK_INT(options_query(&o).state, E2B_STATE_PAUSED);
    CHECK_INT(options_query(&o).n_metadata, 2);
    options_clear(&o);
}

TEST(paths_become_absolute_because_we_leave_the_directory)
{
    autofree char *cwd = get_current_dir_name();
    autofree char *spool = xasprintf("%s/sp", cwd), *log = xasprintf("%s/l", dir);
    struct options o;

    REQUIRE(parse(&o, "e2bfs|-o|spool=sp,log=~/l|--local=/d|/mnt", NULL) == 0);
    CHECK_STR(o.spool, spool);
    CHECK_STR(o.log, log);
    CHECK(o.local);
    CHECK_STR(o.local_dir, "/d");
    options_clear(&o);
    REQUIRE(parse(&o, "e2bfs|--local|--api_key_file=x|/mnt", NULL) == -EINVAL);
    REQUIRE(parse(&o, "e2bfs|--local|/mnt", NULL) == 0);
    CHECK(o.local && !o.local_dir);
    options_clear(&o);
    REQUIRE(parse(&o, "e2bfs|--api-key-file|-|/mnt", NULL) == 0);
    CHECK_STR(o.api_key_file, "-");
    options_clear(&o);
}

TEST(a_comma_in_a_value_is_escaped)
{
    struct options o;

    REQUIRE(parse(&o, "e2bfs|-o|log=/a\\,b,context=x\\,y,ro|/mnt", NULL) == 0);
    CHECK_STR(o.log, "/a,b");
    CHECK_STR(o.fuse_opts, "context=x\\,y");
    CHECK(o.ro);
    options_clear(&o);
}

TEST(trust_and_allow_other_belong_together)
{
    struct options o;

    REQUIRE(parse(&o, "e2bfs|-o|trust,allow_other|/mnt", NULL) == 0);
    CHECK(o.exec && o.allow_other);
    CHECK_INT(o.idmap, IDMAP_USER);
    options_clear(&o);
    CHECK_INT(parse(&o, "e2bfs|-o|allow_other|/mnt", NULL), -EINVAL);
}

TEST(mount_8_calls_its_helper_in_its_own_way)
{
    struct options o;

    REQUIRE(parse(&o, "/sbin/mount.e2bfs|none|/mnt|-s|-f|-n|-v|-o|rw,noexec,user,ro", NULL) ==
            0);
    CHECK_STR(o.source, "none");
    CHECK_STR(o.mountpoint, "/mnt");
    CHECK(o.fake && o.ro && !o.foreground);
    options_clear(&o);
    REQUIRE(parse(&o, "mount.e2bfs|none|/mnt|-o|local,user=root", NULL) == 0);
    CHECK(o.local);
    CHECK_STR(o.user, "root");
    options_clear(&o);
    CHECK_INT(parse(&o, "mount.e2bfs|/mnt", NULL), -EINVAL);
}

TEST(help_and_version_need_no_mountpoint)
{
    struct options o;

    REQUIRE(parse(&o, "e2bfs|-h", NULL) == 0);
    CHECK(o.show_help && !o.mountpoint);
    options_clear(&o);
    REQUIRE(parse(&o, "e2bfs|--version|--log=x", NULL) == 0);
    CHECK(o.show_version);
    options_clear(&o);
}

TEST(what_is_wrong_is_named)
{
    static const struct {
        const char *words, *part;
    } cases[] = {
        { "e2bfs", "where to mount" },
        { "e2bfs|/a|/b", "'/b' is too much" },
        { "e2bfs|--nonsense|/mnt", "unknown option: --nonsense" },
        { "e2bfs|-x|/mnt", "unknown option: -x" },
        { "e2bfs|-o|nonsense=1|/mnt", "unknown option: -o nonsense" },
        { "e2bfs|-o|suid|/mnt", "unknown option: -o suid" },
        { "e2bfs|/mnt|--only", "--only needs a value" },
        { "e2bfs|/mnt|-o", "-o needs a value" },
        { "e2bfs|-o|only|/mnt", "-o only needs a value" },
        { "e2bfs|-o|only=|/mnt", "-o only needs a value" },
        { "e2bfs|--only=../x|/mnt", "not a sandbox's id" },
        { "e2bfs|--ro=yes|/mnt", "--ro takes no value" },
        { "e2bfs|-o|ro=maybe|/mnt", "neither yes nor no" },
        { "e2bfs|--memory=lots|/mnt", "--memory: 'lots' is not a size" },
        { "e2bfs|--memory=1K|/mnt", "too little" },
        { "e2bfs|--memory=-1M|/mnt", "not a size" },
        { "e2bfs|--memory=99999999999999999999|/mnt", "not a size" },
        { "e2bfs|--memory=9999999999T|/mnt", "not a size" },
        { "e2bfs|--memory=1MM|/mnt", "not a size" },
        { "e2bfs|--deadline=0|/mnt", "not a factor" },
        { "e2bfs|--deadline=nan|/mnt", "not a factor" },
        { "e2bfs|--deadline=1x|/mnt", "not a factor" },
        { "e2bfs|--rm=some|/mnt", "none of home, all, none" },
        { "e2bfs|--state=dead|/mnt", "neither running nor paused" },
        { "e2bfs|-m|novalue|/mnt", "not KEY=VALUE" },
        { "e2bfs|--metadata==x|/mnt", "not KEY=VALUE" },
        { "e2bfs|--config=/nonexistent/file|/mnt", "/nonexistent/file" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct options o;
        struct e2b_err err = { 0 };

        CASE("%s", cases[i].words);
        CHECK(parse(&o, cases[i].words, &err) < 0);
        CHECK_CONTAINS(err.msg, cases[i].part);
        CHECK(!o.mountpoint);
    }
}

TEST(a_key_in_an_option_is_refused_and_not_repeated)
{
    static const char *const cases[] = {
        "e2bfs|--api_key=e2b_5ec1e7|/mnt",  "e2bfs|--api-key|e2b_5ec1e7|/mnt",
        "e2bfs|-o|api_key=e2b_5ec1e7|/mnt", "e2bfs|-o|apikey=e2b_5ec1e7|/mnt",
        "e2bfs|--api_k=e2b_5ec1e7|/mnt",    "e2bfs|--api=e2b_5ec1e7|/mnt",
        "e2bfs|--ro=e2b_5ec1e7|/mnt"
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct options o;
        struct e2b_err err = { 0 };

        CASE("%s", cases[i]);
        CHECK_INT(parse(&o, cases[i], &err), -EINVAL);
        CHECK(!strstr(err.msg, "5ec1e7"));
    }
}

TEST(the_config_file_is_weaker_than_the_command_line)
{
    autofree char *path = write_config("# mine\nmemory = 64M\nro = yes\nnokill=no\n"
                                       "spool-max = 5M\nrm = all\nlog = ~/log\n");
    autofree char *words = xasprintf("e2bfs|--config=%s|-o|rw,memory=32M|/mnt", path);
    struct options o;
    struct e2b_err err = { 0 };

    REQUIRE(parse(&o, words, &err) == 0);
    CHECK_INT(o.memory, 32 << 20);
    CHECK_INT(o.spool_max, 5 << 20);
    CHECK_INT(o.rm, RM_ALL);
    CHECK(!o.ro && !o.nokill);
    options_clear(&o);
}

TEST(mistakes_in_the_config_file_name_their_line)
{
    static const struct {
        const char *text, *part;
    } cases[] = {
        { "ro = yes\nmemroy = 1M\n", "line 2: unknown option 'memroy'" },
        { "help = yes\n", "unknown option 'help'" },
        { "config = /x\n", "unknown option 'config'" },
        { "memory = x\n", "line 1: memory: 'x' is not a size" },
        { "only =\n", "needs a value" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        autofree char *path = write_config(cases[i].text);
        autofree char *words = xasprintf("e2bfs|--config=%s|/mnt", path);
        struct options o;
        struct e2b_err err = { 0 };

        CASE("%s", cases[i].text);
        CHECK_INT(parse(&o, words, &err), -EINVAL);
        CHECK_CONTAINS(err.msg, path);
        CHECK_CONTAINS(err.msg, cases[i].part);
    }
}

TEST(settings_are_described_one_a_line)
{
    autobuf struct buf text = BUF_INIT;
    struct options o;

    REQUIRE(parse(&o, "e2bfs|-o|ro,memory=32M,log=/a\nb|-m|k=v|/mnt", NULL) == 0);
    options_describe(&o, &text);
    CHECK_CONTAINS(buf_str(&text), "mountpoint /mnt\n");
    CHECK_CONTAINS(buf_str(&text), "\nro yes\n");
    CHECK_CONTAINS(buf_str(&text), "\nfs rw\n");
    CHECK_CONTAINS(buf_str(&text), "\nmemory 33554432\n");
    CHECK_CONTAINS(buf_str(&text), "\nmetadata k=v\n");
    CHECK_CONTAINS(buf_str(&text), "\nlog /a?b\n");
    CHECK_CONTAINS(buf_str(&text), "\nrm home\n");
    options_clear(&o);
}

TEST(the_usage_fits_a_terminal)
{
    autobuf struct buf text = BUF_INIT;
    char *save = NULL;

    options_usage(&text);
    CHECK_CONTAINS(buf_str(&text), "MOUNTPOINT");
    CHECK_CONTAINS(buf_str(&text), "--local[=DIR]");
    for (char *l = strtok_r(text.data, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
        CASE("%s", l);
        CHECK(strlen(l) <= 100);
    }
}
