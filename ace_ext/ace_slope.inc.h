/* The expansion of r over pairs of grey levels.
 *
 * r(a - b) is a matrix A over pairs of levels. With weights v_b for columns and w_a for rows, the best expansion of a
 * given length, in the weighted sum of squared errors, is the singular value decomposition of W^1/2 A V^1/2. A
 * subspace iteration with A' W A V finds its leading right singular vectors: g, orthonormal under V. Then f = A V g is
 * the least-squares choice for each row. Unlike a library's decomposition it cannot fail to converge: it takes a
 * fixed number of steps, and a poorer g still has its best f. Lane 0 of g is kept at the constant 1, which the sums of
 * weights need.
 *
 * Weights. Columns follow the histogram (0.9), with 0.1 spread evenly over the levels present, so that rare levels
 * are not left to extrapolation. Rows decide where the error may be: 0.4 follow the histogram, 0.3 are even, and 0.15
 * each go to the lowest and the highest level, since a single pixel there may hold the extreme R by which the whole
 * image is stretched. The values are a choice, not an optimum: `benchmarks/ace_constants.py weights` compares them
 * with others.
 */

#define DOUBLES FOR_VARIANT(doubles)
#define PART FOR_VARIANT(part)
typedef double DOUBLES __attribute__((vector_size(VECTOR_BYTES), may_alias));
enum { PART = VECTOR_BYTES / sizeof(double) };  /* lanes in a vector */

/* out(a) = sum_b r(a - b) weight(b) in(b), for one vector of lanes; the next level is `stride` vectors away.
 *
 * r is 1 for levels b below the window |a - b| <= 1/slope, -1 above it, and linear inside, so
 * out(a) = S_below - S_above + slope (a S_inside - M_inside), with S the sums of weight(b) in(b) and M those of
 * b weight(b) in(b). As a grows, both ends of the window only move up: running sums give every a in one pass. */
static void FOR_VARIANT(apply_slope)(double slope, int levels, int stride, const double *restrict weight,
                                     const DOUBLES *restrict in, DOUBLES *restrict out)
{
    const double reach = 1.0 / slope;
    DOUBLES total = {0.0}, below = {0.0}, below_moment = {0.0}, until = {0.0}, until_moment = {0.0};
    for (int b = 0; b < levels; b++)
        total += weight[b] * in[b * stride];
    int low = 0, high = 0;
    for (int a = 0; a < levels; a++) {
        for (; high < levels && high <= a + reach; high++) {
            const DOUBLES value = weight[high] * in[high * stride];
            until += value;
            until_moment += (double)high * value;
        }
        for (; low < a - reach; low++) {
            const DOUBLES value = weight[low] * in[low * stride];
            below += value;
            below_moment += (double)low * value;
        }
        out[a * stride] = below - (total - until)
                          + slope * ((double)a * (until - below) - (until_moment - below_moment));
    }
}

static void FOR_VARIANT(apply_slope_to_all)(double slope, int levels, int lanes, const double *restrict weight,
                                            const double *restrict in, double *restrict out)
{
    for (int part = 0; part < lanes / PART; part++)
        FOR_VARIANT(apply_slope)(slope, levels, lanes / PART, weight, (const DOUBLES *)in + part,
                                 (DOUBLES *)out + part);
}

/* The Gram matrix of u under `weight`: at least its lower triangle. */
static void FOR_VARIANT(find_gram)(int levels, int lanes, const double *restrict weight, const double *restrict u,
                                   double gram[MAX_LANES][MAX_LANES])
{
    for (int column = 0; column < lanes; column += PART)
        for (int row = column / LANES * LANES; row < lanes; row += LANES) {
            DOUBLES sum[LANES] = {{0.0}};
            for (int a = 0; a < levels; a++) {
                const DOUBLES weighted = weight[a] * *(const DOUBLES *)&u[a * lanes + column];
                for (int k = 0; k < LANES; k++)
                    sum[k] += u[a * lanes + row + k] * weighted;
            }
            for (int k = 0; k < LANES; k++)
                memcpy(&gram[row + k][column], &sum[k], sizeof sum[k]);
        }
}

/* Makes lane 0 the constant 1 and all lanes orthonormal under `weight`, each against those before it: u := u L'^-1
 * with L the Cholesky factor of the Gram matrix. A lane whose remainder is below 1e-9 of its square depends on those
 * before it, up to rounding, and becomes 0: the image has too few grey levels to need it. */
