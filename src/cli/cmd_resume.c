/* SPDX-License-Identifier: MIT */
#include "cmd.h"

#include "life.h"

struct resume_opts {
    const char *time;
};

static const struct opt resume_rows[] = {
    { OPT_STRING, 't', "timeout", offsetof(struct resume_opts, time), "TIME",
      "end TIME from now (default 5m)", NULL },
    { .kind = OPT_END },
};

static void resume_defaults(void *opts)
{
    ((struct resume_opts *)opts)->time = "300";
}

static int resume_run(struct cli *cli, const void *opts, const struct opt_operands *operands,
                      struct e2b_err *err)
{
    const struct resume_opts *o = opts;
    int64_t seconds;
    int r = life_seconds(cli, o->time, &seconds, err);

    return r < 0 ? r : life_run(cli, operands, e2b_sandbox_resume, seconds, err);
}

const struct cmd cmd_resume = {
    .name = "resume",
    .args = "[-t TIME] SANDBOX...",
    .summary = "let paused sandboxes go on",
    .details =
        "Costs money from then on. One that is running is prolonged, never shortened. -\n"
        "reads names from standard input.",
    .opts = resume_rows,
    .opts_size = sizeof(struct resume_opts),
    .set_defaults = resume_defaults,
    .min_operands = 1,
    .max_operands = -1,
    .run = resume_run,
};
