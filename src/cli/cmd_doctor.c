/* SPDX-License-Identifier: MIT */
#include "cmd.h"

#include "checks.h"

static const struct out_col doctor_cols[] = {
    { "level", "LEVEL", OUT_IN_TABLE, 0 },
    { "check", "CHECK", OUT_IN_TABLE | OUT_IS_ID, 0 },
    { "detail", "DETAIL", OUT_IN_TABLE, 0 },
    { "todo", "TO DO", 0, 0 },
    { NULL, NULL, 0, 0 },
};

static int doctor_run(struct cli *cli, const void *opts, const struct opt_operands *operands,
                      struct e2b_err *err)
{
    struct check_run run = { .cli = cli };
    int r;

    (void)opts;
    (void)operands;
    out_begin(cli->out, doctor_cols, OUT_PLAIN);
    for (const struct check *check = checks; check->name; check++) {
        run.name = check->name;
        check->run(&run);
    }
    r = out_end(cli->out, err);
    if (r < 0)
        return r;
    return run.n_failed ? E2B_EXIT_FAILURE : 0;
}

const struct cmd cmd_doctor = {
    .name = "doctor",
    .args = "",
    .summary = "check key, API, clock, FUSE and mounts, and say what to do",
    .details = "Changes nothing. Exit code 1 if a line says fail.",
    .run = doctor_run,
};
