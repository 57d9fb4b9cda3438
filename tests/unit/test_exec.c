/* SPDX-License-Identifier: MIT */
/*
 * The streams of `exec` against a process that lives in this file: what e2b_process_start and
 * its like are asked to do is done by the functions below, on the loop.
 */
#include "test.h"

#include "cli/exec.h"
#include "cli/exec_input.h"
#include "util/loop.h"
#include "util/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

struct loop *the_loop;

/* A call is a timer that ends it. */
struct e2b_call {
    struct loop_timer timer;
    e2b_done_fn *done;
    e2b_process_fn *on_end;
    e2b_exec_fn *on_exec;
    void *arg;
    bool is_cancelled;
};

/* What the process does and what it saw. */
static struct {
    e2b_process_event_fn *on_event;
    void *arg;
    struct e2b_call *call;
    struct loop_timer step;
    int64_t to_write; /* bytes of output still to come, without being fed */
    bool is_cat, is_paused, has_eof, ignores_input;
    bool holds_input; /* takes none before the output is held back */
    int input_error;
    size_t n_pauses, got, max_piece, in_flight;
    int signals[8];
    size_t n_signals;
    int64_t timeout_ms;
    int dies_of; /* ends when this signal comes */
    size_t tell_at;
    int tell_fd; /* closed when tell_at bytes of input have come */
} proc;

static void finish_call(struct e2b_call *call)
{
    struct e2b_err err = { 0 };
    const struct e2b_err *why = NULL;
    struct e2b_process_end end = { .status = "" };

    if (call->is_cancelled) {
        e2b_fail(&err, ECANCELED, "cancelled");
        why = &err;
    }
    if (call->done) {
        proc.in_flight--;
        if (!why && proc.input_error) {
            e2b_fail(&err, proc.input_error, "input failed");
            why = &err;
        }
        call->done(call->arg, why);
    } else if (call->on_exec) {
        call->on_exec(call->arg, why ? NULL : &(struct e2b_exec_result){ 0 }, why);
    } else {
        end.signal = proc.n_signals ? proc.signals[proc.n_signals - 1] : 0;
        end.exit_code = end.signal ? 128 + end.signal : 7;
        loop_timer_stop(the_loop, &proc.step);
        proc.call = NULL;
        call->on_end(call->arg, why ? NULL : &end, why);
    }
    free(call);
}

/* A call's completion, unless it is input that the process doesn't take yet. */
static void end_later(void *arg)
{
    struct e2b_call *call = arg;

    if (call->done && proc.holds_input && !proc.n_pauses && !call->is_cancelled) {
        loop_timer_start(the_loop, &call->timer, 0, end_later, call);
        return;
    }
    if (call->done && proc.tell_at && proc.got >= proc.tell_at) {
        proc.tell_at = 0;
        close(proc.tell_fd);
    }
    finish_call(call);
}

static struct e2b_call *new_call(void *arg)
{
    struct e2b_call *call = xcalloc(1, sizeof(*call));

    call->arg = arg;
    return call;
}

static void process_ends(void)
{
    loop_timer_start(the_loop, &proc.call->timer, 0, end_later, proc.call);
}

static void emit(const char *data, size_t len)
{
    struct e2b_process_event event = { .kind = E2B_PROCESS_STDOUT, .data = data, .len = len };

    CHECK_INT(proc.on_event(proc.arg, &event), 0);
}

static void process_step(void *arg)
{
    static char block[32768];
    size_t n = proc.to_write < (int64_t)sizeof(block) ? (size_t)proc.to_write : sizeof(block);

    (void)arg;
    if (proc.is_paused)
        return;
    memset(block, 'y', sizeof(block));
    if (n > 0) {
        proc.to_write -= (int64_t)n;
        emit(block, n);
    }
    if (proc.to_write > 0)
        loop_timer_start(the_loop, &proc.step, 0, process_step, NULL);
    else if (!proc.is_cat && !proc.dies_of)
        process_ends();
}

static void process_begins(void *arg)
{
    struct e2b_process_event event = { .kind = E2B_PROCESS_START, .pid = 42 };

    (void)arg;
    proc.on_event(proc.arg, &event);
    loop_timer_start(the_loop, &proc.step, 0, process_step, NULL);
}

