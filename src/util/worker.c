/* SPDX-License-Identifier: MIT */
#include "worker.h"

#include "xalloc.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/queue.h>

struct job {
    STAILQ_ENTRY(job) next;
    struct workers *workers; /* borrowed */
    loop_fn *work;
    loop_fn *done; /* NULL: nothing */
    void *arg;
};

STAILQ_HEAD(job_queue, job);

struct workers {
    struct loop *loop; /* borrowed */
    size_t unfinished; /* jobs whose done did not run yet; loop thread only */
    int n_threads;
    pthread_t *threads;

    pthread_mutex_t mutex; /* protects the next two, a leaf: nothing is called with it held */
    struct job_queue queue;
    bool quit;
    pthread_cond_t changed;
};

static void job_done(void *arg)
{
    struct job *job = arg;
    struct workers *w = job->workers;
    loop_fn *done = job->done;
    void *done_arg = job->arg;

    free(job);
    w->unfinished--;
    if (done)
        done(done_arg);
}

/* The next job, or NULL when it is time to go. */
static struct job *next_job(struct workers *w)
{
    struct job *job;

    pthread_mutex_lock(&w->mutex);
    while (STAILQ_EMPTY(&w->queue) && !w->quit)
        pthread_cond_wait(&w->changed, &w->mutex);
    job = STAILQ_FIRST(&w->queue);
    if (job)
        STAILQ_REMOVE_HEAD(&w->queue, next);
    pthread_mutex_unlock(&w->mutex);
    return job;
}

static void *worker_main(void *arg)
{
    struct workers *w = arg;
    struct job *job;

    while ((job = next_job(w)) != NULL) {
        job->work(job->arg);
        loop_post(w->loop, job_done, job);
    }
    return NULL;
}

/* All signals stay blocked in the thread: the loop's thread is the one that handles them. */
static int start_thread(struct workers *w)
{
    sigset_t all, before;
    int r;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(&w->threads[w->n_threads], NULL, worker_main, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r != 0)
        return -r;
    pthread_setname_np(w->threads[w->n_threads], "worker");
    w->n_threads++;
    return 0;
}

struct workers *workers_new(struct loop *loop, int threads, struct e2b_err *err)
{
    struct workers *w = xcalloc(1, sizeof(*w));

    assert(threads > 0);
    w->loop = loop;
    w->threads = xcalloc((size_t)threads, sizeof(*w->threads));
    STAILQ_INIT(&w->queue);
    pthread_mutex_init(&w->mutex, NULL);
    pthread_cond_init(&w->changed, NULL);
    for (int i = 0; i < threads; i++) {
        int r = start_thread(w);

        if (r < 0) {
            e2b_fail(err, -r, "starting a worker thread: %s", strerror(-r));
            workers_free(w);
            return NULL;
        }
    }
    return w;
}

void workers_free(struct workers *w)
{
    if (!w)
        return;
    /* Turns, and not just a join: the done of one job may start another. */
    while (w->unfinished > 0)
        loop_turn(w->loop, -1);
    pthread_mutex_lock(&w->mutex);
    w->quit = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->mutex);
    for (int i = 0; i < w->n_threads; i++)
        pthread_join(w->threads[i], NULL);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->mutex);
    free(w->threads);
    free(w);
}

void worker_run(struct workers *w, loop_fn *work, loop_fn *done, void *arg)
{
    struct job *job = xcalloc(1, sizeof(*job));

    loop_assert_here(w->loop);
    *job = (struct job){ .workers = w, .work = work, .done = done, .arg = arg };
    w->unfinished++;
    pthread_mutex_lock(&w->mutex);
    STAILQ_INSERT_TAIL(&w->queue, job, next);
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->mutex);
}
