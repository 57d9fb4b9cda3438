/* SPDX-License-Identifier: MIT */
#include "codec.h"

#include "xalloc.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include <nettle/base16.h>
#include <nettle/base64.h>
#include <nettle/hmac.h>
#include <nettle/sha2.h>

int base64_encode(const void *data, size_t len, struct buf *out)
{
    char *room;
    int r;

    if (len > SIZE_MAX / 2)
        return -EFBIG;
    r = buf_reserve(out, BASE64_ENCODE_RAW_LENGTH(len), &room);
    if (r < 0)
        return r;
    base64_encode_raw(room, len, data);
    out->len += BASE64_ENCODE_RAW_LENGTH(len);
    (void)buf_str(out); /* ends it with a NUL */
    return 0;
}

int base64_decode(const char *text, size_t len, struct buf *out)
{
    struct base64_decode_ctx ctx;
    size_t before = out->len;
    size_t n;
    char *room;
    int r;

    if (len == 0)
        return 0;
    /* nettle skips white space, which is not ours to forgive: lengths would not add up. */
    if (len % 4 != 0 || text[len - 3] == '=') /* the latter for nettle's "A===" */
        return -EPROTO;
    for (size_t i = 0; i < len; i++)
        if (isspace((unsigned char)text[i]))
            return -EPROTO;
    r = buf_reserve(out, BASE64_DECODE_LENGTH(len), &room);
    if (r < 0)
        return r;
    base64_decode_init(&ctx);
    n = BASE64_DECODE_LENGTH(len);
    if (!base64_decode_update(&ctx, &n, (uint8_t *)room, len, text) ||
        !base64_decode_final(&ctx)) {
        out->len = before;
        (void)buf_str(out);
        return -EPROTO;
    }
    out->len += n;
    (void)buf_str(out);
    return 0;
}

static void hex(const uint8_t *bytes, size_t n, char *out)
{
    base16_encode_update(out, n, bytes);
    out[2 * n] = '\0';
}

void random_hex(char *out, size_t n)
{
    uint8_t bytes[32];

    while (n > 0) {
        size_t now = n < sizeof(bytes) ? n : sizeof(bytes);
        ssize_t got = getrandom(bytes, now, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            /* Only a kernel without the call answers so; a guessable secret would be worse. */
            perror("getrandom");
            abort();
        }
        hex(bytes, (size_t)got, out);
        out += 2 * got;
        n -= (size_t)got;
    }
    *out = '\0';
}

uint64_t hash64(const char *s, ...)
{
    struct sha256_ctx ctx;
    uint8_t digest[SHA256_DIGEST_SIZE];
    uint64_t h = 0;
    va_list ap;

    sha256_init(&ctx);
    va_start(ap, s);
    for (; s; s = va_arg(ap, const char *))
        sha256_update(&ctx, strlen(s) + 1, (const uint8_t *)s);
    va_end(ap);
    sha256_digest(&ctx, sizeof(digest), digest);
    for (int i = 0; i < 8; i++)
        h = h << 8 | digest[i];
    return h ? h : 1;
}

void sha256_hex(const void *data, size_t len, char out[SHA256_HEX])
{
    struct sha256_ctx ctx;
    uint8_t digest[SHA256_DIGEST_SIZE];

    sha256_init(&ctx);
    sha256_update(&ctx, len, data);
    sha256_digest(&ctx, sizeof(digest), digest);
    hex(digest, sizeof(digest), out);
}

void hmac_sha256_hex(const void *key, size_t key_len, const void *data, size_t len,
                     char out[SHA256_HEX])
{
    struct hmac_sha256_ctx ctx;
    uint8_t digest[SHA256_DIGEST_SIZE];

    hmac_sha256_set_key(&ctx, key_len, key);
    hmac_sha256_update(&ctx, len, data);
    hmac_sha256_digest(&ctx, sizeof(digest), digest);
    hex(digest, sizeof(digest), out);
}
