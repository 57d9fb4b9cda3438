/* SPDX-License-Identifier: MIT */
/*
 * live: a client against a real server, for tests/unit/test_live_*.c.
 *
 * The server is a private e2b-sandboxd (E2B_SANDBOXD, or the one that was built with the test),
 * started at the first use and ended at exit.  With E2B_LIVE=1 it is the account that
 * E2B_API_URL and E2B_API_KEY name instead, where the tests make and kill a sandbox: never by
 * accident.
 */
#ifndef LIVE_H
#define LIVE_H

#include "test.h"

#include "util/xalloc.h"

#include <e2b/client.h>
#include <e2b/file.h>
#include <e2b/process.h>
#include <e2b/sandbox.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
    pid_t pid;
    char dir[256]; /* the server's data */
    char id[160];  /* of a running sandbox */
    struct e2b_client *client;
    bool has_tried;
    bool is_ours; /* started here: its ledger and faults can be used */
} live;

static inline void live_stop(void)
{
    e2b_client_free(live.client);
    live.client = NULL;
    if (live.pid > 0) {
        kill(live.pid, SIGTERM);
        waitpid(live.pid, NULL, 0);
        live.pid = 0;
    }
    if (live.dir[0]) {
        char command[320];

        (void)snprintf(command, sizeof(command), "rm -rf --one-file-system %s", live.dir);
        if (system(command) != 0)
            (void)fprintf(stderr, "# %s stays behind\n", live.dir);
    }
}

/* "export NAME=value" lines into our environment; false at the end of the stream. */
static inline bool live_read_ready(FILE *from)
{
    char line[1024];
    bool is_ready = false;

    while (!is_ready && fgets(line, sizeof(line), from)) {
        char *equals = strchr(line, '=');

        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "export ", 7) != 0 || !equals)
            continue;
        *equals = '\0';
        (void)setenv(line + 7, equals + 1, 1);
        is_ready = strcmp(line + 7, "E2B_SANDBOXD_PID") == 0;
    }
    return is_ready;
}

/* E2B_SANDBOXD, or the server of this build tree, or that of the release tree beside it (some
 * variants build only the library and the tests). */
static inline const char *live_server_path(void)
{
    static const char *const places[] = { "bin", "../release/bin" };
    static char path[4096 + 64];
    const char *named = getenv("E2B_SANDBOXD");
    char self[4096];
    ssize_t n;
    char *slash;

    if (named && *named)
        return named;
    n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n < 0)
        return "";
    self[n] = '\0';
    for (int i = 0; i < 2 && (slash = strrchr(self, '/')) != NULL; i++)
        *slash = '\0';
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s/e2b-sandboxd", self, places[i]);
        if (access(path, X_OK) == 0)
            break;
    }
    return path;
}

static inline bool live_start_server(void)
{
    const char *path = live_server_path();
    const char *tmp = getenv("TMPDIR");
    int fds[2];
    FILE *from;
    bool is_ready;

    if (access(path, X_OK) < 0) {
        (void)printf("# no server: %s is missing (E2B_SANDBOXD names another)\n", path);
        return false;
    }
    (void)snprintf(live.dir, sizeof(live.dir), "%s/e2b-live.XXXXXX",
                   tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(live.dir) || pipe2(fds, O_CLOEXEC) < 0)
        return false;
    live.pid = fork();
    if (live.pid == 0) {
        dup2(fds[1], STDOUT_FILENO);
        execl(path, path, "--data", live.dir, "--sandboxes", "1", NULL);
        _exit(127);
    }
    close(fds[1]);
    from = fdopen(fds[0], "r");
    is_ready = live.pid > 0 && from && live_read_ready(from);
    if (from)
        (void)fclose(from);
    live.is_ours = is_ready;
    return is_ready;
}

static inline struct e2b_client *live_client_new(void)
{
    struct e2b_config config = { 0 };
    struct e2b_err err = { 0 };
    struct e2b_client *client = NULL;

    if (e2b_config_load(NULL, &config, &err) == 0)
        client = e2b_client_new(&config, NULL, &err);
    if (!client)
        (void)printf("# %s\n", err.msg);
    e2b_config_clear(&config);
    return client;
}

