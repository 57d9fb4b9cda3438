/* SPDX-License-Identifier: MIT */
/* The engine against a server that misbehaves (http_server.h). */
#include "test.h"

#include "http/engine.h"
#include "http_server.h"
#include "util/xalloc.h"

#include <dlfcn.h>
#include <netdb.h>

static struct loop *loop;
static struct http_engine *engine;
static struct server server;

static void begin_with(server_fn *handle, bool leave_body)
{
    struct http_engine_config config = { .user_agent = "e2b-test/1" };

    server = (struct server){ .leave_body = leave_body };
    server_start(&server, handle);
    loop = loop_new(NULL);
    engine = loop ? http_engine_new(loop, &config, NULL) : NULL;
    if (!engine)
        abort();
}

static void begin(server_fn *handle)
{
    begin_with(handle, false);
}

static void end(void)
{
    http_engine_free(engine);
    loop_free(loop);
    server_stop(&server);
}

/* One call with everything that came of it. */
struct call {
    struct http_transfer *t; /* NULL once done */
    int heads, done;
    int errnum; /* 0: it worked */
    char msg[E2B_ERR_MSG_MAX];
    int status;
    int64_t content_length;
    char header[64]; /* value of X-Test */
    struct buf body; /* collected or streamed */
    uint64_t bytes_sent, bytes_received;
    bool sent_any;
    int64_t elapsed_ms;

    /* What the callbacks do. */
    int head_result, data_result;
    bool pause_next;
    int pauses;
    const char *to_pull;
    size_t pull_piece; /* at most so much at a time; 0: nothing now */
    int pull_result;   /* negative: fails with that */
    int pulls;
};

static int on_head(void *arg, const struct http_head *head)
{
    struct call *c = arg;

    CHECK_INT(c->done, 0);
    c->heads++;
    c->status = head->status;
    c->content_length = head->content_length;
    return c->head_result;
}

static int on_data(void *arg, const char *data, size_t len)
{
    struct call *c = arg;

    CHECK_INT(c->done, 0);
    CHECK_INT(c->heads, 1);
    if (c->data_result < 0)
        return c->data_result;
    if (c->pause_next) {
        c->pause_next = false;
        c->pauses++;
        return HTTP_PAUSE;
    }
    return buf_append(&c->body, data, len);
}

static ssize_t pull(void *arg, char *out, size_t len)
{
    struct call *c = arg;
    size_t n = strlen(c->to_pull);

    c->pulls++;
    if (c->pull_result < 0)
        return c->pull_result;
    if (n == 0)
        return 0;
    if (c->pull_piece == 0)
        return -EAGAIN;
    if (n > c->pull_piece)
        n = c->pull_piece;
    if (n > len)
        n = len;
    memcpy(out, c->to_pull, n);
    c->to_pull += n;
    return (ssize_t)n;
}

static void on_done(void *arg, const struct http_response *resp, const struct e2b_err *err)
{
    struct call *c = arg;
    const char *x = http_header(&resp->head, "X-Test");

    c->done++;
    c->t = NULL;
    c->errnum = err ? err->errnum : 0;
    if (err)
        strcpy(c->msg, err->msg);
    c->status = resp->head.status;
    c->content_length = resp->head.content_length;
    (void)snprintf(c->header, sizeof(c->header), "%s", x ? x : "");
    if (resp->body->len)
        buf_append(&c->body, resp->body->data, resp->body->len);
    c->bytes_sent = resp->bytes_sent;
    c->bytes_received = resp->bytes_received;
    c->sent_any = resp->sent_any;
    c->elapsed_ms = resp->elapsed_ms;
}

static void start(struct call *c, const char *method, const char *path,
                  struct http_request *req)
{
    autofree char *url = xasprintf("http://127.0.0.1:%d%s", server.port, path);

    req->method = method;
    req->url = url;
    c->t = http_start(engine, req, on_done, c);
    CHECK_INT(c->done, 0);
}

static void finish(struct call *c)
{
    CHECK_SOON(c->done, loop_turn(loop, 1000));
    CHECK_INT(c->done, 1);
}

static void run(struct call *c, const char *method, const char *path, struct http_request *req)
{
    start(c, method, path, req);
    finish(c);
}

static void get(struct call *c, const char *path)
{
    run(c, "GET", path, &(struct http_request){ 0 });
}

static void call_clear(struct call *c)
{
    buf_clear(&c->body);
}
#define autocall __attribute__((cleanup(call_clear))) struct call

/* ---- what works ---- */

static bool echo(struct conn *c)
{
    return server_printf(c, "HTTP/1.1 200 OK\r\nX-Test: %s %s\r\nContent-Length: %zu\r\n\r\n",
                         c->method, c->path, c->body_len) &&
           server_send(c, c->body, c->body_len);
}

TEST(an_answer_is_collected)
{
    autocall c = { 0 };

    begin(echo);
    run(&c, "POST", "/a?b=c",
        &(struct http_request){
            .body = { .kind = HTTP_BODY_BYTES, .data = "hello", .len = 5 } });
    CHECK_INT(c.errnum, 0);
    CHECK_INT(c.status, 200);
    CHECK_INT(c.content_length, 5);
    CHECK_STR(c.header, "POST /a?b=c");
    CHECK_STR(buf_str(&c.body), "hello");
    CHECK_INT(c.bytes_sent, 5);
    CHECK_INT(c.bytes_received, 5);
    CHECK(c.sent_any);
    end();
}

