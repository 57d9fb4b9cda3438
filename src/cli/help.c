/* SPDX-License-Identifier: MIT */
#include "help.h"

#include <ctype.h>
#include <string.h>

static const struct {
    int code;
    const char *text;
} exit_codes[] = {
    { E2B_EXIT_OK, "done" },
    { E2B_EXIT_FAILURE, "something else failed" },
    { E2B_EXIT_USAGE, "the command was called wrongly" },
    { E2B_EXIT_NOT_FOUND, "no such sandbox, or no such file in it" },
    { E2B_EXIT_AUTH, "no API key, or the server refused it" },
    { E2B_EXIT_TEMPORARY, "unreachable, overloaded or too slow: trying again may help" },
    { E2B_EXIT_STATE, "the sandbox is in the wrong state (paused, or changing)" },
    { E2B_EXIT_PARTIAL, "some of several failed" },
    { E2B_EXIT_SPACE, "no space left" },
    { E2B_EXIT_TIMEOUT, "exec: the command ran longer than --timeout" },
    { E2B_EXIT_OURS, "exec: we failed, not the remote command" },
    { 128, "+ n: signal n ended the remote command" },
    { E2B_EXIT_INTERRUPTED, "interrupted" },
};

static void topic_exit_codes(struct buf *out)
{
    buf_puts(out, "Exit codes of e2b-inspect\n\n");
    for (size_t i = 0; i < sizeof(exit_codes) / sizeof(exit_codes[0]); i++)
        buf_printf(out, "  %3d  %s\n", exit_codes[i].code, exit_codes[i].text);
    buf_puts(out, "\nexec passes the remote command's own exit code (0 to 255) through.\n");
}

static const struct {
    const char *name, *summary;
    void (*print)(struct buf *out);
} topics[] = {
    { "exit-codes", "what the exit codes mean", topic_exit_codes },
};

void help_program(struct buf *out)
{
    buf_puts(out, "Usage: e2b-inspect COMMAND [OPTION]... [ARGUMENT]...\n"
                  "Look into and steer E2B sandboxes.\n\nCommands:\n");
    for (size_t i = 0; cmds[i]; i++)
        buf_printf(out, "  %-10s %s\n", cmds[i]->name, cmds[i]->summary);
    buf_puts(out, "\nOptions of all commands:\n");
    opts_usage(cli_global_rows, out);
    buf_puts(out, "\nA sandbox is named by its id, by a unique beginning of it, or by a path "
                  "inside a mount\nof e2bfs, which also says the account.\n"
                  "More: e2b-inspect COMMAND --help");
    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++)
        buf_printf(out, ", e2b-inspect help %s", topics[i].name);
    buf_puts(out, ", man e2b-inspect\n");
}

void help_command(const struct cmd *cmd, struct buf *out)
{
    buf_printf(out, "Usage: e2b-inspect %s%s%s\n%c%s.\n", cmd->name, cmd->args[0] ? " " : "",
               cmd->args, toupper((unsigned char)cmd->summary[0]), cmd->summary + 1);
    if (cmd->details)
        buf_printf(out, "\n%s\n", cmd->details);
    if (cmd->opts) {
        buf_puts(out, "\nOptions:\n");
        opts_usage(cmd->opts, out);
    }
    buf_puts(out, "\nThe options of all commands: e2b-inspect --help\n");
}

bool help_topic(const char *name, struct buf *out)
{
    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
        if (strcmp(topics[i].name, name) == 0) {
            topics[i].print(out);
            return true;
        }
    }
    return false;
}