static void FOR_VARIANT(orthonormalize)(int levels, int lanes, const double *restrict weight, double *restrict u)
{
    double gram[MAX_LANES][MAX_LANES];
    _Alignas(VECTOR_BYTES) double inverse[MAX_LANES][MAX_LANES] = {{0.0}};
    for (int a = 0; a < levels; a++)
        u[a * lanes] = 1.0;
    FOR_VARIANT(find_gram)(levels, lanes, weight, u, gram);
    /* L, row by row in place, and its inverse, column by column. */
    for (int i = 0; i < lanes; i++) {
        double rest = gram[i][i];
        for (int j = 0; j < i; j++) {
            for (int k = 0; k < j; k++)
                gram[i][j] -= gram[i][k] * gram[j][k];
            gram[i][j] *= inverse[j][j];
            rest -= gram[i][j] * gram[i][j];
        }
        if (!(rest > 1e-9 * gram[i][i]))
            continue;
        inverse[i][i] = 1.0 / sqrt(rest);
        for (int j = 0; j < i; j++) {
            double sum = 0.0;
            for (int k = j; k < i; k++)
                sum += gram[i][k] * inverse[j][k];
            inverse[j][i] = -inverse[i][i] * sum;
        }
    }
    for (int a = 0; a < levels; a++) {
        double old[MAX_LANES];
        memcpy(old, u + a * lanes, (size_t)lanes * sizeof *old);
        for (int column = 0; column < lanes; column += PART) {
            DOUBLES sum = {0.0};
            for (int k = 0; k < column + PART; k++)
                sum += old[k] * *(const DOUBLES *)&inverse[k][column];
            *(DOUBLES *)&u[a * lanes + column] = sum;
        }
    }
}

/* Finds g (in scratch->u) and f (in scratch->v). Starts from Chebyshev polynomials of a level's rank in the histogram:
 * where all ranks are equally frequent, the singular vectors of a clipped difference oscillate as these do. From there
 * one step suffices for most images; ITERATIONS = 2, and a third gains nothing (`ace_constants.py weights`). */
static void FOR_VARIANT(find_lanes)(const ace_plan *plan, thread_scratch *scratch, const uint32_t *histogram,
                                    const int *extremes)
{
    const int levels = plan->levels, lanes = plan->groups * LANES, terms = plan->groups * (LANES - 1);
    double total = 0.0, present = 0.0, below = 0.0;
    for (int a = 0; a < levels; a++) {
        total += histogram[a];
        present += histogram[a] > 0;
    }
    for (int a = 0; a < levels; a++) {
        const double share = total > 0.0 ? histogram[a] / total : 1.0 / levels;
        const double even = total > 0.0 ? (histogram[a] > 0) / present : 1.0 / levels;
        scratch->row_weight[a] = 0.4 * share + 0.3 * even + (a == extremes[0] ? 0.15 : 0.0)
                                 + (a == extremes[1] ? 0.15 : 0.0);
        scratch->column_weight[a] = 0.9 * share + 0.1 * even;
        const double rank = 2.0 * below + scratch->column_weight[a] - 1.0;
        below += scratch->column_weight[a];
        double previous = 1.0, current = rank, *lane = scratch->u + a * lanes;
        for (int k = 1; k < lanes; k++) {
            const double next = 2.0 * rank * current - previous;
            lane[k] = k <= terms ? current : 0.0;
            previous = current;
            current = next;
        }
    }
    const double slope = plan->task->alpha / (levels - 1);
    FOR_VARIANT(orthonormalize)(levels, lanes, scratch->column_weight, scratch->u);
    for (int i = 0; i < ITERATIONS; i++) {
        FOR_VARIANT(apply_slope_to_all)(slope, levels, lanes, scratch->column_weight, scratch->u, scratch->v);
        FOR_VARIANT(apply_slope_to_all)(slope, levels, lanes, scratch->row_weight, scratch->v, scratch->u);
        FOR_VARIANT(orthonormalize)(levels, lanes, scratch->column_weight, scratch->u);
    }
    FOR_VARIANT(apply_slope_to_all)(slope, levels, lanes, scratch->column_weight, scratch->u, scratch->v);
}

/* The largest magnitude of each lane over the image's range of grey levels. */
static void FOR_VARIANT(find_most)(const int *extremes, int lanes, const double *restrict values, double *restrict most)
{
    memset(most, 0, (size_t)lanes * sizeof *most);
    for (int a = extremes[0]; a <= extremes[1]; a++)
        for (int k = 0; k < lanes; k++) {
            const double size = fabs(values[a * lanes + k]);
            most[k] = size > most[k] ? size : most[k];
        }
}

/* Scales and rounds eight lanes. The rounding error of one level is carried to the next, so that means over several
 * neighbouring levels stay exact.
 *
 * Scaled values are at most a limit L in magnitude and the carry at most 1/2. So rounded values are at most L, or L + 1
 * where the sum ends on a tie. For g that is allowed for (ace_kernel.h); f, whose L is INT16_MAX, is cut there. */
