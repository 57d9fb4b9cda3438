/* SPDX-License-Identifier: MIT */
#include "config_file.h"

#include "config.h"

#include "util/json.h"
#include "util/log.h"
#include "util/xalloc.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <e2b/client.h>

/* Keys that this directory reads; all others belong to the program (mount options). */
static const char *const our_keys[] = { "api-key",     "api-key-file", "api-url",
                                        "sandbox-url", "domain",       "user",
                                        "cacert",      "proxy",        "request-timeout",
                                        "header" };

static bool is_ours(const char *key)
{
    for (size_t i = 0; i < ARRAY_LEN(our_keys); i++)
        if (strcmp(our_keys[i], key) == 0)
            return true;
    return false;
}

static char *trimmed(const char *from, const char *to)
{
    while (from < to && isspace((unsigned char)*from))
        from++;
    while (to > from && isspace((unsigned char)to[-1]))
        to--;
    return xstrndup(from, (size_t)(to - from));
}

static int parse_line(struct config_file *file, const char *line, size_t len, unsigned number,
                      struct e2b_err *err)
{
    const char *end = line + len;
    const char *equals = memchr(line, '=', len);
    struct config_line *to;
    autofree char *all = trimmed(line, end);

    if (*all == '\0' || *all == '#')
        return 0;
    /* The line may hold a key: its number says enough. */
    if (!equals)
        return e2b_fail(err, EINVAL, "%s: line %u: 'key = value' is wanted", file->path,
                        number);
    file->v = xreallocarray(file->v, file->n + 1, sizeof(*file->v));
    to = &file->v[file->n++];
    *to = (struct config_line){ .key = trimmed(line, equals),
                                .value = trimmed(equals + 1, end),
                                .line = number };
    for (char *c = to->key; *c; c++)
        if (*c == '_')
            *c = '-';
    return 0;
}

static int parse_file(struct config_file *file, const struct buf *text, struct e2b_err *err)
{
    const char *at = buf_str(text);
    const char *end = at + text->len;
    unsigned number = 0;
    int r = 0;

    while (at < end && r == 0) {
        const char *eol = memchr(at, '\n', (size_t)(end - at));

        if (!eol)
            eol = end;
        r = parse_line(file, at, (size_t)(eol - at), ++number, err);
        at = eol + 1;
    }
    return r;
}

/* $XDG_CONFIG_HOME/e2bfs/config; NULL without a home. */
static char *default_path(void)
{
    const char *xdg = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");

    if (xdg && *xdg == '/')
        return xasprintf("%s/e2bfs/config", xdg);
    return home && *home == '/' ? xasprintf("%s/.config/e2bfs/config", home) : NULL;
}

static int check_mode(const struct config_file *file, struct e2b_err *err)
{
    struct stat st;

    if (!config_file_get(file, "api-key"))
        return 0;
    if (stat(file->path, &st) == 0 && (st.st_mode & 077) != 0)
        return e2b_fail(err, EACCES, "%s holds an API key and others may read it: chmod 600 it",
                        file->path);
    return 0;
}

static int load(const char *path, bool is_required, struct config_file *file,
                struct e2b_err *err)
{
    autobuf struct buf text = BUF_INIT;
    struct e2b_err why = { 0 };
    int r = config_slurp(path, &text, &why);

    if (r == -ENOENT && !is_required)
        return 0;
    if (r < 0)
        return e2b_fail(err, -r, "%s", why.msg);
    file->path = xstrdup(path);
    r = parse_file(file, &text, err);
    if (r == 0)
        r = check_mode(file, err);
    if (text.data)
        explicit_bzero(text.data, text.len);
    return r;
}

int config_file_load(const char *path, struct config_file *out, struct e2b_err *err)
{
    autofree char *usual = path ? NULL : default_path();
    struct config_file file = { 0 };
    int r = 0;

    if (path || usual)
        r = load(path ? path : usual, path != NULL, &file, err);
    if (r < 0) {
        config_file_clear(&file);
        return r;
    }
    *out = file;
    return 0;
}

void config_file_clear(struct config_file *file)
{
    for (size_t i = 0; i < file->n; i++) {
        explicit_bzero(file->v[i].value, strlen(file->v[i].value));
        free(file->v[i].key);
        free(file->v[i].value);
    }
    free(file->v);
    free(file->path);
    *file = (struct config_file){ 0 };
}

const char *config_file_get(const struct config_file *file, const char *key)
{
    const char *found = NULL;

    for (size_t i = 0; i < file->n; i++)
        if (strcmp(file->v[i].key, key) == 0)
            found = file->v[i].value;
    return found && *found ? found : NULL;
}

int e2b_config_file_each(const char *config_file, e2b_config_key_fn *fn, void *arg,
                         struct e2b_err *err)
{
    struct config_file file = { 0 };
    int r = config_file_load(config_file, &file, err);

    for (size_t i = 0; i < file.n && r == 0; i++) {
        autofree char *where = NULL;

        if (is_ours(file.v[i].key))
            continue;
        where = xasprintf("%s: line %u", file.path, file.v[i].line);
        r = fn(arg, file.v[i].key, file.v[i].value, where, err);
    }
    config_file_clear(&file);
    return r < 0 ? r : 0;
}

/* Newest name first: version 2, then version 1 and the flat form (control-plane.md 16). */
static const char *const official_keys[] = { "projectApiKey", "teamApiKey" };

int config_official_key(char **key, char **source, struct e2b_err *err)
{
    const char *home = getenv("HOME");
    autofree char *path = NULL;
    autobuf struct buf text = BUF_INIT;
    autojson json_t *root = NULL;

    if (!home || *home != '/')
        return 0;
    path = xasprintf("%s/.e2b/config.json", home);
    /* Somebody else's file: whatever is wrong with it is no error of ours. */
    if (config_slurp(path, &text, NULL) < 0 || jparse(text.data, text.len, &root, NULL) < 0) {
        log_debug("config", "official credentials not readable path=%s", path);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(official_keys); i++) {
        const char *value = json_string_value(json_object_get(root, official_keys[i]));

        if (value && *value) {
            *key = xstrdup(value);
            *source = steal_ptr(&path);
            return 0;
        }
    }
    if (json_object_get(root, "tokens"))
        return e2b_fail(err, EKEYREJECTED,
                        "no API key: the login in %s has none (the official CLI keeps only an "
                        "OAuth token there now); set E2B_API_KEY",
                        path);
    return 0;
}