TEST(connections_are_kept_and_reused)
{
    struct http_stats stats;

    begin(echo);
    for (int i = 0; i < 20; i++) {
        autocall c = { 0 };

        get(&c, "/");
        CHECK_INT(c.status, 200);
    }
    CHECK_INT(server.connections, 1);
    http_engine_stats(engine, &stats);
    CHECK_INT(stats.started, 20);
    CHECK_INT(stats.finished, 20);
    CHECK_INT(stats.failed, 0);
    CHECK_INT(stats.connections, 1);
    end();
}

TEST(many_requests_at_once_stay_within_the_limit_of_connections)
{
    enum { N = 300 };
    struct http_engine_config config = { .user_agent = "x", .max_per_host = 8 };
    struct call *calls = xcalloc(N, sizeof(*calls));
    int done = 0;

    begin(echo);
    http_engine_free(engine);
    engine = http_engine_new(loop, &config, NULL);
    for (int i = 0; i < N; i++)
        start(&calls[i], "GET", "/", &(struct http_request){ 0 });
    CHECK_SOON(done == N, {
        loop_turn(loop, 1000);
        done = 0;
        for (int i = 0; i < N; i++)
            done += calls[i].done;
    });
    for (int i = 0; i < N; i++)
        CHECK_INT(calls[i].errnum, 0);
    CHECK(server.connections <= 8);
    end();
    free(calls);
}

static bool show_head(struct conn *c)
{
    return server_answer(c, 200, c->head);
}

TEST(the_head_says_what_was_asked_for_and_nothing_else)
{
    const char *headers[] = { "X-Api-Key: k", "Content-Type: application/json", NULL };
    autocall c = { 0 }, plain = { 0 };

    begin(show_head);
    run(&c, "PATCH", "/x%2Fy/../z",
        &(struct http_request){ .headers = headers,
                                .body = { .kind = HTTP_BODY_BYTES, .data = "{}", .len = 2 } });
    CHECK_CONTAINS(buf_str(&c.body), "PATCH /x%2Fy/../z HTTP/1.1\r\n");
    CHECK_CONTAINS(buf_str(&c.body), "X-Api-Key: k\r\n");
    CHECK_CONTAINS(buf_str(&c.body), "Content-Type: application/json\r\n");
    CHECK_CONTAINS(buf_str(&c.body), "Content-Length: 2\r\n");
    CHECK_CONTAINS(buf_str(&c.body), "User-Agent: e2b-test/1\r\n");
    CHECK(!strstr(buf_str(&c.body), "Expect"));
    CHECK(!strstr(buf_str(&c.body), "Upgrade"));
    CHECK(!strstr(buf_str(&c.body), "Encoding"));
    run(&plain, "DELETE", "/", &(struct http_request){ .accept_gzip = true });
    CHECK_CONTAINS(buf_str(&plain.body), "DELETE / HTTP/1.1\r\n");
    CHECK_CONTAINS(buf_str(&plain.body), "Accept-Encoding: gzip\r\n");
    CHECK(!strstr(buf_str(&plain.body), "Content-"));
    end();
}

TEST(bodies_of_every_method_are_announced)
{
    static const struct {
        const char *method;
        size_t len;
        bool announced;
    } cases[] = {
        { "GET", 0, false }, { "DELETE", 0, false }, { "POST", 0, true },
        { "PUT", 0, true },  { "PATCH", 0, true },   { "POST", 3, true },
        { "PUT", 3, true },  { "DELETE", 3, true },
    };

    begin(show_head);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        autocall c = { 0 };
        autofree char *line = xasprintf("Content-Length: %zu\r\n", cases[i].len);
        struct http_request req = { 0 };

        CASE("%s %zu", cases[i].method, cases[i].len);
        if (cases[i].len)
            req.body = (struct http_body){ HTTP_BODY_BYTES, .data = "abc", .len = 3 };
        run(&c, cases[i].method, "/", &req);
        CHECK_INT(c.errnum, 0);
        CHECK_CONTAINS(buf_str(&c.body), cases[i].method);
        CHECK_INT(strstr(buf_str(&c.body), line) != NULL, cases[i].announced);
        CHECK(!strstr(buf_str(&c.body), "form"));
    }
    end();
}

static bool three_answers(struct conn *c)
{
    return server_printf(c, "HTTP/1.1 103 Early Hints\r\nX-Test: early\r\n\r\n"
                            "HTTP/1.1 200 OK\r\nX-Test: final\r\nTransfer-Encoding: chunked\r\n"
                            "Trailer: X-Test\r\n\r\n5\r\nhello\r\n0\r\nX-Test: late\r\n\r\n");
}

TEST(interim_answers_and_trailers_are_not_the_answer)
{
    autocall c = { 0 };

    begin(three_answers);
    run(&c, "GET", "/", &(struct http_request){ .on_head = on_head });
    CHECK_INT(c.errnum, 0);
    CHECK_INT(c.heads, 1);
    CHECK_INT(c.status, 200);
    CHECK_INT(c.content_length, -1);
    CHECK_STR(c.header, "final");
    CHECK_STR(buf_str(&c.body), "hello");
    end();
}

