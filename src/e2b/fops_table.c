/* SPDX-License-Identifier: MIT */
/*
 * An operation is a row of `rows`: a command line whose words are literal or a placeholder for
 * one whole argument.  Scripts are constants and get paths as positional parameters, so nothing
 * is ever quoted.  To add an operation add a row; to add a kind of argument, a placeholder.
 */
#include "fops.h"

#include "find.h"

#include "util/codec.h"
#include "util/path.h"
#include "util/xalloc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- scripts ---- */

/*
 * $1 is the name that the operation leaves, the rest is its command line.  What find prints is
 * for the completion; that it can't (no GNU find, say) is no failure of the operation.
 */
static const char tell_script[] =
    "p=$1; shift; \"$@\" || exit; find \"$p\" -maxdepth 0 -printf '" FIND_FORMAT "' "
    "2>/dev/null; exit 0";

/* $1 permissions, $2 umask, $3 path.  dd makes it with O_EXCL; it can't set x and set-id bits.
 */
static const char create_script[] =
    "umask \"$2\" && dd if=/dev/null of=\"$3\" conv=excl status=none && "
    "chmod -- \"$1\" \"$3\"";

/* $1 and $2: "omit", "now" or "@seconds" for access and modification time, $3 path.  -h also
 * keeps touch from creating a missing file. */
static const char utimens_script[] =
    "t() { if [ \"$2\" = now ]; then touch -h \"$1\" -- \"$3\"; "
    "else touch -h \"$1\" -d \"$2\" -- \"$3\"; fi; }; "
    "if [ \"$1\" = now ] && [ \"$2\" = now ]; then exec touch -h -- \"$3\"; fi; "
    "[ \"$1\" = omit ] || t -a \"$1\" \"$3\" || exit 1; "
    "[ \"$2\" = omit ] || t -m \"$2\" \"$3\"";

/*
 * $1 the finished temporary, $2 what it replaces.  Owner and mode of the old file are copied,
 * then it is replaced by rename: whatever fails, the old file stays.  A file with further
 * names, or a link, can only be written through (a short window on the sandbox's own disk). The
 * temporary goes in any case.
 */
static const char replace_script[] =
    "fail() { unlink \"$1\" 2>/dev/null; exit 1; }; "
    "if [ -d \"$2\" ]; then echo \"$2: Is a directory\" >&2; fail \"$1\"; fi; "
    "if [ -e \"$2\" ]; then "
    "links=$(stat -c %h -- \"$2\") || fail \"$1\"; "
    "if [ -L \"$2\" ] || [ \"$links\" -gt 1 ]; then "
    "cp -- \"$1\" \"$2\" || fail \"$1\"; exec unlink \"$1\"; fi; "
    "chown --reference=\"$2\" -- \"$1\" && chmod --reference=\"$2\" -- \"$1\" || fail "
    "\"$1\"; "
    "fi; mv -f -T -- \"$1\" \"$2\" || fail \"$1\"";

/* $1 base64, $2 path, $3 offset.  The pipeline's status is dd's alone: what goes wrong before
 * it shows as text on stderr (is_strict). */
#define DECODE "{ printf %s \"$1\" | base64 -d || echo 'base64: Input/output error' >&2; }"
static const char append_script[] =
    DECODE " | dd of=\"$2\" bs=65536 iflag=fullblock oflag=append "
           "conv=notrunc,nocreat status=none";
static const char pwrite_script[] =
    DECODE " | dd of=\"$2\" bs=65536 iflag=fullblock oflag=seek_bytes "
           "seek=\"$3\" conv=notrunc,nocreat status=none";

/* $1 temporary, $2 target, $3 offset. */
static const char splice_script[] =
    "dd if=\"$1\" of=\"$2\" bs=1048576 oflag=seek_bytes seek=\"$3\" "
    "conv=notrunc,nocreat status=none; r=$?; unlink \"$1\" 2>/dev/null; exit $r";
static const char splice_end_script[] =
    "dd if=\"$1\" of=\"$2\" bs=1048576 oflag=append "
    "conv=notrunc,nocreat status=none; r=$?; unlink \"$1\" 2>/dev/null; exit $r";

/*
 * $1 the old name, $2 the new one.  link and mkdir are what refuses an existing name; a rename
 * of a directory over an empty one is atomic, and so is all but the short time in which a file
 * has both names.  mv would copy between file systems; rename(2) doesn't.
 */
static const char rename_script[] =
    "if [ -d \"$1\" ] && [ ! -L \"$1\" ]; then mkdir -- \"$2\" || exit; "
    "if [ \"$(stat -c %d -- \"$1\")\" = \"$(stat -c %d -- \"$2\")\" ]; "
    "then mv -f -T -- \"$1\" \"$2\" && exit; "
    "else echo \"$2: Invalid cross-device link\" >&2; fi; rmdir -- \"$2\"; exit 1; fi; "
    "ln -P -T -- \"$1\" \"$2\" || exit; "
    "unlink -- \"$1\" && exit; unlink -- \"$2\"; exit 1";

