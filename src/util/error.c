/* SPDX-License-Identifier: MIT */
#include "error.h"

#include "xalloc.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/*
 * The table (design 4.3 and 8).  Columns are looked up independently:
 *
 *   HTTP status  -> errno    first row with that status
 *   Connect code -> errno    first row with that code
 *   errno        -> exit     first row with that errno; a row that also has the error's HTTP
 *   errno        -> hint     status wins, since it knows more about the cause
 *
 * A Connect code, when there is one, decides; its HTTP status is too coarse.
 */
static const struct row {
    int errnum;
    int http; /* 0: no status means this */
    enum e2b_connect_code code;
    enum e2b_exit exit;
    const char *hint; /* what to do about it, or NULL where nobody knows in general */
} table[] = {
    /* no such sandbox, path; gone while a handle was open */
    { ENOENT, 404, E2B_CONNECT_NOT_FOUND, E2B_EXIT_NOT_FOUND, NULL },
    { ESTALE, 0, 0, E2B_EXIT_NOT_FOUND, "it is gone; look it up again" },
    /* paused */
    { EHOSTDOWN, 0, 0, E2B_EXIT_STATE, "try: echo 'resume 10m' > ctl" },
    /* the account's key; a 403 of the server; a file's modes or an unknown user in the sandbox
     */
    { EKEYREJECTED, 401, 0, E2B_EXIT_AUTH, "check the API key (E2B_API_KEY)" },
    { EACCES, 403, 0, E2B_EXIT_AUTH, "the key is valid, but its team may not do this" },
    { EACCES, 0, E2B_CONNECT_PERMISSION_DENIED, E2B_EXIT_AUTH, NULL },
    { EACCES, 0, E2B_CONNECT_UNAUTHENTICATED, E2B_EXIT_AUTH, NULL },
    { EPERM, 0, 0, E2B_EXIT_FAILURE, NULL },
    /* what we sent was refused */
    { EINVAL, 400, E2B_CONNECT_INVALID_ARGUMENT, E2B_EXIT_FAILURE, NULL },
    { EINVAL, 422, 0, E2B_EXIT_FAILURE, NULL },
    { ERANGE, 0, E2B_CONNECT_OUT_OF_RANGE, E2B_EXIT_FAILURE, NULL },
    { EEXIST, 0, E2B_CONNECT_ALREADY_EXISTS, E2B_EXIT_FAILURE, NULL },
    { EFBIG, 413, 0, E2B_EXIT_FAILURE, NULL },
    /* in transition, wrong state */
    { EBUSY, 409, E2B_CONNECT_ABORTED, E2B_EXIT_STATE, "it is changing state; try again" },
    { EBUSY, 0, E2B_CONNECT_FAILED_PRECONDITION, E2B_EXIT_STATE, NULL },
    /* throttled or overloaded, after our own retries */
    { EAGAIN, 429, E2B_CONNECT_RESOURCE_EXHAUSTED, E2B_EXIT_TEMPORARY,
      "the server asks for fewer requests; try again later" },
    { EAGAIN, 503, E2B_CONNECT_UNAVAILABLE, E2B_EXIT_TEMPORARY,
      "the server is busy; try again later" },
    /* the way there */
    { EHOSTUNREACH, 502, 0, E2B_EXIT_TEMPORARY,
      "check the network, and the API URL (E2B_API_URL, E2B_DOMAIN)" },
    { ENETUNREACH, 0, 0, E2B_EXIT_TEMPORARY, "check the network" },
    { ECONNREFUSED, 0, 0, E2B_EXIT_TEMPORARY, "nothing listens on that port" },
    { ECONNRESET, 0, 0, E2B_EXIT_TEMPORARY, "try again" },
    { ETIMEDOUT, 504, E2B_CONNECT_DEADLINE_EXCEEDED, E2B_EXIT_TEMPORARY, "try again" },
    { ETIMEDOUT, 408, 0, E2B_EXIT_TEMPORARY, "try again" },
    { EPROTO, 415, 0, E2B_EXIT_FAILURE, NULL },
    { EPROTO, 0, 0, E2B_EXIT_FAILURE,
      "check the URL, the proxy and the certificates (SSL_CERT_FILE, -o cacert=)" },
    /* space */
    { ENOSPC, 507, 0, E2B_EXIT_SPACE, "the disk is full" },
    { EDQUOT, 0, 0, E2B_EXIT_SPACE, "the quota is used up" },
    /* cannot be done; was told to stop */
    { EOPNOTSUPP, 501, E2B_CONNECT_UNIMPLEMENTED, E2B_EXIT_FAILURE, NULL },
    { EOPNOTSUPP, 505, 0, E2B_EXIT_FAILURE, NULL },
    { ECANCELED, 499, E2B_CONNECT_CANCELED, E2B_EXIT_INTERRUPTED, NULL },
    { EINTR, 0, 0, E2B_EXIT_INTERRUPTED, NULL },
    /* the server's own trouble; everything without a row is EIO too */
    { EIO, 500, E2B_CONNECT_INTERNAL, E2B_EXIT_FAILURE, NULL },
    { EIO, 0, E2B_CONNECT_UNKNOWN, E2B_EXIT_FAILURE, NULL },
    { EIO, 0, E2B_CONNECT_DATA_LOSS, E2B_EXIT_FAILURE, NULL },
};

