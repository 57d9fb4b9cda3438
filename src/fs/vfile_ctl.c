/* SPDX-License-Identifier: MIT */
/*
 * <id>/ctl and .e2b/ctl, as read: the state, what verbs had to say, and the verbs.  Every line
 * starts with
 * '#', so that a copy written back does nothing.
 */
#include "fs/ctl.h"
#include "fs/snapshot.h"
#include "util/clock.h"

#include <errno.h>
#include <string.h>

static void put_state(const struct e2b_sandbox *s, struct buf *out)
{
    char time[RFC3339_MAX];

    /* The API's endAt means two things (control-plane.md 6.2). */
    if (s->state == E2B_STATE_PAUSED)
        buf_printf(out, "# paused since %s\n", rfc3339_format(s->end_at, 0, time));
    else
        buf_printf(out, "# %s until %s\n", e2b_state_name(s->state),
                   rfc3339_format(s->end_at, 0, time));
}

/* What all verbs of a place had to say, and the verbs. */
static void put_rest(struct snapshot *snap, enum ctl_place place)
{
    const struct options *options = snap->fs->options;
    const char *help;

    errlog_notes(&snap->fs->errlog, snap->sandbox, "# ", &snap->out);
    if (options->ro) {
        buf_puts(&snap->out, "# mounted read-only: commands are refused\n");
        return;
    }
    buf_puts(&snap->out, "# one command a line; it runs, and fails, inside write():\n");
    for (size_t i = 0; (help = ctl_verb_help(place, i)); i++)
        if (!options->nokill || strncmp(help, "kill", 4) != 0)
            buf_printf(&snap->out, "#   %s\n", help);
}

void vfile_ctl_fill(struct snapshot *snap)
{
    const struct e2b_sandbox *s = fleet_find(snap->fs->fleet, snap->sandbox);

    if (!s) {
        snapshot_fail_errno(snap, ENOENT, "no such sandbox any more");
        return;
    }
    put_state(s, &snap->out);
    put_rest(snap, CTL_SANDBOX);
    snapshot_finish(snap);
}

/* Asks nobody: the numbers are those of the last list. */
void vfile_account_ctl_fill(struct snapshot *snap)
{
    const struct e2b_sandbox_list *list = fleet_last(snap->fs->fleet, NULL);
    size_t running = 0;

    for (size_t i = 0; list && i < list->n; i++)
        running += list->v[i].state == E2B_STATE_RUNNING;
    buf_printf(&snap->out, "# %zu running\n", running);
    put_rest(snap, CTL_ACCOUNT);
    snapshot_finish(snap);
}
