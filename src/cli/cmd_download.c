/* SPDX-License-Identifier: MIT */
#include "cmd.h"

#include "fetch.h"
#include "part.h"
#include "prefix.h"
#include "remote.h"
#include "util/path.h"
#include "util/xalloc.h"

#include <string.h>

static int download_file(struct cli *cli, const struct target *target, const char *path,
                         const char *local, struct e2b_err *err)
{
    autofree char *real = NULL, *kept = NULL;
    struct e2b_entry entry = { 0 };
    struct part part;
    struct fetch fetch = { .cli = cli, .target = target };
    int r = remote_find_file(cli, target, path, &real, &entry, err);

    if (r < 0)
        return r;
    fetch.path = real;
    fetch.size = entry.size;
    e2b_entry_clear(&entry);
    /* Called as it was asked for, whatever a link leads to. */
    r = part_open(local, path_base(path), &part, err);
    if (r < 0)
        return r;
    fetch.fd = part.fd;
    fetch.fd_name = part.path;
    r = fetch_file(&fetch, err);
    if (r == 0)
        return part_end(&part, err);
    if (part.temp && fetch.got > 0)
        kept = xstrdup(part.temp);
    part_abandon(&part, kept != NULL);
    if (kept)
        e2b_wrap(err, r, "%s is incomplete", kept);
    return r;
}

static int download_run(struct cli *cli, const void *opts, const struct opt_operands *operands,
                        struct e2b_err *err)
{
    const char *local = operands->v[2];
    autofree char *path = NULL;
    struct target target = { 0 };
    int r = target_resolve(cli, operands->v[0], PREFIX_MIN, &target, err);

    (void)opts;
    if (r == 0)
        r = remote_path(cli, &target, operands->v[1], &path, err);
    if (r == 0 && strcmp(local, "-") == 0)
        r = fetch_to_stdout(cli, &target, path, err);
    else if (r == 0)
        r = download_file(cli, &target, path, local, err);
    target_clear(&target);
    return r;
}

const struct cmd cmd_download = {
    .name = "download",
    .args = "SANDBOX REMOTE LOCAL",
    .summary = "copy a file out of a sandbox",
    .details =
        "LOCAL is a file, a directory, or - for standard output. The bytes go to\n"
        "LOCAL.part, which becomes LOCAL when all of them have come; links at LOCAL are\n"
        "not followed. On a terminal the progress is shown.",
    .min_operands = 3,
    .max_operands = 3,
    .run = download_run,
};