static const struct {
    const char *name;
    int http; /* what Connect's clients read a bare status as (envd.md 2.6); 0: none */
} connect_codes[] = {
    [E2B_CONNECT_NONE] = { "none", 0 },
    [E2B_CONNECT_CANCELED] = { "canceled", 499 },
    [E2B_CONNECT_UNKNOWN] = { "unknown", 0 },
    [E2B_CONNECT_INVALID_ARGUMENT] = { "invalid_argument", 400 },
    [E2B_CONNECT_DEADLINE_EXCEEDED] = { "deadline_exceeded", 504 },
    [E2B_CONNECT_NOT_FOUND] = { "not_found", 404 },
    [E2B_CONNECT_ALREADY_EXISTS] = { "already_exists", 409 },
    [E2B_CONNECT_PERMISSION_DENIED] = { "permission_denied", 403 },
    [E2B_CONNECT_RESOURCE_EXHAUSTED] = { "resource_exhausted", 429 },
    [E2B_CONNECT_FAILED_PRECONDITION] = { "failed_precondition", 0 },
    [E2B_CONNECT_ABORTED] = { "aborted", 0 },
    [E2B_CONNECT_OUT_OF_RANGE] = { "out_of_range", 0 },
    [E2B_CONNECT_UNIMPLEMENTED] = { "unimplemented", 501 },
    [E2B_CONNECT_INTERNAL] = { "internal", 500 },
    [E2B_CONNECT_UNAVAILABLE] = { "unavailable", 503 },
    [E2B_CONNECT_DATA_LOSS] = { "data_loss", 0 },
    [E2B_CONNECT_UNAUTHENTICATED] = { "unauthenticated", 401 },
};

/* Statuses that share a code with another one. */
static const struct {
    int http;
    enum e2b_connect_code code;
} more_statuses[] = {
    { 413, E2B_CONNECT_RESOURCE_EXHAUSTED },
    { 502, E2B_CONNECT_UNAVAILABLE },
    { 505, E2B_CONNECT_UNIMPLEMENTED },
};

/* What Go's syscall package and glibc's C locale call errnos (envd.md 11). */
static const struct {
    const char *text;
    int errnum;
} texts[] = {
    { "no such file or directory", ENOENT },
    { "not a directory", ENOTDIR },
    { "is a directory", EISDIR },
    { "file exists", EEXIST },
    { "directory not empty", ENOTEMPTY },
    { "permission denied", EACCES },
    { "operation not permitted", EPERM },
    { "invalid cross-device link", EXDEV },
    { "too many levels of symbolic links", ELOOP },
    { "file name too long", ENAMETOOLONG },
    { "read-only file system", EROFS },
    { "no space left on device", ENOSPC },
    { "disk quota exceeded", EDQUOT },
    { "file too large", EFBIG },
    { "device or resource busy", EBUSY },
    { "text file busy", ETXTBSY },
    { "invalid argument", EINVAL },
    { "too many links", EMLINK },
    { "too many open files", EMFILE },
    { "too many open files in system", ENFILE },
    { "argument list too long", E2BIG },
    { "cannot allocate memory", ENOMEM },
    { "operation not supported", EOPNOTSUPP },
    /* Not ENOSYS: the kernel would stop asking for that operation on the whole mount. */
    { "function not implemented", EOPNOTSUPP },
    { "no data available", ENODATA },
    { "numerical result out of range", ERANGE },
    { "value too large for defined data type", EOVERFLOW },
    { "stale file handle", ESTALE },
    { "stale nfs file handle", ESTALE },
    { "transport endpoint is not connected", EIO },
    { "no such device or address", ENXIO },
    { "no such device", ENODEV },
    { "input/output error", EIO },
    { "structure needs cleaning", EIO },
    { "connection timed out", ETIMEDOUT },
    { "host is down", EHOSTDOWN },
    { "broken pipe", EPIPE },
};

int errno_from_http(int status)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (table[i].http == status && status != 0)
            return table[i].errnum;
    return EIO;
}

int errno_from_connect(enum e2b_connect_code code)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (table[i].code == code && code != E2B_CONNECT_NONE)
            return table[i].errnum;
    return EIO;
}

