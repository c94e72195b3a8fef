/* Automatic color equalization (ACE) of 8-bit images.
 *
 *     R(p) = sum_j r(I(p) - I(j)) / |p - j|  /  sum_j 1 / |p - j|,   j != p, j in the mask
 *     O(p) = 255 (R(p) - min R) / (max R - min R)
 *     r(x) = clip(alpha x, -1, 1),   intensities in [0, 1], distances in pixels
 *
 * each channel by itself. Gatta, Rizzi, Marini (2003); Getreuer (2012), doi:10.5201/ipol.2012.g-ace.
 *
 * Images are dense, row by row, channels interleaved. A mask has a byte a pixel, 0 or 1; NULL means every pixel.
 * Pixels outside the mask come out as 0. A channel of one grey level comes out as 0.
 * There is no global state: calls on different buffers may run at the same time.
 */
#ifndef RETINAGAN_ACE_H
#define RETINAGAN_ACE_H

#include <stddef.h>
#include <stdint.h>

enum {
    ACE_OK = 0,
    ACE_NO_MEMORY = 1,     /* an allocation failed */
    ACE_TOO_LARGE = 2,     /* a buffer's size does not fit in size_t */
    ACE_EMPTY_MASK = 3,    /* no pixel is in the mask */
    ACE_BAD_ARGUMENT = 4   /* no pixels, no channels, or alpha not in [1, 255] */
};

/* The shape of an image and what is asked of it. */
typedef struct {
    size_t height, width, channels;
    double alpha;
} ace_task;

/* Fast: cost proportional to the number of pixels.
 * `equalized` receives the 8-bit result, `response` (or NULL) the stretched, unrounded one in [0, 1]. */
int ace_fast(const ace_task *task, const uint8_t *restrict image, const uint8_t *restrict mask,
             uint8_t *restrict equalized, float *restrict response);

/* The definition as it stands, R before the stretch, for `count` of the pixels of one channel (height x width,
 * intensities in [0, 1]). `pixels` holds their flat indices. Cost: count x height x width. */
int ace_direct(size_t height, size_t width, double alpha, const float *restrict intensity,
               const uint8_t *restrict mask, size_t count, const size_t *restrict pixels, double *restrict response);

#endif