static bool status_of_path(struct conn *c)
{
    return server_answer(c, atoi(c->path + 1), "{\"message\":\"why\"}");
}

TEST(a_status_is_not_a_failure_and_its_text_is_collected_even_from_a_stream)
{
    static const int statuses[] = { 400, 404, 429, 500, 502, 503 };

    begin(status_of_path);
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        autocall c = { .data_result = -EIO }; /* on_data must not see it */
        autofree char *path = xasprintf("/%d", statuses[i]);

        run(&c, "GET", path, &(struct http_request){ .on_head = on_head, .on_data = on_data });
        CHECK_INT(c.errnum, 0);
        CHECK_INT(c.status, statuses[i]);
        CHECK_STR(buf_str(&c.body), "{\"message\":\"why\"}");
    }
    end();
}

static bool redirect(struct conn *c)
{
    return server_printf(c,
                         "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/else\r\n"
                         "Content-Length: 0\r\n\r\n",
                         c->server->port);
}

TEST(redirects_are_not_followed)
{
    autocall c = { 0 };

    begin(redirect);
    get(&c, "/");
    CHECK_INT(c.errnum, 0);
    CHECK_INT(c.status, 302);
    CHECK_INT(server.requests, 1);
    end();
}

static bool compressed(struct conn *c)
{
    /* printf 'hello hello hello hello' | gzip -n */
    static const unsigned char gz[] = { 0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00,
                                        0x00, 0x00, 0x03, 0xcb, 0x48, 0xcd, 0xc9,
                                        0xc9, 0x57, 0xc8, 0x40, 0x27, 0x01, 0xe3,
                                        0x51, 0x3d, 0x8d, 0x17, 0x00, 0x00, 0x00 };
    size_t n = strcmp(c->path, "/broken") == 0 ? 14 : sizeof(gz);

    return server_printf(c,
                         "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
                         "Content-Length: %zu\r\n\r\n",
                         sizeof(gz)) &&
           server_send(c, gz, n) && n == sizeof(gz);
}

TEST(gzip_is_decoded_and_the_ceiling_counts_what_comes_out)
{
    autocall whole = { 0 }, bounded = { 0 }, raw = { 0 };

    begin(compressed);
    run(&whole, "GET", "/", &(struct http_request){ .accept_gzip = true });
    CHECK_INT(whole.errnum, 0);
    CHECK_STR(buf_str(&whole.body), "hello hello hello hello");
    run(&bounded, "GET", "/",
        &(struct http_request){ .accept_gzip = true, .limits.max_body = 22 });
    CHECK_INT(bounded.errnum, EFBIG);
    run(&raw, "GET", "/", &(struct http_request){ 0 });
    CHECK_INT(raw.body.len, 28);
    end();
}

/* ---- bodies that are sent ---- */

TEST(a_file_is_sent_from_its_offset_with_its_length)
{
    static const struct {
        off_t off;
        size_t len;
    } cases[] = { { 0, 0 }, { 0, 1 }, { 5, 4095 }, { 0, 4096 }, { 1, 4097 }, { 7, 3 << 20 } };
    FILE *f = tmpfile();
    char *data = xmalloc(4 << 20);

    for (int i = 0; i < 4 << 20; i++)
        data[i] = (char)(i * 31 + (i >> 8));
    REQUIRE(f && fwrite(data, 1, 4 << 20, f) == 4 << 20 && fflush(f) == 0);
    begin(echo);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        autocall c = { 0 };

        CASE("off %d len %zu", (int)cases[i].off, cases[i].len);
        run(&c, "POST", "/files",
            &(struct http_request){ .body = { .kind = HTTP_BODY_FD,
                                              .fd = fileno(f),
                                              .off = cases[i].off,
                                              .len = cases[i].len } });
        CHECK_INT(c.errnum, 0);
        CHECK_INT(c.bytes_sent, cases[i].len);
        CHECK_INT(c.body.len, cases[i].len);
        CHECK(c.body.len == 0 || memcmp(c.body.data, data + cases[i].off, c.body.len) == 0);
    }
    CHECK_INT(server.connections, 1);
    end();
    free(data);
    (void)fclose(f);
}

TEST(a_file_that_is_shorter_than_promised_fails_the_request)
{
    FILE *f = tmpfile();
    autocall c = { 0 };

    REQUIRE(f && fputs("short", f) >= 0 && fflush(f) == 0);
    begin(echo);
    run(&c, "POST", "/",
        &(struct http_request){
            .body = { .kind = HTTP_BODY_FD, .fd = fileno(f), .len = 100 } });
    CHECK_INT(c.errnum, EIO);
    CHECK_CONTAINS(c.msg, "shorter");
    end();
    (void)fclose(f);
}

TEST(a_stream_is_sent_in_pieces_and_waits_for_what_is_not_there_yet)
{
    autocall c = { .to_pull = "one two three", .pull_piece = 4 };

    begin(echo);
    start(&c, "POST", "/",
          &(struct http_request){ .body = { .kind = HTTP_BODY_PULL, .pull = pull },
                                  .limits = { .stall_ms = 60000 } });
    CHECK_SOON(strcmp(c.to_pull, "three") == 0 || strcmp(c.to_pull, "") == 0, {
        loop_turn(loop, 1000);
        if (strcmp(c.to_pull, "two three") == 0)
            c.pull_piece = 0;
        if (c.pull_piece == 0 && c.pulls > 1) {
            c.pull_piece = 4;
            http_resume_body(c.t);
        }
    });
    finish(&c);
    CHECK_INT(c.errnum, 0);
    CHECK_STR(buf_str(&c.body), "one two three");
    end();
}

