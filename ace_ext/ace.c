#include "ace.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* How it works. Write r(I(p) - I(j)) as a matrix S[a, b] over pairs of grey levels, and approximate it by
 *
 *     S[a, b] = f_7(a) + sum_{k < 7} f_k(a) g_k(b),
 *
 * the best such sum for the image's own histogram. Then R(p) = f_7 + sum_k f_k(I(p)) C_k(p), where C_k is the image
 * g_k(I) averaged with weights 1/d. Such an average is so smooth that it is computed on block means and interpolated.
 * The convolution with 1/d is a sum of ever wider blurs, one for each level of an image pyramid. */

enum {
    LEVELS = 256,
    LANES = 8,         /* seven terms of the expansion, and the mask */
    TERMS = LANES - 1,
    ITERATIONS = 4,    /* of the subspace iteration that finds the expansion */
    MARGIN = 2,        /* cells round each level of the pyramid, the reach of its blur */
    MAX_DEPTH = 64
};

static const size_t CELLS = 128 * 128;     /* the finest grid holds about so many blocks */
static const size_t DIRECT_PIXELS = 1024;  /* up to here the direct sum is quick */

typedef struct {
    float lane[LANES];
} cell;

/* ---- sizes and allocation ---- */

static int multiply(size_t a, size_t b, size_t *product)
{
    if (b != 0 && a > SIZE_MAX / b)
        return ACE_TOO_LARGE;
    *product = a * b;
    return ACE_OK;
}

static void *allocate(size_t count, size_t size)
{
    size_t bytes;
    return multiply(count, size, &bytes) ? NULL : malloc(bytes ? bytes : 1);
}

/* ---- the expansion of r over pairs of grey levels ---- */

typedef struct {
    double of[LEVELS][LANES];
} functions;

/* out(a) = sum_b r(a - b) weight(b) in(b). r is piecewise linear, so running sums do it in one pass. */
static void apply_slope(double alpha, const double *restrict weight, const functions *restrict in,
                        functions *restrict out)
{
    double sum[LEVELS + 1][LANES], moment[LEVELS + 1][LANES];
    memset(sum[0], 0, sizeof sum[0]);
    memset(moment[0], 0, sizeof moment[0]);
    for (int b = 0; b < LEVELS; b++)
        for (int k = 0; k < LANES; k++) {
            double value = weight[b] * in->of[b][k];
            sum[b + 1][k] = sum[b][k] + value;
            moment[b + 1][k] = moment[b][k] + value * b;
        }

    const double slope = alpha / (LEVELS - 1), reach = 1.0 / slope;
    for (int a = 0; a < LEVELS; a++) {
        int low = (int)ceil(fmax(0.0, a - reach));
        int high = (int)floor(fmin(LEVELS - 1, a + reach)) + 1;
        for (int k = 0; k < LANES; k++)
            out->of[a][k] = sum[low][k] - (sum[LEVELS][k] - sum[high][k])
                            + slope * (a * (sum[high][k] - sum[low][k]) - (moment[high][k] - moment[low][k]));
    }
}

/* Make lane TERMS the constant 1 and the lanes before it orthonormal to it and to each other under `weight`.
 * A lane that depends on earlier ones becomes 0: the histogram has too few grey levels to need it. */
static void orthonormalize(const double *restrict weight, functions *restrict u)
{
    for (int a = 0; a < LEVELS; a++)
        u->of[a][TERMS] = 1.0;
    for (int k = 0; k < TERMS; k++) {
        double before = 0.0, after = 0.0;
        for (int a = 0; a < LEVELS; a++)
            before += weight[a] * u->of[a][k] * u->of[a][k];
        for (int other = -1; other < k; other++) {
            int lane = other < 0 ? TERMS : other;
            double overlap = 0.0;
            for (int a = 0; a < LEVELS; a++)
                overlap += weight[a] * u->of[a][k] * u->of[a][lane];
            for (int a = 0; a < LEVELS; a++)
                u->of[a][k] -= overlap * u->of[a][lane];
        }
        for (int a = 0; a < LEVELS; a++)
            after += weight[a] * u->of[a][k] * u->of[a][k];
        double scale = after > 1e-12 * before && after > 0.0 ? 1.0 / sqrt(after) : 0.0;
        for (int a = 0; a < LEVELS; a++)
            u->of[a][k] *= scale;
    }
}