enum e2b_connect_code connect_code_parse(const char *name)
{
    for (size_t i = E2B_CONNECT_NONE + 1; i < ARRAY_LEN(connect_codes); i++)
        if (strcmp(connect_codes[i].name, name) == 0)
            return (enum e2b_connect_code)i;
    return E2B_CONNECT_NONE;
}

enum e2b_connect_code connect_code_from_http(int status)
{
    for (size_t i = E2B_CONNECT_NONE + 1; i < ARRAY_LEN(connect_codes); i++)
        if (connect_codes[i].http == status && status != 0)
            return (enum e2b_connect_code)i;
    for (size_t i = 0; i < ARRAY_LEN(more_statuses); i++)
        if (more_statuses[i].http == status)
            return more_statuses[i].code;
    return E2B_CONNECT_UNKNOWN;
}

const char *e2b_connect_code_name(enum e2b_connect_code code)
{
    return (size_t)code < ARRAY_LEN(connect_codes) ? connect_codes[code].name : "unknown";
}

int errno_from_text(const char *message)
{
    const char *text = message;
    size_t len;

    for (const char *colon = message; (colon = strstr(colon, ": ")) != NULL;)
        text = colon += 2;
    len = strlen(text);
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        len--;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (strlen(texts[i].text) == len && strncasecmp(texts[i].text, text, len) == 0)
            return texts[i].errnum;
    return 0;
}

const char *errno_name(int errnum)
{
    const char *name = strerrorname_np(errnum);

    return name && errnum != 0 ? name : "EIO";
}

/*
 * Replaces what could steer a terminal: C0, DEL, and C1 in its UTF-8 form (C2 80..9F).  Then
 * drops a multibyte character that the end of the buffer cut in two.
 */
static void clean(char *s)
{
    size_t len = strlen(s);
    size_t start = len;
    size_t want = 1;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        unsigned char next = (unsigned char)s[i + 1];

        if (c < 0x20 || c == 0x7f)
            s[i] = '?';
        else if (c == 0xc2 && next >= 0x80 && next <= 0x9f)
            s[i] = s[i + 1] = '?';
    }
    while (start > 0 && len - start < 3 && ((unsigned char)s[start - 1] & 0xc0) == 0x80)
        start--;
    if (start == 0)
        return;
    start--;
    if ((unsigned char)s[start] >= 0xf0)
        want = 4;
    else if ((unsigned char)s[start] >= 0xe0)
        want = 3;
    else if ((unsigned char)s[start] >= 0xc0)
        want = 2;
    if (len - start < want)
        s[start] = '\0';
}

int e2b_vfail(struct e2b_err *err, int errnum, const char *fmt, va_list ap)
{
    assert(errnum > 0);
    if (err && err->errnum == 0) {
        err->errnum = errnum;
        (void)vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
        clean(err->msg);
    }
    return -errnum;
}

int e2b_fail(struct e2b_err *err, int errnum, const char *fmt, ...)
{
    va_list ap;
    int r;

    va_start(ap, fmt);
    r = e2b_vfail(err, errnum, fmt, ap);
    va_end(ap);
    return r;
}

int e2b_wrap(struct e2b_err *err, int r, const char *fmt, ...)
{
    char context[E2B_ERR_MSG_MAX];
    char cause[E2B_ERR_MSG_MAX];
    va_list ap;

    if (!err || err->errnum == 0)
        return r;
    va_start(ap, fmt);
    (void)vsnprintf(context, sizeof(context), fmt, ap);
    va_end(ap);
    memcpy(cause, err->msg, sizeof(cause));
    /* Cutting is what the contract says, so the result may be ignored. */
    if (snprintf(err->msg, sizeof(err->msg), "%s: %s", context, cause) < 0)
        err->msg[0] = '\0';
    clean(err->msg);
    return r;
}

void e2b_err_clear(struct e2b_err *err)
{
    *err = (struct e2b_err){ 0 };
}

static const struct row *row_of(const struct e2b_err *err)
{
    const struct row *best = NULL;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const struct row *row = &table[i];

        if (row->errnum != err->errnum)
            continue;
        if (err->http_status && row->http == err->http_status)
            return row;
        /* A row that is about another status knows less than one about none. */
        if (!best || (best->http && !row->http))
            best = row;
    }
    return best;
}

int e2b_err_exit_code(const struct e2b_err *err)
{
    const struct row *row;

    if (!err || err->errnum == 0)
        return E2B_EXIT_OK;
    row = row_of(err);
    return row ? (int)row->exit : E2B_EXIT_FAILURE;
}

const char *e2b_err_hint(const struct e2b_err *err)
{
    const struct row *row = err && err->errnum ? row_of(err) : NULL;

    return row ? row->hint : NULL;
}
