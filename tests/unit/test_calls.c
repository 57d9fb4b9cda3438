/* SPDX-License-Identifier: MIT */
/* What the client makes of answers, one operation after the other. */
#include "fake_api.h"

#include "util/error.h"

#define NO_ROUTE \
    "{\"code\":404,\"message\":\"validation error: no matching operation was found\"}"

static char *page(int first, int n)
{
    struct buf text = BUF_INIT;

    for (int i = 0; i < n; i++)
        buf_printf(
            &text,
            "%s{\"sandboxID\":\"p%d\",\"state\":\"running\",\"metadata\":{\"n\":\"%d\"}}",
            i ? "," : "[", first + i, (first + i) % 2);
    buf_puts(&text, n ? "]" : "[]");
    return buf_steal(&text);
}

static int list(const struct e2b_sandbox_query *query, struct e2b_sandbox_list *out)
{
    *out = (struct e2b_sandbox_list){ 0 };
    return fake_wait(e2b_sandbox_list(fake.client, query, e2b_sandbox_list_keep, out));
}

TEST(all_pages_are_read_and_one_that_fails_fails_the_list)
{
    autofree char *first = page(0, 100), *second = page(100, 7), *again = page(99, 3);
    struct e2b_sandbox_list got;

    fake_up();
    fake_control((struct fake_answer){
        .status = 200, .body = first, .headers = "x-next-token: a b/+c\r\n" });
    fake_control((struct fake_answer){ .status = 200, .body = second });
    CHECK_INT(list(NULL, &got), 0);
    CHECK_INT(got.n, 107);
    CHECK_STR(fake.paths[0], "GET /v2/sandboxes?limit=100&state=running%2Cpaused");
    CHECK_STR(fake.paths[1],
              "GET /v2/sandboxes?limit=100&state=running%2Cpaused&nextToken=a%20b%2F%2Bc");
    e2b_sandbox_list_clear(&got);

    CASE("met twice");
    fake_control(
        (struct fake_answer){ .status = 200, .body = first, .headers = "X-Next-Token: t\r\n" });
    fake_control(
        (struct fake_answer){ .status = 200, .body = again, .headers = "X-Next-Token: \r\n" });
    CHECK_INT(list(NULL, &got), 0);
    CHECK_INT(got.n, 102);
    e2b_sandbox_list_clear(&got);

    CASE("second page fails");
    fake_control(
        (struct fake_answer){ .status = 200, .body = first, .headers = "X-Next-Token: t\r\n" });
    fake_control((struct fake_answer){ .status = 500, .body = "" });
    CHECK_INT(list(NULL, &got), -EIO);
    CHECK_INT(got.n, 0);

    CASE("pages without end");
    for (int i = 0; i < 2; i++)
        fake_control((struct fake_answer){
            .status = 200, .body = first, .headers = "X-Next-Token: same\r\n" });
    CHECK_INT(list(NULL, &got), -EPROTO);
    fake_down();
}

TEST(filters_are_sent_and_checked_again)
{
    struct e2b_pair metadata[] = { { (char *)"n", (char *)"1" } };
    struct e2b_pair odd[] = { { (char *)"a", (char *)"x&y" }, { (char *)"b", (char *)"a b" } };
    struct e2b_sandbox_query query = { .metadata = metadata, .n_metadata = 1, .limit = 3 };
    autofree char *all = page(0, 10);
    struct e2b_sandbox_list got;

    fake_up();
    fake_control((struct fake_answer){ .status = 200, .body = all });
    CHECK_INT(list(&query, &got), 0);
    CHECK_INT(got.n, 3);
    CHECK_STR(got.v[0].id, "p1");
    CHECK_STR(fake.paths[0], "GET /v2/sandboxes?metadata=n%3D1&limit=3&state=running%2Cpaused");
    e2b_sandbox_list_clear(&got);

    query = (struct e2b_sandbox_query){
        .metadata = odd, .n_metadata = 2, .state = E2B_STATE_PAUSED, .template_ref = "t/x"
    };
    fake_control((struct fake_answer){ .status = 200, .body = all });
    CHECK_INT(list(&query, &got), 0);
    CHECK_INT(got.n, 0);
    CHECK_STR(fake.paths[1],
              "GET /v2/sandboxes?metadata=a%3Dx%252526y%26b%3Da%252520b&limit=100"
              "&state=paused&template=t%2Fx");
    e2b_sandbox_list_clear(&got);
    fake_down();
}