/* Subspace iteration towards the largest singular vectors of the slope matrix weighted by the histogram, starting
 * from Chebyshev polynomials of the histogram's rank. The matrix is antisymmetric: applied twice, it is symmetric. */
static void expand_slope(double alpha, const size_t *histogram, size_t total, cell *restrict f, cell *restrict g)
{
    double weight[LEVELS], below = 0.0;
    functions u, v;
    for (int a = 0; a < LEVELS; a++) {
        weight[a] = (double)histogram[a] / (double)total;
        double rank = 2.0 * (below + 0.5 * weight[a]) - 1.0;
        below += weight[a];
        double previous = 1.0, current = rank;
        for (int k = 0; k < TERMS; k++) {
            double next = 2.0 * rank * current - previous;
            u.of[a][k] = current;
            previous = current;
            current = next;
        }
    }
    orthonormalize(weight, &u);
    for (int i = 0; i < ITERATIONS; i++) {
        apply_slope(alpha, weight, &u, &v);
        apply_slope(alpha, weight, &v, &u);
        orthonormalize(weight, &u);
    }
    apply_slope(alpha, weight, &u, &v);
    for (int a = 0; a < LEVELS; a++)
        for (int k = 0; k < LANES; k++) {
            f[a].lane[k] = (float)v.of[a][k];
            g[a].lane[k] = (float)u.of[a][k];
        }
}

/* ---- 1/d as a sum of blurs ---- */

/* A level of the pyramid: rows x columns cells and a margin. `sums` is blurred into `blurred`, every second cell of
 * which is the next level's `sums`; on the way back `blurred` takes up the level's share of the convolution. */
typedef struct {
    size_t rows, columns;
    cell *sums, *blurred;
} level;

/* How much each blur contributes, in units of 1/block. Least-squares fit of the pyramid's impulse response to 1/d
 * averaged over pairs of blocks: `edge` is the share of the four nearest blocks beyond that of the blurs, `second`
 * the second blur's; from the third on they double. Root mean square error of the kernel 0.7 %, 4 % at most. */
typedef struct {
    float edge, first, second, third;
    float centre;  /* what the fitted kernel gives at distance 0 without correction */
} kernel_fit;

static const kernel_fit PIXELS = {0.1193f, 4.6629f, 10.1857f, 18.2903f, 1.1194f};
static const kernel_fit BLOCKS = {0.1825f, 4.9432f, 10.3538f, 18.3367f, 1.1640f};

/* The mean of 1/d over the pairs of different pixels of a block of side `block`, times block. */
static double mean_within_block(size_t block)
{
    double sum = 0.0;
    for (size_t y = 0; y < block; y++)
        for (size_t x = y ? 0 : 1; x < block; x++) {
            double pairs = (double)((block - y) * (block - x)) * (y ? 2.0 : 1.0) * (x ? 2.0 : 1.0);
            sum += pairs / sqrt((double)(y * y + x * x));
        }
    double pixels = (double)block * (double)block;
    return pixels > 1.0 ? sum * (double)block / (pixels * (pixels - 1.0)) : 0.0;
}

static cell *row_of(cell *cells, const level *l, size_t row)
{
    return cells + row * (l->columns + 2 * MARGIN);
}

/* blurred = sums convolved with (1 4 6 4 1)/16 in both directions; nothing lies beyond the margin.
 * `line` has room for a row and two cells on either side of it. */
