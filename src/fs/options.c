/* SPDX-License-Identifier: MIT */
#include "fs/options.h"

#include "fs/options_row.h"
#include "util/xalloc.h"

#include <errno.h>
#include <string.h>

/* Words of option_set_word, in the order of the enum. */
static const char *const rm_words[] = { "home", "all", "none", NULL };
static const char *const idmap_words[] = { "none", "user", NULL };
static const char *const fs_words[] = { "rw", "ro", NULL };

/*
 * Every option: --NAME, -o NAME and a key of the config file.  '-' and '_' are the same.
 */
const struct option_row option_rows[] = {
#define AT(member) offsetof(struct options, member)
    { "foreground", 'f', 0, option_set_flag, AT(foreground), option_show_flag, NULL, NULL,
      "stay in the foreground, log to stderr" },
    { "debug", 'd', 0, option_set_flag, AT(debug), option_show_flag, NULL, NULL,
      "log every request; implies -f" },
    { "single", 's', OPTION_NO_FILE, option_set_none, 0, NULL, NULL, NULL, NULL },
    { "version", 'V', OPTION_NO_FILE, option_set_flag, AT(show_version), NULL, NULL, NULL,
      "print the version" },
    { "help", 'h', OPTION_NO_FILE, option_set_flag, AT(show_help), NULL, NULL, NULL,
      "print this" },
    { "local", 0, OPTION_MAYBE, option_set_local, AT(local), option_show_flag, NULL, "[DIR]",
      "sandboxes on this machine, no account (kept in DIR)" },

    { "api_key", 0, OPTION_VALUE | OPTION_NO_FILE, option_set_refused, 0, NULL, NULL, NULL,
      NULL },
    { "api_key_file", 0, OPTION_VALUE, option_set_path, AT(api_key_file), NULL, NULL, "FILE",
      "read the API key from FILE (- is stdin); else E2B_API_KEY" },
    { "api_url", 0, OPTION_VALUE, option_set_text, AT(api_url), NULL, NULL, "URL",
      "the API (E2B_API_URL)" },
    { "sandbox_url", 0, OPTION_VALUE, option_set_text, AT(sandbox_url), NULL, NULL, "URL",
      "where sandboxes are reached (E2B_SANDBOX_URL)" },
    { "domain", 0, OPTION_VALUE, option_set_text, AT(domain), NULL, NULL, "NAME",
      "the service's domain (E2B_DOMAIN)" },
    { "user", 0, OPTION_VALUE, option_set_text, AT(user), NULL, NULL, "NAME",
      "act as NAME in the sandboxes (default: user)" },
    { "cacert", 0, OPTION_VALUE, option_set_path, AT(cacert), NULL, NULL, "FILE",
      "trust the authorities in FILE" },
    { "config", 0, OPTION_VALUE | OPTION_NO_FILE, option_set_path, AT(config_file),
      option_show_text, NULL, "FILE", "instead of $XDG_CONFIG_HOME/e2bfs/config" },

    { "only", 0, OPTION_VALUE, option_set_id, AT(only), option_show_text, NULL, "ID",
      "show one sandbox" },
    { "state", 0, OPTION_VALUE, option_set_state, AT(state), option_show_text, NULL, "STATE",
      "show only running or only paused ones" },
    { "template", 0, OPTION_VALUE, option_set_text, AT(template_ref), option_show_text, NULL,
      "NAME", "show only those made from this template" },
    { "metadata", 'm', OPTION_VALUE, option_set_pair, 0, option_show_pairs, NULL, "KEY=VALUE",
      "show only those with this metadata; may be repeated" },
    { "ro", 0, 0, option_set_flag, AT(ro), option_show_flag, NULL, NULL,
      "nothing can be changed" },
    { "rw", 0, 0, option_set_clear, AT(ro), NULL, NULL, NULL, NULL },
    { "fs", 0, OPTION_VALUE, option_set_switch, AT(fs_ro), option_show_switch, fs_words, "ro",
      "the sandboxes' files can't be changed" },
    { "nokill", 0, 0, option_set_flag, AT(nokill), option_show_flag, NULL, NULL,
      "refuse kill in ctl" },
    { "rm", 0, OPTION_VALUE, option_set_word, AT(rm), option_show_word, rm_words, "WHERE",
      "what may be deleted in fs/: home (and /tmp, /workspace), all, none" },
    { "idmap", 0, OPTION_VALUE, option_set_word, AT(idmap), option_show_word, idmap_words,
      "user", "show the files of the sandbox's user as yours" },
    { "exec", 0, 0, option_set_flag, AT(exec), option_show_flag, NULL, NULL,
      "let programs in fs/ be executed here" },
    { "noexec", 0, 0, option_set_clear, AT(exec), NULL, NULL, NULL, NULL },
    { "trust", 0, 0, option_set_trust, 0, NULL, NULL, NULL,
      "idmap=user,exec: for sandboxes whose code you trust" },
    { "allow_other", 0, 0, option_set_flag, AT(allow_other), option_show_flag, NULL, NULL,
      "let other users in; needs idmap=user" },

    { "memory", 0, OPTION_VALUE, option_set_size, AT(memory), option_show_size, NULL, "SIZE",
      "ceiling of all caches together (default: 256M)" },
    { "spool", 0, OPTION_VALUE, option_set_path, AT(spool), option_show_text, NULL, "DIR",
      "where written data waits to be committed" },
    { "spool_max", 0, OPTION_VALUE, option_set_size, AT(spool_max), option_show_size, NULL,
      "SIZE", "its ceiling (default: 10G, or half of what is free)" },
    { "deadline", 0, OPTION_VALUE, option_set_scale, AT(deadline), option_show_scale, NULL,
      "FACTOR", "scale the time limits of requests (default: 1)" },
    { "log", 0, OPTION_VALUE, option_set_path, AT(log), option_show_text, NULL, "FILE",
      "log to FILE instead of syslog" },
#undef AT
};

