/* SPDX-License-Identifier: MIT */
/*
 * The tool's small parsers: lines of the mount table, paths inside a mount, durations, and the
 * escaping of remote text, whose output must be clean whatever comes in and however it is cut.
 */
#include "cli/opts.h"
#include "cli/prefix.h"
#include "cli/target.h"
#include "cli/text.h"
#include "util/jsonw.h"
#include "util/mounts.h"
#include "util/utf8.h"
#include "util/xalloc.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int ok)
{
    if (!ok)
        abort();
}

/* Nothing that acts on a terminal, and valid UTF-8. */
static void check_clean(const struct buf *text)
{
    for (size_t i = 0; i < text->len;) {
        uint32_t cp;
        size_t n = utf8_next(text->data + i, text->len - i, &cp);

        check(n > 0);
        check(cp == '\n' || cp == '\t' || cp == '\r' || !utf8_is_unsafe(cp));
        i += n;
    }
}

static void try_text(const char *s, size_t len, size_t step)
{
    struct buf whole = BUF_INIT, pieces = BUF_INIT, json = BUF_INIT;
    char held[4];
    size_t n_held = 0;

    text_escape(&whole, s, len, TEXT_STREAM);
    check_clean(&whole);
    for (size_t at = 0; at < len; at += step)
        text_escape_stream(&pieces, held, &n_held, s + at, at + step < len ? step : len - at);
    text_escape_stream(&pieces, held, &n_held, NULL, 0);
    check(whole.len == pieces.len && memcmp(buf_str(&whole), buf_str(&pieces), whole.len) == 0);
    jsonw_string(&json, s, len);
    check_clean(&json);
    buf_clear(&whole);
    buf_clear(&pieces);
    buf_clear(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mount_info m = { 0 };
    char *s, *id = NULL, *remote = NULL;
    int64_t ms;

    if (size == 0)
        return 0;
    try_text((const char *)data + 1, size - 1, data[0] % 7u + 1);

    s = xasprintf("/%.*s", (int)size, (const char *)data);
    if (mounts_parse(s + 1, &m) == 0)
        check(m.device && m.root && m.mountpoint && m.type);
    mount_info_clear(&m);
    if (target_split(s, &id, &remote) == 0)
        check(prefix_is_id(id) && (!remote || remote[0] == '/'));
    if (opts_duration(s + 1, &ms) == 0)
        check(ms >= 0);
    free(id);
    free(remote);
    free(s);
    return 0;
}
