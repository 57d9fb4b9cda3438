/* SPDX-License-Identifier: MIT */
/*
 * Sources of the configuration, strongest first: flags, environment, the config file, the
 * official CLI's credentials.  A setting is a row of `settings`; the sources are tried in that
 * order for each row, and the first that has something wins.
 */
#include "config.h"

#include "config_file.h"

#include "util/buf.h"
#include "util/log.h"
#include "util/xalloc.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 64 * 1024 };

#define DEFAULT_DOMAIN "e2b.app"
#define DEFAULT_USER   "user"

/* ---- checks: each gets the value and where it comes from ---- */

typedef int check_fn(const char *value, const char *where, struct e2b_err *err);

static int check_url(const char *value, const char *where, struct e2b_err *err)
{
    const char *host = NULL;

    if (strncmp(value, "http://", 7) == 0)
        host = value + 7;
    else if (strncmp(value, "https://", 8) == 0)
        host = value + 8;
    if (!host || !*host || *host == '/')
        return e2b_fail(err, EINVAL, "%s: not an http:// or https:// URL", where);
    for (const char *c = value; *c; c++)
        if (*c <= ' ' || *c > '~' || *c == '?' || *c == '#' || *c == '@')
            return e2b_fail(err, EINVAL, "%s: a URL of scheme, host, port and path is wanted",
                            where);
    return 0;
}

static int check_domain(const char *value, const char *where, struct e2b_err *err)
{
    bool has_label = false;

    for (const char *c = value; *c; c++) {
        if (!isascii(*c) ||
            !(isalnum((unsigned char)*c) || *c == '-' || *c == '.' || *c == ':'))
            return e2b_fail(err, EINVAL, "%s: not a domain name", where);
        has_label |= isalnum((unsigned char)*c) != 0;
    }
    return has_label ? 0 : e2b_fail(err, EINVAL, "%s: not a domain name", where);
}

static int check_user(const char *value, const char *where, struct e2b_err *err)
{
    /* Goes into Basic credentials, where ':' would end the name. */
    for (const char *c = value; *c; c++)
        if (*c <= ' ' || *c > '~' || *c == ':' || *c == '/')
            return e2b_fail(err, EINVAL, "%s: not an account name", where);
    return 0;
}

/* ---- the table ---- */

struct setting {
    size_t off;      /* char * of struct e2b_config */
    size_t flag;     /* const char * of struct e2b_config_flags; SIZE_MAX: none */
    const char *env; /* NULL: none */
    const char *key; /* of the config file; NULL: none */
    check_fn *check;
};

#define CONFIG(member) offsetof(struct e2b_config, member)
#define FLAG(member)   offsetof(struct e2b_config_flags, member)
#define NO_FLAG        SIZE_MAX

static const struct setting settings[] = {
    { CONFIG(domain), FLAG(domain), "E2B_DOMAIN", "domain", check_domain },
    { CONFIG(api_url), FLAG(api_url), "E2B_API_URL", "api-url", check_url },
    { CONFIG(sandbox_url), FLAG(sandbox_url), "E2B_SANDBOX_URL", "sandbox-url", check_url },
    { CONFIG(user), FLAG(user), NULL, "user", check_user },
    { CONFIG(ca_file), FLAG(ca_file), NULL, "cacert", NULL },
    { CONFIG(proxy), NO_FLAG, NULL, "proxy", NULL },
};

static const char *env_value(const char *name)
{
    const char *v = name ? getenv(name) : NULL;

    return v && *v ? v : NULL; /* empty counts as missing */
}

static int load_setting(const struct setting *s, const struct e2b_config_flags *flags,
                        const struct config_file *file, struct e2b_config *out,
                        struct e2b_err *err)
{
    char **to = (char **)((char *)out + s->off);
    autofree char *where = NULL;
    const char *value = NULL;

    if (s->flag != NO_FLAG)
        value = *(const char *const *)((const char *)flags + s->flag);
    if (value && *value) {
        where = xasprintf("--%s", s->key);
    } else if ((value = env_value(s->env)) != NULL) {
        where = xstrdup(s->env);
    } else if (s->key && (value = config_file_get(file, s->key)) != NULL) {
        where = xasprintf("%s: %s", file->path, s->key);
    }
    if (!value || !*value)
        return 0;
    if (s->check) {
        int r = s->check(value, where, err);

        if (r < 0)
            return r;
    }
    *to = xstrdup(value);
    return 0;
}

/* ---- the key ---- */

bool config_key_ok(const char *key)
{
    static const char prefix[] = "e2b_";
    size_t len = strlen(key);

    return strncmp(key, prefix, 4) == 0 && len > 4 &&
           strspn(key + 4, "0123456789abcdef") == len - 4;
}

