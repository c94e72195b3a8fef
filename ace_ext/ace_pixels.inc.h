/* The passes over the pixels, for one type of pixel and of grey level. */

/* Extends `extremes` by the levels of a row. Branches are replaced by bit masks, so that the loop vectorizes. */
static void FOR_PIXEL(find_extremes)(const LEVEL *restrict level, const uint8_t *restrict mask, size_t count,
                                     int *restrict extremes)
{
    LEVEL least = (LEVEL)extremes[0], most = (LEVEL)extremes[1];
    if (mask)
        for (size_t x = 0; x < count; x++) {
            const LEVEL here = level[x], outside = mask[x] ? 0 : (LEVEL)-1, inside = (LEVEL)~outside;
            const LEVEL low = here | outside, high = here & inside;
            least = low < least ? low : least;
            most = high > most ? high : most;
        }
    else
        for (size_t x = 0; x < count; x++) {
            least = level[x] < least ? level[x] : least;
            most = level[x] > most ? level[x] : most;
        }
    extremes[0] = least;
    extremes[1] = most;
}

static void FOR_PIXEL(read_rows)(const ace_plan *plan, thread_scratch *scratch, size_t from, size_t to)
{
    const size_t channels = plan->task->channels, plane = plan->rows * plan->columns;
    for (size_t y = from; y < to; y++) {
        const PIXEL *row = (const PIXEL *)plan->image + y * plan->task->width * channels;
        const uint8_t *mask = plan->mask ? plan->mask + y * plan->task->width : NULL;
        LEVEL *out = (LEVEL *)plan->level + y * plan->columns;
        SPLIT(row, plan->columns, channels, plane, out);
        for (size_t c = 0; c < channels; c++)
            FOR_PIXEL(find_extremes)(out + c * plane, mask, plan->columns, scratch->extremes[c]);
        /* The sample starts at a pseudo-random place in each row, or it might fall in step with a pattern.
         * 2654435761 is Knuth's multiplier, 2^32 divided by the golden ratio; only the lower 32 bits of the product
         * are used, so that 32-bit and 64-bit machines agree. */
        const size_t start = (uint32_t)(y * 2654435761u) / 65536 % plan->sample;
        for (size_t x = start; x < plan->columns; x += plan->sample)
            if (!mask || mask[x])
                for (size_t c = 0; c < channels; c++)
                    scratch->histogram[c * plan->levels + out[x + c * plane]]++;
    }
}

/* A piece of a plane of grey levels, and of the mask or NULL. */
typedef struct {
    const LEVEL *level;
    const uint8_t *mask;
    size_t level_stride, mask_stride;
} FOR_PIXEL(tile);

/* Adds g over the pixels of a tile that lie in the mask. Sixteen values add up in 16 bits (G_LIMIT). */
static void FOR_PIXEL(add_masked)(FOR_PIXEL(tile) t, size_t rows, size_t columns, const short8 *g, int8x *sum)
{
    for (size_t y = 0; y < rows; y++)
        for (size_t x = 0; x < columns;) {
            const size_t end = columns - x < 16 ? columns : x + 16;
            short8 part = {0};
            for (; x < end; x++)
                if (!t.mask || t.mask[y * t.mask_stride + x])
                    part += g[t.level[y * t.level_stride + x]];
            *sum += __builtin_convertvector(part, int8x);
        }
}

/* The same for a square of at most 4 x 4 pixels, all in the mask. */
static inline void FOR_PIXEL(add_square)(const LEVEL *level, size_t stride, size_t side, const short8 *g, int8x *sum)
{
    short8 square = {0};
    for (size_t y = 0; y < side; y++) {
        short8 row = g[level[y * stride]];
        for (size_t x = 1; x < side; x++)
            row += g[level[y * stride + x]];
        square += row;
    }
    *sum += __builtin_convertvector(square, int8x);
}

static inline void FOR_PIXEL(add_block)(const LEVEL *level, size_t stride, size_t block, size_t side, const short8 *g,
                                        int8x *sum)
{
    for (size_t y = 0; y < block; y += side)
        for (size_t x = 0; x < block; x += side)
            FOR_PIXEL(add_square)(level + y * stride + x, stride, side, g, sum);
}