const size_t n_option_rows = ARRAY_LEN(option_rows);
_Static_assert(ARRAY_LEN(option_rows) <= OPTIONS_MAX, "more options than getopt_tables holds");

static int apply_file_key(void *arg, const char *key, const char *value, const char *where,
                          struct e2b_err *err)
{
    const struct option_row *row = option_find(key, strlen(key));
    autofree char *place = xasprintf("%s: %s", where, key);

    if (!row || (row->flags & OPTION_NO_FILE))
        return e2b_fail(err, EINVAL, "%s: unknown option '%s'", where, key);
    return option_apply(arg, row, value, place, err);
}

static void set_defaults(struct options *o)
{
    *o = (struct options){ .memory = MIB(256), .deadline = 1.0 };
}

static int check(struct options *o, struct e2b_err *err)
{
    if (o->debug)
        o->foreground = true;
    if (o->allow_other && o->idmap != IDMAP_USER)
        return e2b_fail(err, EINVAL,
                        "allow_other needs idmap=user, so that permissions have an "
                        "owner to mean");
    if (o->local && (o->api_url || o->sandbox_url || o->api_key_file))
        return e2b_fail(err, EINVAL,
                        "local has an account of its own: leave out api_url, "
                        "sandbox_url and api_key_file");
    return 0;
}

int options_parse(struct options *out, int argc, char **argv, struct e2b_err *err)
{
    struct options first, o;
    int r;

    /* Once to learn the config file, whose settings are weaker than what stands there. */
    set_defaults(&first);
    set_defaults(&o);
    r = options_parse_argv(&first, argc, argv, err);
    if (r == 0 && !first.show_help && !first.show_version) {
        r = e2b_config_file_each(first.config_file, apply_file_key, &o, err);
        if (r == 0)
            r = options_parse_argv(&o, argc, argv, err);
        if (r == 0)
            r = check(&o, err);
    } else if (r == 0) {
        o.show_help = first.show_help;
        o.show_version = first.show_version;
    }
    options_clear(&first);
    if (r < 0) {
        options_clear(&o);
        return r;
    }
    *out = o;
    return 0;
}

void options_clear(struct options *o)
{
    char **owned[] = { &o->mountpoint,   &o->local_dir,   &o->source, &o->api_key_file,
                       &o->api_url,      &o->sandbox_url, &o->domain, &o->user,
                       &o->cacert,       &o->config_file, &o->only,   &o->state,
                       &o->template_ref, &o->spool,       &o->log,    &o->fuse_opts };

    for (size_t i = 0; i < ARRAY_LEN(owned); i++)
        option_replace(owned[i], NULL);
    for (size_t i = 0; i < o->n_metadata; i++) {
        free(o->metadata[i].key);
        free(o->metadata[i].value);
    }
    free(o->metadata);
    *o = (struct options){ 0 };
}

struct e2b_sandbox_query options_query(const struct options *o)
{
    enum e2b_state state = !o->state                         ? E2B_STATE_UNKNOWN
                           : strcmp(o->state, "paused") == 0 ? E2B_STATE_PAUSED
                                                             : E2B_STATE_RUNNING;

    return (struct e2b_sandbox_query){ .state = state,
                                       .metadata = o->metadata,
                                       .n_metadata = o->n_metadata,
                                       .template_ref = o->template_ref };
}

void options_usage(struct buf *out)
{
    buf_puts(out, "usage: e2bfs [options] MOUNTPOINT\n"
                  "       e2bfs --local[=DIR] [options] MOUNTPOINT\n\n"
                  "Mounts the sandboxes of an E2B account as a file tree.\n\n");
    for (size_t i = 0; i < n_option_rows; i++) {
        const struct option_row *row = &option_rows[i];
        autofree char *name = NULL;

        if (!row->help)
            continue;
        name = !row->arg                   ? xasprintf("--%s", row->name)
               : row->flags & OPTION_MAYBE ? xasprintf("--%s[=DIR]", row->name)
                                           : xasprintf("--%s %s", row->name, row->arg);
        if (row->letter)
            buf_printf(out, "  -%c, %-20s %s\n", row->letter, name, row->help);
        else
            buf_printf(out, "      %-20s %s\n", name, row->help);
    }
    buf_puts(out,
             "\n  -o WORD[,WORD]           the same without dashes: --only ID is -o only=ID;\n"
             "                           also words of libfuse and mount(8)\n\n"
             "Keys never stand in options.  e2bfs(1) has the rest, e2bfs(5) the tree.\n");
}

void options_describe(const struct options *o, struct buf *out)
{
    option_show_string("mountpoint", o->mountpoint, out);
    for (size_t i = 0; i < n_option_rows; i++)
        if (option_rows[i].show)
            option_rows[i].show(o, &option_rows[i], out);
    if (o->fuse_opts)
        option_show_string("fuse", o->fuse_opts, out);
}
