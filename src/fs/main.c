/* SPDX-License-Identifier: MIT */
/* e2bfs: from the command line to a mount that answers, and to an exit code. */
#include "fs/daemon.h"
#include "fs/fs.h"
#include "fs/launch.h"
#include "fs/local.h"
#include "util/log.h"
#include "util/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a run is made of; one of each. */
struct run {
    struct options options;
    struct e2b_config config;
    struct local *local;
    bool is_ready;
};

static int fail(int exit_code, const char *msg)
{
    daemon_failed(exit_code, msg);
    return exit_code;
}

/* --- the process -------------------------------------------------------------------------- */

/* Descriptors 0 to 2 exist: what we open must never become somebody's stdout. */
static void fill_stdio(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
}

/*
 * Before any thread: they inherit the mask, and the loop takes the signals from a descriptor
 * (fs.c).  SIGPIPE is blocked for good: a closed connection is an error like any other.
 */
static void block_signals(void)
{
    static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGPIPE };
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        sigaddset(&set, signals[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

/*
 * Keys and file contents are in memory, so no core file is written, except with -d.  Not
 * PR_SET_DUMPABLE: it would give /proc/self to root, so that an ordinary user's sanitizers and
 * debuggers fail, and gains nothing against that same user, who can read where the key came
 * from.  The hard limit stays: it is the user's to raise again.
 */
static void no_core_files(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_CORE, &limit) < 0)
        return;
    limit.rlim_cur = 0;
    setrlimit(RLIMIT_CORE, &limit);
}

/* libfuse would print to stderr, beside the one sentence that we promise. */
static void fuse_says(enum fuse_log_level level, const char *fmt, va_list ap)
{
    autofree char *text = xvasprintf(fmt, ap);

    text[strcspn(text, "\n")] = '\0';
    if (level <= FUSE_LOG_ERR)
        log_info("libfuse", "%s", text);
    else
        log_debug("libfuse", "%s", text);
}

/* stderr in the foreground, where only what needs somebody is worth a line; else a file or
 * syslog, which keep the whole story. */
static int start_log(const struct options *o, struct e2b_err *err)
{
    enum log_target target = o->log          ? LOG_TO_FILE
                             : o->foreground ? LOG_TO_STDERR
                                             : LOG_TO_SYSLOG;
    int r = log_open(target, "e2bfs", o->log);

    if (r < 0)
        return e2b_fail(err, -r, "log %s: %s", o->log, strerror(-r));
    log_set_level(o->debug                  ? LOG_LEVEL_DEBUG
                  : target == LOG_TO_STDERR ? LOG_LEVEL_WARNING
                                            : LOG_LEVEL_INFO);
    fuse_set_log_func(fuse_says);
    return 0;
}

/* --- the steps ---------------------------------------------------------------------------- */

static struct e2b_config_flags flags_of(const struct options *o)
{
    return (struct e2b_config_flags){ .api_key_file = o->api_key_file,
                                      .api_url = o->api_url,
                                      .sandbox_url = o->sandbox_url,
                                      .domain = o->domain,
                                      .user = o->user,
                                      .config_file = o->config_file,
                                      .ca_file = o->cacert };
}

static int print_help(void)
{
    autobuf struct buf text = BUF_INIT;

    options_usage(&text);
    return fputs(buf_str(&text), stdout) >= 0 && fflush(stdout) == 0 ? E2B_EXIT_OK
                                                                     : E2B_EXIT_FAILURE;
}

static int print_version(void)
{
    printf("e2bfs %s (libfuse %s)\n", E2BFS_VERSION, fuse_pkgversion());
    return fflush(stdout) == 0 ? E2B_EXIT_OK : E2B_EXIT_FAILURE;
}

static void ready(void *arg)
{
    struct run *run = arg;

    run->is_ready = true;
    /* Who started us pressed Ctrl-C while we did: they don't want the mount. */
    if (!daemon_ready())
        kill(getpid(), SIGTERM);
}

/* What is known to be wrong before anything is started. */
static int prepare(struct run *run, struct e2b_err *err)
{
    struct options *o = &run->options;
    struct e2b_config_flags flags = flags_of(o);
    autofree char *notice = NULL;
    int r = launch_check(o, &notice, err);

    if (notice)
        fprintf(stderr, "e2bfs: %s\n", notice);
    /* Here, because the key may come from standard input. */
    if (r == 0 && !o->local)
        r = e2b_config_load(&flags, &run->config, err);
    return r;
}

/* In the process that will serve. */
static int serve(struct run *run, struct e2b_err *err)
{
    const struct options *o = &run->options;
    int r = start_log(o, err);

    if (r == 0 && o->local) {
        struct e2b_config_flags flags = flags_of(o);

        r = local_start(o->local_dir, &flags, o->debug, &run->local, &run->config, err);
    }
    if (r < 0)
        return r;
    run->config.deadline_scale = o->deadline;
    r = fs_run(o, &run->config, ready, run, err);
    local_stop(run->local);
    return r;
}

static int start(struct run *run)
{
    struct e2b_err err = { 0 };

    if (prepare(run, &err) < 0)
        /* A directory that is missing is no usage error, a spool in the mount is one. */
        return fail(err.errnum == EINVAL ? E2B_EXIT_USAGE : e2b_err_exit_code(&err), err.msg);
    if (run->options.fake)
        return E2B_EXIT_OK;
    if (!run->options.foreground && daemon_detach(&err) < 0)
        return fail(e2b_err_exit_code(&err), err.msg);
    if (serve(run, &err) < 0) {
        if (!run->is_ready)
            return fail(e2b_err_exit_code(&err), err.msg);
        log_error("main", "%s", err.msg);
        return e2b_err_exit_code(&err);
    }
    return E2B_EXIT_OK;
}

int main(int argc, char **argv)
{
    struct run run = { 0 };
    struct e2b_err err = { 0 };
    int exit_code;

    fill_stdio();
    umask(077); /* of our own files; modes in the tree come with the requests */
    if (options_parse(&run.options, argc, argv, &err) < 0) {
        fprintf(stderr, "e2bfs: %s\n", err.msg);
        return err.errnum == EINVAL ? E2B_EXIT_USAGE : e2b_err_exit_code(&err);
    }
    if (run.options.show_help)
        return print_help();
    if (run.options.show_version)
        return print_version();
    block_signals();
    launch_raise_limits();
    if (!run.options.debug)
        no_core_files();
    exit_code = start(&run);
    e2b_config_clear(&run.config);
    options_clear(&run.options);
    return exit_code;
}
