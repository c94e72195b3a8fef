/* How it works. Write r(I(p) - I(j)) as a sum of eight products,
 *
 *     r(a - b) = sum_k f_k(a) g_k(b),
 *
 * the best for the image's own histogram (ace_slope.inc.h). Then R(p) = sum_k f_k(I(p)) C_k(p), where C_k is g_k(I)
 * averaged with weights 1/d. This average is so smooth that it is computed from sums over blocks of pixels
 * (ace_pyramid.inc.h) and interpolated between them. Each pixel costs two table look-ups of eight 16-bit numbers: one
 * is added to its block's sum, one multiplied with the block's coefficients (ace_pixels.inc.h).
 *
 * docs/ace.md derives all constants; benchmarks/ace_constants.py computes them. */

#include "ace_kernel.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    ALIGNMENT = 64,
    DIRECT_PIXELS = 1024,  /* up to here the definition itself is fast: 10^6 terms a channel, on the stack */
    LEVELS_8BIT = 256,
    LEVELS_FLOAT = 2041,  /* 8 steps between two 8-bit levels, so that 8-bit images convert exactly */
    SAMPLE = 1 << 16,     /* pixels in a histogram: 256 for each of 256 levels on average, so +- 1/16 */
    NARROW = 80,          /* below so many rows or columns an average has few pixels, and an expansion's errors show */
    LEAST_SIDE = 32       /* blocks along the shorter side of an image, at least */
};

/* Blocks are as wide as leaves this many of them: wider blocks are faster and less exact. */
static const size_t BLOCKS = 150 * 150;

/* ---- memory ---- */

/* Divides one piece of memory. With base NULL it only measures. */
typedef struct {
    char *base;
    size_t used;
    int overflow;
} arena;

#if defined __has_feature
#if __has_feature(address_sanitizer)
#define HAS_ADDRESS_SANITIZER
#endif
#elif defined __SANITIZE_ADDRESS__
#define HAS_ADDRESS_SANITIZER
#endif

#if defined HAS_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
enum { GAP = ALIGNMENT };
static void guard(char *from, char *to)  /* the gap between two pieces belongs to neither */
{
    ASAN_POISON_MEMORY_REGION(from, (size_t)(to - from));
}
static void open_up(const ace_workspace *workspace)
{
    ASAN_UNPOISON_MEMORY_REGION(workspace->memory, workspace->bytes);
}
#else
enum { GAP = 0 };
#define guard(from, to) ((void)0)
#define open_up(workspace) ((void)0)
#endif

