/* SPDX-License-Identifier: MIT */
/*
 * container: a sandbox's root directory and the bubblewrap that runs the agent in it.
 *
 * The root is a real directory of the server's data with its own /etc, /home, /root, /tmp and
 * so on; /usr and its like are the host's, read-only.  The container has its own pid, network,
 * ipc and uts namespaces.  Run by root the accounts are real and the capabilities few; run by
 * an ordinary user there is one uid, called 1000 inside.
 *
 * Threads:   any.  All containers are children of one launcher thread that lives as long as
 *            the server, because "die with the parent" means the thread that forked.
 * Errors:    one sentence in *err; nothing is left running.
 * Ownership: the caller owns the container and the socket.
 */
#ifndef SANDBOXD_CONTAINER_H
#define SANDBOXD_CONTAINER_H

#include <e2b/error.h>

struct container;

/* Starts the launcher and prepares `data_dir`; call once, before any other thread. */
int container_setup(const char *data_dir, struct e2b_err *err);
/* Ends the launcher; containers must be stopped. */
void container_teardown(void);

/* Makes `root` (which must not exist) into a fresh root directory. */
int container_make_root(const char *root, struct e2b_err *err);

/* Starts the agent in `root`; *sock is the server's end of its socket. */
int container_start(const char *root, struct container **out, int *sock, struct e2b_err *err);

/* Sends everything in it SIGKILL without waiting, so that many can end at once. */
void container_kill(const struct container *c);
/* Kills everything in it and waits until it is gone. */
void container_stop(struct container *c);

/* rm -rf that crosses nothing; errors are ignored (the data directory is ours). */
void container_remove_tree(const char *path);

#endif
