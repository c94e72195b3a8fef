/* The expansion of r over pairs of grey levels.
 *
 * r(a - b) is a matrix over pairs of levels. The expansion has the constant in its lane 0 and, in the others, what a
 * subspace iteration finds nearest to the matrix's largest singular vectors. Columns b count as often as the image
 * has them; rows a more evenly, and the darkest and the brightest above all: the rarest level may hold the extreme
 * by which the whole image is stretched.
 */

#define DOUBLES NAME(doubles)
#define PART NAME(part)
typedef double DOUBLES __attribute__((vector_size(VECTOR_BYTES), may_alias));
enum { PART = VECTOR_BYTES / sizeof(double) };  /* lanes in a vector */

/* out(a) = sum_b r(a - b) weight(b) in(b), for one vector of lanes, the next level being `stride` vectors away. r is
 * piecewise linear: as a grows, the two ends of the window in which it is not saturated move along. */
static void NAME(apply_slope)(double slope, int levels, int stride, const double *restrict weight,
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

static void NAME(apply_slope_to_all)(double slope, int levels, int lanes, const double *restrict weight,
                                     const double *restrict in, double *restrict out)
{
    for (int part = 0; part < lanes / PART; part++)
        NAME(apply_slope)(slope, levels, lanes / PART, weight, (const DOUBLES *)in + part, (DOUBLES *)out + part);
}

/* u's Gram matrix under `weight`: its lower triangle at least. */
static void NAME(find_gram)(int levels, int lanes, const double *restrict weight, const double *restrict u,
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

/* Makes lane 0 the constant 1 and all lanes orthonormal under `weight`, each against those before it. A lane that
 * depends on those before becomes 0: there are too few grey levels to need it. */
static void NAME(orthonormalize)(int levels, int lanes, const double *restrict weight, double *restrict u)
{
    double gram[MAX_LANES][MAX_LANES];
    _Alignas(VECTOR_BYTES) double inverse[MAX_LANES][MAX_LANES] = {{0.0}};
    for (int a = 0; a < levels; a++)
        u[a * lanes] = 1.0;
    NAME(find_gram)(levels, lanes, weight, u, gram);
    /* The Gram matrix's Cholesky factor L, row by row in place, and 1 / L, column by column. */
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

/* Starts from Chebyshev polynomials of a level's rank, which are near already. */
static void NAME(find_lanes)(const ace_plan *plan, thread_scratch *scratch, const uint32_t *histogram,
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
    NAME(orthonormalize)(levels, lanes, scratch->column_weight, scratch->u);
    for (int i = 0; i < ITERATIONS; i++) {
        NAME(apply_slope_to_all)(slope, levels, lanes, scratch->column_weight, scratch->u, scratch->v);
        NAME(apply_slope_to_all)(slope, levels, lanes, scratch->row_weight, scratch->v, scratch->u);
        NAME(orthonormalize)(levels, lanes, scratch->column_weight, scratch->u);
    }
    NAME(apply_slope_to_all)(slope, levels, lanes, scratch->column_weight, scratch->u, scratch->v);
}

/* The largest size of each lane over the grey levels that the image has. */
static void NAME(find_most)(const int *extremes, int lanes, const double *restrict values, double *restrict most)
{
    memset(most, 0, (size_t)lanes * sizeof *most);
    for (int a = extremes[0]; a <= extremes[1]; a++)
        for (int k = 0; k < lanes; k++) {
            const double size = fabs(values[a * lanes + k]);
            most[k] = size > most[k] ? size : most[k];
        }
}

/* Eight lanes, scaled and rounded. What rounding takes from one level it gives to the next, so that means over a few
 * stay true. */
static void NAME(round_lanes)(const int *extremes, int lanes, const double *restrict values,
                              const double *restrict scale, short8 *restrict out)
{
    const double round_off = 6755399441055744.0;  /* 1.5 * 2^52: what is added to it loses its fraction */
    double carried[LANES] = {0.0};
    for (int a = extremes[0]; a <= extremes[1]; a++) {
        int16_t *rounded = (int16_t *)&out[a];
        for (int k = 0; k < LANES; k++) {
            const double exact = values[a * lanes + k] * scale[k] + carried[k];
            const double whole = exact + round_off - round_off;
            carried[k] = exact - whole;
            rounded[k] = (int16_t)whole;
        }
    }
}

static void NAME(expand)(const ace_plan *plan, thread_scratch *scratch, const uint32_t *histogram,
                         const int *extremes, expansion *result)
{
    const int levels = plan->levels, lanes = plan->groups * LANES;
    NAME(find_lanes)(plan, scratch, histogram, extremes);

    double f_most[MAX_LANES], g_most[MAX_LANES], f_scale[MAX_LANES], g_scale[MAX_LANES];
    NAME(find_most)(extremes, lanes, scratch->v, f_most);
    NAME(find_most)(extremes, lanes, scratch->u, g_most);
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
        NAME(round_lanes)(extremes, lanes, scratch->v + first, f_scale + first, f);
        NAME(round_lanes)(extremes, lanes, scratch->u + first, g_scale + first, g);
        /* Each group has the constant, to count weights with; the first makes use of it as a term. */
        for (int a = 0; group && a < levels; a++) {
            f[a][0] = 0;
            g[a][0] = 1;
        }
    }
}

#undef DOUBLES
#undef PART
