/* SPDX-License-Identifier: MIT */
/* From hostile JSON to structs. */
#include "test.h"

#include "e2b/model.h"
#include "util/xalloc.h"

#include <errno.h>
#include <sys/stat.h>

static json_t *parse(const char *text)
{
    struct e2b_err err = { 0 };
    json_t *v = NULL;

    if (jparse(text, strlen(text), &v, &err) < 0)
        test_fail(__FILE__, __LINE__, "the test's own JSON: %s: %s", err.msg, text);
    return v;
}

TEST(modes_come_from_the_permissions_string)
{
    static const struct {
        const char *text;
        int result;
        mode_t mode;
    } cases[] = {
        { "-rw-r--r--", 0, S_IFREG | 0644 },
        { "----------", 0, S_IFREG },
        { "-rwxrwxrwx", 0, S_IFREG | 0777 },
        { "drwxr-xr-x", 0, S_IFDIR | 0755 },
        { "dtrwxrwxrwx", 0, S_IFDIR | S_ISVTX | 0777 },
        { "dgrwxr-xr-x", 0, S_IFDIR | S_ISGID | 0755 },
        { "urwxr-xr-x", 0, S_IFREG | S_ISUID | 0755 },
        { "ugrwxr-xr-x", 0, S_IFREG | S_ISUID | S_ISGID | 0755 },
        { "Lrwxrwxrwx", 0, S_IFLNK | 0777 },
        { "L---------", 0, S_IFLNK | 0777 },
        { "prw-r--r--", 0, S_IFIFO | 0644 },
        { "Srwxr-xr-x", 0, S_IFSOCK | 0755 },
        { "Dcrw-rw-rw-", 0, S_IFCHR | 0666 },
        { "Drw-rw----", 0, S_IFBLK | 0660 },
        { "arw-r--r--", 0, S_IFREG | 0644 },
        { "", -EPROTO, 0 },
        { "rwxrwxrwx", -EPROTO, 0 },
        { "?rwxrwxrwx", -EPROTO, 0 },
        { "xrwxrwxrwx", -EPROTO, 0 },
        { "-rwxrwxrwX", -EPROTO, 0 },
        { "-rwxrwxrws", -EPROTO, 0 },
        { "-wrxrwxrwx", -EPROTO, 0 },
        { "dddddddddddddddddddddddddddddddrwxrwxrwx", -EPROTO, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        mode_t mode = 0;

        CASE("%s", cases[i].text);
        CHECK_INT(model_mode(cases[i].text, &mode), cases[i].result);
        CHECK_INT(mode, cases[i].mode);
    }
}

TEST(an_entry_is_read_as_envd_sends_it)
{
    autojson json_t *v = parse(
        "{\"name\":\"f\",\"type\":\"FILE_TYPE_FILE\",\"path\":\"/x/"
        "f\",\"size\":\"4398046511104\","
        "\"mode\":420,\"permissions\":\"-rw-r--r--\",\"owner\":\"user\",\"group\":\"staff\","
        "\"modifiedTime\":\"2009-02-13T23:31:30.123456789Z\",\"later\":{\"a\":[1]}}");
    struct e2b_entry e = { 0 };

    CHECK_INT(model_entry(v, NULL, &e, NULL), 0);
    CHECK_STR(e.name, "f");
    CHECK_INT(e.mode, S_IFREG | 0644);
    CHECK_INT(e.size, 4398046511104);
    CHECK_INT(e.mtime.tv_sec, 1234567890);
    CHECK_INT(e.mtime.tv_nsec, 123456789);
    CHECK_STR(e.owner, "user");
    CHECK_STR(e.group, "staff");
    e2b_entry_clear(&e);
    CHECK_INT(model_entry(v, "mine", &e, NULL), 0);
    CHECK_STR(e.name, "mine");
    e2b_entry_clear(&e);
}

#define OK_PERM "\"permissions\":\"-rw-r--r--\""

TEST(an_entry_that_lies_is_refused)
{
    static const char *const cases[] = {
        "[]",
        "1",
        "null",
        "{}",
        "{\"name\":\"\"," OK_PERM "}",
        "{\"name\":\".\"," OK_PERM "}",
        "{\"name\":\"..\"," OK_PERM "}",
        "{\"name\":\"a/b\"," OK_PERM "}",
        "{\"name\":\"/\"," OK_PERM "}",
        "{\"name\":\"../../etc/passwd\"," OK_PERM "}",
        "{\"name\":\"a\\u0000b\"," OK_PERM "}",
        "{\"name\":1," OK_PERM "}",
        "{\"name\":null," OK_PERM "}",
        "{\"name\":\"a\"}",
        "{\"name\":\"a\",\"permissions\":7}",
        "{\"name\":\"a\",\"permissions\":\"\"}",
        "{\"name\":\"a\",\"size\":-1," OK_PERM "}",
        "{\"name\":\"a\",\"size\":\"-1\"," OK_PERM "}",
        "{\"name\":\"a\",\"size\":\"9223372036854775808\"," OK_PERM "}",
        "{\"name\":\"a\",\"size\":\"12x\"," OK_PERM "}",
        "{\"name\":\"a\",\"size\":1.5," OK_PERM "}",
        "{\"name\":\"a\",\"size\":{}," OK_PERM "}",
        "{\"name\":\"a\",\"modifiedTime\":\"yesterday\"," OK_PERM "}",
        "{\"name\":\"a\",\"modifiedTime\":5," OK_PERM "}",
        "{\"name\":\"a\",\"owner\":[]," OK_PERM "}",
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        autojson json_t *v = parse(cases[i]);
        struct e2b_entry e = { .size = 77 };
        struct e2b_err err = { 0 };

        CASE("%s", cases[i]);
        CHECK_INT(model_entry(v, NULL, &e, &err), -EPROTO);
        CHECK_INT(err.errnum, EPROTO);
        CHECK(err.msg[0]);
        CHECK_INT(e.size, 77); /* untouched */
    }
}

TEST(an_entry_with_the_longest_name_is_taken_and_no_longer_one)
{
    for (int len = 255; len <= 256; len++) {
        autofree char *text = xasprintf("{\"name\":\"%0*d\"," OK_PERM "}", len, 0);
        autojson json_t *v = parse(text);
        struct e2b_entry e = { 0 };

        CASE("%d", len);
        CHECK_INT(model_entry(v, NULL, &e, NULL), len == 255 ? 0 : -EPROTO);
        e2b_entry_clear(&e);
    }
}

TEST(a_listing_is_sorted_and_has_no_name_twice)
{
    autojson json_t *good =
        parse("{\"entries\":[{\"name\":\"b\"," OK_PERM "},{\"name\":\"a\"," OK_PERM
              "},{\"name\":\"B\"," OK_PERM "}]}");
    autojson json_t *empty = parse("{}");
    static const char *const bad[] = {
        "[]",
        "{\"entries\":{}}",
        "{\"entries\":[1]}",
        "{\"entries\":[{\"name\":\"a\"," OK_PERM "},{\"name\":\"a\"," OK_PERM "}]}",
        "{\"entries\":[{\"name\":\"a\"," OK_PERM "},{\"name\":\"..\"," OK_PERM "}]}",
    };
    struct e2b_entry_list list = { 0 };

    CHECK_INT(model_entry_list(good, &list, NULL), 0);
    CHECK_INT(list.n, 3);
    CHECK_STR(list.v[0].name, "B");
    CHECK_STR(list.v[1].name, "a");
    CHECK_STR(list.v[2].name, "b");
    e2b_entry_list_clear(&list);
    CHECK_INT(model_entry_list(empty, &list, NULL), 0);
    CHECK_INT(list.n, 0);
    e2b_entry_list_clear(&list);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        autojson json_t *v = parse(bad[i]);

        CASE("%s", bad[i]);
        CHECK_INT(model_entry_list(v, &list, NULL), -EPROTO);
        CHECK(!list.v);
    }
}

