/* SPDX-License-Identifier: MIT */
#include "checks.h"

#include "account.h"
#include "util/clock.h"
#include "util/xalloc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

enum { SKEW_WARN_MS = 30 * 1000, SLOW_MS = 2000 };

void check_say(struct check_run *run, enum check_level level, const char *todo, const char *fmt,
               ...)
{
    static const char *const words[] = { "ok", "warn", "fail" };
    struct out *out = run->cli->out;
    autofree char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = xvasprintf(fmt, ap);
    va_end(ap);
    run->n_failed += level == CHECK_FAIL;
    /* For people one text: a column of its own would stand far to the right. */
    if (todo && (out_format_of(out) == OUT_TABLE || out_format_of(out) == OUT_WIDE)) {
        char *both = xasprintf("%s; to do: %s", text, todo);

        free(text);
        text = both;
    }
    out_str(out, words[level]);
    out_str(out, run->name);
    out_str(out, text);
    out_str(out, todo);
    out_end_row(out);
}

static void check_key(struct check_run *run)
{
    struct e2b_err err = { 0 };

    if (account_get(run->cli, NULL, &run->account, &err) < 0) {
        const char *hint = e2b_err_hint(&err);

        run->account = NULL;
        check_say(run, CHECK_FAIL, hint ? hint : "set E2B_API_KEY, or use --api-key-file", "%s",
                  err.msg);
        return;
    }
    check_say(run, CHECK_OK, NULL, "from %s", run->account->config.api_key_source);
    if (getenv("E2B_ACCESS_TOKEN"))
        check_say(run, CHECK_WARN, "unset it; an API key is what counts",
                  "E2B_ACCESS_TOKEN is set, but such tokens were retired and are not used");
}

static void check_api(struct check_run *run)
{
    struct e2b_sandbox_query query = { .limit = 1 };
    struct e2b_sandbox_list boxes = { 0 };
    struct e2b_err err = { 0 };
    const char *url;
    int64_t began, took;
    int r;

    if (!run->account) {
        check_say(run, CHECK_WARN, NULL, "not tried: there is no key");
        return;
    }
    url = run->account->config.api_url;
    began = clock_boot_ms();
    r = e2b_wait(e2b_sandbox_list(run->account->client, &query, e2b_sandbox_list_keep, &boxes),
                 &err);
    took = clock_boot_ms() - began;
    e2b_sandbox_list_clear(&boxes);
    if (r < 0)
        check_say(run, CHECK_FAIL, e2b_err_hint(&err), "%s: %s", url, err.msg);
    else if (took > SLOW_MS)
        check_say(run, CHECK_WARN, "check the network", "%s answers after %" PRId64 " ms", url,
                  took);
    else
        check_say(run, CHECK_OK, NULL, "%s answers after %" PRId64 " ms", url, took);
}

static void check_clock(struct check_run *run)
{
    int64_t offset = run->account ? e2b_client_clock_offset_ms(run->account->client) : 0;

    if (!run->account)
        check_say(run, CHECK_WARN, NULL, "not compared: there is no key");
    else if (llabs(offset) > SKEW_WARN_MS)
        check_say(run, CHECK_WARN, "set this machine's clock (NTP)",
                  "%" PRId64 " s %s the server's", (int64_t)llabs(offset) / 1000,
                  offset > 0 ? "behind" : "ahead of");
    else
        check_say(run, CHECK_OK, NULL, "within %d s of the server's", SKEW_WARN_MS / 1000);
}

const struct check checks[] = {
    { "key", check_key },
    { "api", check_api },
    { "clock", check_clock },
    { "/dev/fuse", check_fuse_device },
    { "fusermount3", check_fusermount },
    { "mounts", check_mounts },
    { NULL, NULL },
};