static void FOR_VARIANT(round_lanes)(const int *extremes, int lanes, const double *restrict values,
                                     const double *restrict scale, short8 *restrict out)
{
    const double round_off = 6755399441055744.0;  /* 1.5 * 2^52, where doubles are 1 apart: adding it rounds */
    double carried[LANES] = {0.0};
    for (int a = extremes[0]; a <= extremes[1]; a++) {
        int16_t *rounded = (int16_t *)&out[a];
        for (int k = 0; k < LANES; k++) {
            const double exact = values[a * lanes + k] * scale[k] + carried[k];
            const double whole = exact + round_off - round_off;
            carried[k] = exact - whole;
            rounded[k] = (int16_t)(whole < INT16_MAX ? whole : INT16_MAX);
        }
    }
}

/* Fixed point. R = sum_k f_k c_k with c_k an average of g_k. f_k is stored times F_LIMIT / max |f_k|, and c_k times
 * whatever makes each product R times one common `scale`, the largest for which
 *
 * - c_k stays within COEFFICIENT_LIMIT: scale <= F_LIMIT / max |f_k| * COEFFICIENT_LIMIT / max |g_k| for every k;
 * - the sum stays within 2^30 while |R| <= bound: scale <= 2^30 / bound.
 *
 * By its definition |R| <= min(1, contrast), where contrast = alpha times the image's range of intensities: R is an
 * average of r. The expansion may exceed that. `bound` allows for 25 %: `benchmarks/ace_constants.py overshoot`, which
 * looks for the largest excess over images made to provoke it, finds 1 %. The floor of 1 / levels keeps `bound` away
 * from 0 for images of one grey level, whose R is 0.
 *
 * Why sums modulo 2^32 suffice (dot8 in ace_pixels.inc.h). A product is below F_LIMIT * COEFFICIENT_LIMIT < 2^29, so
 * eight of them may exceed 2^31 on the way. But reduction modulo 2^32 is a ring homomorphism: sums of reduced terms,
 * in any order, are the reduced sum. And the representative in [-2^31, 2^31) is the sum itself whenever that lies
 * there. It does: f is rounded to within 1, with its carry, and c to within 20, after interpolation in steps over at
 * most MAX_SIDE pixels, which moves the sum by less than 8 (COEFFICIENT_LIMIT + 20 (F_LIMIT + 1)) < 2^23. So
 * |sum| < 2^30 |R| / bound + 2^23 < 2^31 as long as |R| < 1.99 bound, 2.4 times what the definition allows.
 *
 * `shift` then brings 2^30 down to 16 bits. A response beyond 16 bits, which takes |R| > bound, saturates. */
static void FOR_VARIANT(expand)(const ace_plan *plan, thread_scratch *scratch, const uint32_t *histogram,
                                const int *extremes, expansion *result)
{
    const int levels = plan->levels, lanes = plan->groups * LANES;
    FOR_VARIANT(find_lanes)(plan, scratch, histogram, extremes);

    double f_most[MAX_LANES], g_most[MAX_LANES], f_scale[MAX_LANES], g_scale[MAX_LANES];
    FOR_VARIANT(find_most)(extremes, lanes, scratch->v, f_most);
    FOR_VARIANT(find_most)(extremes, lanes, scratch->u, g_most);
    const double contrast = plan->task->alpha * (extremes[1] - extremes[0]) / (levels - 1);
    const double bound = 1.25 * fmax(1.0 / levels, fmin(1.0, contrast));
    double scale = (double)(1 << 30) / bound;
    for (int k = 0; k < lanes; k++) {
        const int used = f_most[k] > 0.0 && g_most[k] > 0.0;
        f_scale[k] = used ? F_LIMIT / f_most[k] : 0.0;
        g_scale[k] = used ? (k ? G_LIMIT / g_most[k] : 1.0) : 0.0;
        if (used)
            scale = fmin(scale, f_scale[k] * COEFFICIENT_LIMIT / g_most[k]);
    }
    result->shift = 0;
    while (ldexp(scale * bound, -result->shift) > INT16_MAX)
        result->shift++;
    result->response = ldexp(1.0 / scale, result->shift);

    memset(result->f, 0, (size_t)(plan->groups * levels) * sizeof *result->f);
    memset(result->g, 0, (size_t)(plan->groups * levels) * sizeof *result->g);
    for (int group = 0; group < plan->groups; group++) {
        const int first = group * (LANES - 1);
        short8 *f = result->f + group * levels, *g = result->g + group * levels;
        for (int k = 0; k < LANES; k++)
            result->unit[group][k] = f_scale[first + k] > 0.0
                                         ? (float)(scale / (f_scale[first + k] * g_scale[first + k])) : 0.0f;
        FOR_VARIANT(round_lanes)(extremes, lanes, scratch->v + first, f_scale + first, f);
        FOR_VARIANT(round_lanes)(extremes, lanes, scratch->u + first, g_scale + first, g);
        /* Every group carries the constant, to sum the weights; only the first uses it as a term. */
        for (int a = 0; group && a < levels; a++) {
            f[a][0] = 0;
            g[a][0] = 1;
        }
    }
}

#undef DOUBLES
#undef PART
