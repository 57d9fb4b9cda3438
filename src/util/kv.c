/* SPDX-License-Identifier: MIT */
#include "kv.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "codec.h"
#include "json.h"
#include "xalloc.h"

#define RAW_SUFFIX ".base64"

struct kv {
    json_t *obj; /* owned */
    char *raw;   /* owned: the last string that kv_get decoded */
};

/* Small and bounded by us: jansson is out of memory only where xalloc would have aborted. */
static void set(struct kv *kv, const char *key, json_t *value)
{
    if (json_object_set_new(kv->obj, key, value) < 0)
        abort();
}

struct kv *kv_new(void)
{
    struct kv *kv = xcalloc(1, sizeof(*kv));

    kv->obj = json_object();
    if (!kv->obj)
        abort();
    return kv;
}

void kv_free(struct kv *kv)
{
    if (!kv)
        return;
    json_decref(kv->obj);
    free(kv->raw);
    free(kv);
}

void kv_set(struct kv *kv, const char *key, const char *value)
{
    autofree char *raw_key = xasprintf("%s%s", key, RAW_SUFFIX);
    autobuf struct buf text = BUF_INIT;
    json_t *string;

    json_object_del(kv->obj, key);
    json_object_del(kv->obj, raw_key);
    if (!value)
        return;
    string = json_string(value); /* NULL if it is not UTF-8 */
    if (string) {
        set(kv, key, string);
        return;
    }
    if (base64_encode(value, strlen(value), &text) < 0)
        abort();
    set(kv, raw_key, json_string(buf_str(&text)));
}

void kv_set_int(struct kv *kv, const char *key, int64_t value)
{
    set(kv, key, json_integer(value));
}

const char *kv_get(const struct kv *kv, const char *key)
{
    autofree char *raw_key = NULL;
    autobuf struct buf bytes = BUF_INIT;
    struct kv *cache = (struct kv *)kv; /* only `raw` changes */
    const char *text = json_string_value(json_object_get(kv->obj, key));

    if (text)
        return text;
    raw_key = xasprintf("%s%s", key, RAW_SUFFIX);
    text = json_string_value(json_object_get(kv->obj, raw_key));
    if (!text || base64_decode(text, strlen(text), &bytes) < 0)
        return NULL;
    if (bytes.len > 0 && memchr(bytes.data, '\0', bytes.len))
        return NULL;
    free(cache->raw);
    cache->raw = buf_steal(&bytes);
    return cache->raw;
}

int64_t kv_get_int(const struct kv *kv, const char *key, int64_t otherwise)
{
    const json_t *value = json_object_get(kv->obj, key);

    return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

int kv_print(const struct kv *kv, struct buf *out)
{
    return jdump_pretty(kv->obj, out);
}

int kv_parse(const char *text, size_t len, struct kv **out, struct e2b_err *err)
{
    autojson json_t *root = NULL;
    int r;

    r = jparse(text, len, &root, err);
    if (r < 0)
        return r;
    if (!json_is_object(root))
        return e2b_fail(err, EPROTO, "expected a JSON object");
    *out = xcalloc(1, sizeof(**out));
    (*out)->obj = steal_ptr(&root);
    return 0;
}
