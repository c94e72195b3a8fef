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
 *
 * This is the whole interface of the library libretinagan_ace, in C and in C++. docs/c-library.md describes it.
 */
#ifndef RETINAGAN_ACE_H
#define RETINAGAN_ACE_H

#include <stddef.h>
#include <stdint.h>

/* The version of this interface (semver.org). The shared library's name has the first number. */
#define ACE_VERSION_MAJOR 1
#define ACE_VERSION_MINOR 0
#define ACE_VERSION_PATCH 0

#ifdef __cplusplus
#define ACE_RESTRICT __restrict__
extern "C" {
#else
#define ACE_RESTRICT restrict
#endif

/* What a call returns. ace_message and _ace.pyx have a sentence for each. */
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
    double alpha;   /* the slope of r, 1 to 255; usually 5 */
    size_t threads; /* that work on the call, the calling one included; at least 1 */
    int variant;    /* ACE_BEST, unless variants are compared */
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
int ace_equalize_8bit(const ace_task *task, const uint8_t *ACE_RESTRICT image, const uint8_t *ACE_RESTRICT mask,
                      ace_workspace *workspace, uint8_t *ACE_RESTRICT result, double *ACE_RESTRICT range);

/* Float images in [0, 1], quantized in steps of 1/2040. Values outside are clipped, NaN counts as 0. */
int ace_equalize_float(const ace_task *task, const float *ACE_RESTRICT image, const uint8_t *ACE_RESTRICT mask,
                       ace_workspace *workspace, float *ACE_RESTRICT result, double *ACE_RESTRICT range);

/* Pixels as a list: coordinates and intensities. */
typedef struct {
    size_t count;
    const float *row, *column, *intensity;
} ace_points;

/* R by direct summation, before the stretch, at `count` of the points, chosen by index.
 * All points contribute. Costs count x points->count terms. */
void ace_direct(const ace_points *points, double alpha, size_t count, const size_t *ACE_RESTRICT chosen,
                double *ACE_RESTRICT response);

/* In the library alone, not in the Python extension: */

/* The version of the library that runs, such as "1.0.0"; ACE_VERSION_... are those of the header. */
const char *ace_version(void);

/* What a status means and what to do, as an English sentence without a full stop. Never NULL. */
const char *ace_message(int status);

#ifdef __cplusplus
}
#endif

#endif