TEST(an_old_server_is_listed_by_its_first_version)
{
    autofree char *all = page(0, 3);
    struct e2b_sandbox_list got;

    fake_up();
    fake_control((struct fake_answer){ .status = 404, .body = NO_ROUTE });
    fake_control((struct fake_answer){ .status = 200, .body = all });
    CHECK_INT(list(NULL, &got), 0);
    CHECK_INT(got.n, 3);
    CHECK_STR(fake.paths[1], "GET /sandboxes?");
    e2b_sandbox_list_clear(&got);
    fake_control((struct fake_answer){ .status = 200, .body = all });
    CHECK_INT(list(NULL, &got), 0); /* it is remembered */
    CHECK_INT(fake_count(&fake.n_heads), 3);
    e2b_sandbox_list_clear(&got);
    fake_down();
}

TEST(a_list_that_is_no_list_is_an_error_and_never_empty)
{
    static const struct {
        struct fake_answer answer;
        int errnum;
    } cases[] = {
        { { .status = 200, .body = "{}" }, EPROTO },
        { { .status = 200, .body = "" }, EPROTO },
        { { .status = 200, .body = "[{}]" }, EPROTO },
        { { .status = 200, .body = "[{\"sandboxID\":\"a\"},{\"sandboxID\":\"../b\"}]" },
          EPROTO },
        { { .status = 200, .body = "<html>hotel wifi: log in</html>" }, EPROTO },
        { { .status = 200, .body = "[", .cut = 10 }, ECONNRESET },
        { { .status = 401, .body = "{\"code\":401,\"message\":\"Invalid API key\"}" },
          EKEYREJECTED },
        { { .status = 403, .body = "{\"code\":403,\"message\":\"team is blocked\"}" }, EACCES },
        { { .status = 404, .body = "{\"code\":404,\"message\":\"x\"}" }, ENOENT },
        { { .status = 500, .body = "x" }, EIO },
        { { .status = 502, .body = "<html>" }, EHOSTUNREACH },
        { { .status = 503, .body = "x" }, EAGAIN },
        { { .status = 504, .body = "x" }, ETIMEDOUT },
        { { .status = 0 }, ECONNRESET },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct e2b_sandbox_list got;

        CASE("%d %s", cases[i].answer.status,
             cases[i].answer.body ? cases[i].answer.body : "reset");
        fake_up();
        for (int k = 0; k < 4; k++)
            fake_control(cases[i].answer);
        CHECK_STR(errno_name(-list(NULL, &got)), errno_name(cases[i].errnum));
        CHECK(fake.err.msg[0]);
        CHECK(!got.v);
        fake_down();
    }
}