static void FOR_PIXEL(sum_blocks)(const ace_plan *plan, size_t channel, int group, size_t from, size_t to)
{
    const pyramid_level *grid = pyramid_of(plan, channel);
    const size_t columns = grid->columns, row_size = grid->stride * LANES * sizeof(float);
    const size_t block = plan->block->side, whole = plan->columns / block;
    const size_t tile = block % 4 == 0 ? 4 : block % 3 == 0 ? 3 : block;
    const short8 *g = plan->expansions[channel].g + group * plan->levels;
    if (from == 0)
        memset(grid->cells, 0, MARGIN * row_size);
    for (size_t by = from; by < to; by++) {
        float *out = grid->cells + (by + MARGIN) * grid->stride * LANES;
        memset(out, 0, row_size);
        out += MARGIN * LANES;
        uint8_t *occupied = plan->occupied + (by + 1) * (columns + 2) + 1;
        const size_t top = by * block, height = plan->rows - top < block ? plan->rows - top : block;
        FOR_PIXEL(tile) t = {(const LEVEL *)plan->level + (channel * plan->rows + top) * plan->columns,
                         plan->mask ? plan->mask + top * plan->task->width : NULL, plan->columns, plan->task->width};
        for (size_t bx = 0; bx < columns; bx++) {
            const size_t width = bx < whole ? block : plan->columns % block;
            int8x sum = {0};
            if (channel == 0 && group == 0)
                occupied[bx] = (uint8_t)FOR_VARIANT(find_occupation)(t.mask, plan->task->width, height, width, block);
            if (occupied[bx] == PARTLY)
                FOR_PIXEL(add_masked)(t, height, width, g, &sum);
            else if (occupied[bx] == FULLY && tile == 4)
                FOR_PIXEL(add_block)(t.level, t.level_stride, block, 4, g, &sum);
            else if (occupied[bx] == FULLY && tile == 3)
                FOR_PIXEL(add_block)(t.level, t.level_stride, block, 3, g, &sum);
            else if (occupied[bx] == FULLY)
                FOR_PIXEL(add_block)(t.level, t.level_stride, block, tile, g, &sum);
            for (int k = 0; k < LANES; k++)
                out[bx * LANES + (size_t)k] = (float)sum[k];
            t.level += block;
            t.mask = t.mask ? t.mask + block : NULL;
        }
    }
    if (to == grid->rows)
        memset(grid->cells + (to + MARGIN) * grid->stride * LANES, 0, MARGIN * row_size);
}

/* f[level] . coefficients for eight pixels, shifted right, saturated to 16 bits. Sums wrap modulo 2^32, which does no
 * harm: see `expand` in ace_slope.inc.h. */
