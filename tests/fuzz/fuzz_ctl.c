/* SPDX-License-Identifier: MIT */
/* ctl: any bytes, taken line by line as control does. */
#include "fs/ctl.h"
#include "util/xalloc.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t done = 0;
    enum ctl_place place;

    if (size == 0 || size > CTL_MAX)
        return 0;
    place = data[0] & 1 ? CTL_SANDBOX : CTL_ACCOUNT;
    while (done < size) {
        struct ctl_line line = { 0 };
        struct e2b_err err = { 0 };
        size_t left = size - done;
        /* Exactly as long as it is, so that a read beyond the end is seen. */
        char *text = xmemdup(data + done, left);
        int r = ctl_parse(place, text, left, &line, &err);

        free(text);
        if (r < 0) {
            assert(r == -EINVAL && err.errnum == EINVAL && err.msg[0] && !line.text);
            break;
        }
        assert(r >= 1 && (size_t)r <= left);
        assert(line.verb != CTL_TIMEOUT || line.seconds > 0);
        assert(line.verb != CTL_EXTEND || line.seconds > 0);
        assert(line.verb != CTL_RESUME || line.seconds > 0);
        assert(line.verb != CTL_FORK || (line.count > 0 && line.count <= 100));
        assert(line.verb != CTL_KILL_ALL || (place == CTL_ACCOUNT && line.count > 0));
        ctl_line_clear(&line);
        done += (size_t)r;
    }
    return 0;
}
