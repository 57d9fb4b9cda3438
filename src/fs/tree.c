/* SPDX-License-Identifier: MIT */
#include "fs/tree.h"

#include "fs/snapshot.h"

#include <string.h>

const struct node_entry tree_sandbox[] = {
    { .name = "info.json",
      .type = &node_snapshot,
      .mode = 0444,
      .fill = vfile_info_fill,
      .mtime = vfile_info_mtime },
    { .name = "detail.json",
      .type = &node_snapshot,
      .mode = 0444,
      .flags = NODE_HIDDEN,
      .fill = vfile_detail_fill,
      .age_ms = 2000 }, /* the list's: each look beyond that is a request */
    { .name = "state", .type = &node_snapshot, .mode = 0444, .fill = vfile_state_fill },
    { .name = "metrics", .type = &node_snapshot, .mode = 0444, .fill = vfile_metrics_fill },
    { .name = "metrics.json",
      .type = &node_snapshot,
      .mode = 0444,
      .fill = vfile_metrics_json_fill },
    { .name = "ctl", .type = &node_control, .mode = 0600, .fill = vfile_ctl_fill },
    { .name = "error", .type = &node_snapshot, .mode = 0444, .fill = vfile_error_fill },
    { .name = "fs", .type = &node_remote_dir, .mode = 0755 },
    { .name = "home", .type = &node_link, .mode = 0777, .target = "fs/%s" },
    { .name = NULL },
};

static const struct node_entry tree_e2b[] = {
    { .name = "README", .type = &node_snapshot, .mode = 0444, .fill = vfile_readme_fill },
    { .name = "version", .type = &node_snapshot, .mode = 0444, .fill = vfile_version_fill },
    { .name = "config", .type = &node_snapshot, .mode = 0444, .fill = vfile_config_fill },
    { .name = "status", .type = &node_snapshot, .mode = 0444, .fill = vfile_status_fill },
    { .name = "stats", .type = &node_snapshot, .mode = 0444, .fill = vfile_stats_fill },
    { .name = "error", .type = &node_snapshot, .mode = 0444, .fill = vfile_error_fill },
    { .name = "index", .type = &node_snapshot, .mode = 0444, .fill = vfile_index_fill },
    { .name = "ctl", .type = &node_control, .mode = 0600, .fill = vfile_account_ctl_fill },
    { .name = "metrics",
      .type = &node_snapshot,
      .mode = 0444,
      .fill = vfile_metrics_all_fill,
      .age_ms = 1000 }, /* made once for lookup and open, however long that took */
    { .name = "summary.json",
      .type = &node_snapshot,
      .mode = 0444,
      .fill = vfile_summary_fill },
    { .name = "pending", .type = &node_pending, .mode = 0700 },
    { .name = "by-name", .type = &node_view, .mode = 0555, .view = VIEW_NAME },
    { .name = "by-template", .type = &node_view, .mode = 0555, .view = VIEW_TEMPLATE },
    { .name = "by-state", .type = &node_view, .mode = 0555, .view = VIEW_STATE },
    { .name = "by-metadata", .type = &node_view, .mode = 0555, .view = VIEW_METADATA },
    { .name = NULL },
};

const struct node_entry tree_root[] = {
    { .name = ".e2b", .type = &node_static, .mode = 0555, .entries = tree_e2b },
    /* Where people and coding agents look first; not listed, since `cat *` is about sandboxes.
     */
    { .name = "README",
      .type = &node_snapshot,
      .mode = 0444,
      .flags = NODE_HIDDEN,
      .fill = vfile_readme_fill },
    { .name = "AGENTS.md",
      .type = &node_snapshot,
      .mode = 0444,
      .flags = NODE_HIDDEN,
      .fill = vfile_readme_fill },
    { .name = "CLAUDE.md",
      .type = &node_snapshot,
      .mode = 0444,
      .flags = NODE_HIDDEN,
      .fill = vfile_readme_fill },
    { .name = NULL },
};

const struct node_entry *tree_find(const struct node_entry *table, const char *name)
{
    for (; table->name; table++) {
        if (strcmp(table->name, name) == 0)
            return table;
    }
    return NULL;
}
