/* Automatic color equalization (ACE) in time proportional to the number of pixels.
 *
 *     R(p) = sum_j r(I(p) - I(j)) / |p - j|  /  sum_j 1 / |p - j|,   j != p, j in the mask
 *     O(p) = (R(p) - min R) / (max R - min R)
 *     r(x) = clip(alpha x, -1, 1),   intensities in [0, 1], distances in pixels
 *
 * Each channel is equalized independently. Gatta, Rizzi, Marini (2003); Getreuer (2012), doi:10.5201/ipol.2012.g-ace.
 *
 * Images are dense and row-major with interleaved channels. A mask has one byte per pixel, 0 outside; NULL includes
 * every pixel. Pixels outside the mask become 0, and so does a channel with a single grey level.
 *
 * There is no global state: calls with different workspaces may run at the same time. The result depends neither on
 * the number of threads nor on the machine.
 */
#ifndef RETINAGAN_ACE_H
#define RETINAGAN_ACE_H

#include <stddef.h>
#include <stdint.h>

/* What a call returns. _ace.pyx has a message for each. */
enum {
    ACE_OK = 0,
    ACE_NO_MEMORY,      /* an allocation failed */
    ACE_NO_THREAD,      /* a thread could not be started */
    ACE_TOO_LARGE,      /* the size of a buffer does not fit in size_t */
    ACE_EMPTY_MASK,     /* no pixel is in the mask */
    ACE_EMPTY_IMAGE,    /* height, width or channels is 0 */
    ACE_BAD_ALPHA,      /* alpha is not in [1, 255] */
    ACE_ZERO_THREADS,   /* no thread is allowed to work */
    ACE_NO_VARIANT      /* this machine has no such variant of the kernel */
};

/* Variants of the kernel. All give the same result. */
enum { ACE_BEST, ACE_PORTABLE, ACE_AVX2 };

/* The shape of an image and the options of a call. */
typedef struct {
    size_t height, width, channels;
    double alpha;
    size_t threads;
    int variant;
} ace_task;

/* Scratch memory, reused from call to call. Zero it before the first call; a call may enlarge it. */
typedef struct {
    void *memory;
    size_t bytes;
} ace_workspace;

void ace_release(ace_workspace *workspace);

/* Whether this machine can run a variant. */
int ace_supports(int variant);

/* 8-bit images: the result is rounded to 0 ... 255.
 * `range` (or NULL) receives the smallest and the largest R of each channel. */
int ace_equalize_8bit(const ace_task *task, const uint8_t *restrict image, const uint8_t *restrict mask,
                      ace_workspace *workspace, uint8_t *restrict result, double *restrict range);

/* Float images in [0, 1], quantized in steps of 1/2040. Values outside are clipped, NaN counts as 0. */
int ace_equalize_float(const ace_task *task, const float *restrict image, const uint8_t *restrict mask,
                       ace_workspace *workspace, float *restrict result, double *restrict range);

/* Pixels as a list: coordinates and intensities. */
typedef struct {
    size_t count;
    const float *row, *column, *intensity;
} ace_points;

/* R by direct summation, before the stretch, at `count` of the points, chosen by index.
 * All points contribute. Costs count x points->count terms. */
void ace_direct(const ace_points *points, double alpha, size_t count, const size_t *restrict chosen,
                double *restrict response);

#endif
