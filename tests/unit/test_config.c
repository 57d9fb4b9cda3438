/* SPDX-License-Identifier: MIT */
/* Where the configuration comes from, and what wins. */
#include "test.h"

#include "e2b/config.h"
#include "util/buf.h"
#include "util/xalloc.h"

#include <e2b/client.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_A "e2b_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define KEY_B "e2b_bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define KEY_C "e2b_cccccccccccccccccccccccccccccccc"

static char home[] = "/tmp/e2b-config.XXXXXX";

static const char *const variables[] = {
    "E2B_API_KEY", "E2B_DOMAIN",           "E2B_API_URL",      "E2B_SANDBOX_URL",
    "E2B_DEBUG",   "E2B_VALIDATE_API_KEY", "E2B_ACCESS_TOKEN",
};

static void put(const char *name, const char *text, mode_t mode)
{
    autofree char *path = xasprintf("%s/%s", home, name);
    FILE *f = fopen(path, "w");

    if (!f || fputs(text, f) < 0 || fclose(f) != 0 || chmod(path, mode) < 0)
        test_fail(__FILE__, __LINE__, "writing %s", path);
}

static void drop(const char *name)
{
    autofree char *path = xasprintf("%s/%s", home, name);

    (void)unlink(path);
}

static void end(void)
{
    static const char *const files[] = { "e2bfs/config", ".e2b/config.json", "key" };
    static const char *const dirs[] = { "e2bfs", ".e2b" };

    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        drop(files[i]);
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        autofree char *path = xasprintf("%s/%s", home, dirs[i]);

        (void)rmdir(path);
    }
    (void)rmdir(home);
}

/* An empty home and no variable. */
static void begin(void)
{
    static bool is_made;

    for (size_t i = 0; i < ARRAY_LEN(variables); i++)
        unsetenv(variables[i]);
    if (!is_made) {
        autofree char *a = NULL, *b = NULL;

        if (!mkdtemp(home))
            abort();
        a = xasprintf("%s/e2bfs", home);
        b = xasprintf("%s/.e2b", home);
        (void)mkdir(a, 0700);
        (void)mkdir(b, 0700);
        (void)atexit(end);
        is_made = true;
    }
    (void)setenv("HOME", home, 1);
    (void)setenv("XDG_CONFIG_HOME", home, 1);
    drop("e2bfs/config");
    drop(".e2b/config.json");
    drop("key");
}

static struct e2b_err error;

static int load(const struct e2b_config_flags *flags, struct e2b_config *out)
{
    error = (struct e2b_err){ 0 };
    return e2b_config_load(flags, out, &error);
}

TEST(the_defaults_are_the_services)
{
    struct e2b_config c = { 0 };

    begin();
    (void)setenv("E2B_API_KEY", KEY_A, 1);
    CHECK_INT(load(NULL, &c), 0);
    CHECK_STR(c.api_key, KEY_A);
    CHECK_STR(c.api_key_source, "E2B_API_KEY");
    CHECK_STR(c.api_url, "https://api.e2b.app");
    CHECK_STR(c.sandbox_url, NULL);
    CHECK_STR(c.domain, "e2b.app");
    CHECK_STR(c.user, "user");
    CHECK(!c.debug && c.validate_key);
    e2b_config_clear(&c);
    CHECK(!c.api_key);
}

TEST(flags_win_over_the_environment_over_the_file_over_the_official_cli)
{
    struct e2b_config_flags flags = { .api_key = KEY_C, .domain = "flag.dev" };
    struct e2b_config c = { 0 };

    begin();
    put(".e2b/config.json",
        "{\"version\":2,\"projectApiKey\":\"" KEY_A "\",\"teamApiKey\":\"x\"}", 0600);
    CHECK_INT(load(NULL, &c), 0);
    CHECK_STR(c.api_key, KEY_A);
    CHECK_CONTAINS(c.api_key_source, ".e2b/config.json");
    e2b_config_clear(&c);

    put("e2bfs/config", "# mine\n\n api-key = " KEY_B " \ndomain=file.dev\nuser = root\n",
        0600);
    CHECK_INT(load(NULL, &c), 0);
    CHECK_STR(c.api_key, KEY_B);
    CHECK_STR(c.api_url, "https://api.file.dev");
    CHECK_STR(c.user, "root");
    e2b_config_clear(&c);

    (void)setenv("E2B_API_KEY", KEY_A, 1);
    (void)setenv("E2B_DOMAIN", "env.dev", 1);
    CHECK_INT(load(NULL, &c), 0);
    CHECK_STR(c.api_key, KEY_A);
    CHECK_STR(c.domain, "env.dev");
    e2b_config_clear(&c);

    CHECK_INT(load(&flags, &c), 0);
    CHECK_STR(c.api_key, KEY_C);
    CHECK_STR(c.api_key_source, "--api-key");
    CHECK_STR(c.api_url, "https://api.flag.dev");
    e2b_config_clear(&c);
}

