/* The memory of a call: one piece, kept by the workspace from call to call, and dealt out to what needs it. */
#include "ace_kernel.h"

#include <stdlib.h>

enum { ALIGNMENT = 64 };

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

int ace_reserve(ace_plan *plan, ace_workspace *workspace, size_t level_size)
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
