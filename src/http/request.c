/* SPDX-License-Identifier: MIT */
#include "http/request.h"

#include <string.h>
#include <strings.h>

const char *http_header(const struct http_head *head, const char *name)
{
    size_t len = strlen(name);

    for (const char *const *h = head->headers; h && *h; h++) {
        const char *value = *h + len;

        if (strncasecmp(*h, name, len) != 0 || *value != ':')
            continue;
        value++;
        return value + strspn(value, " \t");
    }
    return NULL;
}