int config_slurp(const char *path, struct buf *out, struct e2b_err *err)
{
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int r = 0;

    if (fd < 0)
        return e2b_fail(err, errno, "%s: %s", path, strerror(errno));
    out->max = FILE_MAX;
    for (;;) {
        char part[4096];
        ssize_t n = read(fd, part, sizeof(part));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            r = e2b_fail(err, errno, "%s: %s", path, strerror(errno));
        else if (n > 0 && buf_append(out, part, (size_t)n) < 0)
            r = e2b_fail(err, EFBIG, "%s: too large for what it should be", path);
        if (n <= 0 || r < 0)
            break;
    }
    if (!is_stdin)
        close(fd);
    return r;
}

static int key_from_file(const char *path, struct e2b_config *out, struct e2b_err *err)
{
    autobuf struct buf text = BUF_INIT;
    const char *s;
    size_t len;
    int r = config_slurp(path, &text, err);

    if (r < 0)
        return e2b_wrap(err, r, "reading the API key");
    s = buf_str(&text);
    s += strspn(s, " \t\r\n");
    len = strcspn(s, " \t\r\n");
    if (len == 0 || s[len + strspn(s + len, " \t\r\n")] != '\0')
        return e2b_fail(err, EKEYREJECTED, "%s holds no API key", path);
    out->api_key = xstrndup(s, len);
    out->api_key_source = xstrdup(strcmp(path, "-") == 0 ? "standard input" : path);
    return 0;
}

static void set_key(struct e2b_config *out, const char *key, char *source)
{
    out->api_key = xstrdup(key);
    out->api_key_source = source;
}

static int find_key(const struct e2b_config_flags *flags, const struct config_file *file,
                    struct e2b_config *out, struct e2b_err *err)
{
    const char *value;

    if (flags->api_key && *flags->api_key) {
        set_key(out, flags->api_key, xstrdup("--api-key"));
        return 0;
    }
    if (flags->api_key_file && *flags->api_key_file)
        return key_from_file(flags->api_key_file, out, err);
    if ((value = env_value("E2B_API_KEY")) != NULL) {
        set_key(out, value, xstrdup("E2B_API_KEY"));
        return 0;
    }
    if ((value = config_file_get(file, "api-key")) != NULL) {
        set_key(out, value, xstrdup(file->path));
        return 0;
    }
    if ((value = config_file_get(file, "api-key-file")) != NULL)
        return key_from_file(value, out, err);
    return config_official_key(&out->api_key, &out->api_key_source, err);
}

static int no_key(struct e2b_err *err)
{
    static const char hint[] = "no API key: set E2B_API_KEY, or write api-key=... into "
                               "~/.config/e2bfs/config (mode 0600)";

    if (env_value("E2B_ACCESS_TOKEN"))
        return e2b_fail(err, EKEYREJECTED,
                        "%s; E2B_ACCESS_TOKEN is not used: personal access tokens were retired "
                        "in August 2026",
                        hint);
    return e2b_fail(err, EKEYREJECTED, "%s", hint);
}

static int load_key(const struct e2b_config_flags *flags, const struct config_file *file,
                    struct e2b_config *out, struct e2b_err *err)
{
    int r = find_key(flags, file, out, err);

    if (r < 0)
        return r;
    if (!out->api_key)
        return no_key(err);
    log_secret(out->api_key);
    /* Never the key itself in a message, not even a wrong one. */
    if (out->validate_key && !config_key_ok(out->api_key))
        return e2b_fail(err, EKEYREJECTED,
                        "the API key from %s does not look like one: 'e2b_' and lower-case hex "
                        "digits (E2B_VALIDATE_API_KEY=false turns this check off)",
                        out->api_key_source);
    for (const char *c = out->api_key; *c; c++)
        if (*c <= ' ' || *c > '~')
            return e2b_fail(err, EKEYREJECTED,
                            "the API key from %s has characters that no key "
                            "has",
                            out->api_key_source);
    return 0;
}

/* ---- the rest ---- */

static int add_header(struct e2b_config *out, size_t *n, const char *line, const char *where,
                      struct e2b_err *err)
{
    const char *colon = strchr(line, ':');

    if (!colon || colon == line || strpbrk(line, "\r\n"))
        return e2b_fail(err, EINVAL, "%s: a header is 'Name: value'", where);
    out->headers = xreallocarray(out->headers, *n + 2, sizeof(*out->headers));
    out->headers[(*n)++] = xstrdup(line);
    out->headers[*n] = NULL;
    return 0;
}

static int load_headers(const struct e2b_config_flags *flags, const struct config_file *file,
                        struct e2b_config *out, struct e2b_err *err)
{
    size_t n = 0;
    int r = 0;

