/* SPDX-License-Identifier: MIT */
/* report: errors, notes and questions on standard error; exit codes of several things. */
#include "cli.h"

#include "cmd.h"
#include "text.h"
#include "util/error.h"
#include "util/jsonw.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int cli_usage(struct cli *cli, struct e2b_err *err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    e2b_vfail(err, EINVAL, fmt, ap);
    va_end(ap);
    cli->is_usage_error = true;
    return -EINVAL;
}

bool cli_is_json(const struct cli *cli)
{
    return cli->g.format == OUT_JSON || cli->g.format == OUT_JSONL;
}

static int exit_code(const struct cli *cli, const struct e2b_err *err)
{
    if (cli->is_usage_error)
        return E2B_EXIT_USAGE;
    if (cli->cmd && cli->cmd->passes_exit_code)
        return E2B_EXIT_OURS;
    return e2b_err_exit_code(err);
}

static const char *hint_for(const struct cli *cli, const struct e2b_err *err)
{
    if (cli->hint)
        return cli->hint;
    if (!cli->is_usage_error)
        return e2b_err_hint(err);
    return cli->cmd ? NULL : "try: e2b-inspect help";
}

static void report_json(const struct e2b_err *err, const char *hint, const char *id, bool usage)
{
    autobuf struct buf text = BUF_INIT;

    buf_puts(&text, "{\"error\":");
    jsonw_str(&text, err->msg);
    buf_puts(&text, ",\"code\":");
    jsonw_str(&text, usage ? "USAGE" : errno_name(err->errnum));
    buf_puts(&text, ",\"hint\":");
    jsonw_str(&text, hint);
    if (err->http_status)
        buf_printf(&text, ",\"status\":%d,\"id\":", err->http_status);
    else
        buf_puts(&text, ",\"status\":null,\"id\":");
    jsonw_str(&text, id);
    buf_puts(&text, "}\n");
    (void)fputs(buf_str(&text), stderr);
}

/* One line: what happened, and behind it what to do about it. */
static void report_text(const struct cli *cli, const struct e2b_err *err, const char *hint)
{
    autobuf struct buf text = BUF_INIT;

    buf_puts(&text, "e2b-inspect: ");
    /* Messages quote operands and file names: ours to escape, whoever wrote them. */
    if (cli->stderr_is_terminal)
        text_escape(&text, err->msg, strlen(err->msg), TEXT_CELL);
    else
        buf_puts(&text, err->msg);
    if (hint)
        buf_printf(&text, "; %s", hint);
    else if (cli->is_usage_error && cli->cmd)
        buf_printf(&text, "; try: e2b-inspect %s --help", cli->cmd->name);
    buf_putc(&text, '\n');
    (void)fputs(buf_str(&text), stderr);
}

int cli_report(struct cli *cli, const struct e2b_err *err, const char *id)
{
    const char *hint = hint_for(cli, err);
    int code = exit_code(cli, err);

    (void)fflush(stdout);
    if (cli_is_json(cli))
        report_json(err, hint, id, cli->is_usage_error);
    else
        report_text(cli, err, hint);
    cli->is_usage_error = false;
    cli->hint = NULL;
    return code;
}

void cli_note(const struct cli *cli, const char *fmt, ...)
{
    va_list ap;

    if (cli->g.is_quiet)
        return;
    (void)fputs("e2b-inspect: ", stderr);
    va_start(ap, fmt);
    (void)vfprintf(stderr, fmt, ap);
    va_end(ap);
    (void)fputc('\n', stderr);
}

bool cli_may_ask(const struct cli *cli)
{
    return !cli->g.has_no_input && cli->stdin_is_terminal && cli->stderr_is_terminal;
}

/* False at the end of the input. */
static bool ask(const char *question, const char *choices, char *answer, int size)
{
    (void)fprintf(stderr, "%s %s ", question, choices);
    (void)fflush(stderr);
    if (!fgets(answer, size, stdin))
        return false;
    answer[strcspn(answer, "\r\n")] = '\0';
    return true;
}

bool cli_confirm(const struct cli *cli, const char *question)
{
    char answer[16];

    (void)cli;
    return ask(question, "[y/N]", answer, sizeof(answer)) &&
           (strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0);
}

bool cli_confirm_number(const struct cli *cli, const char *question, size_t number)
{
    char answer[32], expected[32];

    (void)cli;
    (void)snprintf(expected, sizeof(expected), "%zu", number);
    return ask(question, "[number]", answer, sizeof(answer)) && strcmp(answer, expected) == 0;
}

void cli_tally_add(struct cli_tally *tally, int code)
{
    if (code == 0) {
        tally->n_ok++;
        return;
    }
    if (tally->n_failed++ == 0)
        tally->code = code;
    else if (tally->code != code)
        tally->code = E2B_EXIT_PARTIAL;
}

int cli_tally_exit(const struct cli_tally *tally)
{
    if (tally->n_failed == 0)
        return 0;
    return tally->n_ok > 0 ? E2B_EXIT_PARTIAL : tally->code;
}

int cli_tally_end(struct cli *cli, const struct cli_tally *tally, struct e2b_err *err)
{
    int r = 0;

    if (tally->n_ok == 0 && tally->n_failed > 0)
        out_drop(cli->out);
    else
        r = out_end(cli->out, err);
    return r < 0 ? r : cli_tally_exit(tally);
}
