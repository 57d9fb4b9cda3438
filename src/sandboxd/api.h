/* SPDX-License-Identifier: MIT */
/*
 * api: the handlers that routes.c lists, one file a service.
 *
 * Threads: each runs on its request's thread.
 */
#ifndef SANDBOXD_API_H
#define SANDBOXD_API_H

#include "http_server.h"
#include "store.h"

typedef void api_fn(struct request *rq);

/* control plane (control-plane.md 6 and 7) */
api_fn api_create, api_create_v2;
api_fn api_list_v1, api_list_v2, api_get;
api_fn api_kill, api_pause, api_resume, api_connect, api_connect_v2, api_timeout, api_refreshes;
api_fn api_metrics, api_metrics_batch;
api_fn api_health;

/* the server's own (design 11) */
api_fn api_ledger_get, api_ledger_clear, api_faults_put, api_faults_get;

/* envd (envd.md 5 to 12) */
api_fn envd_health, envd_metrics, envd_envs;
api_fn envd_files_get, envd_files_post, envd_files_begin, envd_compose;
void envd_files_body(struct request *rq, const char *data, size_t len);
api_fn envd_stat, envd_list_dir, envd_make_dir, envd_move, envd_remove;
api_fn envd_watch_dir, envd_create_watcher, envd_get_watcher_events, envd_remove_watcher;
api_fn envd_start, envd_connect, envd_list, envd_update;
api_fn envd_send_input, envd_close_stdin, envd_send_signal;
api_fn envd_stream_input, envd_stream_input_begin;
void envd_stream_input_body(struct request *rq, const char *data, size_t len);

/* {"code", "message"}, the API's error shape. */
void api_error(struct request *rq, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for envd's own handlers (with a final newline). */
void envd_error(struct request *rq, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * One call to the sandbox's agent on behalf of a request; see channel_call.  After a negative
 * result the request is answered or over.
 */
int agent_ask(struct request *rq, struct msg *request, struct msg *reply, int *code,
              const char **text);

/* RFC 3339 UTC, trailing zeros of the fraction cut. */
char *api_time(struct timespec t, char buf[40]);

#endif