    for (size_t i = 0; i < file->n && r == 0; i++)
        if (strcmp(file->v[i].key, "header") == 0)
            r = add_header(out, &n, file->v[i].value, file->path, err);
    for (const char *const *line = flags->headers; line && *line && r == 0; line++)
        r = add_header(out, &n, *line, "--header", err);
    return r;
}

static int load_timeout(const struct e2b_config_flags *flags, const struct config_file *file,
                        struct e2b_config *out, struct e2b_err *err)
{
    const char *value = config_file_get(file, "request-timeout");
    char *end;
    double seconds;

    out->request_timeout_ms = flags->request_timeout_ms;
    if (out->request_timeout_ms || !value)
        return 0;
    errno = 0;
    seconds = strtod(value, &end);
    if (errno || end == value || *end || !(seconds >= 0.001) || seconds > 86400)
        return e2b_fail(err, EINVAL, "%s: request-timeout: seconds are wanted", file->path);
    out->request_timeout_ms = (int64_t)(seconds * 1000);
    return 0;
}

static void strip_slashes(char *url)
{
    size_t len = url ? strlen(url) : 0;

    /* The server does not fold "//" (control-plane.md 1.1). */
    while (len > 0 && url[len - 1] == '/')
        url[--len] = '\0';
}

/* Control-plane.md 1.1 and 1.2. */
static void fill_defaults(struct e2b_config *out)
{
    if (!out->domain)
        out->domain = xstrdup(DEFAULT_DOMAIN);
    if (!out->user)
        out->user = xstrdup(DEFAULT_USER);
    if (!out->api_url)
        out->api_url = out->debug ? xstrdup("http://localhost:3000")
                                  : xasprintf("https://api.%s", out->domain);
    strip_slashes(out->api_url);
    strip_slashes(out->sandbox_url);
}

static int load(const struct e2b_config_flags *flags, const struct config_file *file,
                struct e2b_config *out, struct e2b_err *err)
{
    const char *debug = env_value("E2B_DEBUG");
    const char *validate = env_value("E2B_VALIDATE_API_KEY");
    int r = 0;

    /* Exactly these words, in any case: "1" is not true (control-plane.md 1.2). */
    out->debug = debug && strcasecmp(debug, "true") == 0;
    out->validate_key = !(validate && strcasecmp(validate, "false") == 0);
    for (size_t i = 0; i < ARRAY_LEN(settings) && r == 0; i++)
        r = load_setting(&settings[i], flags, file, out, err);
    if (r == 0)
        r = load_timeout(flags, file, out, err);
    if (r == 0)
        r = load_headers(flags, file, out, err);
    if (r == 0)
        r = load_key(flags, file, out, err);
    fill_defaults(out);
    return r;
}

int e2b_config_load(const struct e2b_config_flags *flags, struct e2b_config *out,
                    struct e2b_err *err)
{
    static const struct e2b_config_flags none;
    struct e2b_config config = { 0 };
    struct config_file file = { 0 };
    int r;

    if (!flags)
        flags = &none;
    r = config_file_load(flags->config_file, &file, err);
    if (r == 0)
        r = load(flags, &file, &config, err);
    config_file_clear(&file);
    if (r < 0) {
        e2b_config_clear(&config);
        return r;
    }
    *out = config;
    return 0;
}

void config_copy(struct e2b_config *to, const struct e2b_config *from)
{
    size_t n = 0;

    *to = *from;
    to->api_key = xstrdup(from->api_key);
    to->api_key_source = xstrdup(from->api_key_source);
    to->api_url = xstrdup(from->api_url);
    to->sandbox_url = xstrdup(from->sandbox_url);
    to->domain = xstrdup(from->domain);
    to->ca_file = xstrdup(from->ca_file);
    to->proxy = xstrdup(from->proxy);
    to->user = xstrdup(from->user);
    to->headers = NULL;
    while (from->headers && from->headers[n])
        n++;
    if (n > 0)
        to->headers = xcalloc(n + 1, sizeof(*to->headers));
    for (size_t i = 0; i < n; i++)
        to->headers[i] = xstrdup(from->headers[i]);
    fill_defaults(to); /* for configs that a program filled by hand */
}

void e2b_config_clear(struct e2b_config *config)
{
    if (config->api_key)
        explicit_bzero(config->api_key, strlen(config->api_key));
    free(config->api_key);
    free(config->api_key_source);
    free(config->api_url);
    free(config->sandbox_url);
    free(config->domain);
    free(config->ca_file);
    free(config->proxy);
    free(config->user);
    for (char **line = config->headers; line && *line; line++) {
        explicit_bzero(*line, strlen(*line)); /* may hold credentials */
        free(*line);
    }
    free(config->headers);
    *config = (struct e2b_config){ 0 };
}
