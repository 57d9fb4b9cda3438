/* SPDX-License-Identifier: MIT */
/*
 * e2b-sandboxd: a local server with E2B's API.  This file is start and end, in order.
 */
#include "agent.h"
#include "container.h"
#include "datadir.h"
#include "http_server.h"
#include "lifecycle.h"
#include "listen.h"
#include "options.h"
#include "process.h"
#include "routes.h"
#include "sampler.h"
#include "seed.h"
#include "util/codec.h"
#include "util/json.h"
#include "util/log.h"
#include "util/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

struct server {
    struct options options;
    char *key;
    struct datadir data;
    bool has_containers, has_sampler, has_life; /* what stop() must undo */
    char address[128];                          /* host:port as bound */
    int listen_fd;
    struct http_server *http;
};

static int fail_exit(const struct e2b_err *err)
{
    fprintf(stderr, "e2b-sandboxd: %s\n", err->msg);
    return err->errnum == EINVAL ? E2B_EXIT_USAGE : E2B_EXIT_FAILURE;
}

static void raise_limits(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void choose_key(struct server *s)
{
    char hex[41];

    random_hex(hex, 20);
    s->key = s->options.key ? xstrdup(s->options.key) : xasprintf("e2b_%s", hex);
    log_secret(s->key);
}

/* Everything up to the first answer. */
static int start(struct server *s, struct e2b_err *err)
{
    int r;

    choose_key(s);
    s->listen_fd = listen_open(s->options.listen, s->address, sizeof(s->address), err);
    if (s->listen_fd < 0)
        return s->listen_fd;
    r = datadir_open(&s->data, s->options.data, err);
    if (r < 0)
        return r;
    r = container_setup(s->data.path, err);
    s->has_containers = r == 0;
    if (r == 0)
        r = sampler_start(err);
    s->has_sampler = r == 0;
    if (r == 0)
        r = life_start(s->data.path, s->key, !s->data.is_temporary, err);
    s->has_life = r == 0;
    if (r < 0)
        return r;
    seed_fleet(s->options.fleet);
    r = seed_sandboxes(s->options.sandboxes - life_count(), err);
    if (r < 0)
        return r;
    routes_setup(s->key);
    s->http = http_server_start(s->listen_fd, routes_route, routes_done, err);
    return s->http ? 0 : -EIO;
}

static void stop(struct server *s)
{
    if (s->http)
        http_server_quiesce(s->http);
    if (s->has_life)
        life_stop();
    if (s->http)
        http_server_stop(s->http);
    else if (s->listen_fd >= 0)
        close(s->listen_fd);
    if (s->has_sampler)
        sampler_stop();
    process_wait_pumps();
    life_free();
    if (s->has_containers)
        container_teardown();
    datadir_close(&s->data);
    free(s->key);
}

static void print_ready(const struct server *s, int fd)
{
    dprintf(fd,
            "export E2B_API_URL=http://%s\n"
            "export E2B_SANDBOX_URL=http://%s\n"
            "export E2B_API_KEY=%s\n"
            "export E2B_SANDBOXD_PID=%d\n",
            s->address, s->address, s->key, (int)getpid());
}

/* Until a signal or the end of the lifeline. */
static void wait_for_end(const struct server *s, int signal_fd)
{
    struct pollfd p[2] = { { .fd = signal_fd, .events = POLLIN },
                           { .fd = s->options.lifeline_fd, .events = POLLIN } };

    for (;;) {
        char byte;

        if (poll(p, 2, -1) < 0)
            continue;
        if (p[0].revents)
            return;
        if (p[1].revents && read(s->options.lifeline_fd, &byte, 1) <= 0)
            return;
    }
}

static void detach_stdio(bool keep_stderr)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    if (!keep_stderr)
        dup2(null, STDERR_FILENO);
    close(null);
}

static int serve(struct server *s, int ready_fd)
{
    struct e2b_err err = { 0 };
    sigset_t set;
    int signal_fd, r;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
    raise_limits();
    json_setup();
    umask(022);
    log_open(LOG_TO_STDERR, "e2b-sandboxd", NULL);
    log_set_level(s->options.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING);

    r = start(s, &err);
    if (r == 0) {
        print_ready(s, ready_fd);
        if (ready_fd != STDOUT_FILENO)
            close(ready_fd);
        if (s->options.background)
            detach_stdio(s->options.verbose);
        wait_for_end(s, signal_fd);
    }
    close(signal_fd);
    stop(s);
    return r < 0 ? fail_exit(&err) : 0;
}

/* The parent's part of --background: passes the ready lines on, then leaves. */
static int relay(int from, int to)
{
    char data[1024];
    bool is_ready = false;
    ssize_t n;

    while ((n = read(from, data, sizeof(data))) > 0) {
        is_ready = true;
        if (write(to, data, (size_t)n) != n)
            return E2B_EXIT_FAILURE;
    }
    return is_ready ? E2B_EXIT_OK : E2B_EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct server server = { .listen_fd = -1, .data.lock_fd = -1 };
    struct e2b_err err = { 0 };
    int ready_fd, pair[2];
    pid_t pid;

    if (options_parse(argc, argv, &server.options, &err) < 0)
        return fail_exit(&err);
    if (server.options.agent)
        return agent_main();
    if (server.options.help) {
        options_usage();
        return 0;
    }
    if (server.options.version) {
        puts("e2b-sandboxd " E2BFS_VERSION);
        return 0;
    }
    ready_fd = server.options.ready_fd >= 0 ? server.options.ready_fd : STDOUT_FILENO;
    if (!server.options.background)
        return serve(&server, ready_fd);

    if (pipe2(pair, O_CLOEXEC) < 0)
        return E2B_EXIT_FAILURE;
    pid = fork();
    if (pid < 0)
        return E2B_EXIT_FAILURE;
    if (pid == 0) {
        close(pair[0]);
        setsid();
        return serve(&server, pair[1]);
    }
    close(pair[1]);
    return relay(pair[0], ready_fd);
}
