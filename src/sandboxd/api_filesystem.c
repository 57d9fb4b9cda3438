/* SPDX-License-Identifier: MIT */
/* envd's Filesystem service: the agent does the work, here it is put into words. */
#include "api_filesystem.h"

#include "api.h"
#include "util/clock.h"
#include "util/xalloc.h"

#include <stdio.h>
#include <string.h>

static const char *const file_types[] = { NULL, "FILE_TYPE_FILE", "FILE_TYPE_DIRECTORY" };

/* Leaves out the default, as protojson does. False if the text isn't UTF-8. */
static bool set_string(json_t *o, const char *name, const char *text, size_t len)
{
    json_t *v;

    if (len == 0)
        return true;
    v = json_stringn(text, len);
    if (!v)
        return false;
    json_object_set_new(o, name, v);
    return true;
}

static bool read_metadata(struct msg *m, json_t *entry)
{
    uint32_t count = msg_get_u32(m);
    json_t *map = count ? json_object() : NULL;

    for (uint32_t i = 0; i < count && !m->bad; i++) {
        const char *key = msg_get_str(m, NULL);
        size_t len;
        const char *value = msg_get_str(m, &len);
        json_t *v = json_stringn(value, len);

        /* Attributes that aren't UTF-8 are skipped. */
        if (v)
            json_object_set_new(map, key, v);
    }
    if (map)
        json_object_set_new(entry, "metadata", map);
    return !m->bad;
}

json_t *filesystem_entry(struct msg *m, const char **bad_field)
{
    json_t *o = json_object();
    size_t len;
    const char *text;
    struct timespec mtime;
    char number[24], time_text[40];
    uint32_t n;
    int64_t size;

    *bad_field = NULL;
#define STRING(field)                                     \
    do {                                                  \
        text = msg_get_str(m, &len);                      \
        if (!set_string(o, field, text, len))             \
            *bad_field = *bad_field ? *bad_field : field; \
    } while (0)

    STRING("name");
    STRING("path");
    n = msg_get_u32(m);
    if (n > 0 && n < ARRAY_LEN(file_types))
        json_object_set_new(o, "type", json_string(file_types[n]));
    size = msg_get_i64(m);
    if (size != 0) {
        snprintf(number, sizeof(number), "%lld", (long long)size);
        json_object_set_new(o, "size", json_string(number));
    }
    n = msg_get_u32(m);
    if (n)
        json_object_set_new(o, "mode", json_integer(n));
    STRING("permissions");
    STRING("owner");
    STRING("group");
    mtime.tv_sec = msg_get_i64(m);
    mtime.tv_nsec = (long)msg_get_u32(m);
    if (mtime.tv_sec < -62135596800LL || mtime.tv_sec > 253402300799LL)
        *bad_field = "modified_time";
    else if (mtime.tv_sec != 0 || mtime.tv_nsec != 0)
        json_object_set_new(o, "modifiedTime", json_string(api_time(mtime, time_text)));
    if (msg_get_u32(m)) {
        STRING("symlinkTarget");
    } else {
        msg_get_str(m, NULL);
    }
#undef STRING
    if (!read_metadata(m, o) || *bad_field) {
        json_decref(o);
        return NULL;
    }
    return o;
}

static void fail_entry(struct rpc *rpc, const char *field)
{
    if (field && strcmp(field, "modified_time") == 0)
        rpc_fail(rpc, E2B_CONNECT_INTERNAL,
                 "marshal message: google.protobuf.Timestamp: seconds out of range");
    else
        rpc_fail(rpc, E2B_CONNECT_INTERNAL,
                 "marshal message: proto: field filesystem.EntryInfo.%s contains invalid UTF-8",
                 field ? field : "name");
}

bool filesystem_ask(struct rpc *rpc, enum msg_kind kind, const char *const *fields,
                    int64_t extra, struct msg *reply)
{
    automsg struct msg request = MSG_INIT;
    const char *text;
    int code, r;

    request.kind = kind;
    msg_put_str(&request, rpc->user);
    for (; *fields; fields++) {
        size_t len;
        const char *path = rpc_string(rpc->in, *fields, &len);

        msg_put_bytes(&request, path, len);
    }
    if (extra >= 0)
        msg_put_u32(&request, (uint32_t)extra);
    r = agent_ask(rpc->rq, &request, reply, &code, &text);
    if (r == 0 && code)
        rpc_fail(rpc, (enum e2b_connect_code)code, "%s", text);
    return r == 0 && !code;
}

/* The four calls that answer {"entry": ...}. */
static void entry_call(struct request *rq, enum msg_kind kind, const char *const *fields)
{
    autorpc struct rpc rpc;
    automsg struct msg reply = MSG_INIT;
    const char *field;
    json_t *entry;

    if (!rpc_begin(&rpc, rq, RPC_UNARY) || !filesystem_ask(&rpc, kind, fields, -1, &reply))
        return;
    entry = filesystem_entry(&reply, &field);
    if (!entry)
        fail_entry(&rpc, field);
    else
        rpc_reply(&rpc, json_pack("{s:o}", "entry", entry));
}

void envd_stat(struct request *rq)
{
    entry_call(rq, MSG_STAT, (const char *const[]){ "path", NULL });
}

void envd_make_dir(struct request *rq)
{
    entry_call(rq, MSG_MKDIR, (const char *const[]){ "path", NULL });
}

void envd_move(struct request *rq)
{
    entry_call(rq, MSG_MOVE, (const char *const[]){ "source", "destination", NULL });
}

void envd_remove(struct request *rq)
{
    autorpc struct rpc rpc;
    automsg struct msg reply = MSG_INIT;

    if (rpc_begin(&rpc, rq, RPC_UNARY) &&
        filesystem_ask(&rpc, MSG_REMOVE, (const char *const[]){ "path", NULL }, -1, &reply))
        rpc_reply(&rpc, NULL);
}

void envd_list_dir(struct request *rq)
{
    autorpc struct rpc rpc;
    automsg struct msg reply = MSG_INIT;
    const char *field = NULL;
    json_t *list, *out;
    uint32_t depth, count;

    if (!rpc_begin(&rpc, rq, RPC_UNARY))
        return;
    if (!rpc_uint32(rpc.in, "depth", 0, &depth)) {
        rpc_fail(&rpc, E2B_CONNECT_INVALID_ARGUMENT,
                 "unmarshal message: proto: invalid value for uint32 field depth");
        return;
    }
    if (!filesystem_ask(&rpc, MSG_LIST, (const char *const[]){ "path", NULL }, depth, &reply))
        return;
    count = msg_get_u32(&reply);
    list = json_array();
    for (uint32_t i = 0; i < count; i++) {
        json_t *entry = filesystem_entry(&reply, &field);

        if (!entry) {
            json_decref(list);
            fail_entry(&rpc, field);
            return;
        }
        json_array_append_new(list, entry);
    }
    out = json_object();
    if (count > 0)
        json_object_set(out, "entries", list);
    json_decref(list);
    rpc_reply(&rpc, out);
}