/* The client, with live.id set; NULL if there is no server. */
static inline struct e2b_client *live_client(void)
{
    struct e2b_sandbox_list list = { 0 };
    struct e2b_err err = { 0 };

    if (live.client)
        return live.client;
    if (live.has_tried)
        return NULL;
    live.has_tried = true;
    (void)atexit(live_stop);
    if (!getenv("E2B_LIVE") && !live_start_server()) {
        return NULL;
    }
    live.client = live_client_new();
    if (!live.client)
        return NULL;
    if (e2b_wait(e2b_sandbox_list(live.client, NULL, e2b_sandbox_list_keep, &list), &err) < 0 ||
        list.n == 0) {
        (void)printf("# no sandbox: %s\n", err.msg);
        e2b_sandbox_list_clear(&list);
        return NULL;
    }
    (void)snprintf(live.id, sizeof(live.id), "%s", list.v[0].id);
    e2b_sandbox_list_clear(&list);
    return live.client;
}

/* Shorthands: 0 or the negative errno; the last error's text stays in live_err. */
static struct e2b_err live_err;

static inline int live_wait(struct e2b_call *call)
{
    live_err = (struct e2b_err){ 0 };
    return e2b_wait(call, &live_err);
}

static inline int live_stat(const char *path, struct e2b_entry *out)
{
    *out = (struct e2b_entry){ 0 };
    return live_wait(e2b_file_stat(live.client, live.id, path, e2b_entry_keep, out));
}

static inline int live_list(const char *path, struct e2b_entry_list *out)
{
    *out = (struct e2b_entry_list){ 0 };
    return live_wait(e2b_file_list(live.client, live.id, path, e2b_entry_list_keep, out));
}

struct live_exec {
    char out[4096];
    char err_text[4096];
    size_t out_len, err_len;
    int exit_code;
};

static inline void live_exec_keep(void *arg, const struct e2b_exec_result *r,
                                  const struct e2b_err *err)
{
    struct live_exec *to = arg;

    if (err)
        return;
    to->exit_code = r->exit_code;
    to->out_len = r->out_len;
    to->err_len = r->err_len;
    (void)snprintf(to->out, sizeof(to->out), "%s", r->out);
    (void)snprintf(to->err_text, sizeof(to->err_text), "%s", r->err_text);
}

/* Runs a shell line as `user`. */
static inline int live_sh(const char *user, const char *line, struct live_exec *out)
{
    const char *const argv[] = { "/bin/sh", "-c", line, NULL };
    struct e2b_process_spec spec = {
        .argv = argv, .cwd = "/", .user = user, .timeout_ms = 20000
    };

    *out = (struct live_exec){ .exit_code = -1 };
    return live_wait(
        e2b_process_exec(live.client, live.id, &spec, 1 << 20, live_exec_keep, out));
}

static inline int live_op(enum e2b_fop op, const struct e2b_fop_args *args,
                          struct e2b_entry *out)
{
    *out = (struct e2b_entry){ 0 };
    return live_wait(e2b_file_op(live.client, live.id, op, args, e2b_entry_keep, out));
}

/* A local file with these bytes; its descriptor. */
static inline int live_local(const void *data, size_t len)
{
    char name[] = "/tmp/e2b-live-file.XXXXXX";
    int fd = mkstemp(name);

    (void)unlink(name);
    if (fd >= 0 && write(fd, data, len) != (ssize_t)len) {
        close(fd);
        return -1;
    }
    return fd;
}

static inline int live_write(const char *path, const void *data, size_t len)
{
    int fd = live_local(data, len);
    struct e2b_write write = { .path = path, .fd = fd, .len = (int64_t)len };
    int r = live_wait(e2b_file_write(live.client, live.id, &write, e2b_done_ignore, NULL));

    close(fd);
    return r;
}

struct live_read {
    char *data;
    size_t len, cap;
    struct e2b_read_info info;
    int pause_every; /* pieces; 0: never */
    int pieces, pauses;
    struct e2b_call *call;
};

static inline int live_read_data(void *arg, const char *data, size_t len)
{
    struct live_read *to = arg;

    if (to->pause_every && ++to->pieces % to->pause_every == 0) {
        to->pauses++;
        return E2B_READ_PAUSE;
    }
    if (to->len + len > to->cap) {
        to->cap = 2 * (to->len + len);
        to->data = xrealloc(to->data, to->cap);
    }
    memcpy(to->data + to->len, data, len);
    to->len += len;
    return 0;
}

static inline void live_read_done(void *arg, const struct e2b_read_info *info,
                                  const struct e2b_err *err)
{
    struct live_read *to = arg;

    if (!err)
        to->info = *info;
    to->call = NULL;
}

static inline int live_read(const char *path, int64_t off, int64_t len, struct live_read *out)
{
    struct e2b_read read = { .path = path, .off = off, .len = len };

    *out = (struct live_read){ 0 };
    return live_wait(
        e2b_file_read(live.client, live.id, &read, live_read_data, live_read_done, out));
}

#endif