/* ---- placeholders ---- */

typedef int word_fn(const struct e2b_fop_args *args, char **out, struct e2b_err *err);

static int word_path(const struct e2b_fop_args *args, char **out, struct e2b_err *err)
{
    (void)err; /* checked by file_target */
    *out = xstrdup(args->path);
    return 0;
}

static int word_to(const struct e2b_fop_args *args, char **out, struct e2b_err *err)
{
    if (!args->to || !path_is_normal(args->to))
        return e2b_fail(err, EINVAL, "'%.60s' is no absolute, normalised path",
                        args->to ? args->to : "");
    *out = xstrdup(args->to);
    return 0;
}

static int word_text(const struct e2b_fop_args *args, char **out, struct e2b_err *err)
{
    if (!args->text || !*args->text)
        return e2b_fail(err, ENOENT, "a link needs a target");
    *out = xstrdup(args->text);
    return 0;
}

static int word_mode(const struct e2b_fop_args *args, char **out, struct e2b_err *err)
{
    (void)err;
    /* Five digits: with fewer, chmod keeps a directory's set-id bits. */
    *out = xasprintf("%05o", (unsigned)(args->mode & 07777));
    return 0;
}

static int word_umask(const struct e2b_fop_args *args, char **out, struct e2b_err *err)
{
    (void)err;
    *out = xasprintf("%04o", (unsigned)(~args->mode & 0777));
    return 0;
}

static int word_owner(const struct e2b_fop_args *args, char **out, struct e2b_err *err)
{
    if (args->uid < -1 || args->gid < -1 || args->uid > UINT32_MAX || args->gid > UINT32_MAX ||
        (args->uid == -1 && args->gid == -1))
        return e2b_fail(err, EINVAL, "no owner and no group to set");
    if (args->uid == -1)
        *out = xasprintf(":%" PRId64, args->gid);
    else if (args->gid == -1)
        *out = xasprintf("%" PRId64, args->uid);
    else
        *out = xasprintf("%" PRId64 ":%" PRId64, args->uid, args->gid);
    return 0;
}

static int time_word(struct timespec t, char **out, struct e2b_err *err)
{
    long long sec = t.tv_sec;
    long nsec = t.tv_nsec;
    const char *sign = "";

    if (nsec == UTIME_OMIT || nsec == UTIME_NOW) {
        *out = xstrdup(nsec == UTIME_OMIT ? "omit" : "now");
        return 0;
    }
    if (nsec < 0 || nsec > 999999999)
        return e2b_fail(err, EINVAL, "impossible time");
    /* -1.5 s is { -2, 500000000 } here and "@-1.5" there. */
    if (sec < 0 && nsec > 0) {
        sec++;
        nsec = 1000000000 - nsec;
        if (sec == 0)
            sign = "-";
    }
    *out = xasprintf("@%s%lld.%09ld", sign, sec, nsec);
    return 0;
}

static int word_atime(const struct e2b_fop_args *args, char **out, struct e2b_err *err)
{
    return time_word(args->atime, out, err);
}

static int word_mtime(const struct e2b_fop_args *args, char **out, struct e2b_err *err)
{
    return time_word(args->mtime, out, err);
}

static int number_word(const char *format, const struct e2b_fop_args *args, char **out,
                       struct e2b_err *err)
{
    if (args->size < 0)
        return e2b_fail(err, EINVAL, "impossible offset or size");
    *out = xasprintf("%s%" PRId64, format, args->size);
    return 0;
}

static int word_seek(const struct e2b_fop_args *args, char **out, struct e2b_err *err)
{
    return number_word("seek=", args, out, err);
}

static int word_offset(const struct e2b_fop_args *args, char **out, struct e2b_err *err)
{
    return number_word("", args, out, err);
}

static int word_output(const struct e2b_fop_args *args, char **out, struct e2b_err *err)
{
    (void)err;
    *out = xasprintf("of=%s", args->path);
    return 0;
}

static int word_data(const struct e2b_fop_args *args, char **out, struct e2b_err *err)
{
    struct buf text = BUF_INIT;

    if (args->len > E2B_FOP_DATA_MAX)
        return e2b_fail(err, EFBIG, "at most %d bytes at a time", E2B_FOP_DATA_MAX);
    base64_encode(args->data, args->len, &text);
    *out = buf_steal(&text);
    return 0;
}

static const struct {
    const char *word;
    word_fn *fn;
} words[] = {
    { "{path}", word_path },   { "{to}", word_to },          { "{text}", word_text },
    { "{mode}", word_mode },   { "{umask}", word_umask },    { "{owner}", word_owner },
    { "{atime}", word_atime }, { "{mtime}", word_mtime },    { "seek={size}", word_seek },
    { "{size}", word_offset }, { "of={path}", word_output }, { "{data}", word_data },
};

/* ---- the table ---- */

