/* SPDX-License-Identifier: MIT */
/* The table of endpoints, and what error answers mean. */
#include "test.h"

#include "e2b/answer.h"
#include "e2b/endpoints.h"
#include "e2b/httpdate.h"
#include "util/error.h"
#include "util/xalloc.h"

#include <errno.h>

TEST(every_operation_has_a_complete_row)
{
    for (int i = 0; i < EP_COUNT; i++) {
        const struct endpoint *ep = &endpoints[i];

        CASE("row %d", i);
        REQUIRE(ep->name && ep->method && ep->path);
        CHECK(ep->path[0] == '/');
        CHECK(ep->max_body > 0);
        CHECK(ep->first_byte_ms != 0);
        /* The key goes to the control plane, tokens to sandboxes: never REST on envd. */
        CHECK((ep->plane == PLANE_CONTROL) == (ep->wire == WIRE_REST));
        if (ep->wire == WIRE_UNARY || ep->wire == WIRE_STREAM)
            CHECK_STR(ep->method, "POST");
        /* A lost answer to these leaves it open what happened. */
        if (i == EP_PROCESS_START || i == EP_PROCESS_INPUT)
            CHECK_INT(ep->retry, RETRY_NEVER);
        if (i == EP_MOVE || i == EP_SANDBOX_CREATE || i == EP_SANDBOX_CREATE_V1)
            CHECK_INT(ep->retry, RETRY_REFUSED);
        for (int k = 0; k < i; k++)
            CHECK(strcmp(endpoints[k].name, ep->name) != 0);
    }
}

TEST(paths_hold_the_id)
{
    autobuf struct buf path = BUF_INIT;

    CHECK_INT(endpoint_path(&endpoints[EP_SANDBOX_TIMEOUT], "i1", &path), 0);
    CHECK_STR(buf_str(&path), "/sandboxes/i1/timeout");
    buf_reset(&path);
    CHECK_INT(endpoint_path(&endpoints[EP_SANDBOX_LIST], NULL, &path), 0);
    CHECK_STR(buf_str(&path), "/v2/sandboxes");
}

#define EDGE_GONE \
    "{\"sandboxId\":\"i1\",\"message\":\"The sandbox was not found\",\"code\":502}"
#define EDGE_PORT                                                                 \
    "{\"sandboxId\":\"i1\",\"message\":\"The sandbox is running but port is not " \
    "open\",\"port\":"                                                            \
    "49983,\"code\":502}"
#define CONNECT(code, message) "{\"code\":\"" code "\",\"message\":\"" message "\"}"
#define NUMBER(code, message)  "{\"code\":" #code ",\"message\":\"" message "\"}\n"

