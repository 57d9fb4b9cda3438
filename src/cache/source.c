/* SPDX-License-Identifier: MIT */
#include "cache/source.h"

const struct file_source file_source_e2b = {
    .list = e2b_file_list,
    .read = e2b_file_read,
    .resume = e2b_file_read_resume,
    .cancel = e2b_call_cancel,
};