struct e2b_call *e2b_process_start(struct e2b_client *client, const char *id,
                                   const struct e2b_process_spec *spec,
                                   e2b_process_event_fn *on_event, e2b_process_fn *fn,
                                   void *arg)
{
    (void)client;
    (void)id;
    proc.timeout_ms = spec->timeout_ms;
    proc.on_event = on_event;
    proc.arg = arg;
    proc.call = new_call(arg);
    proc.call->on_end = fn;
    loop_timer_start(the_loop, &proc.step, 0, process_begins, NULL);
    return proc.call;
}

struct e2b_call *e2b_process_input(struct e2b_client *client, const char *id, uint32_t pid,
                                   const void *data, size_t len, e2b_done_fn *fn, void *arg)
{
    struct e2b_call *call = new_call(arg);

    (void)client;
    (void)id;
    CHECK_INT(pid, 42);
    CHECK_INT(proc.in_flight++, 0);
    CHECK(len > 0);
    if (len > proc.max_piece)
        proc.max_piece = len;
    call->done = fn;
    if (!proc.ignores_input) {
        proc.got += len;
        if (proc.is_cat && !proc.input_error)
            emit(data, len);
        loop_timer_start(the_loop, &call->timer, 0, end_later, call);
    }
    return call;
}

struct e2b_call *e2b_process_close_stdin(struct e2b_client *client, const char *id,
                                         uint32_t pid, e2b_done_fn *fn, void *arg)
{
    struct e2b_call *call = new_call(arg);

    (void)client;
    (void)id;
    (void)pid;
    CHECK_INT(proc.in_flight++, 0);
    CHECK(!proc.has_eof);
    proc.has_eof = true;
    call->done = fn;
    loop_timer_start(the_loop, &call->timer, 0, end_later, call);
    if (proc.is_cat)
        process_ends();
    return call;
}

struct e2b_call *e2b_process_signal(struct e2b_client *client, const char *id, uint32_t pid,
                                    int signum, e2b_done_fn *fn, void *arg)
{
    (void)client;
    (void)id;
    (void)pid;
    (void)signum;
    (void)fn;
    (void)arg;
    abort(); /* only after the helper failed, which it doesn't here */
}

/* The helper that sends signals. */
struct e2b_call *e2b_process_exec(struct e2b_client *client, const char *id,
                                  const struct e2b_process_spec *spec, size_t max_output,
                                  e2b_exec_fn *fn, void *arg)
{
    static const struct {
        const char *name;
        int number;
    } names[] = { { "INT", SIGINT }, { "TERM", SIGTERM }, { "KILL", SIGKILL } };
    struct e2b_call *call = new_call(arg);

    (void)client;
    (void)id;
    (void)max_output;
    CHECK_STR(spec->argv[5], "42");
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(spec->argv[4], names[i].name) == 0)
            proc.signals[proc.n_signals++] = names[i].number;
    }
    call->on_exec = fn;
    loop_timer_start(the_loop, &call->timer, 0, end_later, call);
    if (proc.dies_of && proc.signals[proc.n_signals - 1] == proc.dies_of && proc.call)
        process_ends();
    return call;
}

void e2b_process_pause(struct e2b_call *call)
{
    CHECK(call == proc.call);
    proc.n_pauses += !proc.is_paused;
    proc.is_paused = true;
}

void e2b_process_resume(struct e2b_call *call)
{
    CHECK(call == proc.call);
    if (proc.is_paused && proc.to_write > 0)
        loop_timer_start(the_loop, &proc.step, 0, process_step, NULL);
    proc.is_paused = false;
}

void e2b_call_cancel(struct e2b_call *call)
{
    call->is_cancelled = true;
    loop_timer_start(the_loop, &call->timer, 0, end_later, call);
}

/* --- the tests --------------------------------------------------------------------------- */

/* Runs a session with these descriptors as standard streams. */
static int run_session(int in, int out, bool has_stdin, struct exec_failure *failure,
                       struct e2b_err *err)
{
    struct exec_plan plan = {
        .id = "iabc",
        .spec = { .has_stdin = has_stdin, .timeout_ms = 60000 },
    };
    int saved_in = dup(STDIN_FILENO), saved_out = dup(STDOUT_FILENO), r;