TEST(ids_are_what_a_host_name_and_a_directory_can_be)
{
    static const struct {
        const char *given, *id;
    } cases[] = {
        { "i1a2b3c4d5e6f7g8h9j0k", "i1a2b3c4d5e6f7g8h9j0k" },
        { "i1a2b3-6532622b", "i1a2b3" },
        { "0b7a1c9e-1111-2222-3333-444455556666", "0b7a1c9e-1111-2222-3333-444455556666" },
        { "sbx_1", "sbx_1" },
        { "", NULL },
        { ".", NULL },
        { "..", NULL },
        { "a/b", NULL },
        { "a b", NULL },
        { "a\n", NULL },
        { "-x", NULL },
        { "_x", NULL },
        { ".e2b", NULL },
        { "a.b", NULL },
        { "caf\xc3\xa9", NULL },
        { "a?x", NULL },
        { "a%2f", NULL },
    };
    char longest[140];

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        autofree char *id = model_id(cases[i].given);

        CASE("%s", cases[i].given);
        CHECK_STR(id, cases[i].id);
    }
    (void)snprintf(longest, sizeof(longest), "%0129d", 0);
    CHECK(!model_id(longest));
    CHECK(!model_id(NULL));
}

static const char detail[] =
    "{\"sandboxID\":\"i1a2b3\",\"templateID\":\"base1\",\"alias\":\"\",\"clientID\":"
    "\"6532622b\","
    "\"startedAt\":\"2026-08-20T09:12:31.482913Z\",\"endAt\":\"2026-08-20T11:17:31+02:00\","
    "\"cpuCount\":2,\"memoryMB\":512,\"diskSizeMB\":2048,\"state\":\"paused\","
    "\"envdVersion\":\"0.6.13\",\"envdAccessToken\":\"deadbeefdeadbeef\","
    "\"trafficAccessToken\":\"cafecafecafecafe\",\"metadata\":{\"b\":\"2\",\"a\":\"1\","
    "\"token\":\"label\"},\"lifecycle\":{\"autoResume\":true,\"onTimeout\":\"pause\"},"
    "\"network\":{\"egressProxy\":{\"address\":\"p:1\",\"username\":\"joe\",\"password\":"
    "\"pw1\"},"
    "\"rules\":{\"x.y\":[{\"transform\":{\"headers\":{\"Authorization\":\"Bearer zzz\"}}}]}},"
    "\"volumeMounts\":[],\"newer\":null}";

