/* SPDX-License-Identifier: MIT */
#include "cmd.h"

#include <string.h>

extern const struct cmd cmd_list, cmd_summary, cmd_info, cmd_metrics, cmd_exec, cmd_ps,
    cmd_files, cmd_cat, cmd_download, cmd_upload, cmd_kill, cmd_kill_all, cmd_create,
    cmd_timeout, cmd_extend, cmd_pause, cmd_resume, cmd_env, cmd_doctor, cmd_help;

const struct cmd *const cmds[] = {
    &cmd_list,   &cmd_summary, &cmd_info,     &cmd_metrics, &cmd_exec,   &cmd_ps,
    &cmd_files,  &cmd_cat,     &cmd_download, &cmd_upload,  &cmd_kill,   &cmd_kill_all,
    &cmd_create, &cmd_timeout, &cmd_extend,   &cmd_pause,   &cmd_resume, &cmd_env,
    &cmd_doctor, &cmd_help,    NULL,
};

const struct cmd *cmd_find(const char *name)
{
    for (size_t i = 0; cmds[i]; i++) {
        if (strcmp(cmds[i]->name, name) == 0)
            return cmds[i];
    }
    return NULL;
}