    (void)fflush(stdout);
    (void)signal(SIGPIPE, SIG_IGN);
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    the_loop = loop_new(NULL);
    plan.loop = the_loop;
    r = exec_session(&plan, failure, err);
    loop_free(the_loop);
    (void)fflush(stdout);
    dup2(saved_in, STDIN_FILENO);
    dup2(saved_out, STDOUT_FILENO);
    close(saved_in);
    close(saved_out);
    return r;
}

static int new_file(size_t len)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    char block[1000];

    for (size_t i = 0; i < sizeof(block); i++)
        block[i] = (char)('a' + i % 23);
    for (size_t done = 0; done < len; done += sizeof(block)) {
        size_t n = len - done < sizeof(block) ? len - done : sizeof(block);

        if (write(fd, block, n) != (ssize_t)n)
            abort();
    }
    lseek(fd, 0, SEEK_SET);
    return fd;
}

/* A thread at the other end of a pipe. */
struct peer {
    int fd;
    size_t total;
    int wait_for_fd; /* don't begin before this can be read; -1: at once */
    pthread_t thread;
};

static void wait_fd(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    if (fd >= 0)
        poll(&p, 1, TEST_SOON_MS);
}

static void *read_all(void *arg)
{
    struct peer *peer = arg;
    char block[5000];
    ssize_t n;

    wait_fd(peer->wait_for_fd);
    while ((n = read(peer->fd, block, sizeof(block))) > 0)
        peer->total += (size_t)n;
    return NULL;
}

static void *write_all(void *arg)
{
    struct peer *peer = arg;
    static char block[3000];

    for (size_t done = 0; done < peer->total; done += sizeof(block)) {
        if (write(peer->fd, block, sizeof(block)) < 0)
            break;
    }
    close(peer->fd);
    return NULL;
}

TEST(a_file_goes_through_cat_byte_for_byte)
{
    static const size_t sizes[] = { 0, 1, 4096, FEEDER_CHUNK, FEEDER_CHUNK + 1, 3 << 20 };

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct exec_failure failure;
        struct e2b_err err = { 0 };
        int in = new_file(sizes[i]), out = new_file(0);

        CASE("%zu bytes", sizes[i]);
        memset(&proc, 0, sizeof(proc));
        proc.is_cat = true;
        CHECK_INT(run_session(in, out, true, &failure, &err), 7);
        CHECK_INT(proc.got, sizes[i]);
        CHECK(proc.has_eof);
        CHECK(proc.max_piece <= FEEDER_CHUNK);
        CHECK_INT(lseek(out, 0, SEEK_END), sizes[i]);
        for (size_t off = 0; off < sizes[i]; off += 997) {
            char a, b;

            if (pread(in, &a, 1, (off_t)off) != 1 || pread(out, &b, 1, (off_t)off) != 1 ||
                a != b) {
                test_fail(__FILE__, __LINE__, "differs at %zu", off);
                break;
            }
        }
        close(in);
        close(out);
    }
}

