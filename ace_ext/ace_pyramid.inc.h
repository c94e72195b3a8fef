/* The convolution with 1/d, as a sum of ever wider blurs.
 *
 * For any radial kernel phi of integral 1, and phi_k its dilation by 2^k (phi_k(x) = phi(x / 2^k) / 4^k), the sum
 *
 *     sum over all k of 2^k c phi_k(x)      with      c = 2 pi ln 2 / E[1/|X|],   X distributed as phi,
 *
 * is 1/|x| times a factor that has period 2 in |x| and mean 1 over an octave: replace the sum over k by an integral
 * over the logarithm of the scale. For smooth bells like a Gaussian the factor deviates by a fraction of a percent.
 *
 * Here phi_k is the blur (1 4 6 4 1)/16, along rows and columns, on level k of a pyramid, seen from the finest level:
 * variances are (5 4^k - 2) / 3. Blurs that are far wider than a block approach one shape, so each contributes twice
 * the one before, from the third (k = 2) on, whose share 4 c is THIRD_SHARE. The first two, and the block's own cell,
 * differ from that shape: their shares are fitted for each size of block (ace.c). All shares and their errors:
 * `benchmarks/ace_constants.py shares`.
 */

/* 4 c: 18.33 by the formula above; this value, 0.1 % less, is what the fits of the other shares were made with. */
#define THIRD_SHARE 18.31f

#define FLOATS FOR_VARIANT(floats)
typedef float FLOATS __attribute__((vector_size(VECTOR_BYTES), may_alias));
enum { FOR_VARIANT(CELL) = LANES * sizeof(float) / VECTOR_BYTES };  /* vectors that hold a cell */

/* Blurs a level, which becomes centre * itself + share * its blur. Every second cell of the blur is the next level.
 * `ring` holds the last RING rows, blurred along the row, and the finished row in their middle. */
static void FOR_VARIANT(blur)(const pyramid_level *level, const pyramid_level *next, float *ring, float centre,
                              float share)
{
    enum { CELL = FOR_VARIANT(CELL) };
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
        const FLOATS *restrict above2 = lines + (y - 4) % RING * length;
        const FLOATS *restrict above = lines + (y - 3) % RING * length;
        const FLOATS *restrict here = lines + (y - 2) % RING * length;
        const FLOATS *restrict below = lines + (y - 1) % RING * length;
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

/* Adds the next coarser level to row y of a level, upsampled with the cubic B-spline: (1 4 6 4 1)/8 between zeros.
 * Valid for the level and one cell around it. */
static void FOR_VARIANT(add_coarser)(const pyramid_level *level, const pyramid_level *coarser, float *scratch, size_t y)
{
    enum { CELL = FOR_VARIANT(CELL) };
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
    /* An odd cell lies between two coarse cells, the even cell after it on the second of them. */
    for (size_t x = MARGIN; x <= level->columns + MARGIN + 1; x += 2) {
        const FLOATS *from = line + (x + MARGIN) / 2 * CELL;
        for (int i = 0; i < CELL; i++) {
            out[(x - 1) * CELL + i] += 0.5f * (from[i - CELL] + from[i]);
            out[x * CELL + i] += 0.125f * (from[i - CELL] + from[i + CELL]) + 0.75f * from[i];
        }
    }
}

/* Turns weighted sums into coefficients: divides by the sum of weights, in fixed point. */
static void FOR_VARIANT(normalize)(const float *restrict sums, size_t count, const float *restrict unit,
                                   int16_t *coefficients)
{
    const float round_off = 12582912.0f;  /* 1.5 * 2^23, where floats are 1 apart: adding it rounds */
    for (size_t x = 0; x < count; x++) {
        const float weight = sums[x * LANES];
        const float scale = weight != 0.0f ? 1.0f / weight : 0.0f;  /* with one grey level all lanes are unused */
        for (int k = 0; k < LANES; k++)
            coefficients[x * LANES + k] = (int16_t)(sums[x * LANES + k] * (unit[k] * scale) + round_off - round_off);
    }
}

static void FOR_VARIANT(convolve)(const ace_plan *plan, thread_scratch *scratch, size_t channel, int group)
{
    const pyramid_level *pyramid = pyramid_of(plan, channel), *finest = pyramid;
    const ace_block *block = plan->block;
    float share = block->first;
    for (size_t i = 0; i < plan->depth; i++) {
        const int is_last = i + 1 == plan->depth;
        /* The blurs that would follow the last are wider than the image, and constant over it: their heights fall as
         * 2^k / 4^k, so together they contribute as much as the last. */
        FOR_VARIANT(blur)(&pyramid[i], is_last ? NULL : &pyramid[i + 1], scratch->ring, i == 0 ? block->centre : 0.0f,
                          is_last ? 2.0f * share : share);
        share = i == 0 ? block->second : i == 1 ? THIRD_SHARE : 2.0f * share;
    }
    for (size_t i = plan->depth - 1; i-- > 1;)
        for (size_t y = MARGIN - 1; y <= pyramid[i].rows + MARGIN; y++)
            FOR_VARIANT(add_coarser)(&pyramid[i], &pyramid[i + 1], scratch->ring, y);
    for (size_t y = MARGIN - 1; y <= finest->rows + MARGIN; y++) {
        FOR_VARIANT(add_coarser)(finest, &pyramid[1], scratch->ring, y);
        FOR_VARIANT(normalize)(finest->cells + (y * finest->stride + MARGIN - 1) * LANES, finest->columns + 2,
                               plan->expansions[channel].unit[group], coefficient_row(finest, y - (MARGIN - 1)));
    }
}

#undef FLOATS
#undef THIRD_SHARE