/* A stall limit that a sender on a busy machine keeps, and a test can wait for. */
enum { STALL = 1500 };

TEST(a_stream_that_has_nothing_to_send_yet_does_not_stall)
{
    autocall c = { .to_pull = "late", .pull_piece = 0 };
    int64_t start_ms = test_now_ms();

    begin(echo);
    start(&c, "POST", "/",
          &(struct http_request){ .body = { .kind = HTTP_BODY_PULL, .pull = pull },
                                  .limits = { .stall_ms = STALL, .first_byte_ms = 15000 } });
    CHECK_SOON(test_now_ms() - start_ms > STALL + 200, loop_turn(loop, 20));
    CHECK_INT(c.done, 0);
    c.pull_piece = 100;
    http_resume_body(c.t);
    finish(&c);
    CHECK_INT(c.errnum, 0);
    CHECK_STR(buf_str(&c.body), "late");
    end();
}

static bool answer_early(struct conn *c)
{
    server_answer(c, atoi(c->path + 1), "done already");
    return server_ignore(c);
}

TEST(an_answer_that_comes_before_the_end_of_a_stream_ends_it)
{
    static const int statuses[] = { 200, 404 };

    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        autocall c = { .to_pull = "never", .pull_piece = 0 };
        autofree char *path = xasprintf("/%d", statuses[i]);

        CASE("%d", statuses[i]);
        begin_with(answer_early, true);
        run(&c, "POST", path,
            &(struct http_request){ .body = { .kind = HTTP_BODY_PULL, .pull = pull } });
        CHECK_INT(c.errnum, 0);
        CHECK_INT(c.status, statuses[i]);
        CHECK_STR(buf_str(&c.body), "done already");
        end();
    }
}

TEST(a_stream_that_fails_fails_the_request)
{
    autocall c = { .to_pull = "x", .pull_result = -ENOSPC };

    begin(echo);
    run(&c, "POST", "/",
        &(struct http_request){ .body = { .kind = HTTP_BODY_PULL, .pull = pull } });
    CHECK_INT(c.errnum, ENOSPC);
    end();
}

/* ---- streams that are received ---- */

enum { BIG = 20 << 20 };