static inline void FOR_PIXEL(dot8)(const short8 *f, const LEVEL *level, const short8 *c, int shift, int16_t *out)
{
#if defined ACE_USE_AVX2
    __m256i pair[4];
    for (int i = 0; i < 4; i++) {
        const __m128i even = _mm_load_si128((const __m128i *)&f[level[2 * i]]);
        const __m128i odd = _mm_load_si128((const __m128i *)&f[level[2 * i + 1]]);
        pair[i] = _mm256_madd_epi16(_mm256_inserti128_si256(_mm256_castsi128_si256(even), odd, 1),
                                    _mm256_loadu_si256((const __m256i *)(c + 2 * i)));
    }
    const __m256i low = _mm256_add_epi32(_mm256_unpacklo_epi32(pair[0], pair[1]),
                                         _mm256_unpackhi_epi32(pair[0], pair[1]));
    const __m256i high = _mm256_add_epi32(_mm256_unpacklo_epi32(pair[2], pair[3]),
                                          _mm256_unpackhi_epi32(pair[2], pair[3]));
    __m256i sum = _mm256_add_epi32(_mm256_unpacklo_epi64(low, high), _mm256_unpackhi_epi64(low, high));
    sum = _mm256_sra_epi32(sum, _mm_cvtsi32_si128(shift));
    const __m128i packed = _mm_packs_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    const __m128i in_order = _mm_setr_epi8(0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15);
    _mm_storeu_si128((__m128i *)out, _mm_shuffle_epi8(packed, in_order));
#elif defined ACE_USE_SSE2
    __m128i four[2];
    for (int i = 0; i < 2; i++) {
        __m128i one[4];
        for (int j = 0; j < 4; j++)
            one[j] = _mm_madd_epi16(_mm_load_si128((const __m128i *)&f[level[4 * i + j]]),
                                    _mm_load_si128((const __m128i *)&c[4 * i + j]));
        const __m128i low = _mm_add_epi32(_mm_unpacklo_epi32(one[0], one[1]), _mm_unpackhi_epi32(one[0], one[1]));
        const __m128i high = _mm_add_epi32(_mm_unpacklo_epi32(one[2], one[3]), _mm_unpackhi_epi32(one[2], one[3]));
        const __m128i sum = _mm_add_epi32(_mm_unpacklo_epi64(low, high), _mm_unpackhi_epi64(low, high));
        four[i] = _mm_sra_epi32(sum, _mm_cvtsi32_si128(shift));
    }
    _mm_storeu_si128((__m128i *)out, _mm_packs_epi32(four[0], four[1]));
#elif defined ACE_USE_NEON
    int16x4_t four[2];
    for (int i = 0; i < 2; i++) {
        int32x4_t one[4];
        for (int j = 0; j < 4; j++) {
            const int16x8_t a = vld1q_s16((const int16_t *)&f[level[4 * i + j]]);
            const int16x8_t b = vld1q_s16((const int16_t *)&c[4 * i + j]);
            one[j] = vmlal_s16(vmull_s16(vget_low_s16(a), vget_low_s16(b)), vget_high_s16(a), vget_high_s16(b));
        }
        const int32x4_t sum = vpaddq_s32(vpaddq_s32(one[0], one[1]), vpaddq_s32(one[2], one[3]));
        four[i] = vqmovn_s32(vshlq_s32(sum, vdupq_n_s32(-shift)));
    }
    vst1q_s16(out, vcombine_s16(four[0], four[1]));
#else
    for (int i = 0; i < 8; i++) {
        uint32_t sum = 0;
        for (int k = 0; k < LANES; k++)
            sum += (uint32_t)((int32_t)f[level[i]][k] * c[i][k]);
        const int32_t r = (int32_t)sum >> shift;
        out[i] = (int16_t)(r > INT16_MAX ? INT16_MAX : r < INT16_MIN ? INT16_MIN : r);
    }
#endif
}

static void FOR_PIXEL(dot_strip)(const short8 *f, const LEVEL *level, const short8 *c, int shift, size_t count,
                                 int16_t *out)
{
    size_t x = 0;
    for (; x + 8 <= count; x += 8)
        FOR_PIXEL(dot8)(f, level + x, c + x, shift, out + x);
    if (x == count)
        return;
    LEVEL last[8] = {0};
    int16_t response[8];
    memcpy(last, level + x, (count - x) * sizeof *last);
    FOR_PIXEL(dot8)(f, last, c + x, shift, response);
    memcpy(out + x, response, (count - x) * sizeof *out);
}

/* Coefficients for every pixel between the centres of blocks `from` - 1 and `to` - 1, linear from centre to centre.
 * In a block of even side the first pixel lies half a step beyond the centre, in one of 3 on it (shift is 0). */
static inline void FOR_PIXEL(interpolate)(const short8 *restrict line, const short8 *restrict rise, size_t from,
                                          size_t to, size_t block, int shift, short8 *restrict out)
{
    const int16_t whole = (int16_t)(1 << shift), half = whole / 2;
    for (size_t cell = from; cell < to; cell++) {
        const short8 step = (rise[cell] + half) >> shift;
        short8 c = line[cell];
        if (shift)
            c += (rise[cell] + whole) >> (shift + 1);
        for (size_t x = 0; x < block; x++, c += step)
            *out++ = c;
    }
}

