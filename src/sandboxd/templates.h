/* SPDX-License-Identifier: MIT */
/*
 * templates: what sandboxes are made from.
 *
 * Threads: any; the table is constant.
 */
#ifndef SANDBOXD_TEMPLATES_H
#define SANDBOXD_TEMPLATES_H

struct template
{
    const char *id, *alias;
    int cpu_count, memory_mb, disk_mb;
};

/* By id, alias, or namespace/alias, each with an optional tag; NULL if unknown. */
const struct template *template_find(const char *reference);

#endif