TEST(pipes_on_both_sides_neither_lose_nor_block)
{
    struct exec_failure failure;
    int in[2], out[2];
    struct peer writer = { .total = 6000000 }, reader = { .wait_for_fd = -1 };

    memset(&proc, 0, sizeof(proc));
    proc.is_cat = true;
    REQUIRE(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
    writer.fd = in[1];
    reader.fd = out[0];
    pthread_create(&writer.thread, NULL, write_all, &writer);
    pthread_create(&reader.thread, NULL, read_all, &reader);
    CHECK_INT(run_session(in[0], out[1], true, &failure, NULL), 7);
    close(out[1]);
    pthread_join(writer.thread, NULL);
    pthread_join(reader.thread, NULL);
    CHECK_INT(reader.total, 6000000);
    close(in[0]);
    close(out[0]);
}

TEST(a_reader_that_waits_holds_the_process_not_the_loop)
{
    struct exec_failure failure;
    int in = new_file(3000), out[2], started[2];
    struct peer reader = { 0 };

    /* The reader begins when all input has been taken: with a blocked loop it never would. */
    memset(&proc, 0, sizeof(proc));
    proc.to_write = 5000000;
    proc.tell_at = 3000;
    REQUIRE(pipe2(out, O_CLOEXEC) == 0 && pipe2(started, O_CLOEXEC) == 0);
    proc.tell_fd = started[1];
    proc.holds_input = true;
    reader.fd = out[0];
    reader.wait_for_fd = started[0];
    pthread_create(&reader.thread, NULL, read_all, &reader);
    CHECK_INT(run_session(in, out[1], true, &failure, NULL), 7);
    close(out[1]);
    pthread_join(reader.thread, NULL);
    CHECK_INT(reader.total, 5000000);
    CHECK(proc.n_pauses > 0);
    CHECK_INT(proc.got, 3000);
    close(in);
    close(out[0]);
    close(started[0]);
}

TEST(a_reader_that_leaves_ends_the_process)
{
    struct exec_failure failure;
    struct e2b_err err = { 0 };
    int in = new_file(0), out[2];

    memset(&proc, 0, sizeof(proc));
    proc.to_write = 1LL << 40;
    proc.dies_of = SIGTERM;
    REQUIRE(pipe2(out, O_CLOEXEC) == 0);
    close(out[0]);
    CHECK_INT(run_session(in, out[1], false, &failure, &err), -EPIPE);
    CHECK(failure.reader_gone);
    CHECK_INT(proc.signals[0], SIGTERM);
    close(in);
    close(out[1]);
}

TEST(a_process_that_reads_no_more_ends_the_input_quietly)
{
    struct exec_failure failure;
    struct e2b_err err = { 0 };
    int in[2], out = new_file(0);
    struct peer writer = { .total = 1 << 30 };

    memset(&proc, 0, sizeof(proc));
    proc.input_error = EPIPE;
    proc.to_write = 40 << 20;
    REQUIRE(pipe2(in, O_CLOEXEC) == 0);
    writer.fd = in[1];
    pthread_create(&writer.thread, NULL, write_all, &writer);
    CHECK_INT(run_session(in[0], out, true, &failure, &err), 7);
    close(in[0]);
    pthread_join(writer.thread, NULL); /* it got EPIPE, or would write for ever */
    close(out);
}

TEST(input_of_unknown_fate_is_a_failure)
{
    struct exec_failure failure;
    struct e2b_err err = { 0 };
    int in = new_file(10), out = new_file(0);

    memset(&proc, 0, sizeof(proc));
    proc.is_cat = true;
    proc.input_error = ECONNRESET;
    proc.dies_of = SIGTERM;
    CHECK_INT(run_session(in, out, true, &failure, &err), -ECONNRESET);
    CHECK_CONTAINS(err.msg, "input failed");
    CHECK_INT(proc.signals[0], SIGTERM);
    close(in);
    close(out);
}

static void *send_signal_to(void *arg)
{
    kill(getpid(), *(int *)arg);
    return NULL;
}

/* Signals come when the process has written something. */
static void *signal_when_running(void *arg)
{
    struct peer *peer = arg;
    char c;
    int number = SIGINT;

    if (read(peer->fd, &c, 1) == 1)
        send_signal_to(&number);
    return NULL;
}

TEST(signals_go_to_the_process)
{
    struct exec_failure failure;
    int in = new_file(0), out[2];
    struct peer sender = { 0 };
    sigset_t set, before;

    memset(&proc, 0, sizeof(proc));
    proc.to_write = 1;
    proc.dies_of = SIGINT;
    REQUIRE(pipe2(out, O_CLOEXEC) == 0);
    sender.fd = out[0];
    /* The sender must not get it itself. */
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, &before);
    pthread_create(&sender.thread, NULL, signal_when_running, &sender);
    CHECK_INT(run_session(in, out[1], false, &failure, NULL), 128 + SIGINT);
    pthread_join(sender.thread, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    CHECK_INT(proc.n_signals, 1);
    CHECK_INT(proc.signals[0], SIGINT);
    close(in);
    close(out[0]);
    close(out[1]);
}

TEST(a_process_that_takes_no_input_holds_nobody)
{
    struct exec_failure failure;
    int in = new_file(1 << 20), out = new_file(0);

    memset(&proc, 0, sizeof(proc));
    proc.ignores_input = true;
    proc.to_write = 1000000;
    CHECK_INT(run_session(in, out, true, &failure, NULL), 7);
    CHECK_INT(lseek(out, 0, SEEK_END), 1000000);
    close(in);
    close(out);
}
