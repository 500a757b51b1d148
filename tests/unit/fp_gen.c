/* SPDX-License-Identifier: MIT */
/* Floating-point operands for tests; see fp_gen.h. */
#include "tests/unit/fp_gen.h"

static uint64_t rng = 1;

void fp_seed(uint64_t seed)
{
    rng = seed ? seed : 1;
}

uint64_t fp_rand(void)
{
    rng ^= rng >> 12;
    rng ^= rng << 25;
    rng ^= rng >> 27;
    return rng * 0x2545f4914f6cdd1dull;
}

uint64_t fp_frac(unsigned n)
{
    uint64_t m = n == 64 ? ~0ull : (1ull << n) - 1, r = fp_rand();
    switch (r >> 60) {
    case 0: return 0;
    case 1: return m;
    case 2: return 1ull << (r % n);
    case 3: return m << (r % n) & m;
    case 4: return m >> (r % n);
    case 5: return (1ull << (r % n) | 1ull << (r / 64 % n)) & m;
    case 6: return 1;
    case 7: return (m << (r % n) & m) ^ 1;
    default: return r & m;
    }
}

static unsigned exponent(unsigned emax)
{
    uint64_t r = fp_rand();
    switch (r >> 61) {
    case 0: return 0;
    case 1: return r % (2 * emax + 2);
    case 2: return 1 + r % 3;
    case 3: return 2 * emax + 1 - r % 3;
    case 4: return emax / 2 + r % 64; /* products near the underflow bound */
    case 5: return emax + emax / 2 + r % 32;
    default: return emax - 34 + r % 68;
    }
}

uint64_t fp_value(unsigned w)
{
    unsigned fb = w == 16   ? 10
                  : w == 32 ? 23
                            : 52,
             emax = w == 16   ? 15
                    : w == 32 ? 127
                              : 1023;
    uint64_t e = w == 16 ? fp_rand() & 31 : exponent(emax);
    return (fp_rand() & 1) << (w - 1) | e << fb | fp_frac(fb);
}

uint64_t fp_second(unsigned w, uint64_t a)
{
    uint64_t r = fp_rand();
    if (r >> 62) {
        return fp_value(w);
    }
    a += (int)(r & 7) - 3;
    return (r & 8 ? a ^ 1ull << (w - 1) : a) & (w == 64 ? ~0ull : (1ull << w) - 1);
}

Sf80 fp_value80(void)
{
    Sf80 v = { .se = exponent(16383) | (fp_rand() & 1) << 15, .m = fp_frac(63) };
    uint64_t r = fp_rand();
    bool explicit_one = v.se & 0x7fff ? r & 15 : !(r & 7); /* sometimes unsupported */
    if ((r >> 8 & 3) == 0) {
        v.m &= ~0ull << (r >> 16 & 63);
    }
    v.m |= (uint64_t)explicit_one << 63;
    return v;
}

Sf80 fp_second80(Sf80 a)
{
    uint64_t r = fp_rand();
    if (r >> 62) {
        return fp_value80();
    }
    a.m += (int)(r & 7) - 3;
    a.se ^= r & 8 ? 0x8000 : 0;
    a.se += (r >> 4 & 3) == 3;
    return a;
}
