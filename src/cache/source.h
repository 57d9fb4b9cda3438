/* SPDX-License-Identifier: MIT */
/*
 * source: where the cache's listings and bytes come from.
 *
 * The four functions of libe2b that the read side calls, so that tests can put their own in
 * their place (dirs_use_source, blocks_use_source).  They keep the contract of e2b/call.h.
 */
#ifndef CACHE_SOURCE_H
#define CACHE_SOURCE_H

#include <e2b/file.h>

struct file_source {
    struct e2b_call *(*list)(struct e2b_client *client, const char *id, const char *path,
                             e2b_entry_list_fn *fn, void *arg);
    struct e2b_call *(*read)(struct e2b_client *client, const char *id,
                             const struct e2b_read *read, e2b_data_fn *on_data, e2b_read_fn *fn,
                             void *arg);
    void (*resume)(struct e2b_call *call);
    void (*cancel)(struct e2b_call *call);
};

extern const struct file_source file_source_e2b;

#endif
