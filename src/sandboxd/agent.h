/* SPDX-License-Identifier: MIT */
/*
 * agent: the part of the server that lives inside each sandbox's container.
 *
 * The same binary, executed by bubblewrap with --agent.  It opens files, walks directories,
 * starts processes and connects to ports for the server, so that everything is resolved in the
 * sandbox's own view: a symbolic link can't lead out, because outside isn't there.  It is
 * envd's hands: like envd it works as root and lets nobody's permissions stop it.
 *
 * Threads:   the main thread reads requests, starts processes and collects their ends; file
 *            operations, which may block (a FIFO, a big tree), run on a growing set of workers.
 * End:       when the socket closes the agent exits and the container with it, so a server
 *            that was killed leaves nothing behind.
 * Errors:    a struct fail: the code and the text that envd would send (envd.md 6.3, 7, 9.5).
 */
#ifndef SANDBOXD_AGENT_H
#define SANDBOXD_AGENT_H

#include "msg.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

enum { AGENT_SOCKET = 3 }; /* the descriptor that the agent finds its socket at */

/* Never returns to the server's main: the exit status of the process. */
int agent_main(void);

/* --- inside ---------------------------------------------------------------------------- */

struct fail {
    int code;   /* a Connect code, or an HTTP status for the operations of /files */
    char *text; /* owned */
};

/* Fills `fail` and returns false, so that operations can `return failf(...)`. */
bool failf(struct fail *fail, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The text Go prints for an errno: the C library's with a small first letter. */
const char *go_strerror(int errnum, char buf[64]);

struct account {
    char *name, *home;
    uid_t uid;
    gid_t gid;
};

/* Looks `name` up in the sandbox's /etc/passwd (no NSS, no numbers). */
bool account_find(const char *name, struct account *out);
void account_clear(struct account *a);
#define autoaccount __attribute__((cleanup(account_clear)))

/* True when there is only one uid (the server runs as an ordinary user): ownership can't be
 * changed here and is not asked for. */
bool agent_one_uid(void);

/*
 * Every request starts with the account's name and a path as the client gave it (envd.md 3.4).
 * On success *account and *path (absolute, owned) are set.
 */
enum op_style { STYLE_RPC, STYLE_FILES };
bool request_account(struct msg *in, enum op_style style, struct account *out,
                     struct fail *fail);
bool request_path(struct msg *in, enum op_style style, const struct account *account,
                  char **path, struct fail *fail);

/* Go's filepath.Dir: lexical, cleaned. */
char *go_dir(const char *path);

/* Creates what is missing of `dir` for the account; text without a prefix on failure. */
bool ensure_dirs(const char *dir, const struct account *account, char **problem);

/* Packs the EntryInfo of `path`; false with errno if it can't be lstat-ed. */
struct names; /* uid and gid to name, read once per request */
struct names *names_new(void);
void names_free(struct names *n);
bool entry_put(struct msg *out, const struct names *names, const char *path,
               const char *shown_path);

/* One operation: reads its request, packs its results. */
typedef bool agent_op(struct msg *in, struct msg *out, struct fail *fail);

agent_op op_stat, op_list, op_mkdir, op_move, op_remove;
agent_op op_open_read, op_open_write, op_compose;
agent_op op_watch;
agent_op op_spawn, op_signal, op_connect, op_freeze, op_metrics;

/* The main thread's: reports ended children as MSG_EXITED. */
void agent_reap(int sock);

#endif
