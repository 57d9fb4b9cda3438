/* SPDX-License-Identifier: MIT */
#include "helper.h"

#include "call.h"

#include "util/error.h"
#include "util/xalloc.h"

#include <errno.h>
#include <string.h>

enum {
    TIMEOUT_MS = 30 * 1000, /* design 11 */
    /* Killing a copy half-way would harm: that the way there lives is seen by keepalives. */
    LONG_TIMEOUT_MS = 600 * 1000,
    MAX_OUTPUT = 64 * 1024,
};

/* Messages of coreutils that end in no errno's words (envd.md 11, step 3). */
static const struct {
    const char *text;
    int errnum;
} shapes[] = {
    { "cannot overwrite directory", EISDIR },
    { "cannot overwrite non-directory", ENOTDIR },
    { "to a subdirectory of itself", EINVAL },
    { "hard link not allowed for directory", EPERM },
    { "not writing through dangling symlink", ENOENT },
};

static int line_errno(const char *line)
{
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++)
        if (strstr(line, shapes[i].text))
            return shapes[i].errnum;
    return errno_from_text(line);
}

int helper_errno(const char *text, int exit_code)
{
    /* The shell's and nice's own: the program is missing, or can't be run. */
    if (exit_code == 127 || exit_code == 126)
        return EOPNOTSUPP;
    while (*text) {
        size_t len = strcspn(text, "\n");
        autofree char *line = xstrndup(text, len);
        int errnum = line_errno(line);

        if (errnum)
            return errnum;
        text += len + (text[len] == '\n');
    }
    return EIO;
}

struct helper_op {
    struct e2b_call call;
    e2b_exec_fn *fn;
    void *arg;
    char *id, *what, *subject;
    bool is_strict, is_lenient;
    const struct e2b_exec_result *result; /* borrowed, while helper_done runs */
};

static void helper_end(struct e2b_call *call, const struct e2b_err *err)
{
    struct helper_op *op = (struct helper_op *)call;

    op->fn(op->arg, err ? NULL : op->result, err);
    free(op->id);
    free(op->what);
    free(op->subject);
}

static void helper_done(void *arg, const struct e2b_exec_result *result,
                        const struct e2b_err *err)
{
    struct helper_op *op = arg;
    struct e2b_err why = { 0 };
    bool is_missing;

    if (err) {
        call_end(&op->call, err);
        return;
    }
    op->result = result;
    is_missing = result->exit_code == 127 || result->exit_code == 126;
    if (is_missing || (!op->is_lenient &&
                       (result->exit_code != 0 || (op->is_strict && result->err_len > 0)))) {
        int len = (int)strcspn(result->err_text, "\n");

        e2b_fail(&why, helper_errno(result->err_text, result->exit_code),
                 "sandbox %s: %s %s: %.*s", op->id, op->what, op->subject, len,
                 result->err_text);
        if (len == 0)
            e2b_wrap(&why, 0, "exit status %d", result->exit_code);
    }
    call_end(&op->call, why.errnum ? &why : NULL);
}

struct e2b_call *helper_run(struct e2b_client *client, const struct helper *helper,
                            e2b_exec_fn *fn, void *arg)
{
    static const struct e2b_pair envs[] = {
        { (char *)"LC_ALL", (char *)"C" },
        { (char *)"PATH", (char *)"/usr/bin:/bin:/usr/sbin:/sbin" },
    };
    struct e2b_process_spec spec = {
        .argv = helper->argv,
        .envs = envs,
        .n_envs = ARRAY_LEN(envs),
        .cwd = "/",
        .user = helper->user,
        .timeout_ms = helper->is_long ? LONG_TIMEOUT_MS : TIMEOUT_MS,
    };
    struct helper_op *op = call_new(client, sizeof(*op), helper_end);

    op->fn = fn;
    op->arg = arg;
    op->id = xstrdup(helper->id);
    op->what = xstrdup(helper->what);
    op->subject = xstrdup(helper->subject ? helper->subject : "");
    op->is_strict = helper->is_strict;
    op->is_lenient = helper->is_lenient;
    call_adopt(&op->call, e2b_process_exec(client, helper->id, &spec,
                                           helper->max_output ? helper->max_output : MAX_OUTPUT,
                                           helper_done, op));
    return &op->call;
}