static void blur(const level *restrict l, cell *restrict line)
{
    const size_t rows = l->rows + 2 * MARGIN, columns = l->columns + 2 * MARGIN;
    memset(line, 0, 2 * sizeof *line);
    memset(line + 2 + columns, 0, 2 * sizeof *line);
    for (size_t y = 0; y < rows; y++) {
        const cell *above = row_of(l->sums, l, y >= 1 ? y - 1 : y), *above2 = row_of(l->sums, l, y >= 2 ? y - 2 : y);
        const cell *below = row_of(l->sums, l, y + 1 < rows ? y + 1 : y);
        const cell *below2 = row_of(l->sums, l, y + 2 < rows ? y + 2 : y), *here = row_of(l->sums, l, y);
        const float up1 = y >= 1 ? 4.0f : 0.0f, up2 = y >= 2 ? 1.0f : 0.0f;
        const float down1 = y + 1 < rows ? 4.0f : 0.0f, down2 = y + 2 < rows ? 1.0f : 0.0f;
        for (size_t x = 0; x < columns; x++)
            for (int k = 0; k < LANES; k++)
                line[x + 2].lane[k] = (6.0f * here[x].lane[k] + up1 * above[x].lane[k] + down1 * below[x].lane[k]
                                       + up2 * above2[x].lane[k] + down2 * below2[x].lane[k]) * (1.0f / 256.0f);
        cell *out = row_of(l->blurred, l, y);
        for (size_t x = 0; x < columns; x++)
            for (int k = 0; k < LANES; k++)
                out[x].lane[k] = 6.0f * line[x + 2].lane[k] + 4.0f * (line[x + 1].lane[k] + line[x + 3].lane[k])
                                 + (line[x].lane[k] + line[x + 4].lane[k]);
    }
}

/* Every second cell of the finer level's blur. Cells whose source lies beyond the finer level are 0. */
static void decimate(const level *restrict fine, const level *restrict coarse)
{
    const size_t rows = coarse->rows + 2 * MARGIN, columns = coarse->columns + 2 * MARGIN;
    memset(coarse->sums, 0, rows * columns * sizeof(cell));
    for (size_t y = 1; y < rows && 2 * y - MARGIN < fine->rows + 2 * MARGIN; y++) {
        const cell *from = row_of(fine->blurred, fine, 2 * y - MARGIN);
        cell *to = row_of(coarse->sums, coarse, y);
        for (size_t x = 1; x < columns && 2 * x - MARGIN < fine->columns + 2 * MARGIN; x++)
            to[x] = from[2 * x - MARGIN];
    }
}

/* fine.blurred = share * fine.blurred + coarse.blurred brought to twice the size by the cubic B-spline.
 * Defined one cell beyond the level on every side. */
static void add_coarser(const level *restrict fine, const level *restrict coarse, float share, cell *restrict line)
{
    for (size_t y = MARGIN - 1; y <= fine->rows + MARGIN; y++) {
        const size_t cy = (y + MARGIN) / 2;
        const cell *here = row_of(coarse->blurred, coarse, cy), *next = row_of(coarse->blurred, coarse, cy + 1);
        const cell *before = row_of(coarse->blurred, coarse, cy - 1);
        const size_t columns = coarse->columns + 2 * MARGIN;
        const float b = y % 2 ? 0.0f : 0.125f, h = y % 2 ? 0.5f : 0.75f, n = y % 2 ? 0.5f : 0.125f;
        for (size_t x = 0; x < columns; x++)
            for (int k = 0; k < LANES; k++)
                line[x].lane[k] = b * before[x].lane[k] + h * here[x].lane[k] + n * next[x].lane[k];
        cell *out = row_of(fine->blurred, fine, y);
        for (size_t x = MARGIN - 1; x <= fine->columns + MARGIN; x++) {
            const cell *from = line + (x + MARGIN) / 2;
            const float bx = x % 2 ? 0.0f : 0.125f, hx = x % 2 ? 0.5f : 0.75f, nx = x % 2 ? 0.5f : 0.125f;
            for (int k = 0; k < LANES; k++)
                out[x].lane[k] = share * out[x].lane[k] + bx * from[-1].lane[k] + hx * from[0].lane[k]
                                 + nx * from[1].lane[k];
        }
    }
}

