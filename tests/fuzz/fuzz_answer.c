/* SPDX-License-Identifier: MIT */
/*
 * Text that servers and helper programs write: error answers, stderr, find's listings, dates.
 * An errno always comes out, never ENOSYS, and never ENOENT from what is not the service.  The
 * first byte picks the parser, the second the endpoint and the status.
 */
#include "e2b/answer.h"
#include "e2b/find.h"
#include "e2b/helper.h"
#include "e2b/httpdate.h"
#include "e2b/model.h"
#include "util/path.h"
#include "util/xalloc.h"

#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
    if (!holds)
        abort();
}

static void answer(const char *text, size_t len, uint8_t pick)
{
    static const int statuses[] = {
        400, 401, 403, 404, 409, 416, 429, 500, 502, 503, 504, 507
    };
    const struct endpoint *ep = &endpoints[pick % EP_COUNT];
    int status = statuses[pick % ARRAY_LEN(statuses)];
    struct e2b_err err = { 0 };
    enum answer_kind kind = answer_error(ep, status, text, len, &err);

    require(err.errnum > 0 && err.errnum != ENOSYS && err.http_status == status);
    require(err.msg[0] && !strpbrk(err.msg, "\r\n\033"));
    if (ep->plane == PLANE_ENVD && err.errnum == ENOENT)
        require(kind == ANSWER_SERVICE);
}

static void helper(const char *text, size_t len, uint8_t pick)
{
    char *line = xstrndup(text, len);
    int errnum = helper_errno(line, pick);

    require(errnum > 0 && errnum != ENOSYS);
    free(line);
}

static void find(const char *text, size_t len, uint8_t pick)
{
    struct e2b_entry_list list = { 0 };
    struct e2b_err err = { 0 };
    int r = find_parse(text, len, &list, &err);

    (void)pick;
    require((r == 0) == (err.errnum == 0));
    require(r == 0 || (!list.v && list.n == 0));
    for (size_t i = 0; list.v && i < list.n; i++) {
        const struct e2b_entry *e = &list.v[i];

        require(path_name_ok(e->name) || strcmp(e->name, "/") == 0);
        require(e->size >= 0 && e->uid >= 0 && e->nlink >= 0 && e->is_rich);
        require(e->mtime.tv_nsec >= 0 && e->mtime.tv_nsec < 1000000000);
    }
    e2b_entry_list_clear(&list);
}

static void date(const char *text, size_t len, uint8_t pick)
{
    char *line = xstrndup(text, len);
    char again[HTTPDATE_MAX];
    time_t t = 0, u = 0;

    (void)pick;
    if (httpdate_parse(line, &t) == 0 && *httpdate_format(t, again))
        require(httpdate_parse(again, &u) == 0 && t == u);
    free(line);
}

static void mode(const char *text, size_t len, uint8_t pick)
{
    char *line = xstrndup(text, len);
    mode_t m = 0;

    (void)pick;
    if (model_mode(line, &m) == 0)
        require((m & S_IFMT) != 0);
    free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const parsers[])(const char *, size_t, uint8_t) = { answer, helper, find,
                                                                      date, mode };

    if (size < 2)
        return 0;
    parsers[data[0] % ARRAY_LEN(parsers)]((const char *)data + 2, size - 2, data[1]);
    return 0;
}
