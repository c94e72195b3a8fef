/* What the kernel needs of the compiler and of the machine. Each assumption fails here, at compile time, and not in
 * a result.
 *
 * Compilers: GCC 9 or later, Clang 9 or later (Apple's included). The kernel uses their vector types
 * (`__attribute__((vector_size))`), `__builtin_convertvector`, which GCC has from version 9 on, and attributes that
 * switch AVX2 on for part of a file. CI and the tests compile with -std=c11 -pedantic -Wall -Wextra -Werror.
 */
#ifndef RETINAGAN_ACE_ASSUMPTIONS_H
#define RETINAGAN_ACE_ASSUMPTIONS_H

#if defined __clang__
#if __clang_major__ < 9
#error "ACE needs GCC 9 or later, or Clang 9 or later: this Clang is too old for its vector types."
#endif
#elif defined __GNUC__
#if __GNUC__ < 9
#error "ACE needs GCC 9 or later, or Clang 9 or later: this GCC has no __builtin_convertvector."
#endif
#else
#error "ACE needs GCC 9 or later, or Clang 9 or later: it is written with GNU vector types."
#endif

#if defined __FAST_MATH__
#error "ACE must be compiled without -ffast-math: it rounds by adding and subtracting, and tells NaN apart."
#endif

#include <float.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>

_Static_assert(CHAR_BIT == 8, "sizes in bytes are multiples of 8 bits");
_Static_assert(sizeof(int) >= 4, "products of two 16-bit numbers are formed in int");
_Static_assert(sizeof(size_t) >= 4, "sizes of images are size_t");

/* Integers: two's complement, conversions modulo 2^n, right shifts of negative numbers towards minus infinity. C11
 * leaves the last two to the implementation; GCC and Clang document them, for vectors as for scalars. */
_Static_assert((-1 & 3) == 3, "negative numbers are in two's complement");
_Static_assert((int16_t)(uint16_t)0x8000 == INT16_MIN, "conversion to int16_t is modulo 2^16");
_Static_assert((int32_t)0x80000000u == INT32_MIN, "conversion to int32_t is modulo 2^32");
_Static_assert(-3 >> 1 == -2 && (int16_t)-32768 >> 15 == -1, "right shifts of negative numbers are arithmetic");

/* Floating point: IEEE 754 binary32 and binary64, each operation rounded to its own type and not to a wider one.
 * Otherwise results differ from machine to machine, and adding 1.5 * 2^23 or 1.5 * 2^52 does not round.
 * -ffp-contract=off, which a compiler cannot be asked about, keeps multiplications and additions apart. */
_Static_assert(FLT_EVAL_METHOD == 0, "float and double expressions are evaluated in their own type");
_Static_assert(FLT_RADIX == 2 && FLT_MANT_DIG == 24 && sizeof(float) == 4, "float is IEEE 754 binary32");
_Static_assert(DBL_MANT_DIG == 53 && sizeof(double) == 8, "double is IEEE 754 binary64");

#endif