static void *take(arena *a, size_t count, size_t size)
{
    if (a->overflow || (size && count > (SIZE_MAX - a->used - 2 * ALIGNMENT) / size)) {
        a->overflow = 1;
        return NULL;
    }
    const size_t at = a->used;
    a->used += (count * size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT + GAP;
    if (!a->base)
        return NULL;
    guard(a->base + at + count * size, a->base + a->used);
    return a->base + at;
}

static size_t product(arena *a, size_t one, size_t other)
{
    if (other && one > SIZE_MAX / other) {
        a->overflow = 1;
        return 0;
    }
    return one * other;
}

static void lay_out_pyramid(ace_plan *plan, arena *a, pyramid_level *levels)
{
    const size_t block = plan->block->side;
    size_t rows = (plan->rows - 1) / block + 1, columns = (plan->columns - 1) / block + 1;
    const size_t side = rows > columns ? rows : columns;
    plan->depth = 0;
    do {
        const size_t stride = (columns + 2 * MARGIN + 1) / 2 * 2;
        float *cells = take(a, product(a, rows + 2 * MARGIN, stride), LANES * sizeof *cells);
        if (a->base)
            levels[plan->depth] = (pyramid_level){rows, columns, stride, cells};
        plan->depth++;
        rows = rows / 2 + 1;
        columns = columns / 2 + 1;
        /* The widest blur must be much wider than the image. */
    } while (plan->depth < 2 || (side >> (plan->depth - 2)) > 0);
}

static void lay_out_scratch(const ace_plan *plan, arena *a, thread_scratch *s)
{
    const size_t block = plan->block->side, channels = plan->task->channels;
    const size_t columns = (plan->columns - 1) / block + 1, levels = (size_t)plan->levels;
    const thread_scratch scratch = {
        .histogram = take(a, product(a, channels, levels), sizeof(uint32_t)),
        .extremes = take(a, channels, sizeof(int[2])),
        .row_weight = take(a, levels, sizeof(double)),
        .column_weight = take(a, levels, sizeof(double)),
        .u = take(a, levels * (size_t)plan->groups, LANES * sizeof(double)),
        .v = take(a, levels * (size_t)plan->groups, LANES * sizeof(double)),
        .ring = take(a, product(a, RING + 1, columns + 2 * MARGIN + 1), LANES * sizeof(float)),
        .line = take(a, columns + 2, sizeof(short8)),
        .rise = take(a, columns + 2, sizeof(short8)),
        .strip = take(a, STRIP + MAX_SIDE + 8, sizeof(short8)),
        .addend = take(a, STRIP + MAX_SIDE, sizeof(int16_t)),
        .ranges = take(a, channels, sizeof(int[2])),
    };
    if (a->base)
        *s = scratch;
}

static void lay_out(ace_plan *plan, arena *a, size_t level_size)
{
    const size_t channels = plan->task->channels, threads = plan->task->threads;
    const size_t block = plan->block->side, values = product(a, product(a, plan->rows, plan->columns), channels);
    plan->level = take(a, values, level_size);
    plan->response = take(a, values, sizeof *plan->response);
    plan->occupied = take(a, product(a, (plan->rows - 1) / block + 3, (plan->columns - 1) / block + 3), 1);
    plan->expansions = take(a, channels, sizeof *plan->expansions);
    plan->ranges = take(a, channels, sizeof *plan->ranges);
    for (size_t c = 0; c < channels && !a->overflow; c++) {
        const size_t rows = (size_t)(plan->levels * plan->groups);
        short8 *f = take(a, rows, sizeof *f), *g = take(a, rows, sizeof *g);
        if (a->base) {
            plan->expansions[c].f = f;
            plan->expansions[c].g = g;
        }
    }
    plan->pyramids = threads > 1 ? channels : 1;
    plan->pyramid = take(a, plan->pyramids, sizeof *plan->pyramid);
    for (size_t i = 0; i < plan->pyramids && !a->overflow; i++)
        lay_out_pyramid(plan, a, a->base ? plan->pyramid[i] : NULL);
    plan->scratch = take(a, threads, sizeof *plan->scratch);
    for (size_t t = 0; t < threads && !a->overflow; t++)
        lay_out_scratch(plan, a, a->base ? &plan->scratch[t] : NULL);
}

static int reserve(ace_plan *plan, ace_workspace *workspace, size_t level_size)
{
    arena measure = {NULL, 0, 0};
    lay_out(plan, &measure, level_size);
    if (measure.overflow)
        return ACE_TOO_LARGE;
    if (measure.used > workspace->bytes) {
        ace_release(workspace);
        workspace->memory = aligned_alloc(ALIGNMENT, measure.used);
        if (!workspace->memory)
            return ACE_NO_MEMORY;
        workspace->bytes = measure.used;
    }
    open_up(workspace);
    arena deal = {workspace->memory, 0, 0};
    lay_out(plan, &deal, level_size);
    return ACE_OK;
}

void ace_release(ace_workspace *workspace)
{
    free(workspace->memory);
    *workspace = (ace_workspace){NULL, 0};
}

int ace_supports(int variant)
{
    return ace_choose_kernel(variant, 0) != NULL;
}

/* ---- threads ---- */

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

static int work_together(const ace_plan *plan, const ace_kernel *kernel)
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

/* ---- putting it together ---- */

/* The mask's bounding box and how many of its pixels lie in the mask. */
typedef struct {
    size_t top, left, rows, columns, pixels;
} box;

static box find_box(const ace_task *task, const uint8_t *mask)
{
    if (!mask)
        return (box){0, 0, task->height, task->width, task->height * task->width};
    size_t top = 0, bottom = 0, left = task->width, right = 0, pixels = 0;
    for (size_t y = 0; y < task->height; y++) {
        const uint8_t *row = mask + y * task->width;
        size_t first = 0, end = task->width, count = 0;
        for (size_t x = 0; x < task->width;) {
            const size_t stop = task->width - x < 255 ? task->width : x + 255;
            uint8_t part = 0;  /* bytes are counted fastest in bytes */
            for (; x < stop; x++)
                part += row[x] != 0;
            count += part;
        }
        if (!count)
            continue;
        while (!row[first])
            first++;
        while (!row[end - 1])
            end--;
        top = pixels ? top : y;
        bottom = y + 1;
        left = first < left ? first : left;
        right = end > right ? end : right;
        pixels += count;
    }
    return (box){top, left, bottom - top, right > left ? right - left : 0, pixels};
}

/* Direct summation, for a channel with few pixels. Writes the response and its range as the kernel does. */
static void respond_directly(const ace_plan *plan, size_t channel)
{
    float row[DIRECT_PIXELS], column[DIRECT_PIXELS], intensity[DIRECT_PIXELS];
    size_t chosen[DIRECT_PIXELS];
    double r[DIRECT_PIXELS], most = 0.0;
    ace_points points = {0, row, column, intensity};
    for (size_t y = 0; y < plan->rows; y++)
        for (size_t x = 0; x < plan->columns; x++) {
            const size_t pixel = y * plan->task->width + x, value = pixel * plan->task->channels + channel;
            if (plan->mask && !plan->mask[pixel])
                continue;
            row[points.count] = (float)y;
            column[points.count] = (float)x;
            intensity[points.count] = plan->levels == LEVELS_8BIT ? ((const uint8_t *)plan->image)[value] / 255.0f
                                                                  : ((const float *)plan->image)[value];
            chosen[points.count] = points.count;
            points.count++;
        }
    ace_direct(&points, plan->task->alpha, points.count, chosen, r);
    for (size_t i = 0; i < points.count; i++)
        most = fmax(most, fabs(r[i]));
    plan->expansions[channel].response = most > 0.0 ? most / INT16_MAX : 1.0;
    int16_t *response = plan->response + channel * plan->rows * plan->columns;
    int *range = plan->ranges[channel];
    range[0] = INT16_MAX;
    range[1] = INT16_MIN;
    for (size_t i = 0; i < points.count; i++) {
        const int16_t rounded = (int16_t)lrint(r[i] / plan->expansions[channel].response);
        response[(size_t)row[i] * plan->columns + (size_t)column[i]] = rounded;
        range[0] = rounded < range[0] ? rounded : range[0];
        range[1] = rounded > range[1] ? rounded : range[1];
    }
}

static const ace_block *choose_block(const box *b)
{
    /* The shares are a least-squares fit. What the pyramid and the interpolation between blocks make of a single block
     * is fitted to 1/d averaged over pairs of pixels of two blocks, errors weighted by the distance d, as there are d
     * times as many blocks at d; the third and further shares are given (THIRD_SHARE). `ace_constants.py shares`. */
    static const ace_block blocks[] = {
        {1, 0, 0, -1.217f, 5.427f, 9.808f}, {2, 0, 1, 0.393f, 6.267f, 9.233f}, {3, 1, 0, 1.333f, 5.804f, 9.470f},
        {4, 0, 2, 1.831f, 5.544f, 9.594f},  {6, 1, 1, 2.353f, 5.256f, 9.725f}, {8, 0, 3, 2.626f, 5.099f, 9.794f},
        {12, 1, 2, 2.908f, 4.931f, 9.867f}, {16, 0, 4, 3.053f, 4.842f, 9.905f}, {24, 1, 3, 3.202f, 4.749f, 9.945f},
        {MAX_SIDE, 0, 5, 3.277f, 4.701f, 9.965f},
    };
    const ace_block *block = blocks;
    for (size_t i = 1; i < sizeof blocks / sizeof *blocks; i++) {
        const size_t rows = b->rows / blocks[i].side, columns = b->columns / blocks[i].side;
        if (rows >= LEAST_SIDE && columns >= LEAST_SIDE && rows * columns >= BLOCKS)
            block = &blocks[i];
    }
    return block;
}

/* A steeper r and a narrower image take more terms; `ace_constants.py terms` has the errors. */
static int choose_groups(const box *b, double alpha)
{
    const int is_narrow = b->rows < NARROW || b->columns < NARROW;
    return 1 + (alpha > 10.0 || is_narrow) + (alpha > 25.0 || (alpha > 5.0 && is_narrow));
}

/* What differs between 8-bit and float images. */
typedef struct {
    int is_float, levels;
    size_t value_size, level_size;
} pixel_type;

static int equalize(const ace_task *given, const pixel_type *type, const void *image, const uint8_t *mask,
                    ace_workspace *workspace, void *result, double *range)
{
    ace_task task = *given;
    const ace_kernel *kernel = ace_choose_kernel(task.variant, type->is_float);
    if (!task.height || !task.width || !task.channels)
        return ACE_EMPTY_IMAGE;
    if (!(task.alpha >= 1.0 && task.alpha <= LEVELS_8BIT - 1))  /* so NaN is refused */
        return ACE_BAD_ALPHA;
    if (!task.threads)
        return ACE_ZERO_THREADS;
    if (!kernel)
        return ACE_NO_VARIANT;
    if (task.width > SIZE_MAX / task.height || task.channels > SIZE_MAX / type->value_size / (task.height * task.width))
        return ACE_TOO_LARGE;
    const box box = find_box(&task, mask);
    if (!box.pixels)
        return ACE_EMPTY_MASK;

    const size_t pixel_size = task.channels * type->value_size, first = box.top * task.width + box.left;
    ace_plan plan = {
        .task = &task,
        .image = (const char *)image + first * pixel_size,
        .mask = mask ? mask + first : NULL,
        .result = (char *)result + first * pixel_size,
        .rows = box.rows,
        .columns = box.columns,
        .block = choose_block(&box),
        .levels = type->levels,
        .groups = choose_groups(&box, task.alpha),
        .sample = box.pixels < SAMPLE ? 1 : box.pixels / SAMPLE,
    };
    const size_t grid_rows = (box.rows - 1) / plan.block->side + 1;
    task.threads = task.threads < grid_rows ? task.threads : grid_rows;
    int status = reserve(&plan, workspace, type->level_size);
    if (status)
        return status;

    memset(plan.occupied, 0, (grid_rows + 2) * (plan.pyramid[0][0].columns + 2));
    if (mask)
        memset(result, 0, task.height * task.width * pixel_size);
    if (box.pixels <= DIRECT_PIXELS) {
        for (size_t c = 0; c < task.channels; c++)
            respond_directly(&plan, c);
        kernel->stretch(&plan, 0, plan.rows);
    } else {
        status = work_together(&plan, kernel);
    }
    for (size_t c = 0; range && !status && c < task.channels; c++)
        for (int end = 0; end < 2; end++)
            range[2 * c + (size_t)end] = plan.ranges[c][end] * plan.expansions[c].response;
    return status;
}

int ace_equalize_8bit(const ace_task *task, const uint8_t *restrict image, const uint8_t *restrict mask,
                      ace_workspace *workspace, uint8_t *restrict result, double *restrict range)
{
    const pixel_type type = {0, LEVELS_8BIT, sizeof(uint8_t), sizeof(uint8_t)};
    return equalize(task, &type, image, mask, workspace, result, range);
}

int ace_equalize_float(const ace_task *task, const float *restrict image, const uint8_t *restrict mask,
                       ace_workspace *workspace, float *restrict result, double *restrict range)
{
    const pixel_type type = {1, LEVELS_FLOAT, sizeof(float), sizeof(uint16_t)};
    return equalize(task, &type, image, mask, workspace, result, range);
}
