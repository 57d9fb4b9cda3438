/* SPDX-License-Identifier: MIT */
#include "targets.h"

#include "util/xalloc.h"

#include <string.h>

static bool has(const struct targets *targets, const struct target *t)
{
    for (size_t i = 0; i < targets->n; i++) {
        if (targets->v[i].account == t->account && strcmp(targets->v[i].id, t->id) == 0)
            return true;
    }
    return false;
}

int targets_resolve(struct cli *cli, const struct opt_operands *operands, size_t least,
                    struct targets *out, struct cli_tally *tally, struct e2b_err *err)
{
    struct targets targets = { 0 };
    struct target_names names;
    int r = target_names_read(cli, operands, &names, err);

    if (r < 0)
        return r;
    targets.v = xcalloc(names.n + 1, sizeof(*targets.v));
    for (size_t i = 0; i < names.n; i++) {
        struct target target = { 0 };
        struct e2b_err one = { 0 };

        if (target_resolve(cli, names.v[i], least, &target, &one) < 0)
            cli_tally_add(tally, cli_report(cli, &one, names.v[i]));
        else if (has(&targets, &target))
            target_clear(&target);
        else
            targets.v[targets.n++] = target;
    }
    target_names_free(&names);
    *out = targets;
    return 0;
}

void targets_clear(struct targets *targets)
{
    for (size_t i = 0; i < targets->n; i++)
        target_clear(&targets->v[i]);
    free(targets->v);
    *targets = (struct targets){ 0 };
}
