/* One variant of the kernel, for the vector instructions that are enabled where this is included.
 *
 * Names of functions and types end in the variant, those of the passes over pixels in the type of pixel too:
 * FOR_VARIANT(blur) is blur_avx2, FOR_PIXEL(read_rows) is read_rows_8bit_avx2. */

#define PASTE2(a, b) a##_##b
#define PASTE(a, b) PASTE2(a, b)
#define FOR_VARIANT(name) PASTE(name, VARIANT)

#include "ace_slope.inc.h"
#include "ace_pyramid.inc.h"
#include "ace_planes.inc.h"
#include "ace_rows.inc.h"

#define PIXEL uint8_t
#define LEVEL uint8_t
#define SPLIT FOR_VARIANT(split_8bit)
#define FOR_PIXEL(name) FOR_VARIANT(name##_8bit)
#include "ace_pixels.inc.h"
#undef PIXEL
#undef LEVEL
#undef SPLIT
#undef FOR_PIXEL

#define PIXEL float
#define LEVEL uint16_t
#define SPLIT FOR_VARIANT(split_float)
#define FOR_PIXEL(name) FOR_VARIANT(name##_float)
#include "ace_pixels.inc.h"
#undef PIXEL
#undef LEVEL
#undef SPLIT
#undef FOR_PIXEL

#undef PASTE2
#undef PASTE
#undef FOR_VARIANT
