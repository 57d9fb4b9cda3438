/* SPDX-License-Identifier: MIT */
/*
 * e2b/client: credentials, addresses and lifetime.
 *
 * A client is one account at one API.  It owns a loop (or shares the caller's), the HTTP
 * connections, and what is known about how to reach each sandbox (its envd token, domain,
 * version and state, see sandbox.h).
 *
 * Threads:   one: the thread that calls e2b_client_new and then e2b_wait or runs the loop.
 * Ownership: e2b_client_free cancels what is in flight and runs its completions first.
 */
#ifndef E2B_CLIENT_H
#define E2B_CLIENT_H

#include <e2b/call.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct e2b_client;
struct loop;

/*
 * Where requests go and with which key.  e2b_config_load fills it; every string is owned and
 * freed by e2b_config_clear (which also wipes the key).
 */
struct e2b_config {
    char *api_key;
    char *api_key_source; /* for people: "E2B_API_KEY", "--api-key-file /x",
                             "~/.e2b/config.json" */
    char *api_url;        /* no trailing slash: https://api.e2b.app */
    char *sandbox_url;    /* NULL: derived per sandbox (control-plane.md 3.1) */
    char *domain;         /* e2b.app */
    bool debug;           /* E2B_DEBUG=true */
    bool validate_key;    /* E2B_VALIDATE_API_KEY, default true */
    char *ca_file;        /* NULL: the environment's or the system's */
    char *proxy;          /* NULL: the environment's */
    char *user;           /* the account in the sandbox that calls act as; default "user" */
    int64_t request_timeout_ms; /* 0: the defaults of design 11 */
    double deadline_scale;      /* scales metadata and first-byte deadlines; 0 means 1.0 */
    char **
        headers; /* extra "Name: value" lines for the control plane, NULL-terminated, or NULL */
};

/* What flags said; a NULL or 0 member means "not given". Borrowed. */
struct e2b_config_flags {
    const char *api_key;
    const char *api_key_file; /* "-" is standard input */
    const char *api_url;
    const char *sandbox_url;
    const char *domain;
    const char *user;
    const char *config_file; /* instead of $XDG_CONFIG_HOME/e2bfs/config */
    const char *ca_file;
    int64_t request_timeout_ms;
    const char *const *headers;
};

/*
 * Flags > environment > $XDG_CONFIG_HOME/e2bfs/config > the official CLI's credentials
 * (design 8; control-plane.md 1 and 16).  A config file that others can read and that holds a
 * key is refused (EACCES).  Errors: EKEYREJECTED no key, or its format is wrong; EINVAL a bad
 * value, with its source; ENOENT a file named by a flag.
 */
int e2b_config_load(const struct e2b_config_flags *flags, struct e2b_config *out,
                    struct e2b_err *err);
void e2b_config_clear(struct e2b_config *config);

/*
 * Called for each key of the config file that is not one of ours (mount options, say), so that
 * a program can use the same file: return 0, or negative to refuse it (err filled).
 */
typedef int e2b_config_key_fn(void *arg, const char *key, const char *value, const char *where,
                              struct e2b_err *err);
int e2b_config_file_each(const char *config_file, e2b_config_key_fn *fn, void *arg,
                         struct e2b_err *err);

/* Copies the config.  `loop` is borrowed and must outlive the client; NULL: one of its own. */
struct e2b_client *e2b_client_new(const struct e2b_config *config, struct loop *loop,
                                  struct e2b_err *err);
void e2b_client_free(struct e2b_client *client);

/* Drops idle connections (the machine slept, the network changed). */
void e2b_client_drop_idle(struct e2b_client *client);

struct e2b_client_stats {
    uint64_t control_requests, data_requests, retries, failures;
    uint64_t bytes_sent, bytes_received;
};
void e2b_client_stats(const struct e2b_client *client, struct e2b_client_stats *out);

/* The server's clock minus ours in ms, from Date headers; 0 while unknown. */
int64_t e2b_client_clock_offset_ms(const struct e2b_client *client);

#ifdef __cplusplus
}
#endif
#endif