TEST(creating_falls_back_and_always_sends_a_timeout)
{
    struct e2b_pair envs[] = { { (char *)"A", (char *)"b" } };
    struct e2b_create create = { .envs = envs, .n_envs = 1 };
    struct e2b_sandbox made = { 0 };

    fake_up();
    fake_control((struct fake_answer){ .status = 404, .body = NO_ROUTE });
    fake_control((struct fake_answer){
        .status = 201,
        .body = "{\"sandboxID\":\"" FAKE_ID
                "\",\"templateID\":\"t\",\"envdAccessToken\":\"fresh-token-1\","
                "\"envdVersion\":\"0.6.13\"}" });
    CHECK_INT(fake_wait(e2b_sandbox_create(fake.client, &create, e2b_sandbox_keep, &made)), 0);
    CHECK_STR(made.id, FAKE_ID);
    CHECK(!strstr(made.json, "fresh-token-1"));
    CHECK_STR(fake.paths[0], "POST /v2/sandboxes");
    CHECK_STR(fake.paths[1], "POST /sandboxes");
    CHECK_STR(fake.bodies[0],
              "{\"templateID\":\"base\",\"timeout\":300,\"envVars\":{\"A\":\"b\"}}");
    CHECK_STR(fake.bodies[1],
              "{\"templateID\":\"base\",\"timeout\":300,\"envVars\":{\"A\":\"b\"},"
              "\"secure\":true}");
    /* Its answer says all that is needed to use it. */
    CHECK_INT(fake_stat(), 0);
    CHECK_INT(fake_count(&fake.gets), 0);
    CHECK_CONTAINS(fake.heads[2], "X-Access-Token: fresh-token-1\r\n");
    e2b_sandbox_clear(&made);
    fake_down();
}

TEST(creating_is_not_tried_twice_after_a_lost_answer)
{
    struct e2b_create create = { .timeout_s = 5 };
    struct e2b_sandbox made = { 0 };

    fake_up();
    fake_control((struct fake_answer){ .status = 0 });
    CHECK_INT(fake_wait(e2b_sandbox_create(fake.client, &create, e2b_sandbox_keep, &made)),
              -ECONNRESET);
    CHECK_INT(fake_count(&fake.n_heads), 1);
    fake_down();
}

TEST(killing_twice_after_a_lost_answer_is_success)
{
    fake_up();
    fake_control((struct fake_answer){ .status = 0 });
    fake_control(
        (struct fake_answer){ .status = 404, .body = "{\"code\":404,\"message\":\"no\"}" });
    CHECK_INT(fake_wait(e2b_sandbox_kill(fake.client, FAKE_ID, e2b_done_ignore, NULL)), 0);
    fake_control(
        (struct fake_answer){ .status = 404, .body = "{\"code\":404,\"message\":\"no\"}" });
    CHECK_INT(fake_wait(e2b_sandbox_kill(fake.client, FAKE_ID, e2b_done_ignore, NULL)),
              -ENOENT);
    fake_down();
}

TEST(a_timeout_of_a_paused_sandbox_says_so)
{
    static const struct fake_answer no = { .status = 404,
                                           .body = "{\"code\":404,\"message\":\"no\"}" };

    fake_up();
    FAKE_SET(state, "paused");
    fake_control(no);
    CHECK_INT(
        fake_wait(e2b_sandbox_set_timeout(fake.client, FAKE_ID, 60, e2b_done_ignore, NULL)),
        -EHOSTDOWN);
    CHECK_STR(fake.bodies[0], "{\"timeout\":60}");
    FAKE_SET(state, NULL);
    fake_control(no);
    CHECK_INT(
        fake_wait(e2b_sandbox_set_timeout(fake.client, FAKE_ID, 60, e2b_done_ignore, NULL)),
        -ENOENT);
    CHECK_INT(fake_count(&fake.n_heads), 4);
    CHECK_INT(
        fake_wait(e2b_sandbox_set_timeout(fake.client, FAKE_ID, 0, e2b_done_ignore, NULL)),
        -EINVAL);
    CHECK_INT(fake_count(&fake.n_heads), 4); /* nothing was sent */
    fake_down();
}

struct batch {
    size_t n;
    int64_t used;
    char id[32];
};

static void keep_batch(void *arg, const struct e2b_metrics_entry *v, size_t n,
                       const struct e2b_err *err)
{
    struct batch *b = arg;

    b->n = n;
    if (!err && n > 0) {
        b->used = v[0].m.mem_used;
        (void)snprintf(b->id, sizeof(b->id), "%s", v[0].id);
    }
}