static const struct {
    enum endpoint_id ep;
    int status;
    const char *body;
    int errnum;
    enum answer_kind kind;
} cases[] = {
    /* the control plane */
    { EP_SANDBOX_GET, 404, NUMBER(404, "Sandbox 'x' doesn't exist"), ENOENT, ANSWER_SERVICE },
    { EP_SANDBOX_LIST, 404, NUMBER(404, "validation error: no matching operation was found"),
      ENOENT, ANSWER_NO_ROUTE },
    { EP_SANDBOX_CREATE, 400, NUMBER(400, "method not allowed"), EINVAL, ANSWER_NO_ROUTE },
    { EP_SANDBOX_LIST, 405, "", EIO, ANSWER_NO_ROUTE },
    { EP_SANDBOX_LIST, 401, NUMBER(401, "Invalid API key"), EKEYREJECTED, ANSWER_SERVICE },
    { EP_SANDBOX_LIST, 403, NUMBER(403, "blocked"), EACCES, ANSWER_SERVICE },
    { EP_SANDBOX_KILL, 409, NUMBER(409, "is being paused"), EBUSY, ANSWER_SERVICE },
    { EP_SANDBOX_LIST, 429, "slow down", EAGAIN, ANSWER_OTHER },
    { EP_SANDBOX_LIST, 500, NUMBER(500, "oops"), EIO, ANSWER_SERVICE },
    { EP_SANDBOX_LIST, 502, "<html>Bad Gateway</html>", EHOSTUNREACH, ANSWER_OTHER },
    { EP_SANDBOX_LIST, 503, "", EAGAIN, ANSWER_OTHER },
    { EP_SANDBOX_LIST, 504, "x", ETIMEDOUT, ANSWER_OTHER },
    { EP_SANDBOX_LIST, 418, "[1,2]", EIO, ANSWER_OTHER },
    /* Connect's own errors are the only ones that may speak about files */
    { EP_STAT, 404, CONNECT("not_found", "file not found: lstat /x: no such file or directory"),
      ENOENT, ANSWER_SERVICE },
    { EP_STAT, 500, CONNECT("internal", "error getting file info: lstat /x: not a directory"),
      ENOTDIR, ANSWER_SERVICE },
    { EP_STAT, 500, CONNECT("internal", "lstat /x: Too many levels of symbolic links"), ELOOP,
      ANSWER_SERVICE },
    { EP_STAT, 500, CONNECT("internal", "something new"), EIO, ANSWER_SERVICE },
    { EP_STAT, 500, CONNECT("internal", "x: function not implemented"), EOPNOTSUPP,
      ANSWER_SERVICE },
    { EP_STAT, 401, CONNECT("unauthenticated", "invalid username: 'x'"), EACCES,
      ANSWER_SERVICE },
    { EP_LIST_DIR, 400, CONNECT("invalid_argument", "path is not a directory: /x"), ENOTDIR,
      ANSWER_SERVICE },
    { EP_LIST_DIR, 400, CONNECT("failed_precondition", "cyclic symlink"), ELOOP,
      ANSWER_SERVICE },
    { EP_MOVE, 500, CONNECT("internal", "error renaming: rename /a /b: file exists"), EEXIST,
      ANSWER_SERVICE },
    { EP_MOVE, 500, CONNECT("internal", "rename /a /b: invalid cross-device link"), EXDEV,
      ANSWER_SERVICE },
    { EP_MOVE, 500, CONNECT("internal", "path is a file: /a"), ENOTDIR, ANSWER_SERVICE },
    { EP_PROCESS_INPUT, 404, CONNECT("not_found", "process with pid 5 not found"), ENOENT,
      ANSWER_SERVICE },
    { EP_PROCESS_INPUT, 500,
      CONNECT("internal", "error writing to stdin: write |1: broken pipe"), EPIPE,
      ANSWER_SERVICE },
    { EP_PROCESS_SIGNAL, 404, CONNECT("not_found", "process with pid 5 not found"), ESRCH,
      ANSWER_SERVICE },
    /* everything else about envd's port must not become ENOENT */
    { EP_STAT, 404, "404 page not found", EIO, ANSWER_OTHER },
    { EP_STAT, 404, NUMBER(404, "reserved"), EIO, ANSWER_OTHER },
    { EP_STAT, 404, "", EIO, ANSWER_OTHER },
    { EP_STAT, 404, "{\"code\":\"strange_code\",\"message\":\"no such file or directory\"}",
      EIO, ANSWER_OTHER },
    { EP_STAT, 502, EDGE_GONE, EHOSTUNREACH, ANSWER_EDGE },
    { EP_STAT, 502, EDGE_PORT, ECONNREFUSED, ANSWER_PORT_CLOSED },
    { EP_STAT, 403, "{\"sandboxId\":\"i1\",\"message\":\"cannot be resumed\",\"code\":403}",
      EACCES, ANSWER_EDGE },
    { EP_STAT, 409, "{\"sandboxId\":\"i1\",\"message\":\"transitioning\",\"code\":409}", EBUSY,
      ANSWER_EDGE },
    { EP_STAT, 429, "{\"sandboxId\":\"i1\",\"message\":\"too many\",\"code\":429}", EAGAIN,
      ANSWER_EDGE },
    { EP_STAT, 404, "{\"sandboxId\":\"i1\",\"message\":\"no such file or directory\"}", EIO,
      ANSWER_EDGE },
    { EP_STAT, 401, NUMBER(401, "unauthorized access"), EACCES, ANSWER_TOKEN },
    { EP_STAT, 401, "envd not initialized", EACCES, ANSWER_TOKEN },
    { EP_STAT, 415, "", EPROTO, ANSWER_OTHER },
    { EP_STAT, 502, "<html>", EHOSTUNREACH, ANSWER_OTHER },
    /* /files: numbers as codes */
    { EP_FILE_READ, 404, NUMBER(404, "path '/x' does not exist"), ENOENT, ANSWER_SERVICE },
    { EP_FILE_READ, 404,
      "{\"message\":\"This endpoint is reserved and does not "
      "exist\",\"path\":\"/x\",\"code\":404}",
      EIO, ANSWER_OTHER },
    { EP_FILE_READ, 404, "404 page not found", EIO, ANSWER_OTHER },
    { EP_FILE_READ, 404, EDGE_GONE, EIO, ANSWER_EDGE },
    { EP_FILE_READ, 400, NUMBER(400, "path '/x' is a directory"), EISDIR, ANSWER_SERVICE },
    { EP_FILE_READ, 500,
      NUMBER(500, "error opening file '/x': open /x: no such device or address"), ENXIO,
      ANSWER_SERVICE },
    { EP_FILE_READ, 500, "seeker can't seek", EIO, ANSWER_OTHER },
    { EP_FILE_READ, 416, "invalid range: failed to overlap", EIO, ANSWER_OTHER },
    { EP_FILE_READ, 401, NUMBER(401, "access token present in header but does not match"),
      EACCES, ANSWER_TOKEN },
    { EP_FILE_READ, 401, NUMBER(401, "error looking up user 'x': user: unknown user x"), EACCES,
      ANSWER_SERVICE },
    { EP_FILE_WRITE, 507, NUMBER(507, "not enough disk space available"), ENOSPC,
      ANSWER_SERVICE },
    { EP_FILE_WRITE, 500, NUMBER(500, "error writing file: write /x: disk quota exceeded"),
      EDQUOT, ANSWER_SERVICE },
    { EP_FILE_WRITE, 500, NUMBER(500, "error ensuring directories: path is a file: /x"),
      ENOTDIR, ANSWER_SERVICE },
};

