/* Interleaved channels to planes and back, with vector instructions for three channels of bytes. */

#if defined ACE_USE_AVX2
enum { FOR_VARIANT(STEP) = 16 };

static inline __m128i FOR_VARIANT(pick)(const __m128i *three, __m128i first, __m128i second, __m128i third)
{
    return _mm_or_si128(_mm_or_si128(_mm_shuffle_epi8(three[0], first), _mm_shuffle_epi8(three[1], second)),
                        _mm_shuffle_epi8(three[2], third));
}

static inline void FOR_VARIANT(split3)(const uint8_t *restrict in, size_t plane, uint8_t *restrict out)
{
    __m128i three[3];
    for (int i = 0; i < 3; i++)
        three[i] = _mm_loadu_si128((const __m128i *)(in + 16 * i));
    const __m128i red = FOR_VARIANT(pick)(
        three, _mm_setr_epi8(0, 3, 6, 9, 12, 15, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1),
        _mm_setr_epi8(-1, -1, -1, -1, -1, -1, 2, 5, 8, 11, 14, -1, -1, -1, -1, -1),
        _mm_setr_epi8(-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 1, 4, 7, 10, 13));
    const __m128i green = FOR_VARIANT(pick)(
        three, _mm_setr_epi8(1, 4, 7, 10, 13, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1),
        _mm_setr_epi8(-1, -1, -1, -1, -1, 0, 3, 6, 9, 12, 15, -1, -1, -1, -1, -1),
        _mm_setr_epi8(-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 2, 5, 8, 11, 14));
    const __m128i blue = FOR_VARIANT(pick)(
        three, _mm_setr_epi8(2, 5, 8, 11, 14, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1),
        _mm_setr_epi8(-1, -1, -1, -1, -1, 1, 4, 7, 10, 13, -1, -1, -1, -1, -1, -1),
        _mm_setr_epi8(-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 3, 6, 9, 12, 15));
    _mm_storeu_si128((__m128i *)out, red);
    _mm_storeu_si128((__m128i *)(out + plane), green);
    _mm_storeu_si128((__m128i *)(out + 2 * plane), blue);
}

static inline void FOR_VARIANT(merge3)(const uint8_t *restrict in, size_t plane, uint8_t *restrict out)
{
    __m128i three[3];
    for (int i = 0; i < 3; i++)
        three[i] = _mm_loadu_si128((const __m128i *)(in + plane * (size_t)i));
    const __m128i first = FOR_VARIANT(pick)(
        three, _mm_setr_epi8(0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1, 5),
        _mm_setr_epi8(-1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1),
        _mm_setr_epi8(-1, -1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1));
    const __m128i second = FOR_VARIANT(pick)(
        three, _mm_setr_epi8(-1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1, 10, -1),
        _mm_setr_epi8(5, -1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1, 10),
        _mm_setr_epi8(-1, 5, -1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1));
    const __m128i third = FOR_VARIANT(pick)(
        three, _mm_setr_epi8(-1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15, -1, -1),
        _mm_setr_epi8(-1, -1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15, -1),
        _mm_setr_epi8(10, -1, -1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15));
    _mm_storeu_si128((__m128i *)out, first);
    _mm_storeu_si128((__m128i *)(out + 16), second);
    _mm_storeu_si128((__m128i *)(out + 32), third);
}
#elif defined ACE_USE_NEON
enum { FOR_VARIANT(STEP) = 16 };

static inline void FOR_VARIANT(split3)(const uint8_t *restrict in, size_t plane, uint8_t *restrict out)
{
    const uint8x16x3_t three = vld3q_u8(in);
    for (size_t i = 0; i < 3; i++)
        vst1q_u8(out + i * plane, three.val[i]);
}

static inline void FOR_VARIANT(merge3)(const uint8_t *restrict in, size_t plane, uint8_t *restrict out)
{
    uint8x16x3_t three;
    for (size_t i = 0; i < 3; i++)
        three.val[i] = vld1q_u8(in + i * plane);
    vst3q_u8(out, three);
}
#else
enum { FOR_VARIANT(STEP) = 1 };

static inline void FOR_VARIANT(split3)(const uint8_t *restrict in, size_t plane, uint8_t *restrict out)
{
    for (size_t i = 0; i < 3; i++)
        out[i * plane] = in[i];
}

static inline void FOR_VARIANT(merge3)(const uint8_t *restrict in, size_t plane, uint8_t *restrict out)
{
    for (size_t i = 0; i < 3; i++)
        out[i] = in[i * plane];
}
#endif

/* Whether a block of `side`, of which height x width pixels lie in the image, is in the mask. */
static inline int FOR_VARIANT(find_occupation)(const uint8_t *mask, size_t stride, size_t height, size_t width,
                                               size_t side)
{
    uint8_t any = !mask, all = 1;
    for (size_t y = 0; mask && y < height; y++)
        for (size_t x = 0; x < width; x++) {
            any |= mask[y * stride + x];
            all &= mask[y * stride + x];
        }
    return !any ? EMPTY : all && height == side && width == side ? FULLY : PARTLY;
}

static void FOR_VARIANT(split_8bit)(const uint8_t *restrict in, size_t count, size_t channels, size_t plane,
                                    uint8_t *restrict out)
{
    size_t x = 0;
    if (channels == 3)
        for (; x + FOR_VARIANT(STEP) <= count; x += FOR_VARIANT(STEP))
            FOR_VARIANT(split3)(in + 3 * x, plane, out + x);
    for (; x < count; x++)
        for (size_t c = 0; c < channels; c++)
            out[c * plane + x] = in[channels * x + c];
}

static void FOR_VARIANT(merge)(const uint8_t *restrict in, size_t count, size_t channels, size_t plane,
                               uint8_t *restrict out)
{
    size_t x = 0;
    if (channels == 3)
        for (; x + FOR_VARIANT(STEP) <= count; x += FOR_VARIANT(STEP))
            FOR_VARIANT(merge3)(in + x, plane, out + 3 * x);
    for (; x < count; x++)
        for (size_t c = 0; c < channels; c++)
            out[channels * x + c] = in[c * plane + x];
}

/* Floats are rounded to steps of 1/2040. */
static void FOR_VARIANT(split_float)(const float *restrict in, size_t count, size_t channels, size_t plane,
                                     uint16_t *restrict out)
{
    for (size_t c = 0; c < channels; c++)
        for (size_t x = 0; x < count; x++) {
            float value = in[channels * x + c];
            value = value > 0.0f ? value : 0.0f;  /* NaN fails the comparison: 0 */
            value = value < 1.0f ? value : 1.0f;
            out[c * plane + x] = (uint16_t)(2040.0f * value + 0.5f);
        }
}
