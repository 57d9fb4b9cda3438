/* SPDX-License-Identifier: MIT */
/* help: usage texts, made from the tables of commands and options. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli/cmd.h"
#include "util/buf.h"

void help_program(struct buf *out);
void help_command(const struct cmd *cmd, struct buf *out);

/* A text that is no command's: "exit-codes". false if there is none of that name. */
bool help_topic(const char *name, struct buf *out);

#endif