TEST(the_credentials_file_of_older_clis_is_read_too)
{
    struct e2b_config c = { 0 };

    begin();
    put(".e2b/config.json", "{\"email\":\"x\",\"teamApiKey\":\"" KEY_B "\"}", 0600);
    CHECK_INT(load(NULL, &c), 0);
    CHECK_STR(c.api_key, KEY_B);
    e2b_config_clear(&c);
    /* A login without a key of ours, and rubbish. */
    put(".e2b/config.json", "{\"version\":2,\"tokens\":{\"access_token\":\"s3cret\"}}", 0600);
    CHECK_INT(load(NULL, &c), -EKEYREJECTED);
    CHECK_CONTAINS(error.msg, "OAuth");
    CHECK(!strstr(error.msg, "s3cret"));
    put(".e2b/config.json", "{{{", 0600);
    CHECK_INT(load(NULL, &c), -EKEYREJECTED);
    CHECK_CONTAINS(error.msg, "E2B_API_KEY");
}

TEST(debug_and_urls_are_read_as_the_sdks_do)
{
    static const struct {
        const char *debug, *domain, *api_url;
        const char *url;
        bool is_debug;
    } cases[] = {
        { "true", NULL, NULL, "http://localhost:3000", true },
        { "TRUE", NULL, NULL, "http://localhost:3000", true },
        { "1", NULL, NULL, "https://api.e2b.app", false },
        { "", "", "", "https://api.e2b.app", false },
        { "true", NULL, "https://x.y/", "https://x.y", true },
        { NULL, "corp.example", NULL, "https://api.corp.example", false },
        { NULL, NULL, "http://127.0.0.1:3000///", "http://127.0.0.1:3000", false },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct e2b_config c = { 0 };

        CASE("%zu", i);
        begin();
        (void)setenv("E2B_API_KEY", KEY_A, 1);
        if (cases[i].debug)
            (void)setenv("E2B_DEBUG", cases[i].debug, 1);
        if (cases[i].domain)
            (void)setenv("E2B_DOMAIN", cases[i].domain, 1);
        if (cases[i].api_url)
            (void)setenv("E2B_API_URL", cases[i].api_url, 1);
        CHECK_INT(load(NULL, &c), 0);
        CHECK_STR(c.api_url, cases[i].url);
        CHECK_INT(c.debug, cases[i].is_debug);
        e2b_config_clear(&c);
    }
}

TEST(a_missing_key_and_a_wrong_one_are_one_sentence_each)
{
    static const struct {
        const char *key, *validate;
        int result;
    } cases[] = {
        { KEY_A, NULL, 0 },
        { "e2b_0123456789abcdef", NULL, 0 },
        { "e2b_", NULL, -EKEYREJECTED },
        { "e2b_XYZW", NULL, -EKEYREJECTED },
        { "sk_e2b_0123456789", NULL, -EKEYREJECTED },
        { "vendor-key-7", NULL, -EKEYREJECTED },
        { "vendor-key-7", "false", 0 },
        { "vendor-key-7", "FALSE", 0 },
        { "vendor-key-7", "no", -EKEYREJECTED },
        { "vendor key", "false", -EKEYREJECTED },
        { "vendor\nkey", "false", -EKEYREJECTED },
    };
    struct e2b_config c = { 0 };

    begin();
    CHECK_INT(load(NULL, &c), -EKEYREJECTED);
    CHECK_CONTAINS(error.msg, "E2B_API_KEY");
    CHECK(!strstr(error.msg, "E2B_ACCESS_TOKEN"));
    (void)setenv("E2B_ACCESS_TOKEN", "sk_e2b_very_secret", 1);
    CHECK_INT(load(NULL, &c), -EKEYREJECTED);
    CHECK_CONTAINS(error.msg, "E2B_ACCESS_TOKEN is not used");
    CHECK(!strstr(error.msg, "very_secret"));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CASE("%s", cases[i].key);
        begin();
        (void)setenv("E2B_API_KEY", cases[i].key, 1);
        if (cases[i].validate)
            (void)setenv("E2B_VALIDATE_API_KEY", cases[i].validate, 1);
        CHECK_INT(load(NULL, &c), cases[i].result);
        if (cases[i].result < 0)
            CHECK(!strstr(error.msg, cases[i].key) || strlen(cases[i].key) < 6);
        e2b_config_clear(&c);
    }
}