TEST(metrics_of_many_are_one_request)
{
    const char *ids[E2B_METRICS_BATCH_MAX + 1];
    struct batch b = { 0 };

    fake_up();
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        ids[i] = "a";
    ids[1] = "b";
    fake_control((struct fake_answer){
        .status = 200,
        .body = "{\"sandboxes\":{\"b\":{\"timestampUnix\":5,\"memUsed\":77}}}" });
    CHECK_INT(fake_wait(e2b_sandbox_metrics_batch(fake.client, ids, 2, keep_batch, &b)), 0);
    CHECK_INT(b.n, 1);
    CHECK_STR(b.id, "b");
    CHECK_INT(b.used, 77);
    CHECK_STR(fake.paths[0], "GET /sandboxes/metrics?sandbox_ids=a%2Cb");
    CHECK_INT(
        fake_wait(e2b_sandbox_metrics_batch(fake.client, ids, ARRAY_LEN(ids), keep_batch, &b)),
        -EINVAL);
    CHECK_INT(fake_wait(e2b_sandbox_metrics_batch(fake.client, ids, 0, keep_batch, &b)), 0);
    CHECK_INT(b.n, 0);
    CHECK_INT(fake_count(&fake.n_heads), 1);
    fake_down();
}

/* ---- reading files ---- */

struct sink {
    char data[256];
    size_t len;
    struct e2b_read_info info;
};

static int sink_data(void *arg, const char *data, size_t len)
{
    struct sink *s = arg;

    if (s->len + len > sizeof(s->data))
        return -EFBIG;
    memcpy(s->data + s->len, data, len);
    s->len += len;
    return 0;
}

static void sink_done(void *arg, const struct e2b_read_info *info, const struct e2b_err *err)
{
    if (!err)
        ((struct sink *)arg)->info = *info;
}

