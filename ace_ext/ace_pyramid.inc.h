/* The convolution with 1/d, as a sum of ever wider blurs: Gaussians of widths 1, 2, 4, ... whose heights fall in
 * step add up to 1/d within a fraction of a percent. Each is the blur (1 4 6 4 1)/16 on its own level of a pyramid.
 */

#define FLOATS NAME(floats)
typedef float FLOATS __attribute__((vector_size(VECTOR_BYTES), may_alias));
enum { NAME(CELL) = LANES * sizeof(float) / VECTOR_BYTES };  /* vectors that hold a cell */

/* Blurs a level, which becomes centre * itself + share * its blur. Every second cell of the blur is the next level.
 * `ring` holds the RING last rows, blurred along the row, and the blur of the row between them. */
static void NAME(blur)(const pyramid_level *level, const pyramid_level *next, float *ring, float centre, float share)
{
    enum { CELL = NAME(CELL) };
    const size_t rows = level->rows + 2 * MARGIN, length = level->stride * CELL;
    FLOATS *lines = (FLOATS *)ring, *restrict blurred = lines + RING * length;
    if (next)
        memset(next->cells, 0, (next->rows + 2 * MARGIN) * next->stride * LANES * sizeof(float));
    for (size_t y = 0; y < rows; y++) {
        const FLOATS *restrict in = (const FLOATS *)level->cells + y * length;
        FLOATS *restrict along = lines + y % RING * length;
        for (size_t x = 2 * CELL; x < length - 2 * CELL; x++)
            along[x] = (in[x - 2 * CELL] + in[x + 2 * CELL]) + 4.0f * (in[x - CELL] + in[x + CELL]) + 6.0f * in[x];
        if (y < RING - 1)
            continue;
        const FLOATS *restrict above2 = lines + (y - 4) % RING * length, *restrict above = lines + (y - 3) % RING * length;
        const FLOATS *restrict here = lines + (y - 2) % RING * length, *restrict below = lines + (y - 1) % RING * length;
        FLOATS *restrict out = (FLOATS *)level->cells + (y - 2) * length;
        for (size_t x = 2 * CELL; x < length - 2 * CELL; x++) {
            blurred[x] = (1.0f / 256.0f) * ((above2[x] + along[x]) + 4.0f * (above[x] + below[x]) + 6.0f * here[x]);
            out[x] = centre * out[x] + share * blurred[x];
        }
        if (next && y % 2 == 0) {
            FLOATS *restrict coarse = (FLOATS *)next->cells + ((y / 2 + 1) * next->stride + MARGIN / 2) * CELL;
            for (size_t x = 2; x < level->stride - 2; x += 2)
                for (int i = 0; i < CELL; i++)
                    coarse[x / 2 * CELL + i] = blurred[x * CELL + i];
        }
    }
}

/* Adds to row y of a level the next coarser one, brought to twice its size by the cubic B-spline.
 * Good for the level and one cell around it. */
static void NAME(add_coarser)(const pyramid_level *level, const pyramid_level *coarser, float *scratch, size_t y)
{
    enum { CELL = NAME(CELL) };
    const FLOATS *here = (const FLOATS *)coarser->cells + (y + MARGIN) / 2 * coarser->stride * CELL;
    const FLOATS *before = here - coarser->stride * CELL, *after = here + coarser->stride * CELL;
    FLOATS *restrict line = (FLOATS *)scratch;
    const size_t end = ((level->columns + 2 * MARGIN) / 2 + 3) * CELL;
    if (y % 2)
        for (size_t x = (MARGIN - 1) * CELL; x < end; x++)
            line[x] = 0.5f * (here[x] + after[x]);
    else
        for (size_t x = (MARGIN - 1) * CELL; x < end; x++)
            line[x] = 0.125f * (before[x] + after[x]) + 0.75f * here[x];
    FLOATS *restrict out = (FLOATS *)level->cells + y * level->stride * CELL;
    /* An odd cell lies between two coarse ones, the even cell after it on the second of them. */
    for (size_t x = MARGIN; x <= level->columns + MARGIN + 1; x += 2) {
        const FLOATS *from = line + (x + MARGIN) / 2 * CELL;
        for (int i = 0; i < CELL; i++) {
            out[(x - 1) * CELL + i] += 0.5f * (from[i - CELL] + from[i]);
            out[x * CELL + i] += 0.125f * (from[i - CELL] + from[i + CELL]) + 0.75f * from[i];
        }
    }
}

/* Weighted sums into coefficients: divided by the sum of weights, in fixed point. */
static void NAME(normalize)(const float *restrict sums, size_t count, const float *restrict unit, int16_t *coefficients)
{
    const float round_off = 12582912.0f;  /* 1.5 * 2^23: what is added to it loses its fraction */
    for (size_t x = 0; x < count; x++) {
        const float scale = 1.0f / sums[x * LANES];
        for (int k = 0; k < LANES; k++)
            coefficients[x * LANES + k] = (int16_t)(sums[x * LANES + k] * (unit[k] * scale) + round_off - round_off);
    }
}

static void NAME(convolve)(const ace_plan *plan, thread_scratch *scratch, size_t channel, int group)
{
    const pyramid_level *pyramid = pyramid_of(plan, channel), *finest = pyramid;
    const ace_block *block = plan->block;
    const float third = 18.31f;  /* the third blur's share; each further one contributes twice the one before */
    float share = block->first;
    for (size_t i = 0; i < plan->depth; i++) {
        const int is_last = i + 1 == plan->depth;
        /* The blurs that would follow the last are wider than the image. Together they do as much as the last. */
        NAME(blur)(&pyramid[i], is_last ? NULL : &pyramid[i + 1], scratch->ring, i == 0 ? block->centre : 0.0f,
                   is_last ? 2.0f * share : share);
        share = i == 0 ? block->second : i == 1 ? third : 2.0f * share;
    }
    for (size_t i = plan->depth - 1; i-- > 1;)
        for (size_t y = MARGIN - 1; y <= pyramid[i].rows + MARGIN; y++)
            NAME(add_coarser)(&pyramid[i], &pyramid[i + 1], scratch->ring, y);
    for (size_t y = MARGIN - 1; y <= finest->rows + MARGIN; y++) {
        NAME(add_coarser)(finest, &pyramid[1], scratch->ring, y);
        NAME(normalize)(finest->cells + (y * finest->stride + MARGIN - 1) * LANES, finest->columns + 2, plan->expansions[channel].unit[group],
                        coefficient_row(finest, y - (MARGIN - 1)));
    }
}

#undef FLOATS
