/* Loops over rows: of coefficients on the way to the response, and of the response on the way to the result. The
 * response's range over the mask is stretched to the whole range of the result. */

/* Differences of coefficients fit in 16 bits (COEFFICIENT_LIMIT), shares are below 2^15: products fit in 32. */
static void FOR_VARIANT(interpolate_rows)(const int16_t *restrict near, const int16_t *restrict far, int16_t share,
                                          size_t count, int16_t *restrict out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = (int16_t)(near[i] + (int16_t)((share * (int16_t)(far[i] - near[i])) >> 16));
}

/* The difference from each cell to the next, or a third of that. floor((d + 1) 21846 / 2^16), with 21846 = 2^16 / 3
 * rounded up, is d / 3 to within 1 for every 16-bit d. */
static void FOR_VARIANT(find_rise)(const int16_t *restrict line, size_t count, int has_third, int16_t *restrict rise)
{
    const int16_t third = 21846;
    if (has_third)
        for (size_t i = 0; i < count; i++)
            rise[i] = (int16_t)((third * (int16_t)(line[i + LANES] - line[i] + 1)) >> 16);
    else
        for (size_t i = 0; i < count; i++)
            rise[i] = (int16_t)(line[i + LANES] - line[i]);
}

static void FOR_VARIANT(find_range)(const int16_t *restrict response, const uint8_t *restrict mask, size_t count,
                                    int *restrict range)
{
    int16_t least = (int16_t)range[0], most = (int16_t)range[1];
    if (mask)
        for (size_t x = 0; x < count; x++) {
            const int16_t here = response[x], inside = mask[x] ? -1 : 0;
            const int16_t low = (here & inside) | (INT16_MAX & ~inside), high = (here & inside) | (INT16_MIN & ~inside);
            least = low < least ? low : least;
            most = high > most ? high : most;
        }
    else
        for (size_t x = 0; x < count; x++) {
            least = response[x] < least ? response[x] : least;
            most = response[x] > most ? response[x] : most;
        }
    range[0] = least;
    range[1] = most;
}

static void FOR_VARIANT(stretch_row)(const int16_t *restrict response, const uint8_t *restrict mask, size_t count,
                                     const int *restrict range, uint8_t *restrict out)
{
    /* round(255 x / length) without a division. The length is shifted up to 2^15 ... 2^16 - 1; x goes along, and
     * scale = 2^22 255 / length, rounded, is at most 2^7 255 = 32640, so 16 bits hold it. Then x scale / 2^16 is 64
     * times the result to within 2: rounding scale adds at most 2^16 / 2^17, cutting the product at most 1. */
    const int16_t low = (int16_t)range[0];
    int shift = 0;
    uint32_t length = (uint32_t)(range[1] - range[0]);
    while (length && length < 1 << 15) {
        length <<= 1;
        shift++;
    }
    const uint16_t scale = length ? (uint16_t)((64ull * 255 * 65536 + length / 2) / length) : 0;
    for (size_t x = 0; x < count; x++) {
        const uint16_t above = (uint16_t)((uint16_t)(response[x] - low) << shift);
        out[x] = (uint8_t)((uint16_t)(((uint32_t)above * scale >> 16) + 32) >> 6);
    }
    if (mask)
        for (size_t x = 0; x < count; x++)
            out[x] &= mask[x] ? 255 : 0;
}

static void FOR_VARIANT(stretch_8bit)(const ace_plan *plan, size_t from, size_t to)
{
    const size_t channels = plan->task->channels, width = plan->task->width, plane = plan->rows * plan->columns;
    for (size_t y = from; y < to; y++) {
        const uint8_t *mask = plan->mask ? plan->mask + y * width : NULL;
        uint8_t *row = (uint8_t *)plan->result + y * width * channels;
        /* The grey levels are no longer needed: the result takes their planes. */
        uint8_t *planes = (uint8_t *)plan->level + y * plan->columns;
        for (size_t c = 0; c < channels; c++)
            FOR_VARIANT(stretch_row)(plan->response + c * plane + y * plan->columns, mask, plan->columns,
                                     plan->ranges[c], planes + c * plane);
        FOR_VARIANT(merge)(planes, plan->columns, channels, plane, row);
    }
}

static void FOR_VARIANT(stretch_float)(const ace_plan *plan, size_t from, size_t to)
{
    const size_t channels = plan->task->channels, plane = plan->rows * plan->columns;
    for (size_t y = from; y < to; y++) {
        const uint8_t *mask = plan->mask ? plan->mask + y * plan->task->width : NULL;
        float *row = (float *)plan->result + y * plan->task->width * channels;
        for (size_t c = 0; c < channels; c++) {
            const int16_t *response = plan->response + c * plane + y * plan->columns;
            const int low = plan->ranges[c][0], range = plan->ranges[c][1] - low;
            const float scale = range ? 1.0f / (float)range : 0.0f;
            for (size_t x = 0; x < plan->columns; x++)
                row[channels * x + c] = !mask || mask[x] ? scale * (float)(response[x] - low) : 0.0f;
        }
    }
}
