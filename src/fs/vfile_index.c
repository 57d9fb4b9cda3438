/* SPDX-License-Identifier: MIT */
/*
 * .e2b/index: one line per sandbox, oldest start first, for grep, awk and sort:
 *
 *   id  state  started  ends-or-paused  template  name
 *
 * separated by tabs.  Times are absolute.  What is empty is "-"; a tab, newline, backslash or
 * anything that a terminal would obey is escaped as in C (\t \n \\ \xNN).
 */
#include "fs/vfile_list.h"
#include "util/clock.h"
#include "util/utf8.h"
#include "util/xalloc.h"

#include <errno.h>
#include <string.h>

static void put_field(struct buf *out, const char *s)
{
    size_t len = s ? strlen(s) : 0;

    buf_putc(out, '\t');
    if (len == 0)
        buf_putc(out, '-');
    utf8_escape(out, s, len);
}

/* Whole or not at all. */
static int put_line(struct buf *out, const struct e2b_sandbox *s)
{
    autobuf struct buf line = BUF_INIT;
    char time[RFC3339_MAX];

    buf_puts(&line, s->id);
    put_field(&line, e2b_state_name(s->state));
    put_field(&line, rfc3339_format(s->started_at, 0, time));
    put_field(&line, rfc3339_format(s->end_at, 0, time));
    put_field(&line, s->alias && *s->alias ? s->alias : s->template_id);
    put_field(&line, e2b_sandbox_meta(s, "name"));
    buf_putc(&line, '\n');
    return buf_append(out, line.data, line.len);
}

static void finish(struct snapshot *snap, const struct e2b_sandbox_list *list)
{
    autofree const struct e2b_sandbox **order = vfile_by_start(list);
    int r = 0;

    for (size_t i = 0; i < list->n && r == 0; i++)
        r = put_line(&snap->out, order[i]);
    if (r < 0)
        snapshot_fail_errno(snap, -r, "too many sandboxes for one file");
    else
        snapshot_finish(snap);
}

void vfile_index_fill(struct snapshot *snap)
{
    vfile_with_list(snap, finish);
}