/* The response of row y between the centres of blocks `from` - 1 and `to` - 1, as far as they lie in the image. */
static void FOR_PIXEL(respond_strip)(const ace_plan *plan, const thread_scratch *scratch, size_t channel, int group,
                                     size_t y, size_t from, size_t to)
{
    const size_t block = plan->block->side, before = (block + 1) / 2;
    const size_t start = from * block, first = start > before ? start - before : 0;
    const size_t end = to * block - before < plan->columns ? to * block - before : plan->columns;
    if (first >= end)  /* the last block's centre may lie beyond the image */
        return;
    if (block == 3)  /* the most frequent sizes, unrolled */
        FOR_PIXEL(interpolate)(scratch->line, scratch->rise, from, to, 3, 0, scratch->strip);
    else if (block == 4)
        FOR_PIXEL(interpolate)(scratch->line, scratch->rise, from, to, 4, 2, scratch->strip);
    else
        FOR_PIXEL(interpolate)(scratch->line, scratch->rise, from, to, block, plan->block->shift, scratch->strip);
    const size_t offset = (channel * plan->rows + y) * plan->columns + first;
    const expansion *e = &plan->expansions[channel];
    int16_t *response = group ? scratch->addend : plan->response + offset;
    FOR_PIXEL(dot_strip)(e->f + group * plan->levels, (const LEVEL *)plan->level + offset,
                         scratch->strip + (first + before - start), e->shift, end - first, response);
    for (size_t x = 0; group && x < end - first; x++)
        plan->response[offset + x] = (int16_t)(plan->response[offset + x] + response[x]);
}

static void FOR_PIXEL(respond)(const ace_plan *plan, thread_scratch *scratch, size_t channel, int group, size_t from,
                               size_t to)
{
    const pyramid_level *grid = pyramid_of(plan, channel);
    const size_t block = plan->block->side, cells = grid->columns + 1;
    int *range = scratch->ranges[channel];
    range[0] = INT16_MAX;
    range[1] = INT16_MIN;
    for (size_t y = from; y < to; y++) {
        /* In half pixels from the centre of the block above. The farther row contributes `share` / 2^16, which is
         * below 1/2, so that it fits in 16 bits: 2 y + 1 is odd, so no pixel lies midway, `within` == `block`. */
        const size_t distance = 2 * y + 1 + block, row = distance / (2 * block), within = distance % (2 * block);
        const int nearer = within > block;
        const int16_t *near = coefficient_row(grid, row + nearer);
        const int16_t *far = coefficient_row(grid, row + !nearer);
        const int16_t share = (int16_t)(((nearer ? 2 * block - within : within) << 16) / (2 * block));
        FOR_VARIANT(interpolate_rows)(near, far, share, (cells + 1) * LANES, (int16_t *)scratch->line);
        FOR_VARIANT(find_rise)((const int16_t *)scratch->line, cells * LANES, plan->block->has_third,
                               (int16_t *)scratch->rise);

        const uint8_t *above = plan->occupied + row * (cells + 1), *below = above + cells + 1;
        for (size_t start = 0; start < cells;) {
            size_t end = start;
            while (end < cells && (end - start) * block < STRIP
                   && (above[end] | above[end + 1] | below[end] | below[end + 1]))
                end++;
            if (end > start)
                FOR_PIXEL(respond_strip)(plan, scratch, channel, group, y, start, end);
            start = end > start ? end : end + 1;
        }

        if (group == plan->groups - 1)
            FOR_VARIANT(find_range)(plan->response + (channel * plan->rows + y) * plan->columns,
                         plan->mask ? plan->mask + y * plan->task->width : NULL, plan->columns, range);
    }
}

static const ace_kernel FOR_PIXEL(kernel) = {
    FOR_PIXEL(read_rows),    FOR_VARIANT(expand), FOR_PIXEL(sum_blocks),
    FOR_VARIANT(convolve),   FOR_PIXEL(respond),  FOR_PIXEL(stretch),
};