/* The share of a block's own pixels and of its four neighbours. */
static void add_nearest(const level *restrict l, size_t block, const kernel_fit *fit)
{
    const double within = mean_within_block(block), pixels = (double)block * (double)block;
    float centre[LANES];
    for (int k = 0; k < LANES; k++)
        centre[k] = (float)within - fit->centre;
    /* A pixel is no neighbour of itself: the sum of weights is over one pixel less. The terms need no such care,
     * r(0) being 0. */
    centre[TERMS] = (float)(within * (pixels - 1.0) / pixels) - fit->centre;
    const size_t stride = l->columns + 2 * MARGIN;
    for (size_t y = MARGIN - 1; y <= l->rows + MARGIN; y++) {
        const cell *in = row_of(l->sums, l, y);
        cell *out = row_of(l->blurred, l, y);
        for (size_t x = MARGIN - 1; x <= l->columns + MARGIN; x++)
            for (int k = 0; k < LANES; k++)
                out[x].lane[k] += centre[k] * in[x].lane[k]
                                  + fit->edge * (in[x - 1].lane[k] + in[x + 1].lane[k] + in[x - stride + 0].lane[k]
                                                 + in[x + stride].lane[k]);
    }
}

/* ---- the passes over the pixels ---- */

typedef struct {
    size_t top, left, rows, columns, pixels;
} box;

static box masked_box(const ace_task *task, const uint8_t *restrict mask)
{
    box b = {0, 0, task->height, task->width, task->height * task->width};
    if (!mask)
        return b;
    size_t top = task->height, bottom = 0, left = task->width, right = 0, pixels = 0;
    for (size_t y = 0; y < task->height; y++) {
        const uint8_t *row = mask + y * task->width;
        size_t first = task->width, last = 0, count = 0;
        for (size_t x = 0; x < task->width; x++)
            count += row[x];
        if (!count)
            continue;
        for (first = 0; !row[first]; first++)
            ;
        for (last = task->width; !row[last - 1]; last--)
            ;
        top = y < top ? y : top;
        bottom = y + 1;
        left = first < left ? first : left;
        right = last > right ? last : right;
        pixels += count;
    }
    if (pixels)
        b = (box){top, left, bottom - top, right - left, pixels};
    else
        b = (box){0, 0, 0, 0, 0};
    return b;
}

/* One channel of the image and the pyramid that serves it. */
typedef struct {
    const ace_task *task;
    const uint8_t *image, *mask;  /* at the box's first pixel */
    box box;
    size_t block, depth;
    level levels[MAX_DEPTH];
    cell *line;
    cell f[LEVELS], g[LEVELS + 1];  /* g's last row, all 0, serves pixels outside the mask */
} plan;

static int grey(const plan *p, const uint8_t *image_row, const uint8_t *mask_row, size_t x)
{
    return mask_row && !mask_row[x] ? LEVELS : image_row[x * p->task->channels];
}

static const uint8_t *image_row(const plan *p, size_t y)
{
    return p->image + y * p->task->width * p->task->channels;
}

static const uint8_t *mask_row(const plan *p, size_t y)
{
    return p->mask ? p->mask + y * p->task->width : NULL;
}

static void count_levels(const plan *restrict p, size_t *restrict histogram)
{
    size_t counts[4][LEVELS + 1];
    memset(counts, 0, sizeof counts);
    for (size_t y = 0; y < p->box.rows; y++) {
        const uint8_t *row = image_row(p, y), *inside = mask_row(p, y);
        for (size_t x = 0; x < p->box.columns; x++)
            counts[x % 4][grey(p, row, inside, x)]++;
    }
    for (int a = 0; a < LEVELS; a++)
        histogram[a] = counts[0][a] + counts[1][a] + counts[2][a] + counts[3][a];
}

