/* SPDX-License-Identifier: MIT */
/* cli: from argv to the command and its exit code. */
#include "cli.h"

#include "account.h"
#include "cmd.h"
#include "help.h"
#include "util/log.h"
#include "util/xalloc.h"

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int print(const struct buf *text, struct e2b_err *err)
{
    (void)fwrite(buf_str(text), 1, text->len, stdout);
    if (fflush(stdout) != 0 || ferror(stdout))
        return e2b_fail(err, errno ? errno : EIO, "standard output: %s", strerror(errno));
    return 0;
}

static int check_operands(struct cli *cli, const struct opt_operands *operands,
                          struct e2b_err *err)
{
    const struct cmd *cmd = cli->cmd;

    if (operands->n < (size_t)cmd->min_operands)
        return cli_usage(cli, err, "%s: an argument is missing: %s %s", cmd->name, cmd->name,
                         cmd->args);
    if (cmd->max_operands >= 0 && operands->n > (size_t)cmd->max_operands)
        return cli_usage(cli, err, "%s: too many arguments: %s %s", cmd->name, cmd->name,
                         cmd->args);
    return 0;
}

static int run_command(struct cli *cli, const struct cmd *cmd, const void *opts,
                       const struct opt_operands *operands, struct e2b_err *err)
{
    int r;

    log_set_level(cli->g.is_verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING);
    if (cli->g.is_quiet && cmd->quiet_is_ids && cli->g.format == OUT_TABLE)
        cli->g.format = OUT_ID;
    cli->out = out_new(stdout, (enum out_format)cli->g.format, cli->stdout_is_terminal);
    r = cmd->run(cli, opts, operands, err);
    if (r >= 0 && (fflush(stdout) != 0 || ferror(stdout)) && r == 0)
        r = e2b_fail(err, errno ? errno : EIO, "standard output: %s", strerror(errno));
    return r;
}

/* argv[0] is the command's name. */
static int parse_and_run(struct cli *cli, int argc, char **argv, struct e2b_err *err)
{
    const struct cmd *cmd = cli->cmd;
    struct opt_operands operands = { 0 };
    autobuf struct buf text = BUF_INIT;
    autofree void *opts = xcalloc(1, cmd->opts_size + 1);
    const struct opt_set sets[] = {
        { cmd->opts, opts },
        { cli_global_rows, &cli->g },
    };
    int r;

    if (cmd->set_defaults)
        cmd->set_defaults(opts);
    r = opts_parse(argc, argv, sets, 2,
                   cmd->takes_remote_argv ? OPTS_REMOTE_ARGV : OPTS_ANYWHERE, &operands, err);
    cli->is_usage_error = r < 0;
    if (r == 0 && cli->g.wants_help) {
        help_command(cmd, &text);
        r = print(&text, err);
    } else if (r == 0) {
        r = check_operands(cli, &operands, err);
        if (r == 0)
            r = run_command(cli, cmd, opts, &operands, err);
    }
    free(operands.v);
    opts_clear(sets, 1);
    return r;
}

static int dispatch(struct cli *cli, int argc, char **argv, struct e2b_err *err)
{
    const struct opt_set set = { cli_global_rows, &cli->g };
    struct opt_operands rest = { 0 };
    autobuf struct buf text = BUF_INIT;
    int r;

    r = opts_parse(argc, argv, &set, 1, OPTS_UNTIL_OPERAND, &rest, err);
    cli->is_usage_error = r < 0;
    if (r < 0)
        return r;
    if (cli->g.wants_version) {
        buf_puts(&text, "e2b-inspect " E2BFS_VERSION "\n");
        r = print(&text, err);
    } else if (cli->g.wants_help && rest.n == 0) {
        help_program(&text);
        r = print(&text, err);
    } else if (rest.n == 0) {
        r = cli_usage(cli, err, "a command is missing");
    } else {
        cli->cmd = cmd_find(rest.v[0]);
        if (cli->cmd)
            r = parse_and_run(cli, (int)rest.n, rest.v, err);
        else
            r = cli_usage(cli, err, "unknown command '%s'", rest.v[0]);
    }
    free(rest.v);
    return r;
}

/* The reader of our output has gone: end as every other filter does. */
static void die_of_sigpipe(void)
{
    (void)signal(SIGPIPE, SIG_DFL);
    (void)raise(SIGPIPE);
}

int cli_main(int argc, char **argv)
{
    struct cli cli = { 0 };
    const struct opt_set globals = { cli_global_rows, &cli.g };
    struct e2b_err err = { 0 };
    int r;

    (void)setlocale(LC_CTYPE, "C.UTF-8"); /* for wcwidth; nothing else depends on a locale */
    (void)signal(SIGPIPE, SIG_IGN);       /* connections, too, are written to */
    log_open(LOG_TO_STDERR, "e2b-inspect", NULL);
    cli.stdin_is_terminal = isatty(STDIN_FILENO);
    cli.stdout_is_terminal = isatty(STDOUT_FILENO);
    cli.stderr_is_terminal = isatty(STDERR_FILENO);

    r = dispatch(&cli, argc, argv, &err);
    accounts_close(&cli);
    if (r == -EPIPE && (cli.is_reader_gone || ferror(stdout)))
        die_of_sigpipe();
    if (r < 0)
        r = cli_report(&cli, &err, NULL);
    out_free(cli.out);
    opts_clear(&globals, 1);
    return r;
}