/* A row reads best as written. */
/* clang-format off */
static const struct fop_row rows[] = {
    [E2B_FOP_MKDIR] = { "mkdir", TELLS_NEW_PATH, false, false,
        { "mkdir", "-m", "{mode}", "--", "{path}" } },
    [E2B_FOP_UNLINK] = { "unlink", TELLS_NOTHING, false, false, { "unlink", "--", "{path}" } },
    [E2B_FOP_RMDIR] = { "rmdir", TELLS_NOTHING, false, false, { "rmdir", "--", "{path}" } },
    [E2B_FOP_CHMOD] = { "chmod", TELLS_PATH, false, false, { "chmod", "--", "{mode}", "{path}" } },
    [E2B_FOP_CHOWN] = { "chown", TELLS_PATH, false, false,
        { "chown", "-h", "--", "{owner}", "{path}" } },
    [E2B_FOP_UTIMENS] = { "utimens", TELLS_PATH, false, false,
        { "sh", "-c", utimens_script, "sh", "{atime}", "{mtime}", "{path}" } },
    [E2B_FOP_TRUNCATE] = { "truncate", TELLS_PATH, false, false,
        { "dd", "if=/dev/null", "of={path}", "bs=1", "count=0", "oflag=seek_bytes",
          "seek={size}", "conv=nocreat", "status=none" } },
    [E2B_FOP_SYMLINK] = { "symlink", TELLS_NEW_PATH, false, false,
        { "ln", "-s", "-T", "--", "{text}", "{path}" } },
    [E2B_FOP_LINK] = { "link", TELLS_NEW_TO, false, false,
        { "ln", "-P", "-T", "--", "{path}", "{to}" } },
    [E2B_FOP_CREATE] = { "create", TELLS_NEW_PATH, false, false,
        { "sh", "-c", create_script, "sh", "{mode}", "{umask}", "{path}" } },
    [E2B_FOP_REPLACE] = { "replace", TELLS_TO, false, true,
        { "sh", "-c", replace_script, "sh", "{path}", "{to}" } },
    [E2B_FOP_APPEND] = { "append", TELLS_PATH, true, false,
        { "sh", "-c", append_script, "sh", "{data}", "{path}" } },
    [E2B_FOP_PWRITE] = { "write", TELLS_PATH, true, false,
        { "sh", "-c", pwrite_script, "sh", "{data}", "{path}", "{size}" } },
    [E2B_FOP_SPLICE] = { "splice", TELLS_TO, false, true,
        { "sh", "-c", splice_script, "sh", "{path}", "{to}", "{size}" } },
    [E2B_FOP_SYNC] = { "sync", TELLS_NOTHING, false, true, { "sync", "--", "{path}" } },
    [E2B_FOP_RENAME] = { "rename", TELLS_TO, false, false,
        { "sh", "-c", rename_script, "sh", "{path}", "{to}" } },
};
/* clang-format on */

/* SPLICE with size -1: no offset is asked for. */
static const struct fop_row splice_end = {
    "splice", TELLS_TO, false, true, { "sh", "-c", splice_end_script, "sh", "{path}", "{to}" }
};

/* The name that is left, or NULL. */
const char *fops_target(const struct fop_row *row, const struct e2b_fop_args *args)
{
    switch (row->tells) {
    case TELLS_NOTHING:
        break;
    case TELLS_PATH:
    case TELLS_NEW_PATH:
        return args->path;
    case TELLS_TO:
    case TELLS_NEW_TO:
        return args->to;
    }
    return NULL;
}

const struct fop_row *fops_row(enum e2b_fop op, const struct e2b_fop_args *args)
{
    if (op == E2B_FOP_SPLICE && args->size == -1)
        return &splice_end;
    return (size_t)op < ARRAY_LEN(rows) ? &rows[op] : NULL;
}

static int expand(const char *word, const struct e2b_fop_args *args, char **out,
                  struct e2b_err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcmp(words[i].word, word) == 0)
            return words[i].fn(args, out, err);
    *out = xstrdup(word);
    return 0;
}

void fops_argv_clear(struct fops_argv *argv)
{
    for (size_t i = 0; i < argv->n; i++)
        free(argv->v[i]);
    *argv = (struct fops_argv){ 0 };
}

static void push(struct fops_argv *argv, const char *word)
{
    argv->v[argv->n++] = xstrdup(word);
}

int fops_argv(enum e2b_fop op, const struct e2b_fop_args *args, struct fops_argv *out,
              struct e2b_err *err)
{
    const struct fop_row *row = fops_row(op, args);
    struct fops_argv argv = { 0 };
    const char *target;

    if (!row)
        return e2b_fail(err, EINVAL, "unknown file operation");
    target = fops_target(row, args);
    if (target) {
        push(&argv, "sh");
        push(&argv, "-c");
        push(&argv, tell_script);
        push(&argv, "sh");
        push(&argv, target);
    }
    for (size_t i = 0; i < FOPS_ARGV && row->argv[i]; i++) {
        int r = expand(row->argv[i], args, &argv.v[argv.n], err);

        if (r < 0) {
            fops_argv_clear(&argv);
            return e2b_wrap(err, r, "%s %s", row->name, args->path);
        }
        argv.n++;
    }
    *out = argv;
    return 0;
}