static void sum_blocks(const plan *restrict p)
{
    const level *l = &p->levels[0];
    memset(l->sums, 0, (l->rows + 2 * MARGIN) * (l->columns + 2 * MARGIN) * sizeof(cell));
    for (size_t y = 0; y < p->box.rows; y++) {
        const uint8_t *row = image_row(p, y), *inside = mask_row(p, y);
        cell *out = row_of(l->sums, l, MARGIN + y / p->block) + MARGIN;
        for (size_t x = 0; x < p->box.columns; out++) {
            size_t end = x + p->block < p->box.columns ? x + p->block : p->box.columns;
            for (; x < end; x++) {
                const cell *g = &p->g[grey(p, row, inside, x)];
                for (int k = 0; k < LANES; k++)
                    out->lane[k] += g->lane[k];
            }
        }
    }
}

static void convolve(const plan *restrict p)
{
    const kernel_fit *fit = p->block == 1 ? &PIXELS : &BLOCKS;
    const level *l = p->levels;
    float share[MAX_DEPTH];
    for (size_t i = 0; i < p->depth; i++)
        share[i] = i == 0 ? fit->first : i == 1 ? fit->second : i == 2 ? fit->third : 2.0f * share[i - 1];
    /* The blurs beyond the last are wider than the image: together as much as the last itself. */
    share[p->depth - 1] *= 2.0f;

    for (size_t i = 0; i < p->depth; i++) {
        blur(&l[i], p->line);
        if (i + 1 < p->depth)
            decimate(&l[i], &l[i + 1]);
    }
    const size_t last = p->depth - 1, cells = (l[last].rows + 2 * MARGIN) * (l[last].columns + 2 * MARGIN);
    for (size_t i = 0; i < cells; i++)
        for (int k = 0; k < LANES; k++)
            l[last].blurred[i].lane[k] *= share[last];
    for (size_t i = last; i-- > 0;)
        add_coarser(&l[i], &l[i + 1], share[i], p->line);
    add_nearest(&l[0], p->block, fit);

    for (size_t y = MARGIN - 1; y <= l->rows + MARGIN; y++) {
        cell *row = row_of(l->blurred, l, y);
        for (size_t x = MARGIN - 1; x <= l->columns + MARGIN; x++) {
            const float scale = 1.0f / row[x].lane[TERMS];
            for (int k = 0; k < TERMS; k++)
                row[x].lane[k] *= scale;
            row[x].lane[TERMS] = 1.0f;
        }
    }
}

/* R = f(I(p)) . C(p), C interpolated between the centres of the blocks; R's range over the mask. */
static void respond(const plan *restrict p, float *restrict response, float *restrict range)
{
    const level *l = &p->levels[0];
    const float step = 1.0f / (float)p->block;
    float low = INFINITY, high = -INFINITY;
    for (size_t y = 0; y < p->box.rows; y++) {
        const uint8_t *row = image_row(p, y), *inside = mask_row(p, y);
        float *out = response + y * p->box.columns;
        /* In units of half pixels: the block's centre lies at `block`, the pixel's at 2 y + 1. */
        const size_t shifted = 2 * y + 1 + p->block, cy = shifted / (2 * p->block);
        const float ty = 0.5f * step * (float)(shifted % (2 * p->block));
        const cell *upper = row_of(l->blurred, l, MARGIN - 1 + cy), *lower = row_of(l->blurred, l, MARGIN + cy);
        for (size_t x = 0; x <= l->columns + MARGIN; x++)
            for (int k = 0; k < LANES; k++)
                p->line[x].lane[k] = upper[x].lane[k] + ty * (lower[x].lane[k] - upper[x].lane[k]);
        for (size_t x = 0; x < p->box.columns; x++) {
            const int a = grey(p, row, inside, x);
            if (a == LEVELS)
                continue;
            const size_t shift = 2 * x + 1 + p->block, cx = shift / (2 * p->block);
            const float tx = 0.5f * step * (float)(shift % (2 * p->block));
            const cell *c = p->line + MARGIN - 1 + cx, *f = &p->f[a];
            float lane[LANES];
            for (int k = 0; k < LANES; k++)
                lane[k] = f->lane[k] * (c[0].lane[k] + tx * (c[1].lane[k] - c[0].lane[k]));
            const float r = ((lane[0] + lane[4]) + (lane[1] + lane[5])) + ((lane[2] + lane[6]) + (lane[3] + lane[7]));
            out[x] = r;
            low = r < low ? r : low;
            high = r > high ? r : high;
        }
    }
    range[0] = low;
    range[1] = high;
}

