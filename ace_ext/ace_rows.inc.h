/* Plain loops over rows: of coefficients on the way to the response, of the response on the way to the result, whose
 * whole range the response's range over the mask becomes. */

static void NAME(interpolate_rows)(const int16_t *restrict near, const int16_t *restrict far, int16_t share,
                                   size_t count, int16_t *restrict out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = (int16_t)(near[i] + (int16_t)((share * (int16_t)(far[i] - near[i])) >> 16));
}

/* From each cell to the next, or a third of that. */
static void NAME(find_rise)(const int16_t *restrict line, size_t count, int has_third, int16_t *restrict rise)
{
    const int16_t third = 21846;
    if (has_third)
        for (size_t i = 0; i < count; i++)
            rise[i] = (int16_t)((third * (int16_t)(line[i + LANES] - line[i] + 1)) >> 16);
    else
        for (size_t i = 0; i < count; i++)
            rise[i] = (int16_t)(line[i + LANES] - line[i]);
}

static void NAME(find_range)(const int16_t *restrict response, const uint8_t *restrict mask, size_t count,
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

static void NAME(stretch_row)(const int16_t *restrict response, const uint8_t *restrict mask, size_t count,
                              const int *restrict range, uint8_t *restrict out)
{
    /* The range, shifted to 15 or 16 bits, times scale / 2^16 is 64 times 255. */
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

static void NAME(stretch_8bit)(const ace_plan *plan, size_t from, size_t to)
{
    const size_t channels = plan->task->channels, width = plan->task->width, plane = plan->rows * plan->columns;
    for (size_t y = from; y < to; y++) {
        const uint8_t *mask = plan->mask ? plan->mask + y * width : NULL;
        uint8_t *row = (uint8_t *)plan->result + y * width * channels;
        /* The grey levels have done their service: their planes take the result up. */
        uint8_t *planes = (uint8_t *)plan->level + y * plan->columns;
        for (size_t c = 0; c < channels; c++)
            NAME(stretch_row)(plan->response + c * plane + y * plan->columns, mask, plan->columns, plan->ranges[c],
                              planes + c * plane);
        NAME(merge)(planes, plan->columns, channels, plane, row);
    }
}

static void NAME(stretch_float)(const ace_plan *plan, size_t from, size_t to)
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