TEST(only_the_range_that_was_asked_for_is_taken)
{
    static const struct {
        int64_t off, len;
        struct fake_answer answer;
        int errnum;
        const char *data;
        int64_t size;
    } cases[] = {
        { 2, 3, { 206, "Content-Range: bytes 2-4/10\r\n", "cde", 0, 0, false }, 0, "cde", 10 },
        { 2, 0, { 206, "Content-Range: bytes 2-4/5\r\n", "cde", 0, 0, false }, 0, "cde", 5 },
        /* clipped at the end */
        { 2, 9, { 206, "Content-Range: bytes 2-4/5\r\n", "cde", 0, 0, false }, 0, "cde", 5 },
        /* another range, no range, an impossible one */
        { 2, 3, { 206, "Content-Range: bytes 1-3/10\r\n", "bcd", 0, 0, false }, EPROTO, "", 0 },
        { 2,
          3,
          { 206, "Content-Range: bytes 2-9/10\r\n", "cdefghij", 0, 0, false },
          EPROTO,
          "",
          0 },
        { 2, 3, { 206, NULL, "cde", 0, 0, false }, EPROTO, "", 0 },
        { 2, 3, { 206, "Content-Range: bytes 2-4/3\r\n", "cde", 0, 0, false }, EPROTO, "", 0 },
        { 2, 3, { 206, "Content-Range: bytes 4-2/9\r\n", "cde", 0, 0, false }, EPROTO, "", 0 },
        { 2, 3, { 206, "Content-Range: lines 2-4/9\r\n", "cde", 0, 0, false }, EPROTO, "", 0 },
        /* shorter than its own header says */
        { 2,
          3,
          { 206, "Content-Range: bytes 2-4/10\r\n", "cd", 0, 0, false },
          ECONNRESET,
          "cd",
          0 },
        { 2,
          3,
          { 206, "Content-Range: bytes 2-4/10\r\n", "cd", 0, 1, false },
          ECONNRESET,
          "cd",
          0 },
        /* a whole file where a part was asked for begins at 0 */
        { 2, 3, { 200, NULL, "abcdefgh", 0, 0, false }, 0, "cde", 8 },
        { 0, 3, { 200, NULL, "abcdefgh", 0, 0, false }, 0, "abc", 8 },
        { 2, 0, { 200, NULL, "abcd", 0, 0, false }, 0, "cd", 4 },
        { 9, 3, { 200, NULL, "abcd", 0, 0, false }, 0, "", 4 },
        { 9, 3, { 200, NULL, "", 0, 0, false }, 0, "", 0 },
        { 2, 3, { 200, NULL, "abcdefgh", 0, 0, true }, 0, "cde", -1 },
        { 0, 0, { 200, NULL, "abc", 0, 5, false }, ECONNRESET, "abc", 0 },
        /* past the end */
        { 50,
          3,
          { 416, "Content-Range: bytes */10\r\n", "invalid range", 0, 0, false },
          0,
          "",
          10 },
        { 50, 3, { 416, NULL, "invalid range", 0, 0, false }, 0, "", -1 },
        { 0, 3, { 200, "Content-Encoding: gzip\r\n", "abc", 0, 0, false }, EPROTO, "", 0 },
        /* no file */
        { 0, 3, { 204, NULL, "", 0, 0, false }, EPROTO, "", 0 },
        { 0, 3, { 404, NULL, "404 page not found", 0, 0, false }, EIO, "", 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct sink s = { 0 };
        struct e2b_read read = { .path = "/x y+z", .off = cases[i].off, .len = cases[i].len };

        CASE("%zu: %d", i, cases[i].answer.status);
        fake_up();
        fake_data(cases[i].answer);
        CHECK_STR(errno_name(-fake_wait(
                      e2b_file_read(fake.client, FAKE_ID, &read, sink_data, sink_done, &s))),
                  errno_name(cases[i].errnum));
        CHECK(s.len == strlen(cases[i].data) && memcmp(s.data, cases[i].data, s.len) == 0);
        CHECK_INT(s.info.size, cases[i].size);
        CHECK_STR(fake.paths[1], "GET /files?path=%2Fx%20y%2Bz&username=user");
        CHECK(!strcasestr(fake.heads[1], "gzip"));
        fake_down();
    }
}

TEST(a_read_that_got_nothing_is_tried_again_but_not_one_that_got_something)
{
    struct e2b_read read = { .path = "/x", .len = 4 };
    struct sink s = { 0 };

    fake_up();
    fake_data((struct fake_answer){ .status = 0 });
    fake_data((struct fake_answer){
        .status = 206, .headers = "Content-Range: bytes 0-3/4\r\n", .body = "abcd" });
    CHECK_INT(fake_wait(e2b_file_read(fake.client, FAKE_ID, &read, sink_data, sink_done, &s)),
              0);
    CHECK_INT(s.len, 4);
    CHECK_INT(fake_count(&fake.data), 2);
    s = (struct sink){ 0 };
    fake_data((struct fake_answer){
        .status = 206, .headers = "Content-Range: bytes 0-3/4\r\n", .body = "ab", .cut = 2 });
    CHECK_INT(fake_wait(e2b_file_read(fake.client, FAKE_ID, &read, sink_data, sink_done, &s)),
              -ECONNRESET);
    CHECK_INT(s.len, 2);
    CHECK_INT(fake_count(&fake.data), 3);
    fake_down();
}

TEST(an_upload_counts_only_if_the_server_names_the_file)
{
    static const struct {
        int status;
        const char *body;
        int errnum;
    } cases[] = {
        { 200, "[{\"name\":\"x\",\"path\":\"/x\",\"type\":\"file\"}]", 0 },
        { 200, "[]", EPROTO },
        { 200, "", EPROTO },
        { 200, "{}", EPROTO },
        { 200, "[{\"path\":\"/y\"}]", EPROTO },
        { 200, "[{\"path\":\"/x\"},{\"path\":\"/x\"}]", EPROTO },
        { 507, "{\"code\":507,\"message\":\"not enough disk space available\"}", ENOSPC },
        { 500, "{\"code\":500,\"message\":\"open /x: read-only file system\"}", EROFS },
    };
    FILE *f = tmpfile();

    REQUIRE(f && fputs("hello", f) >= 0 && fflush(f) == 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct e2b_write write = {
            .path = "/x", .owner = "root", .fd = fileno(f), .off = 1, .len = 3
        };

        CASE("%s", cases[i].body);
        fake_up();
        fake_data((struct fake_answer){ .status = cases[i].status, .body = cases[i].body });
        CHECK_STR(errno_name(-fake_wait(
                      e2b_file_write(fake.client, FAKE_ID, &write, e2b_done_ignore, NULL))),
                  errno_name(cases[i].errnum));
        CHECK_STR(fake.bodies[1], "ell");
        CHECK_STR(fake.paths[1], "POST /files?path=%2Fx&username=root");
        CHECK_CONTAINS(fake.heads[1], "Content-Type: application/octet-stream\r\n");
        fake_down();
    }
    (void)fclose(f);
}

/* ---- directories ---- */

#define ENTRY(name) "{\"name\":\"" name "\",\"permissions\":\"-rw-r--r--\"}"
#define RACE                                                                               \
    "{\"code\":\"internal\",\"message\":\"error reading directory /d: open /d/x: no such " \
    "file or "                                                                             \
    "directory\"}"

TEST(a_directory_that_vanishes_inside_is_listed_again)
{
    struct e2b_entry_list got = { 0 };

    fake_up();
    fake_data((struct fake_answer){ .status = 500, .body = RACE });
    fake_data((struct fake_answer){ .status = 500, .body = RACE });
    fake_data((struct fake_answer){ .status = 200,
                                    .body = "{\"entries\":[" ENTRY("b") "," ENTRY("a") "]}" });
    CHECK_INT(fake_wait(e2b_file_list(fake.client, FAKE_ID, "/d", e2b_entry_list_keep, &got)),
              0);
    CHECK_INT(got.n, 2);
    CHECK_STR(got.v[0].name, "a");
    CHECK_INT(fake_count(&fake.data), 3);
    CHECK_CONTAINS(fake.heads[1], "gzip");
    e2b_entry_list_clear(&got);
    fake_down();
}

/* Enveloped messages, with their lengths as the protocol wants them. */
static void message(struct buf *out, int flags, const char *json)
{
    size_t len = strlen(json);

    buf_putc(out, (char)flags);
    for (int shift = 24; shift >= 0; shift -= 8)
        buf_putc(out, (char)(len >> shift));
    buf_append(out, json, len);
}

TEST(what_envd_cannot_write_down_is_asked_of_find)
{
    static const char record[] =
        "{\"event\":{\"data\":{\"stdout\":"
        /* f 644 user user 1000 1000 5 1 9 8 1.5 1.5 1.5 - "x" */
        "\"Zgk2NDQJdXNlcgl1c2VyCTEwMDAJMTAwMAk1CTEJOQk4CTEuNQkxLjUJMS41CQB4AA==\"}}}";
    autobuf struct buf stream = BUF_INIT;
    struct e2b_entry_list got = { 0 };

    message(&stream, 0, "{\"event\":{\"start\":{\"pid\":5}}}");
    message(&stream, 0, record);
    message(&stream, 0, "{\"event\":{\"end\":{\"exited\":true,\"status\":\"exit status 0\"}}}");
    message(&stream, 2, "{}");
    fake_up();
    fake_data((struct fake_answer){ .status = 500,
                                    .body = "{\"code\":\"internal\",\"message\":\"marshal "
                                            "message: proto: field x contains invalid "
                                            "UTF-8\"}" });
    fake_data((struct fake_answer){
        .status = 200, .body = stream.data, .len = stream.len, .is_open = true });
    CHECK_INT(fake_wait(e2b_file_list(fake.client, FAKE_ID, "/d", e2b_entry_list_keep, &got)),
              0);
    CHECK_INT(got.n, 1);
    REQUIRE(got.n == 1);
    CHECK_STR(got.v[0].name, "x");
    CHECK_INT(got.v[0].uid, 1000);
    CHECK_STR(fake.paths[2], "POST /process.Process/Start");
    CHECK_CONTAINS(fake.heads[2], "Authorization: Basic cm9vdDo=\r\n");
    CHECK_CONTAINS(fake.heads[2], "Connect-Timeout-Ms: 30000\r\n");
    e2b_entry_list_clear(&got);
    fake_down();
}

/* ---- streams ---- */

struct ended {
    int errnum, exit_code, signal;
    size_t n_out;
    uint32_t pid;
    char msg[E2B_ERR_MSG_MAX];
};

static int ended_event(void *arg, const struct e2b_process_event *event)
{
    struct ended *e = arg;

    if (event->kind == E2B_PROCESS_START)
        e->pid = event->pid;
    else
        e->n_out += event->len;
    return 0;
}

static void ended_done(void *arg, const struct e2b_process_end *end, const struct e2b_err *err)
{
    struct ended *e = arg;

    e->exit_code = end ? end->exit_code : -1;
    e->signal = end ? end->signal : -1;
    e->errnum = err ? err->errnum : 0;
    (void)snprintf(e->msg, sizeof(e->msg), "%s", err ? err->msg : "");
}

#define START     "{\"event\":{\"start\":{\"pid\":5}}}"
#define OUT(b64)  "{\"event\":{\"data\":{\"stdout\":\"" b64 "\"}}}"
#define END(rest) "{\"event\":{\"end\":{" rest "}}}"

TEST(a_stream_is_believed_only_as_far_as_it_says_how_it_ended)
{
    static const struct {
        const char *messages[4];
        const char *end; /* NULL: it breaks off */
        int errnum, exit_code, signal;
        size_t n_out;
    } cases[] = {
        { { START, OUT("aGk="),
            END("\"exited\":true,\"exitCode\":7,\"status\":\"exit status 7\"") },
          "{}",
          0,
          7,
          0,
          2 },
        { { START, "{\"event\":{\"keepalive\":{}}}", "{\"event\":{\"newer\":{}}}",
            END("\"exited\":true") },
          "{}",
          0,
          0,
          0,
          0 },
        { { START, END("\"exitCode\":-1,\"status\":\"signal: killed\"") }, "{}", 0, 137, 9, 0 },
        { { START,
            END("\"exitCode\":-1,\"status\":\"signal: segmentation fault (core dumped)\"") },
          "{}",
          0,
          139,
          11,
          0 },
        { { START, END("\"exitCode\":143,\"status\":\"terminated\"") }, "{}", 0, 143, 15, 0 },
        { { START, END("\"exitCode\":-1,\"status\":\"signal: signal 40\"") },
          "{}",
          0,
          168,
          40,
          0 },
        { { START, END("\"exitCode\":-1,\"status\":\"gone\"") }, "{}", 0, 255, 0, 0 },
        /* no end event, no end message, no end at all */
        { { START, OUT("aGk=") }, "{}", EPROTO, -1, -1, 2 },
        { { START, END("\"exited\":true") }, NULL, ECONNRESET, -1, -1, 0 },
        { { START }, NULL, ECONNRESET, -1, -1, 0 },
        { { NULL }, NULL, ECONNRESET, -1, -1, 0 },
        /* errors inside HTTP 200 */
        { { NULL },
          "{\"error\":{\"code\":\"unauthenticated\",\"message\":\"invalid username: 'x'\"}}",
          EACCES,
          -1,
          -1,
          0 },
        { { NULL },
          "{\"error\":{\"code\":\"invalid_argument\",\"message\":\"cwd '/x' does not exist\"}}",
          ENOENT,
          -1,
          -1,
          0 },
        { { START }, "{\"error\":{\"code\":\"deadline_exceeded\"}}", ETIMEDOUT, -1, -1, 0 },
        { { START }, "{\"error\":{\"code\":\"made_up\",\"message\":\"x\"}}", EIO, -1, -1, 0 },
        /* lies */
        { { START, END("\"exited\":true,\"exitCode\":256") }, "{}", EPROTO, -1, -1, 0 },
        { { START, END("\"exited\":true,\"exitCode\":-7") }, "{}", EPROTO, -1, -1, 0 },
        { { START, END("\"exited\":true"), OUT("aGk=") }, "{}", EPROTO, -1, -1, 0 },
        { { "{\"event\":{\"start\":{\"pid\":0}}}" }, "{}", EPROTO, -1, -1, 0 },
        { { "{\"event\":{\"start\":{\"pid\":99999999999}}}" }, "{}", EPROTO, -1, -1, 0 },
        { { START, OUT("!!!") }, "{}", EPROTO, -1, -1, 0 },
        { { START, "{\"event\":{\"data\":{\"stdout\":5}}}" }, "{}", EPROTO, -1, -1, 0 },
        { { START, "no json" }, "{}", EPROTO, -1, -1, 0 },
        { { START }, "no json", EPROTO, -1, -1, 0 },
    };
    const char *const argv[] = { "x", NULL };
    struct e2b_process_spec spec = { .argv = argv };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        autobuf struct buf stream = BUF_INIT;
        struct ended e = { 0 };

        CASE("%zu", i);
        for (int k = 0; k < 4 && cases[i].messages[k]; k++)
            message(&stream, 0, cases[i].messages[k]);
        if (cases[i].end)
            message(&stream, 2, cases[i].end);
        fake_up();
        fake_data((struct fake_answer){
            .status = 200, .body = stream.len ? stream.data : "", .len = stream.len });
        fake_wait(e2b_process_start(fake.client, FAKE_ID, &spec, ended_event, ended_done, &e));
        CHECK_STR(errno_name(e.errnum), errno_name(cases[i].errnum));
        CHECK_INT(e.exit_code, cases[i].exit_code);
        CHECK_INT(e.signal, cases[i].signal);
        CHECK_INT(e.n_out, cases[i].n_out);
        if (e.errnum)
            CHECK_CONTAINS(e.msg, FAKE_ID);
        CHECK_INT(fake_count(&fake.data), 1); /* never started twice */
        fake_down();
    }
}