TEST(a_config_file_with_a_key_must_be_private)
{
    struct e2b_config c = { 0 };

    begin();
    put("e2bfs/config", "api_key = " KEY_B "\n", 0644);
    CHECK_INT(load(NULL, &c), -EACCES);
    CHECK_CONTAINS(error.msg, "chmod 600");
    put("e2bfs/config", "api_key = " KEY_B "\n", 0640);
    CHECK_INT(load(NULL, &c), -EACCES);
    put("e2bfs/config", "domain = x.y\n", 0644);
    (void)setenv("E2B_API_KEY", KEY_A, 1);
    CHECK_INT(load(NULL, &c), 0);
    CHECK_STR(c.domain, "x.y");
    e2b_config_clear(&c);
}

TEST(bad_values_name_their_source)
{
    static const struct {
        const char *variable, *value;
    } cases[] = {
        { "E2B_API_URL", "ftp://x" },
        { "E2B_API_URL", "api.e2b.app" },
        { "E2B_API_URL", "https://" },
        { "E2B_API_URL", "https://u:p@x" },
        { "E2B_API_URL", "https://x/?q=1" },
        { "E2B_API_URL", "https://x y" },
        { "E2B_SANDBOX_URL", "http:///x" },
        { "E2B_DOMAIN", "a/b" },
        { "E2B_DOMAIN", "a b" },
        { "E2B_DOMAIN", ".." },
    };
    struct e2b_config_flags flags = { .user = "a:b" };
    struct e2b_config c = { 0 };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CASE("%s=%s", cases[i].variable, cases[i].value);
        begin();
        (void)setenv("E2B_API_KEY", KEY_A, 1);
        (void)setenv(cases[i].variable, cases[i].value, 1);
        CHECK_INT(load(NULL, &c), -EINVAL);
        CHECK_CONTAINS(error.msg, cases[i].variable);
        CHECK(!c.api_key);
    }
    begin();
    (void)setenv("E2B_API_KEY", KEY_A, 1);
    CHECK_INT(load(&flags, &c), -EINVAL);
    CHECK_CONTAINS(error.msg, "--user");
    put("e2bfs/config", "domain = x.y\nthis is no line\n", 0600);
    CHECK_INT(load(NULL, &c), -EINVAL);
    CHECK_CONTAINS(error.msg, "line 2");
    put("e2bfs/config", "request-timeout = soon\n", 0600);
    CHECK_INT(load(NULL, &c), -EINVAL);
    put("e2bfs/config", "request-timeout = 2.5\nheader = X-A: 1\n", 0600);
    CHECK_INT(load(NULL, &c), 0);
    CHECK_INT(c.request_timeout_ms, 2500);
    CHECK_STR(c.headers[0], "X-A: 1");
    CHECK(!c.headers[1]);
    e2b_config_clear(&c);
}

TEST(a_named_file_must_be_there)
{
    autofree char *path = xasprintf("%s/key", home);
    struct e2b_config_flags flags = { .config_file = "/no/such/config" };
    struct e2b_config c = { 0 };

    begin();
    (void)setenv("E2B_API_KEY", KEY_A, 1);
    CHECK_INT(load(&flags, &c), -ENOENT);
    CHECK_CONTAINS(error.msg, "/no/such/config");
    free(path);
    path = xasprintf("%s/key", home);
    flags = (struct e2b_config_flags){ .api_key_file = path };
    CHECK_INT(load(&flags, &c), -ENOENT);
    put("key", "  " KEY_B "\n\n", 0600);
    CHECK_INT(load(&flags, &c), 0);
    CHECK_STR(c.api_key, KEY_B);
    CHECK_STR(c.api_key_source, path);
    e2b_config_clear(&c);
    put("key", KEY_B "\n" KEY_A "\n", 0600);
    CHECK_INT(load(&flags, &c), -EKEYREJECTED);
    put("key", "\n", 0600);
    CHECK_INT(load(&flags, &c), -EKEYREJECTED);
}

static int note(void *arg, const char *key, const char *value, const char *where,
                struct e2b_err *err)
{
    struct buf *text = arg;

    if (strcmp(key, "bad") == 0)
        return e2b_fail(err, EINVAL, "%s: unknown key", where);
    buf_printf(text, "%s=%s;", key, value);
    return 0;
}

TEST(keys_of_the_program_are_handed_out)
{
    autobuf struct buf text = BUF_INIT;

    begin();
    put("e2bfs/config", "allow_other = yes\ndomain = x.y\nmemory=1G\n", 0600);
    error = (struct e2b_err){ 0 };
    CHECK_INT(e2b_config_file_each(NULL, note, &text, &error), 0);
    CHECK_STR(buf_str(&text), "allow-other=yes;memory=1G;");
    put("e2bfs/config", "\nbad = 1\n", 0600);
    CHECK_INT(e2b_config_file_each(NULL, note, &text, &error), -EINVAL);
    CHECK_CONTAINS(error.msg, "line 2");
}
