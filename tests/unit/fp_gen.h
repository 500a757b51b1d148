/* SPDX-License-Identifier: MIT */
/*
 * Random floating-point operands that meet the corners often: zeros, denormals, infinities,
 * NaNs, the largest, powers of two, runs of ones, exponents near overflow and underflow of
 * products, unsupported x87 encodings.
 */
#ifndef TESTS_FP_GEN_H
#define TESTS_FP_GEN_H

#include "target-x86/softfloat.h"

void fp_seed(uint64_t seed);
uint64_t fp_rand(void);
/* n bits: random, or runs of ones, or few bits. */
uint64_t fp_frac(unsigned n);
/* A number of w = 16, 32 or 64 bits. */
uint64_t fp_value(unsigned w);
/* A neighbour of a, or a value of its own. */
uint64_t fp_second(unsigned w, uint64_t a);
Sf80 fp_value80(void);
Sf80 fp_second80(Sf80 a);

#endif
