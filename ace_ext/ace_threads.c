/* The work of a call, divided between its threads. */
#include "ace_kernel.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* The threads of a call. Each does its share of a step, then they wait for each other. */
typedef struct {
    const ace_plan *plan;
    const ace_kernel *kernel;
    pthread_mutex_t mutex;
    pthread_cond_t all_arrived;
    size_t arrived, round, joined;
    int abandoned;
} team;

static void wait_for_all(team *t)
{
    const size_t threads = t->plan->task->threads;
    if (threads == 1)
        return;
    pthread_mutex_lock(&t->mutex);
    const size_t round = t->round;
    if (++t->arrived == threads) {
        t->arrived = 0;
        t->round++;
        pthread_cond_broadcast(&t->all_arrived);
    }
    while (round == t->round)
        pthread_cond_wait(&t->all_arrived, &t->mutex);
    pthread_mutex_unlock(&t->mutex);
}

/* Where the share of thread `id` begins, of `count` things. */
static size_t share(const ace_plan *plan, size_t count, size_t id)
{
    const size_t threads = plan->task->threads;
    return count / threads * id + count % threads * id / threads;
}

static void read_share(const ace_plan *plan, const ace_kernel *kernel, size_t id)
{
    thread_scratch *scratch = &plan->scratch[id];
    const size_t channels = plan->task->channels;
    memset(scratch->histogram, 0, channels * (size_t)plan->levels * sizeof *scratch->histogram);
    for (size_t c = 0; c < channels; c++) {
        scratch->extremes[c][0] = plan->levels - 1;
        scratch->extremes[c][1] = 0;
    }
    kernel->read_rows(plan, scratch, share(plan, plan->rows, id), share(plan, plan->rows, id + 1));
}

/* Finds the expansion for a channel from what all threads have counted. */
static void expand_channel(const ace_plan *plan, const ace_kernel *kernel, thread_scratch *scratch, size_t channel)
{
    const size_t first = channel * (size_t)plan->levels;
    uint32_t *histogram = plan->scratch[0].histogram + first;
    int *extremes = plan->scratch[0].extremes[channel];
    for (size_t t = 1; t < plan->task->threads; t++) {
        const int *seen = plan->scratch[t].extremes[channel];
        extremes[0] = seen[0] < extremes[0] ? seen[0] : extremes[0];
        extremes[1] = seen[1] > extremes[1] ? seen[1] : extremes[1];
        for (int a = 0; a < plan->levels; a++)
            histogram[a] += plan->scratch[t].histogram[first + (size_t)a];
    }
    kernel->expand(plan, scratch, histogram, extremes, &plan->expansions[channel]);
}

static void join_ranges(const ace_plan *plan, size_t channel)
{
    int *range = plan->ranges[channel];
    range[0] = INT16_MAX;
    range[1] = INT16_MIN;
    for (size_t t = 0; t < plan->task->threads; t++) {
        const int *seen = plan->scratch[t].ranges[channel];
        range[0] = seen[0] < range[0] ? seen[0] : range[0];
        range[1] = seen[1] > range[1] ? seen[1] : range[1];
    }
}

/* A thread's share of the response, for the channels that have a pyramid at the same time. */
static void respond_share(team *t, size_t id, size_t first, int group)
{
    const ace_plan *plan = t->plan;
    const ace_kernel *kernel = t->kernel;
    thread_scratch *scratch = &plan->scratch[id];
    const size_t end = first + plan->pyramids, grid_rows = plan->pyramid[0][0].rows;
    wait_for_all(t);
    for (size_t c = first; c < end; c++)
        kernel->sum_blocks(plan, c, group, share(plan, grid_rows, id), share(plan, grid_rows, id + 1));
    wait_for_all(t);
    for (size_t c = first + id; c < end; c += plan->task->threads)
        kernel->convolve(plan, scratch, c, group);
    wait_for_all(t);
    for (size_t c = first; c < end; c++)
        kernel->respond(plan, scratch, c, group, share(plan, plan->rows, id), share(plan, plan->rows, id + 1));
}

/* A thread's share of a call, step by step. */
static void work(team *t, size_t id)
{
    const ace_plan *plan = t->plan;
    const ace_kernel *kernel = t->kernel;
    const size_t channels = plan->task->channels, threads = plan->task->threads;
    thread_scratch *scratch = &plan->scratch[id];

    read_share(plan, kernel, id);
    wait_for_all(t);
    for (size_t c = id; c < channels; c += threads)
        expand_channel(plan, kernel, scratch, c);
    for (size_t first = 0; first < channels; first += plan->pyramids)
        for (int group = 0; group < plan->groups; group++)
            respond_share(t, id, first, group);
    wait_for_all(t);
    for (size_t c = id; c < channels; c += threads)
        join_ranges(plan, c);
    wait_for_all(t);
    kernel->stretch(plan, share(plan, plan->rows, id), share(plan, plan->rows, id + 1));
}

static void *join_team(void *argument)
{
    team *t = argument;
    pthread_mutex_lock(&t->mutex);
    const size_t id = ++t->joined;
    const int abandoned = t->abandoned;
    pthread_mutex_unlock(&t->mutex);
    if (!abandoned)
        work(t, id);
    return NULL;
}

int ace_work_together(const ace_plan *plan, const ace_kernel *kernel)
{
    team t = {.plan = plan, .kernel = kernel};
    const size_t others = plan->task->threads - 1;
    if (others == 0) {
        work(&t, 0);
        return ACE_OK;
    }
    pthread_t *threads = calloc(others, sizeof *threads);
    if (!threads)
        return ACE_NO_MEMORY;
    pthread_mutex_init(&t.mutex, NULL);
    pthread_cond_init(&t.all_arrived, NULL);
    /* Threads wait for the mutex until all have started, or none works. */
    size_t started = 0;
    pthread_mutex_lock(&t.mutex);
    while (started < others && !pthread_create(&threads[started], NULL, join_team, &t))
        started++;
    t.abandoned = started < others;
    pthread_mutex_unlock(&t.mutex);
    if (!t.abandoned)
        work(&t, 0);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    pthread_cond_destroy(&t.all_arrived);
    pthread_mutex_destroy(&t.mutex);
    free(threads);
    return t.abandoned ? ACE_NO_THREAD : ACE_OK;
}
