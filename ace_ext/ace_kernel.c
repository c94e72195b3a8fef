/* The variants of the kernel: the same source, compiled for different vector instructions. */
#include "ace_kernel.h"

#include <math.h>
#include <string.h>

#if defined __SSE2__
#include <immintrin.h>
#define ACE_USE_SSE2
#elif defined __ARM_NEON && defined __aarch64__
#include <arm_neon.h>
#define ACE_USE_NEON
#endif

#define VARIANT portable
#define VECTOR_BYTES 16
#include "ace_variant.inc.h"
#undef VARIANT
#undef VECTOR_BYTES

#if defined __x86_64__
#define ACE_USE_AVX2
#define VARIANT avx2
#define VECTOR_BYTES 32
#if defined __clang__
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#include "ace_variant.inc.h"
#pragma clang attribute pop
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#include "ace_variant.inc.h"
#pragma GCC pop_options
#endif
#undef VARIANT
#undef VECTOR_BYTES
#endif

const ace_kernel *ace_choose_kernel(int variant, int is_float)
{
    if (variant < ACE_BEST || variant > ACE_AVX2)
        return NULL;
#if defined __x86_64__
    if (variant != ACE_PORTABLE && __builtin_cpu_supports("avx2"))
        return is_float ? &kernel_float_avx2 : &kernel_8bit_avx2;
#endif
    if (variant == ACE_AVX2)
        return NULL;
    return is_float ? &kernel_float_portable : &kernel_8bit_portable;
}