/* ---- direct sums ---- */

int ace_direct(size_t height, size_t width, double alpha, const float *restrict intensity,
               const uint8_t *restrict mask, size_t count, const size_t *restrict pixels, double *restrict response)
{
    if (!height || !width || !(alpha >= 1.0 && alpha <= LEVELS - 1))
        return ACE_BAD_ARGUMENT;
    double *weight = allocate(2, width * sizeof *weight);
    if (!weight)
        return ACE_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const size_t py = pixels[i] / width, px = pixels[i] % width;
        double numerator = 0.0, denominator = 0.0;
        for (size_t y = 0; y < height; y++) {
            const double dy = (double)y - (double)py;
            const float *row = intensity + y * width;
            for (size_t x = 0; x < width; x++) {
                const double dx = (double)x - (double)px;
                weight[x] = 1.0 / sqrt(dx * dx + dy * dy);
            }
            if (y == py)
                weight[px] = 0.0;
            if (mask)
                for (size_t x = 0; x < width; x++)
                    weight[x] *= mask[y * width + x];
            for (size_t x = 0; x < width; x++) {
                double r = alpha * ((double)intensity[pixels[i]] - (double)row[x]);
                r = r > 1.0 ? 1.0 : r < -1.0 ? -1.0 : r;
                numerator += weight[x] * r;
                denominator += weight[x];
            }
        }
        response[i] = denominator > 0.0 ? numerator / denominator : 0.0;
    }
    free(weight);
    return ACE_OK;
}

/* The same for all pixels of a plan's box. */
static int respond_directly(const plan *restrict p, float *restrict response, float *restrict range)
{
    int status = ACE_NO_MEMORY;
    const size_t area = p->box.rows * p->box.columns;
    float *intensity = allocate(area, sizeof *intensity);
    uint8_t *inside = allocate(area, 1);
    size_t *pixels = allocate(p->box.pixels, sizeof *pixels);
    double *exact = allocate(p->box.pixels, sizeof *exact);
    if (!intensity || !inside || !pixels || !exact)
        goto cleanup;

    size_t count = 0;
    for (size_t y = 0; y < p->box.rows; y++)
        for (size_t x = 0; x < p->box.columns; x++) {
            const int a = grey(p, image_row(p, y), mask_row(p, y), x);
            const size_t i = y * p->box.columns + x;
            intensity[i] = (float)a / (LEVELS - 1);
            inside[i] = a != LEVELS;
            if (inside[i])
                pixels[count++] = i;
        }
    status = ace_direct(p->box.rows, p->box.columns, p->task->alpha, intensity, inside, count, pixels, exact);
    if (status)
        goto cleanup;
    range[0] = INFINITY;
    range[1] = -INFINITY;
    for (size_t i = 0; i < count; i++) {
        const float r = (float)exact[i];
        response[pixels[i]] = r;
        range[0] = r < range[0] ? r : range[0];
        range[1] = r > range[1] ? r : range[1];
    }

cleanup:
    free(exact);
    free(pixels);
    free(inside);
    free(intensity);
    return status;
}

/* ---- putting it together ---- */

static size_t choose_block(const box *b)
{
    size_t block = 1;
    while (b->rows / (block + 1) * (b->columns / (block + 1)) >= CELLS)
        block++;
    return block;
}

/* Sizes of the pyramid's levels; the number of cells of all of them. The widest blur must dwarf the image. */
static int lay_out(plan *restrict p, size_t *restrict cells)
{
    level l = {(p->box.rows + p->block - 1) / p->block, (p->box.columns + p->block - 1) / p->block, NULL, NULL};
    size_t side = l.rows > l.columns ? l.rows : l.columns;
    *cells = 0;
    for (p->depth = 0; p->depth < 2 || (side << 1) >> (p->depth - 1) > 0; p->depth++) {
        size_t area;
        if (multiply(l.rows + 2 * MARGIN, l.columns + 2 * MARGIN, &area))
            return ACE_TOO_LARGE;
        p->levels[p->depth] = l;
        *cells += area;
        l.rows = l.rows / 2 + 1;
        l.columns = l.columns / 2 + 1;
    }
    return ACE_OK;
}

