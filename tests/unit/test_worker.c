/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "util/loop.h"
#include "util/worker.h"
#include "util/xalloc.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

static struct loop *loop;
static struct workers *workers;

static void begin(int threads)
{
    loop = loop_new(NULL);
    workers = loop ? workers_new(loop, threads, NULL) : NULL;
    if (!workers)
        abort();
}

static void end(void)
{
    workers_free(workers);
    loop_free(loop);
}

struct job {
    pthread_t worked_on, done_on;
    bool signals_blocked;
    int order;
    bool done;
};

static atomic_int started;

static void work(void *arg)
{
    struct job *job = arg;
    sigset_t set;

    pthread_sigmask(SIG_SETMASK, NULL, &set);
    job->signals_blocked = sigismember(&set, SIGTERM) && sigismember(&set, SIGALRM);
    job->worked_on = pthread_self();
    job->order = atomic_fetch_add(&started, 1);
}

static void done(void *arg)
{
    struct job *job = arg;

    job->done_on = pthread_self();
    job->done = true;
}

TEST(work_runs_on_a_thread_and_done_on_the_loop)
{
    struct job job = { 0 };

    begin(1);
    worker_run(workers, work, done, &job);
    CHECK(!job.done);
    CHECK_SOON(job.done, loop_turn(loop, 1000));
    CHECK(!pthread_equal(job.worked_on, pthread_self()));
    CHECK(pthread_equal(job.done_on, pthread_self()));
    CHECK(job.signals_blocked);
    end();
}

TEST(one_thread_keeps_the_order)
{
    struct job jobs[100] = { 0 };

    begin(1);
    atomic_store(&started, 0);
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++)
        worker_run(workers, work, done, &jobs[i]);
    end();
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
        CHECK(jobs[i].done);
        CHECK_INT(jobs[i].order, i);
    }
}

static pthread_barrier_t barrier;

static void meet(void *arg)
{
    (void)arg;
    pthread_barrier_wait(&barrier);
}

TEST(several_threads_overlap)
{
    struct job jobs[3] = { 0 };

    /* Each waits for the others: one after the other they would never finish. */
    pthread_barrier_init(&barrier, NULL, 3);
    begin(3);
    for (int i = 0; i < 3; i++)
        worker_run(workers, meet, done, &jobs[i]);
    end();
    for (int i = 0; i < 3; i++)
        CHECK(jobs[i].done);
    pthread_barrier_destroy(&barrier);
}

static void start_another(void *arg)
{
    struct job *jobs = arg;

    jobs[0].done = true;
    worker_run(workers, work, done, &jobs[1]);
}

TEST(freeing_waits_for_queued_jobs_and_those_that_they_start)
{
    struct job jobs[2] = { 0 };

    begin(2);
    worker_run(workers, work, start_another, jobs);
    worker_run(workers, work, NULL, &(struct job){ 0 });
    end();
    CHECK(jobs[0].done);
    CHECK(jobs[1].done);
}

TEST(freeing_nothing_is_fine)
{
    workers_free(NULL);
    begin(4);
    end();
}
