/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "util/error.h"
#include "util/xalloc.h"

#include <errno.h>

TEST(the_first_error_wins)
{
    struct e2b_err err = { 0 };

    CHECK_INT(e2b_fail(&err, ENOENT, "no sandbox %s", "abc"), -ENOENT);
    CHECK_INT(e2b_fail(&err, EIO, "later"), -EIO);
    CHECK_INT(err.errnum, ENOENT);
    CHECK_STR(err.msg, "no sandbox abc");
    CHECK_INT(e2b_fail(NULL, EIO, "nobody asks"), -EIO);
    e2b_err_clear(&err);
    CHECK_INT(e2b_fail(&err, EIO, "again"), -EIO);
    CHECK_STR(err.msg, "again");
}

TEST(context_goes_in_front)
{
    struct e2b_err err = { 0 };

    CHECK_INT(e2b_wrap(&err, -EIO, "nothing to wrap"), -EIO);
    CHECK_STR(err.msg, "");
    e2b_fail(&err, EACCES, "stat /etc/x: permission denied");
    CHECK_INT(e2b_wrap(&err, -EACCES, "sandbox %s", "abc"), -EACCES);
    CHECK_STR(err.msg, "sandbox abc: stat /etc/x: permission denied");
    CHECK_INT(err.errnum, EACCES);
    CHECK_INT(e2b_wrap(NULL, -EACCES, "x"), -EACCES);
}

TEST(long_messages_are_cut_between_characters)
{
    struct e2b_err err = { 0 };
    char text[400];

    /* 238 bytes of 'x', then two-byte characters: the cut falls into the first. */
    memset(text, 'x', 238);
    strcpy(text + 238, "\xc3\xa4\xc3\xa4");
    e2b_fail(&err, EIO, "%s", text);
    CHECK_INT(strlen(err.msg), 238);

    e2b_err_clear(&err);
    memset(text, 'y', 300);
    text[300] = '\0';
    e2b_fail(&err, EIO, "cause");
    e2b_wrap(&err, -EIO, "%s", text);
    CHECK_INT(strlen(err.msg), E2B_ERR_MSG_MAX - 1);
}

TEST(whole_characters_at_the_end_stay)
{
    static const char *const cases[] = { "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "x" };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct e2b_err err = { 0 };

        e2b_fail(&err, EIO, "%s", cases[i]);
        CHECK_STR(err.msg, cases[i]);
    }
}

TEST(nothing_in_a_message_steers_a_terminal)
{
    struct e2b_err err = { 0 };

    e2b_fail(&err, EIO,
             "a\nb\x1b[31mc\x7f\xc2\x9b"
             "d\te");
    CHECK_STR(err.msg, "a?b?[31mc???d?e");
}

