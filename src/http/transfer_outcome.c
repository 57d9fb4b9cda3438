/* SPDX-License-Identifier: MIT */
/* What libcurl's results mean. */
#include "http/transfer.h"

#include "util/log.h"
#include "util/xalloc.h"

#include <errno.h>
#include <string.h>

static const struct {
    CURLcode code;
    int errnum;
} curl_errors[] = {
    { CURLE_COULDNT_RESOLVE_HOST, EHOSTUNREACH },
    { CURLE_COULDNT_RESOLVE_PROXY, EHOSTUNREACH },
    { CURLE_COULDNT_CONNECT, EHOSTUNREACH },
    { CURLE_INTERFACE_FAILED, EHOSTUNREACH },
    { CURLE_PROXY, EHOSTUNREACH },
    { CURLE_OPERATION_TIMEDOUT, ETIMEDOUT },
    { CURLE_PARTIAL_FILE, ECONNRESET },
    { CURLE_GOT_NOTHING, ECONNRESET },
    { CURLE_SEND_ERROR, ECONNRESET },
    { CURLE_RECV_ERROR, ECONNRESET },
    { CURLE_SEND_FAIL_REWIND, ECONNRESET },
    { CURLE_HTTP2_STREAM, ECONNRESET },
    { CURLE_HTTP2, EPROTO },
    { CURLE_UNSUPPORTED_PROTOCOL, EPROTO }, /* "Received HTTP/0.9" */
    { CURLE_WEIRD_SERVER_REPLY, EPROTO },
    { CURLE_BAD_CONTENT_ENCODING, EPROTO },
    { CURLE_SSL_CONNECT_ERROR, EPROTO },
    { CURLE_PEER_FAILED_VERIFICATION, EPROTO },
    { CURLE_SSL_CACERT_BADFILE, EPROTO },
    { CURLE_SSL_CERTPROBLEM, EPROTO },
    { CURLE_SSL_CIPHER, EPROTO },
    { CURLE_SSL_ISSUER_ERROR, EPROTO },
    { CURLE_SSL_INVALIDCERTSTATUS, EPROTO },
    { CURLE_URL_MALFORMAT, EINVAL },
    { CURLE_OUT_OF_MEMORY, ENOMEM },
};

/* Parts of libcurl's message that tell apart what its code lumps together. */
static const struct {
    CURLcode code;
    const char *part;
    int errnum;
} curl_messages[] = {
    { CURLE_RECV_ERROR, "chunked-encoding", EPROTO },
    { CURLE_RECV_ERROR, "CONNECT tunnel failed", EHOSTUNREACH },
    { CURLE_SSL_CONNECT_ERROR, "SSL_ERROR_SYSCALL", ECONNRESET },
    { CURLE_SSL_CONNECT_ERROR, "Connection reset", ECONNRESET },
};

static int errno_from_curl(CURLcode code, const char *message)
{
    for (size_t i = 0; i < ARRAY_LEN(curl_messages); i++)
        if (curl_messages[i].code == code && strstr(message, curl_messages[i].part))
            return curl_messages[i].errnum;
    for (size_t i = 0; i < ARRAY_LEN(curl_errors); i++)
        if (curl_errors[i].code == code)
            return curl_errors[i].errnum;
    return EIO;
}

static void fill_response(struct http_transfer *t)
{
    curl_off_t up = 0, down = 0;
    long request_size = 0;

    (void)curl_easy_getinfo(t->easy, CURLINFO_SIZE_UPLOAD_T, &up);
    (void)curl_easy_getinfo(t->easy, CURLINFO_SIZE_DOWNLOAD_T, &down);
    (void)curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &request_size);
    t->resp.bytes_sent = (uint64_t)up;
    t->resp.bytes_received = (uint64_t)down;
    t->resp.sent_any = request_size > 0;
}

/* The answer was complete; that its sender takes no more of the body does not matter. */
static bool answered_early(const struct http_transfer *t, CURLcode result)
{
    return result == CURLE_SEND_ERROR && t->end_body && t->resp.head.content_length >= 0 &&
           t->resp.bytes_received == (uint64_t)t->resp.head.content_length;
}

void transfer_finish(struct http_transfer *t, CURLcode result)
{
    loop_timer_stop(engine_loop(t->engine), &t->deadline);
    t->resp.elapsed_ms = transfer_now_ms(t) - t->started_ms;
    if (t->easy)
        fill_response(t);
    if (result != CURLE_OK && !answered_early(t, result))
        e2b_fail(&t->err, errno_from_curl(result, t->curl_message), "%s: %s", t->host,
                 t->curl_message[0] ? t->curl_message : curl_easy_strerror(result));
    /* libcurl takes an answer without a status line of its own for complete. */
    if (t->err.errnum == 0 && !t->head_done && t->resp.head.status)
        e2b_fail(&t->err, ECONNRESET, "%s: closed in the middle of the answer's head", t->host);
    if (t->err.errnum == 0 && !t->head_done)
        e2b_fail(&t->err, EPROTO, "%s: the answer is not HTTP", t->host);
    t->err.http_status = t->err.errnum ? t->resp.head.status : 0;
    log_debug("http",
              "id=%llu call=%s method=%s host=%s status=%d sent=%llu received=%llu ms=%lld%s%s",
              (unsigned long long)t->id, t->label, t->method, t->host ? t->host : "-",
              t->resp.head.status, (unsigned long long)t->resp.bytes_sent,
              (unsigned long long)t->resp.bytes_received, (long long)t->resp.elapsed_ms,
              t->err.errnum ? " error=" : "", t->err.msg);
}