TEST(a_stream_with_a_giant_or_compressed_message_is_refused)
{
    static const char giant[] = "\x00\x7f\xff\xff\xffxxxx";
    static const char packed[] = "\x01\x00\x00\x00\x02{}";
    static const struct {
        const char *text;
        size_t len;
        int errnum;
    } cases[] = { { giant, sizeof(giant) - 1, EFBIG }, { packed, sizeof(packed) - 1, EPROTO } };
    const char *const argv[] = { "x", NULL };
    struct e2b_process_spec spec = { .argv = argv };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ended e = { 0 };

        CASE("%zu", i);
        fake_up();
        fake_data((struct fake_answer){
            .status = 200, .body = cases[i].text, .len = cases[i].len, .is_open = true });
        fake_wait(e2b_process_start(fake.client, FAKE_ID, &spec, ended_event, ended_done, &e));
        CHECK_INT(e.errnum, cases[i].errnum);
        fake_down();
    }
}

TEST(what_envd_cannot_be_told_is_not_sent)
{
    const char *const argv[] = { "x", "\xff", NULL };
    const char *const none[] = { NULL };
    struct e2b_process_spec spec = { .argv = argv };
    struct ended e = { 0 };
    struct e2b_entry entry = { 0 };

    fake_up();
    CHECK_INT(
        fake_wait(e2b_process_start(fake.client, FAKE_ID, &spec, ended_event, ended_done, &e)),
        -EILSEQ);
    spec.argv = none;
    CHECK_INT(
        fake_wait(e2b_process_start(fake.client, FAKE_ID, &spec, ended_event, ended_done, &e)),
        -EINVAL);
    CHECK_INT(fake_wait(e2b_file_stat(fake.client, FAKE_ID, "/a\xff", e2b_entry_keep, &entry)),
              -EILSEQ);
    CHECK_INT(fake_count(&fake.n_heads), 0);
    fake_down();
}