TEST(a_sandbox_is_read_and_its_secrets_are_not_shown)
{
    static const char *const secrets[] = { "deadbeef", "cafecafe", "joe", "pw1", "zzz" };
    static const char *const kept[] = { "\"a\": \"1\"",         "\"token\": \"label\"",
                                        "Authorization",        "p:1",
                                        "\"volumeMounts\": []", "\"newer\": null",
                                        "\"autoResume\": true" };
    autojson json_t *v = parse(detail);
    struct e2b_sandbox s = { 0 }, copy = { 0 };
    struct model_access access = { 0 };

    CHECK_INT(model_sandbox(v, &s, NULL), 0);
    CHECK_STR(s.id, "i1a2b3");
    CHECK_STR(s.template_id, "base1");
    CHECK_STR(s.alias, NULL);
    CHECK_INT(s.state, E2B_STATE_PAUSED);
    CHECK_INT(s.started_at.tv_nsec, 482913000);
    CHECK_INT(s.end_at.tv_sec - s.started_at.tv_sec, 300);
    CHECK_INT(s.memory_mb, 512);
    CHECK_INT(s.n_metadata, 3);
    CHECK_STR(s.metadata[0].key, "a");
    CHECK_STR(e2b_sandbox_meta(&s, "b"), "2");
    CHECK_STR(e2b_sandbox_meta(&s, "c"), NULL);
    CHECK(s.auto_resume && s.pauses_on_timeout && s.is_secure);
    for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
        CHECK(!strstr(s.json, secrets[i]));
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        CHECK_CONTAINS(s.json, kept[i]);
    CHECK(s.json[0] == '{' && s.json[strlen(s.json) - 1] == '\n');

    e2b_sandbox_copy(&copy, &s);
    e2b_sandbox_clear(&s);
    CHECK_STR(copy.metadata[2].value, "label");
    e2b_sandbox_clear(&copy);

    CHECK_INT(model_access(v, &access, NULL), 0);
    CHECK_STR(access.token, "deadbeefdeadbeef");
    CHECK_STR(access.domain, NULL);
    model_access_clear(&access);
}

TEST(a_sandbox_with_little_said_is_taken)
{
    autojson json_t *v = parse("{\"sandboxID\":\"x1\",\"alias\":null,\"metadata\":null,"
                               "\"envdVersion\":\"\"}");
    autojson json_t *odd = parse("{\"sandboxID\":\"x1-abc\",\"state\":\"exploding\","
                                 "\"metadata\":{\"n\":5,\"o\":{\"p\":[1]},\"z\":null}}");
    struct e2b_sandbox s = { 0 };

    CHECK_INT(model_sandbox(v, &s, NULL), 0);
    CHECK_INT(s.state, E2B_STATE_RUNNING);
    CHECK_STR(s.envd_version, "");
    CHECK_STR(s.template_id, "");
    e2b_sandbox_clear(&s);
    CHECK_INT(model_sandbox(odd, &s, NULL), 0);
    CHECK_STR(s.id, "x1");
    CHECK_INT(s.state, E2B_STATE_UNKNOWN);
    CHECK_STR(e2b_sandbox_meta(&s, "n"), "5");
    CHECK_STR(e2b_sandbox_meta(&s, "o"), "{\"p\":[1]}");
    CHECK_STR(e2b_sandbox_meta(&s, "z"), "");
    e2b_sandbox_clear(&s);
}