/* design 4.3: the errno of every status, and section 8: its exit code */
TEST(every_status_has_its_errno_and_exit_code)
{
    static const struct {
        int status, errnum, exit;
    } cases[] = {
        { 400, EINVAL, 1 },       { 401, EKEYREJECTED, 4 }, { 403, EACCES, 4 },
        { 404, ENOENT, 3 },       { 408, ETIMEDOUT, 5 },    { 409, EBUSY, 6 },
        { 413, EFBIG, 1 },        { 415, EPROTO, 1 },       { 418, EIO, 1 },
        { 429, EAGAIN, 5 },       { 500, EIO, 1 },          { 501, EOPNOTSUPP, 1 },
        { 502, EHOSTUNREACH, 5 }, { 503, EAGAIN, 5 },       { 504, ETIMEDOUT, 5 },
        { 507, ENOSPC, 8 },       { 599, EIO, 1 },          { 0, EIO, 1 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct e2b_err err = { .errnum = cases[i].errnum, .http_status = cases[i].status };

        CASE("HTTP %d", cases[i].status);
        CHECK_INT(errno_from_http(cases[i].status), cases[i].errnum);
        CHECK_INT(e2b_err_exit_code(&err), cases[i].exit);
    }
}

TEST(every_errno_has_its_exit_code)
{
    static const struct {
        int errnum, exit;
    } cases[] = {
        { 0, 0 },
        { ENOENT, 3 },
        { ESTALE, 3 },
        { EKEYREJECTED, 4 },
        { EACCES, 4 },
        { EAGAIN, 5 },
        { ETIMEDOUT, 5 },
        { EHOSTUNREACH, 5 },
        { ECONNREFUSED, 5 },
        { ECONNRESET, 5 },
        { ENETUNREACH, 5 },
        { EHOSTDOWN, 6 },
        { EBUSY, 6 },
        { ENOSPC, 8 },
        { EDQUOT, 8 },
        { ECANCELED, 130 },
        { EINTR, 130 },
        { EINVAL, 1 },
        { EIO, 1 },
        { EPROTO, 1 },
        { EEXIST, 1 },
        { EOPNOTSUPP, 1 },
        { ENOTDIR, 1 },
    };

    CHECK_INT(e2b_err_exit_code(NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct e2b_err err = { .errnum = cases[i].errnum };

        CASE("%s", errno_name(cases[i].errnum));
        CHECK_INT(e2b_err_exit_code(&err), cases[i].exit);
    }
}

TEST(every_connect_code_has_a_name_and_an_errno)
{
    static const struct {
        const char *name;
        int errnum;
        int status; /* that Connect's clients read as this code; 0: none */
    } cases[] = {
        { "canceled", ECANCELED, 499 },
        { "unknown", EIO, 0 },
        { "invalid_argument", EINVAL, 400 },
        { "deadline_exceeded", ETIMEDOUT, 504 },
        { "not_found", ENOENT, 404 },
        { "already_exists", EEXIST, 409 },
        { "permission_denied", EACCES, 403 },
        { "resource_exhausted", EAGAIN, 429 },
        { "failed_precondition", EBUSY, 0 },
        { "aborted", EBUSY, 0 },
        { "out_of_range", ERANGE, 0 },
        { "unimplemented", EOPNOTSUPP, 501 },
        { "internal", EIO, 500 },
        { "unavailable", EAGAIN, 503 },
        { "data_loss", EIO, 0 },
        { "unauthenticated", EACCES, 401 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum e2b_connect_code code = connect_code_parse(cases[i].name);

        CASE("%s", cases[i].name);
        CHECK_INT(code, i + 1);
        CHECK_STR(e2b_connect_code_name(code), cases[i].name);
        CHECK_INT(errno_from_connect(code), cases[i].errnum);
        if (cases[i].status)
            CHECK_INT(connect_code_from_http(cases[i].status), code);
    }
    CHECK_INT(connect_code_parse("none"), E2B_CONNECT_NONE);
    CHECK_INT(connect_code_parse("Not_Found"), E2B_CONNECT_NONE);
    CHECK_INT(connect_code_parse(""), E2B_CONNECT_NONE);
    CHECK_INT(errno_from_connect(E2B_CONNECT_NONE), EIO);
    CHECK_INT(connect_code_from_http(502), E2B_CONNECT_UNAVAILABLE);
    CHECK_INT(connect_code_from_http(413), E2B_CONNECT_RESOURCE_EXHAUSTED);
    CHECK_INT(connect_code_from_http(418), E2B_CONNECT_UNKNOWN);
    CHECK_INT(connect_code_from_http(0), E2B_CONNECT_UNKNOWN);
    CHECK_STR(e2b_connect_code_name(E2B_CONNECT_NONE), "none");
    CHECK_STR(e2b_connect_code_name((enum e2b_connect_code)99), "unknown");
}

TEST(errnos_are_read_from_the_end_of_a_message)
{
    static const struct {
        const char *text;
        int errnum;
    } cases[] = {
        { "open /x: no space left on device", ENOSPC },
        { "mv: cannot stat 'a': No such file or directory\n", ENOENT },
        { "error: rename a: b: Directory not empty", ENOTEMPTY },
        { "permission denied", EACCES },
        { "x: too many open files in system", ENFILE },
        { "x: Too many open files", EMFILE },
        { "x: function not implemented", EOPNOTSUPP },
        { "x: transport endpoint is not connected", EIO },
        { "file 'no such file or directory' is fine", 0 },
        { "x: no such file or directory: at all", 0 },
        { "x: not such a text", 0 },
        { "x: ", 0 },
        { "", 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CASE("%s", cases[i].text);
        CHECK_INT(errno_from_text(cases[i].text), cases[i].errnum);
    }
}

TEST(errnos_have_names)
{
    CHECK_STR(errno_name(ENOENT), "ENOENT");
    CHECK_STR(errno_name(EKEYREJECTED), "EKEYREJECTED");
    CHECK_STR(errno_name(0), "EIO");
    CHECK_STR(errno_name(99999), "EIO");
}

TEST(hints_know_the_status_if_there_was_one)
{
    struct e2b_err paused = { .errnum = EHOSTDOWN };
    struct e2b_err team = { .errnum = EACCES, .http_status = 403 };
    struct e2b_err file = { .errnum = EACCES };
    struct e2b_err none = { 0 };

    CHECK_STR(e2b_err_hint(&paused), "try: echo 'resume 10m' > ctl");
    CHECK_CONTAINS(e2b_err_hint(&team), "team");
    CHECK(e2b_err_hint(&file) == NULL);
    CHECK(e2b_err_hint(&none) == NULL);
    CHECK(e2b_err_hint(NULL) == NULL);
}
