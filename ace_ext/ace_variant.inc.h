/* One variant of the kernel, for the vector instructions that are switched on where this is included. */

#define PASTE2(a, b) a##_##b
#define PASTE(a, b) PASTE2(a, b)
#define NAME(name) PASTE(name, VARIANT)

#include "ace_slope.inc.h"
#include "ace_pyramid.inc.h"
#include "ace_planes.inc.h"
#include "ace_rows.inc.h"

#define PIXEL uint8_t
#define LEVEL uint8_t
#define SPLIT NAME(split_8bit)
#define NAMED(name) NAME(name##_8bit)
#include "ace_pixels.inc.h"
#undef PIXEL
#undef LEVEL
#undef SPLIT
#undef NAMED

#define PIXEL float
#define LEVEL uint16_t
#define SPLIT NAME(split_float)
#define NAMED(name) NAME(name##_float)
#include "ace_pixels.inc.h"
#undef PIXEL
#undef LEVEL
#undef SPLIT
#undef NAMED

#undef PASTE2
#undef PASTE
#undef NAME
