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
#include <string.h>

enum {
    DIRECT_PIXELS = 1024,  /* up to here the definition itself is fast: 10^6 terms a channel, on the stack */
    LEVELS_8BIT = 256,
    LEVELS_FLOAT = 2041,  /* 8 steps between two 8-bit levels, so that 8-bit images convert exactly */
    SAMPLE = 1 << 16,     /* pixels in a histogram: 256 for each of 256 levels on average, so +- 1/16 */
    NARROW = 80,          /* below so many rows or columns an average has few pixels, and an expansion's errors show */
    LEAST_SIDE = 32       /* blocks along the shorter side of an image, at least */
};

/* Blocks are as wide as leaves this many of them: wider blocks are faster and less exact. */
static const size_t BLOCKS = 150 * 150;

int ace_supports(int variant)
{
    return ace_choose_kernel(variant, 0) != NULL;
}

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
    int status = ace_reserve(&plan, workspace, type->level_size);
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
        status = ace_work_together(&plan, kernel);
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