static void stretch(const plan *restrict p, const float *restrict response, const float *restrict range,
                    uint8_t *restrict equalized, float *restrict unrounded)
{
    const float spread = range[1] - range[0], scale = spread > 1e-6f ? 1.0f / spread : 0.0f;
    const size_t channels = p->task->channels;
    for (size_t y = 0; y < p->box.rows; y++) {
        const uint8_t *inside = mask_row(p, y);
        const float *in = response + y * p->box.columns;
        const size_t first = ((p->box.top + y) * p->task->width + p->box.left) * channels;
        for (size_t x = 0; x < p->box.columns; x++) {
            if (inside && !inside[x])
                continue;
            const float value = (in[x] - range[0]) * scale;
            equalized[first + x * channels] = (uint8_t)(value * 255.0f + 0.5f);
            if (unrounded)
                unrounded[first + x * channels] = value;
        }
    }
}

int ace_fast(const ace_task *task, const uint8_t *restrict image, const uint8_t *restrict mask,
             uint8_t *restrict equalized, float *restrict response)
{
    if (!task->height || !task->width || !task->channels || !(task->alpha >= 1.0 && task->alpha <= LEVELS - 1))
        return ACE_BAD_ARGUMENT;
    size_t area, values, cells;
    if (multiply(task->height, task->width, &area) || multiply(area, task->channels * sizeof(cell), &values))
        return ACE_TOO_LARGE;

    int status = ACE_NO_MEMORY;
    float *plane = NULL;
    cell *pool = NULL;
    plan *p = allocate(1, sizeof *p);
    if (!p)
        goto cleanup;
    p->task = task;
    p->box = masked_box(task, mask);
    status = ACE_EMPTY_MASK;
    if (!p->box.pixels)
        goto cleanup;
    p->mask = mask ? mask + p->box.top * task->width + p->box.left : NULL;
    p->block = choose_block(&p->box);
    status = lay_out(p, &cells);
    if (status)
        goto cleanup;

    status = ACE_NO_MEMORY;
    const size_t line = p->levels[0].columns + 4 * MARGIN;
    plane = allocate(p->box.rows * p->box.columns, sizeof *plane);
    pool = allocate(2 * cells + line, sizeof *pool);
    if (!plane || !pool)
        goto cleanup;
    p->line = pool + 2 * cells;
    cell *next = pool;
    for (size_t i = 0; i < p->depth; i++) {
        level *l = &p->levels[i];
        const size_t size = (l->rows + 2 * MARGIN) * (l->columns + 2 * MARGIN);
        l->sums = next;
        l->blurred = next + size;
        next += 2 * size;
    }

    if (mask) {
        memset(equalized, 0, area * task->channels);
        if (response)
            memset(response, 0, area * task->channels * sizeof *response);
    }
    for (size_t c = 0; c < task->channels; c++) {
        float range[2];
        p->image = image + (p->box.top * task->width + p->box.left) * task->channels + c;
        if (p->box.pixels <= DIRECT_PIXELS) {
            status = respond_directly(p, plane, range);
            if (status)
                goto cleanup;
        } else {
            size_t histogram[LEVELS];
            count_levels(p, histogram);
            memset(&p->g[LEVELS], 0, sizeof p->g[LEVELS]);
            expand_slope(task->alpha, histogram, p->box.pixels, p->f, p->g);
            sum_blocks(p);
            convolve(p);
            respond(p, plane, range);
        }
        stretch(p, plane, range, equalized + c, response ? response + c : NULL);
    }
    status = ACE_OK;

cleanup:
    free(pool);
    free(plane);
    free(p);
    return status;
}
