/* SPDX-License-Identifier: MIT */
#include "cmd.h"

#include "exec.h"
#include "pairs.h"
#include "prefix.h"
#include "target.h"
#include "util/path.h"
#include "util/xalloc.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { DEFAULT_TIMEOUT_MS = 60 * 1000 };

struct exec_opts {
    struct opt_list envs;
    const char *dir, *user;
    int64_t timeout_ms;
    bool wants_stdin, wants_no_stdin;
};

static const struct opt exec_rows[] = {
    { OPT_PAIR, 'e', "env", offsetof(struct exec_opts, envs), "KEY=VALUE",
      "set a variable for the command (may be repeated)", NULL },
    { OPT_STRING, 'w', "workdir", offsetof(struct exec_opts, dir), "DIR",
      "run in this directory of the sandbox", NULL },
    { OPT_STRING, 'u', "user", offsetof(struct exec_opts, user), "USER",
      "run as this user of the sandbox", NULL },
    { OPT_DURATION, 0, "timeout", offsetof(struct exec_opts, timeout_ms), "TIME",
      "end the command after TIME (default 60 s; 0: never)", NULL },
    { OPT_FLAG, 'i', "stdin", offsetof(struct exec_opts, wants_stdin), NULL,
      "send standard input even if it is a terminal", NULL },
    { OPT_FLAG, 'n', "no-stdin", offsetof(struct exec_opts, wants_no_stdin), NULL,
      "leave standard input alone", NULL },
    { .kind = OPT_END },
};

static void exec_defaults(void *opts)
{
    ((struct exec_opts *)opts)->timeout_ms = DEFAULT_TIMEOUT_MS;
}

/* False for what can't have anything to say: closed, or /dev/null. */
static bool stdin_may_have_data(void)
{
    struct stat st;

    if (fstat(STDIN_FILENO, &st) < 0)
        return false;
    return !(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
}

static bool sends_stdin(const struct cli *cli, const struct exec_opts *o)
{
    if (o->wants_no_stdin)
        return false;
    return o->wants_stdin || (!cli->stdin_is_terminal && stdin_may_have_data());
}

/* -w is relative to where a path inside a mount is; without one envd knows. */
static char *working_dir(const struct target *target, const char *dir)
{
    autofree char *joined = NULL;

    if (!dir || dir[0] == '/' || !target->dir)
        return xstrdup(dir ? dir : target->dir);
    joined = xasprintf("%s/%s", target->dir, dir);
    return path_normalise(joined);
}

/* A shell line for bash as the SDKs run it, and for sh where there is no bash. */
static const char shell_line[] =
    "if [ -x /bin/bash ]; then exec /bin/bash -l -c \"$1\"; fi; exec /bin/sh -c \"$1\"";

static int run_there(struct cli *cli, const struct exec_opts *o, const struct target *target,
                     const struct opt_operands *operands, struct e2b_err *err)
{
    bool is_line = operands->n == 2 && !operands->has_dashes;
    const char *line[] = { "/bin/sh", "-c", shell_line, "sh", operands->v[1], NULL };
    autofree char *dir = working_dir(target, o->dir);
    struct e2b_pair *envs = pairs_new(&o->envs);
    struct exec_plan plan = {
        .client = target->account->client,
        .loop = cli->loop,
        .id = target->id,
        .spec = {
            .argv = is_line ? line : (const char *const *)operands->v + 1,
            .envs = envs,
            .n_envs = o->envs.n,
            .cwd = dir,
            .user = o->user,
            .timeout_ms = o->timeout_ms,
            .has_stdin = sends_stdin(cli, o),
        },
        .escapes_stdout = cli->stdout_is_terminal,
        .escapes_stderr = cli->stderr_is_terminal,
    };
    struct exec_failure failure;
    int r = exec_session(&plan, &failure, err);

    pairs_free(envs, o->envs.n);
    cli->is_reader_gone |= failure.reader_gone;
    if (failure.gave_up_signal) {
        cli->hint = "the command may still run in the sandbox";
        cli_report(cli, err, target->id);
        return 128 + failure.gave_up_signal;
    }
    if (failure.timed_out) {
        cli->hint = "try: --timeout TIME, or 0 for none";
        cli_report(cli, err, target->id);
        return E2B_EXIT_TIMEOUT;
    }
    return r;
}

static int exec_run(struct cli *cli, const void *opts, const struct opt_operands *operands,
                    struct e2b_err *err)
{
    const struct exec_opts *o = opts;
    struct target target = { 0 };
    int r;

    if (o->wants_stdin && o->wants_no_stdin)
        return cli_usage(cli, err, "exec: --stdin and --no-stdin contradict each other");
    if (operands->has_dashes && operands->n_before_dashes != 1)
        return cli_usage(cli, err, "exec: -- belongs between the sandbox and the command");
    r = target_resolve(cli, operands->v[0], PREFIX_MIN, &target, err);
    if (r == 0)
        r = run_there(cli, o, &target, operands, err);
    /* With its id, which main doesn't know. */
    if (r < 0 && !cli->is_reader_gone)
        r = cli_report(cli, err, target.id ? target.id : operands->v[0]);
    target_clear(&target);
    return r;
}

const struct cmd cmd_exec = {
    .name = "exec",
    .args = "[OPTION]... SANDBOX (-- COMMAND [ARGUMENT]... | 'SHELL LINE')",
    .summary = "run a command in a sandbox, with our standard streams",
    .details =
        "Behind -- the command is run as it is, without a shell; a single word without --\n"
        "is a line for bash -l (or sh). A path below fs/ of a mount as SANDBOX also gives\n"
        "the directory: exec . -- make. The exit code is the command's; 124: time-out,\n"
        "125: we failed, 128+n: signal n. Standard input is sent unless it is a terminal.\n"
        "On a terminal control characters in the output are escaped; bytes in pipes and\n"
        "files are exact.",
    .opts = exec_rows,
    .opts_size = sizeof(struct exec_opts),
    .set_defaults = exec_defaults,
    .min_operands = 2,
    .max_operands = -1,
    .takes_remote_argv = true,
    .passes_exit_code = true,
    .run = exec_run,
};