TEST(a_sandbox_that_lies_is_refused)
{
    static const char *const cases[] = {
        "[]",
        "\"i1\"",
        "{}",
        "{\"sandboxID\":\"../etc\"}",
        "{\"sandboxID\":\"\"}",
        "{\"sandboxID\":5}",
        "{\"sandboxID\":\"a\",\"cpuCount\":-1}",
        "{\"sandboxID\":\"a\",\"cpuCount\":\"two\"}",
        "{\"sandboxID\":\"a\",\"startedAt\":\"2026\"}",
        "{\"sandboxID\":\"a\",\"startedAt\":17}",
        "{\"sandboxID\":\"a\",\"metadata\":[]}",
        "{\"sandboxID\":\"a\",\"state\":1}",
        "{\"sandboxID\":\"a\",\"lifecycle\":3}",
        "{\"sandboxID\":\"a\",\"lifecycle\":{\"autoResume\":\"yes\"}}",
    };
    static const char *const bad_access[] = {
        "{\"envdAccessToken\":\"a b\"}", "{\"envdAccessToken\":\"a\\r\\nX-Evil: 1\"}",
        "{\"envdAccessToken\":7}",       "{\"domain\":\"evil.com/x\"}",
        "{\"domain\":\"a@b\"}",          "{\"domain\":\"a:1\"}",
        "{\"domain\":\"-a\"}",           "{\"domain\":\"a\\n\"}",
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        autojson json_t *v = parse(cases[i]);
        struct e2b_sandbox s = { 0 };

        CASE("%s", cases[i]);
        CHECK_INT(model_sandbox(v, &s, NULL), -EPROTO);
        CHECK(!s.id);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad_access); i++) {
        autojson json_t *v = parse(bad_access[i]);
        struct model_access a = { 0 };

        CASE("%s", bad_access[i]);
        CHECK_INT(model_access(v, &a, NULL), -EPROTO);
        CHECK(!a.token && !a.domain);
    }
}

TEST(metrics_of_all_generations_are_bytes)
{
    autojson json_t *v = parse(
        "[{\"timestampUnix\":20,\"timestamp\":\"x\",\"cpuCount\":2,\"cpuUsedPct\":12.5,"
        "\"memUsed\":1000,\"memTotal\":2000,\"memCache\":7,\"diskUsed\":3,\"diskTotal\":4},"
        "{\"timestampUnix\":10,\"cpuUsedPct\":0,\"memUsedMiB\":1,\"memTotalMiB\":2},"
        "{\"timestamp\":\"1970-01-01T00:00:15Z\"}]");
    static const char *const bad[] = {
        "{}",
        "[1]",
        "[{}]",
        "[{\"timestampUnix\":-5}]",
        "[{\"timestampUnix\":1,\"memUsed\":-1}]",
        "[{\"timestampUnix\":1,\"cpuUsedPct\":-0.5}]",
        "[{\"timestampUnix\":1,\"cpuUsedPct\":\"1\"}]",
        "[{\"timestampUnix\":1,\"memUsedMiB\":9223372036854775807}]",
    };
    struct e2b_metrics_series s = { 0 };

    CHECK_INT(model_metrics_series(v, &s, NULL), 0);
    CHECK_INT(s.n, 3);
    CHECK_INT(s.v[0].timestamp_unix, 10);
    CHECK_INT(s.v[0].mem_used, 1 << 20);
    CHECK_INT(s.v[0].mem_cache, -1);
    CHECK_INT(s.v[1].timestamp_unix, 15);
    CHECK_INT(s.v[2].mem_total, 2000);
    CHECK_INT(s.v[2].mem_cache, 7);
    CHECK(s.v[2].cpu_used_pct == 12.5);
    e2b_metrics_series_clear(&s);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        autojson json_t *b = parse(bad[i]);

        CASE("%s", bad[i]);
        CHECK_INT(model_metrics_series(b, &s, NULL), -EPROTO);
        CHECK(!s.v);
    }
}