static bool big(struct conn *c)
{
    char piece[64 << 10];

    if (!server_printf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", BIG))
        return false;
    memset(piece, 'b', sizeof(piece));
    for (int sent = 0; sent < BIG; sent += (int)sizeof(piece))
        if (!server_send(c, piece, sizeof(piece)))
            return false;
    return true;
}

TEST(a_stream_arrives_whole)
{
    autocall c = { .body = BUF_MAX(BIG) };

    begin(big);
    run(&c, "GET", "/", &(struct http_request){ .on_head = on_head, .on_data = on_data });
    CHECK_INT(c.errnum, 0);
    CHECK_INT(c.content_length, BIG);
    CHECK_INT(c.body.len, BIG);
    CHECK_INT(c.bytes_received, BIG);
    end();
}

TEST(a_paused_stream_holds_the_sender_back_and_goes_on_without_a_gap)
{
    autocall c = { .body = BUF_MAX(BIG), .pause_next = true };

    begin(big);
    start(&c, "GET", "/",
          &(struct http_request){ .on_head = on_head,
                                  .on_data = on_data,
                                  .may_pause = true,
                                  .limits = { .stall_ms = STALL } });
    for (int i = 0; i < 10; i++) {
        size_t len;
        int64_t paused_ms;

        CHECK_SOON(c.pauses > i, loop_turn(loop, 1000));
        len = c.body.len;
        paused_ms = test_now_ms();
        /* Longer than the stall limit: a pause is not a stall. */
        CHECK_SOON(test_now_ms() - paused_ms > (i ? 5 : STALL + 200), loop_turn(loop, 5));
        CHECK_INT(c.body.len, len);
        CHECK_INT(c.done, 0);
        c.pause_next = i < 9;
        http_resume(c.t);
        CHECK_INT(c.body.len, len); /* on a later turn */
    }
    finish(&c);
    CHECK_INT(c.errnum, 0);
    CHECK_INT(c.body.len, BIG);
    end();
}

TEST(a_paused_stream_can_be_cancelled)
{
    autocall c = { .pause_next = true };

    begin(big);
    start(&c, "GET", "/",
          &(struct http_request){ .on_data = on_data, .on_head = on_head, .may_pause = true });
    CHECK_SOON(c.pauses == 1, loop_turn(loop, 1000));
    http_cancel(c.t);
    http_resume(c.t);
    finish(&c);
    CHECK_INT(c.errnum, ECANCELED);
    CHECK_INT(c.body.len, 0);
    end();
}

TEST(the_receiver_can_refuse_the_head_or_the_data)
{
    autocall head = { .head_result = -ESTALE }, data = { .data_result = -ENOSPC };

    begin(big);
    run(&head, "GET", "/", &(struct http_request){ .on_head = on_head, .on_data = on_data });
    CHECK_INT(head.errnum, ESTALE);
    CHECK_INT(head.body.len, 0);
    run(&data, "GET", "/", &(struct http_request){ .on_head = on_head, .on_data = on_data });
    CHECK_INT(data.errnum, ENOSPC);
    end();
}

/* ---- ceilings ---- */

TEST(an_answer_above_its_ceiling_is_an_error)
{
    autocall c = { 0 };

    begin(big);
    run(&c, "GET", "/", &(struct http_request){ .limits.max_body = 1 << 20 });
    CHECK_INT(c.errnum, EFBIG);
    CHECK_INT(c.status, 200);
    CHECK_CONTAINS(c.msg, "longer than 1048576 bytes");
    end();
}

static bool endless_headers(struct conn *c)
{
    if (!server_printf(c, "HTTP/1.1 200 OK\r\n"))
        return false;
    for (int i = 0;; i++)
        if (!server_printf(c, "X-%d: %01000d\r\n", i, i))
            return false;
}

TEST(headers_have_a_ceiling)
{
    autocall c = { 0 };

    begin(endless_headers);
    get(&c, "/");
    CHECK_INT(c.errnum, EFBIG);
    CHECK_CONTAINS(c.msg, "headers are too long");
    end();
}

/* ---- deadlines ---- */

static bool say_nothing(struct conn *c)
{
    return server_linger(c);
}

static bool stall_in_body(struct conn *c)
{
    server_printf(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nten bytes.");
    return server_linger(c);
}

/* One byte at each 10 ms, for ever. */
static bool drip(struct conn *c)
{
    server_printf(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (server_printf(c, "1\r\nx\r\n")) {
        struct pollfd p = { .fd = c->server->stop_pipe[0], .events = POLLIN };

        if (poll(&p, 1, 10) > 0)
            return false;
    }
    return false;
}

TEST(each_deadline_ends_a_request_with_its_reason)
{
    static const struct {
        const char *name;
        server_fn *server;
        struct http_limits limits;
        const char *message;
        int status;
    } cases[] = {
        { "first byte", say_nothing, { .first_byte_ms = 60 }, "no answer within", 0 },
        { "stall before the head",
          say_nothing,
          { .first_byte_ms = -1, .stall_ms = 60 },
          "stalled, no data within",
          0 },
        { "stall", stall_in_body, { .stall_ms = 60 }, "stalled, no data within", 200 },
        { "total, silent", say_nothing, { .total_ms = 60 }, "not complete within", 0 },
        { "total, drip",
          drip,
          { .total_ms = 150, .stall_ms = 5000 },
          "not complete within",
          200 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        autocall c = { 0 };

        CASE("%s", cases[i].name);
        begin(cases[i].server);
        run(&c, "GET", "/", &(struct http_request){ .limits = cases[i].limits });
        CHECK_INT(c.errnum, ETIMEDOUT);
        CHECK_CONTAINS(c.msg, cases[i].message);
        CHECK_CONTAINS(c.msg, "127.0.0.1:");
        CHECK_INT(c.status, cases[i].status);
        CHECK(c.elapsed_ms >= 60 && c.elapsed_ms < 5000);
        CHECK_SOON(server.closed_by_peer || cases[i].server == drip, loop_turn(loop, 10));
        end();
    }
}

TEST(a_slow_body_is_no_stall)
{
    autocall c = { 0 };

    begin(drip);
    run(&c, "GET", "/",
        &(struct http_request){ .on_head = on_head,
                                .on_data = on_data,
                                .limits = { .stall_ms = 1000, .total_ms = 1500 } });
    CHECK_INT(c.errnum, ETIMEDOUT);
    CHECK(c.body.len > 10);
    end();
}

TEST(an_upload_that_nobody_takes_stalls)
{
    autocall c = { 0 };
    char *data = xcalloc(1, 32 << 20);

    begin_with(server_ignore, true);
    run(&c, "POST", "/",
        &(struct http_request){
            .body = { .kind = HTTP_BODY_BYTES, .data = data, .len = 32 << 20 },
            .limits = { .stall_ms = 200 } });
    CHECK_INT(c.errnum, ETIMEDOUT);
    CHECK_CONTAINS(c.msg, "stalled, no data within");
    CHECK(c.sent_any);
    end();
    free(data);
}

/* Takes the most of it at once, and the last 512 KiB slowly: 8 KiB at each 20 ms. */
static bool slow_reader(struct conn *c)
{
    size_t left = strtoul(server_header(c, "Content-Length"), NULL, 10);
    char piece[8 << 10];

    while (left > 0) {
        struct pollfd p = { .fd = c->server->stop_pipe[0], .events = POLLIN };
        size_t n = left < sizeof(piece) ? left : sizeof(piece);

        if (left <= 512 << 10 && poll(&p, 1, 20) > 0)
            return false;
        if (!server_read_exactly(c, piece, n))
            return false;
        left -= n;
    }
    return server_answer(c, 200, "taken");
}

/*
 * libcurl is done with a body when the kernel has it, which may be megabytes earlier.  Neither
 * limit may count from there while the network still takes some of it.
 */
TEST(an_upload_over_a_slow_link_does_not_stall)
{
    static const enum http_body_kind kinds[] = { HTTP_BODY_BYTES, HTTP_BODY_FD };
    enum { LEN = 6 << 20, RECEIVE_BUFFER = 64 << 10 };
    int small = RECEIVE_BUFFER; /* the rest waits on our side */
    char *data = xcalloc(1, LEN);
    FILE *f = tmpfile();

    REQUIRE(f && fwrite(data, 1, LEN, f) == LEN && fflush(f) == 0);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        autocall c = { 0 };

        CASE("kind %d", kinds[i]);
        begin_with(slow_reader, true);
        setsockopt(server.listen_fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
        run(&c, "POST", "/",
            &(struct http_request){
                .body = { .kind = kinds[i], .data = data, .fd = fileno(f), .len = LEN },
                .limits = { .stall_ms = 500, .first_byte_ms = 500 } });
        CHECK_INT(c.errnum, 0);
        CHECK_STR(buf_str(&c.body), "taken");
        CHECK(c.elapsed_ms > 1000);
        end();
    }
    free(data);
    (void)fclose(f);
}

/* ---- cancelling ---- */

TEST(a_cancelled_request_completes_once_on_a_later_turn)
{
    autocall c = { 0 };

    begin(say_nothing);
    start(&c, "GET", "/", &(struct http_request){ 0 });
    CHECK_SOON(server.requests == 1, loop_turn(loop, 10));
    http_cancel(c.t);
    http_cancel(c.t);
    CHECK_INT(c.done, 0);
    finish(&c);
    CHECK_INT(c.errnum, ECANCELED);
    CHECK_SOON(server.closed_by_peer == 1, loop_turn(loop, 10));
    end();
}

TEST(a_request_can_be_cancelled_before_anything_happened)
{
    autocall c = { 0 };

    begin(echo);
    start(&c, "GET", "/", &(struct http_request){ 0 });
    http_cancel(c.t);
    finish(&c);
    CHECK_INT(c.errnum, ECANCELED);
    CHECK(!c.sent_any);
    end();
}

struct canceller {
    struct call call;
    struct http_transfer *victim;
    struct call started;
};

static int cancel_victim(void *arg, const char *data, size_t len)
{
    struct canceller *c = arg;

    (void)data;
    (void)len;
    http_cancel(c->victim);
    /* Inside libcurl's callback: it has to wait, and starts nevertheless. */
    if (!c->started.t && !c->started.done)
        start(&c->started, "GET", "/2", &(struct http_request){ 0 });
    return 0;
}

static void canceller_done(void *arg, const struct http_response *resp,
                           const struct e2b_err *err)
{
    struct canceller *c = arg;

    on_done(&c->call, resp, err);
}

static bool silent_or_echo(struct conn *c)
{
    return strcmp(c->path, "/silent") == 0 ? server_linger(c)
                                           : server_answer(c, 200, "some data");
}

TEST(requests_can_be_cancelled_and_started_inside_callbacks)
{
    autocall victim = { 0 };
    struct canceller c = { 0 };
    autofree char *url = NULL;

    begin(silent_or_echo);
    url = xasprintf("http://127.0.0.1:%d/1", server.port);
    start(&victim, "GET", "/silent", &(struct http_request){ 0 });
    c.victim = victim.t;
    CHECK_SOON(server.requests == 1, loop_turn(loop, 10));
    http_start(engine,
               &(struct http_request){ .method = "GET", .url = url, .on_data = cancel_victim },
               canceller_done, &c);
    finish(&victim);
    CHECK_INT(victim.errnum, ECANCELED);
    CHECK_SOON(c.call.done && c.started.done, loop_turn(loop, 1000));
    CHECK_INT(c.call.errnum, 0);
    CHECK_STR(buf_str(&c.started.body), "some data");
    call_clear(&c.started);
    end();
}

static int cancel_self(void *arg, const char *data, size_t len)
{
    struct call *c = arg;

    (void)data;
    (void)len;
    c->pauses++;
    http_cancel(c->t);
    return 0;
}

TEST(nothing_is_delivered_after_a_cancel)
{
    autocall c = { 0 };

    begin(big);
    start(&c, "GET", "/", &(struct http_request){ .on_data = cancel_self });
    finish(&c);
    CHECK_INT(c.errnum, ECANCELED);
    CHECK_INT(c.pauses, 1);
    end();
}

static void restart(void *arg, const struct http_response *resp, const struct e2b_err *err)
{
    struct call *c = arg;

    on_done(c, resp, err);
    if (c->done < 3)
        c->t = http_start(engine, &(struct http_request){ .method = "GET", .url = "http://x/" },
                          restart, c);
}

TEST(freeing_the_engine_cancels_what_runs_and_what_completions_start)
{
    autocall c = { 0 };
    autofree char *url = NULL;

    begin(say_nothing);
    url = xasprintf("http://127.0.0.1:%d/", server.port);
    c.t =
        http_start(engine, &(struct http_request){ .method = "GET", .url = url }, restart, &c);
    CHECK_SOON(server.requests == 1, loop_turn(loop, 10));
    http_engine_free(engine);
    engine = NULL;
    CHECK_INT(c.done, 3);
    CHECK_INT(c.errnum, ECANCELED);
    end();
}

/* ---- connections that break ---- */

static bool close_at_once(struct conn *c)
{
    (void)c;
    return false;
}

static bool reset_at_once(struct conn *c)
{
    return server_reset(c);
}

static bool reset_in_body(struct conn *c)
{
    server_printf(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nten bytes.");
    return server_reset(c);
}

static bool short_body(struct conn *c)
{
    server_printf(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nten bytes.");
    return false;
}

static bool short_chunks(struct conn *c)
{
    server_printf(c,
                  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nten bytes.\r\n");
    return false;
}

static bool bad_chunks(struct conn *c)
{
    server_printf(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nten\r\n");
    return server_linger(c);
}

static bool no_http(struct conn *c)
{
    server_printf(c, "SSH-2.0-OpenSSH_9.2\r\n");
    return server_linger(c);
}

static bool half_head(struct conn *c)
{
    server_printf(c, "HTTP/1.1 200 OK\r\nContent-Le");
    return false;
}

TEST(broken_answers_have_the_errno_of_their_cause)
{
    static const struct {
        const char *name;
        server_fn *server;
        int errnum;
    } cases[] = {
        { "closed before the answer", close_at_once, ECONNRESET },
        { "reset before the answer", reset_at_once, ECONNRESET },
        { "reset in mid-body", reset_in_body, ECONNRESET },
        { "short body", short_body, ECONNRESET },
        { "chunks without an end", short_chunks, ECONNRESET },
        { "broken chunks", bad_chunks, EPROTO },
        { "not HTTP", no_http, EPROTO },
        { "half a head", half_head, ECONNRESET },
        { "broken gzip", compressed, ECONNRESET },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        autocall c = { 0 };

        CASE("%s", cases[i].name);
        begin(cases[i].server);
        run(&c, "GET", "/broken", &(struct http_request){ .accept_gzip = true });
        CHECK_INT(c.errnum, cases[i].errnum);
        CHECK_CONTAINS(c.msg, "127.0.0.1:");
        CHECK(!strstr(c.msg, "/broken"));
        CHECK(c.sent_any);
        end();
    }
}

/* Answers the first request of a connection and closes on the second. */
static bool second_dies(struct conn *c)
{
    return c->requests == 1 && server_answer(c, 200, "ok");
}

TEST(a_request_that_changes_something_is_never_repeated_behind_our_back)
{
    autocall first = { 0 }, post = { 0 };

    begin(second_dies);
    get(&first, "/");
    run(&post, "POST", "/start",
        &(struct http_request){ .body = { .kind = HTTP_BODY_BYTES, .data = "{}", .len = 2 } });
    CHECK_INT(post.errnum, ECONNRESET);
    CHECK(post.sent_any);
    CHECK_INT(server.requests, 2);
    end();
}

TEST(a_GET_on_a_kept_connection_that_just_closed_is_repeated_at_once)
{
    autocall first = { 0 }, second = { 0 };

    begin(second_dies);
    get(&first, "/");
    get(&second, "/");
    CHECK_INT(second.errnum, 0);
    CHECK_INT(server.requests, 3);
    CHECK_INT(server.connections, 2);
    end();
}

TEST(a_port_where_nobody_listens_is_unreachable)
{
    autocall c = { 0 };

    begin(echo);
    server_stop(&server);
    start(&c, "GET", "/", &(struct http_request){ 0 });
    finish(&c);
    CHECK_INT(c.errnum, EHOSTUNREACH);
    CHECK(!c.sent_any);
    CHECK_INT(c.status, 0);
    CHECK_CONTAINS(c.msg, "127.0.0.1:");
    server = (struct server){ 0 };
    server_start(&server, echo);
    end();
}

TEST(idle_connections_can_be_dropped_while_others_go_on)
{
    autocall idle = { 0 }, busy = { .body = BUF_MAX(BIG), .pause_next = true }, after = { 0 };

    begin(big);
    start(&busy, "GET", "/",
          &(struct http_request){ .on_head = on_head, .on_data = on_data, .may_pause = true });
    CHECK_SOON(busy.pauses == 1, loop_turn(loop, 1000));
    run(&idle, "GET", "/", &(struct http_request){ .limits.max_body = BIG });
    CHECK_INT(server.connections, 2);
    http_engine_drop_idle(engine);
    run(&after, "GET", "/", &(struct http_request){ .limits.max_body = BIG });
    CHECK_INT(after.errnum, 0);
    CHECK_INT(server.connections, 3);
    http_resume(busy.t);
    finish(&busy);
    CHECK_INT(busy.errnum, 0);
    CHECK_INT(busy.body.len, BIG);
    CHECK_SOON(server.closed_by_peer == 2, loop_turn(loop, 10));
    end();
}

/* ---- names ---- */

/*
 * Stands in for the C library's: libcurl's resolver threads come here.  "slow.test" is a name
 * server that does not answer until the test lets it.
 */
static pthread_mutex_t resolver_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t resolver_changed = PTHREAD_COND_INITIALIZER;
static int resolver_waiting, resolver_left;
static bool resolver_go;

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **res)
{
    static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

    if (node && strcmp(node, "nowhere.test") == 0)
        return EAI_NONAME;
    if (node && strcmp(node, "slow.test") == 0) {
        pthread_mutex_lock(&resolver_mutex);
        resolver_waiting++;
        while (!resolver_go)
            pthread_cond_wait(&resolver_changed, &resolver_mutex);
        resolver_waiting--;
        resolver_left++;
        pthread_mutex_unlock(&resolver_mutex);
        return EAI_AGAIN;
    }
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    return real(node, service, hints, res);
}

static int locked(const int *value)
{
    int v;

    pthread_mutex_lock(&resolver_mutex);
    v = *value;
    pthread_mutex_unlock(&resolver_mutex);
    return v;
}

TEST(a_name_server_that_does_not_answer_never_holds_the_loop)
{
    autocall cancelled = { 0 }, late = { 0 };
    struct http_request req = { .method = "GET", .url = "http://slow.test/" };
    int64_t start_ms = test_now_ms();

    begin(echo);
    cancelled.t = http_start(engine, &req, on_done, &cancelled);
    CHECK_SOON(locked(&resolver_waiting) == 1, loop_turn(loop, 5));
    http_cancel(cancelled.t);
    finish(&cancelled);
    CHECK_INT(cancelled.errnum, ECANCELED);

    req.limits.connect_ms = 200;
    late.t = http_start(engine, &req, on_done, &late);
    finish(&late);
    CHECK_INT(late.errnum, ETIMEDOUT);
    CHECK(!late.sent_any);
    end();
    CHECK(test_now_ms() - start_ms < 5000);

    pthread_mutex_lock(&resolver_mutex);
    CHECK_INT(resolver_waiting, 2);
    resolver_go = true;
    pthread_cond_broadcast(&resolver_changed);
    pthread_mutex_unlock(&resolver_mutex);
    CHECK_SOON(locked(&resolver_left) == 2, usleep(1000));
}

TEST(a_name_that_does_not_exist_is_unreachable)
{
    autocall c = { 0 };

    begin(echo);
    c.t = http_start(
        engine, &(struct http_request){ .method = "GET", .url = "http://nowhere.test:81/" },
        on_done, &c);
    finish(&c);
    CHECK_INT(c.errnum, EHOSTUNREACH);
    CHECK_STR(c.msg, "nowhere.test:81: Could not resolve host: nowhere.test");
    end();
}

TEST(loopback_never_goes_through_a_proxy_and_others_do)
{
    static const char *const hosts[] = { "127.0.0.1", "localhost", "49983-abc.localhost" };
    autocall far = { 0 };
    autofree char *proxy = NULL;

    begin(show_head);
    proxy = xasprintf("http://127.0.0.1:%d", server.port);
    setenv("http_proxy", proxy, 1);
    setenv("all_proxy", proxy, 1);
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        autocall c = { 0 };
        autofree char *url = xasprintf("http://%s:%d/x", hosts[i], server.port);

        CASE("%s", hosts[i]);
        c.t = http_start(engine, &(struct http_request){ .method = "GET", .url = url }, on_done,
                         &c);
        finish(&c);
        CHECK_CONTAINS(buf_str(&c.body), "GET /x HTTP/1.1");
        CHECK(!strstr(buf_str(&c.body), "Proxy"));
    }
    far.t = http_start(engine,
                       &(struct http_request){ .method = "GET", .url = "http://api.test/x" },
                       on_done, &far);
    finish(&far);
    CHECK_CONTAINS(buf_str(&far.body), "GET http://api.test/x HTTP/1.1");
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    end();
}

/* ---- requests that cannot be made ---- */

TEST(bad_requests_fail_in_their_completion)
{
    static const struct {
        const char *url, *header;
        int errnum;
    } cases[] = {
        { "", NULL, EINVAL },
        { "http://", NULL, EINVAL },
        { "/relative", NULL, EINVAL },
        { "ftp://127.0.0.1/x", NULL, EINVAL },
        { "file:///etc/passwd", NULL, EINVAL },
        { "http://127.0.0.1/a b", NULL, EINVAL },
        { "http://127.0.0.1:99999/", NULL, EINVAL },
        { "http://127.0.0.1:1/", "X: a\r\nY: b", EINVAL },
    };

    begin(echo);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *headers[] = { cases[i].header, NULL };
        autocall c = { 0 };

        CASE("%s", cases[i].url);
        c.t = http_start(
            engine,
            &(struct http_request){ .method = "GET", .url = cases[i].url, .headers = headers },
            on_done, &c);
        CHECK_INT(c.done, 0);
        finish(&c);
        CHECK_INT(c.errnum, cases[i].errnum);
    }
    CHECK_INT(server.requests, 0);
    end();
}

TEST(names_are_escaped_byte_for_byte)
{
    static const struct {
        const char *raw, *escaped;
    } cases[] = {
        { "", "" },
        { "AZaz09-._~", "AZaz09-._~" },
        { "/a b+c&d=e;f%g?#", "%2Fa%20b%2Bc%26d%3De%3Bf%25g%3F%23" },
        { "\xc3\xa4\xff\x01", "%C3%A4%FF%01" },
    };
    autobuf struct buf nul = BUF_INIT;
    autobuf struct buf small = BUF_MAX(2);

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        autobuf struct buf out = BUF_INIT;

        CHECK_INT(http_escape(cases[i].raw, strlen(cases[i].raw), &out), 0);
        CHECK_STR(buf_str(&out), cases[i].escaped);
    }
    CHECK_INT(http_escape("a\0b", 3, &nul), 0);
    CHECK_STR(buf_str(&nul), "a%00b");
    CHECK_INT(http_escape("/", 1, &small), -EFBIG);
}