TEST(an_answer_means_what_the_right_server_said)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct e2b_err err = { 0 };
        enum answer_kind kind;

        CASE("%zu: %s %d %s", i, endpoints[cases[i].ep].name, cases[i].status, cases[i].body);
        kind = answer_error(&endpoints[cases[i].ep], cases[i].status, cases[i].body,
                            strlen(cases[i].body), &err);
        CHECK_STR(errno_name(err.errnum), errno_name(cases[i].errnum));
        CHECK_INT(kind, cases[i].kind);
        CHECK_INT(err.http_status, cases[i].status);
        CHECK(err.msg[0]);
    }
}

TEST(an_answer_of_the_data_plane_is_never_enoent_but_from_the_service)
{
    static const char *const bodies[] = {
        "",
        "x",
        "null",
        "{}",
        "[]",
        "{\"code\":404}",
        "{\"message\":\"no such file or directory\"}",
        "{\"code\":\"not_found\"",
        "404 page not found",
        EDGE_GONE,
        "{\"sandboxId\":null,\"code\":\"not_found\",\"message\":\"no such file or directory\"}",
    };

    for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
        for (int status = 400; status < 600; status++) {
            struct e2b_err err = { 0 };

            CASE("%d %s", status, bodies[i]);
            answer_error(&endpoints[EP_STAT], status, bodies[i], strlen(bodies[i]), &err);
            CHECK(err.errnum != ENOENT && err.errnum != 0 && err.errnum != ENOSYS);
        }
}

TEST(dates_are_read_and_written)
{
    static const struct {
        const char *text;
        int result;
        time_t t;
    } dates[] = {
        { "Sun, 06 Nov 1994 08:49:37 GMT", 0, 784111777 },
        { "Thu, 01 Jan 1970 00:00:00 GMT", 0, 0 },
        { "Fri, 31 Dec 9999 23:59:59 GMT", 0, 253402300799 },
        { "", -EINVAL, 0 },
        { "Sun, 06 Nov 1994 08:49:37", -EINVAL, 0 },
        { "Sun, 06 Nov 1994 08:49:37 GMT+1", -EINVAL, 0 },
        { "Sun, 06 Nuv 1994 08:49:37 GMT", -EINVAL, 0 },
        { "Sun, 06 anF 1994 08:49:37 GMT", -EINVAL, 0 },
        { "Sun, 32 Nov 1994 08:49:37 GMT", -EINVAL, 0 },
        { "Sun, 06 Nov 1994 25:49:37 GMT", -EINVAL, 0 },
        { "1994-11-06T08:49:37Z", -EINVAL, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(dates); i++) {
        char text[HTTPDATE_MAX];
        time_t t = 0;

        CASE("%s", dates[i].text);
        CHECK_INT(httpdate_parse(dates[i].text, &t), dates[i].result);
        CHECK_INT(t, dates[i].t);
        if (dates[i].result == 0)
            CHECK_STR(httpdate_format(t, text), dates[i].text);
    }
}
