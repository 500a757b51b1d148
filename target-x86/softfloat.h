/* SPDX-License-Identifier: MIT */
/*
 * IEEE 754 arithmetic as x86 does it, without the host's FPU: the portable oracle of the
 * x87, SSE, AVX, F16C and FMA reference functions. SDM vol. 1, 4.8, 4.9, 8.5, 11.5.
 * Binary16, 32, 64 numbers are bit patterns in integers; the x87's extended format is
 * Sf80. Everything is pure but for SfStatus. Masked responses; where an unmasked exception
 * gives another flag or result, SfStatus.mask tells which are unmasked.
 */
#ifndef TARGET_X86_SOFTFLOAT_H
#define TARGET_X86_SOFTFLOAT_H

#include "util/compiler.h"

/* Exception bits: MXCSR 5..0, FSW 5..0; as masks: MXCSR >> 7, FCW 5..0. */
#define SF_IE 1u
#define SF_DE 2u
#define SF_ZE 4u
#define SF_OE 8u
#define SF_UE 16u
#define SF_PE 32u
#define SF_ALL 63u

enum { SF_NEAREST, SF_DOWN, SF_UP, SF_ZERO }; /* MXCSR.RC, FCW.RC */

typedef struct SfStatus {
    uint8_t rmode; /* SF_NEAREST... */
    uint8_t flags; /* SF_*E, accumulated */
    uint8_t mask;  /* SF_*E: masked exceptions. Tiny results raise UE even if exact, and
                    * FTZ is off, when UE is unmasked; f80 results get the adjusted
                    * exponent (SDM vol. 1, 8.5.4, 8.5.5) when OE or UE is */
    uint8_t prec;  /* f80: bits of precision, 24, 53, 64 */
    bool daz, ftz; /* f16 conversions ignore them where the manual says so */
    bool quiet;    /* SAE: flags are collected but not to be reported */
    bool up;       /* out: the last rounding went away from zero (x87 C1) */
} SfStatus;

/* Status for MXCSR (flags start at 0: OR them in, having judged the unmasked ones. An
 * unmasked IE, DE, ZE in any lane means OE, UE, PE are not reported, vol. 1, 11.5.2). */
static inline SfStatus sf_status_sse(uint32_t mxcsr)
{
    return (SfStatus){ .rmode = mxcsr >> 13 & 3,
                       .mask = mxcsr >> 7 & SF_ALL,
                       .prec = 64,
                       .daz = mxcsr >> 6 & 1,
                       .ftz = mxcsr >> 15 & 1 };
}

/* ---- unpacked numbers ---- */
enum {
    SF_CLS_ZERO,
    SF_CLS_NORMAL,
    SF_CLS_INF,
    SF_CLS_QNAN,
    SF_CLS_SNAN,
    SF_CLS_INVALID /* f80 encodings the x87 does not support, vol. 1, 8.2.2 */
};

/* Value of a normal: sig * 2^(exp - 63), bit 63 of sig set. NaN: sig is the significand,
 * left-aligned: bit 63 set, bit 62 the quiet bit. */
typedef struct Sf {
    uint64_t sig;
    int32_t exp;
    uint8_t cls;
    bool sign;
    bool denormal; /* came from a denormal (or f80 pseudo-denormal): raises DE */
} Sf;

typedef struct Sf80 {
    uint64_t m;
    uint16_t se;
} Sf80;

typedef struct SfFormat {
    int32_t emax; /* and emin = 1 - emax */
    uint8_t prec; /* 0: SfStatus.prec */
} SfFormat;
extern const SfFormat sf_f16, sf_f32, sf_f64, sf_f80;

/* Exact. Denormals are zero if s->daz (s may be NULL: no DAZ); no flag is raised. */
Sf sf_unpack16(uint16_t v);
Sf sf_unpack32(uint32_t v, const SfStatus *s);
Sf sf_unpack64(uint64_t v, const SfStatus *s);
Sf sf_unpack80(Sf80 v);
Sf sf_unpack_int(int64_t v);
Sf sf_unpack_uint(uint64_t v);
/* v must have been rounded to the format (or be a NaN, whose low bits are cut). */
uint16_t sf_pack16(Sf v);
uint32_t sf_pack32(Sf v);
uint64_t sf_pack64(Sf v);
Sf80 sf_pack80(Sf v);

Sf sf_default_nan(void);
static inline bool sf_is_nan(Sf v)
{
    return v.cls == SF_CLS_QNAN || v.cls == SF_CLS_SNAN;
}

/* Arithmetic on unpacked numbers of any source format, rounded to f. f == &sf_f80 has the
 * x87's rule for the choice of a NaN, the others SSE's (the first). */
Sf sf_add(const SfFormat *f, Sf a, Sf b, SfStatus *s);
Sf sf_sub(const SfFormat *f, Sf a, Sf b, SfStatus *s);
Sf sf_mul(const SfFormat *f, Sf a, Sf b, SfStatus *s);
Sf sf_div(const SfFormat *f, Sf a, Sf b, SfStatus *s);
Sf sf_sqrt(const SfFormat *f, Sf a, SfStatus *s);
/* a * b + c; NaN choice a, b, c (vol. 1, table 14-17), where VFM...xyz has the operands
 * numbered x, y, z (213: a is the second operand). Not for f80. */
Sf sf_fma(const SfFormat *f, Sf a, Sf b, Sf c, SfStatus *s);
/* Rounds to the format; NaNs are quieted, SNaN and unsupported raise IE, denormals DE. */
Sf sf_convert(const SfFormat *f, Sf a, SfStatus *s);
/* To an integral value; the same flags and PE. */
Sf sf_rint(Sf a, SfStatus *s);
/* Value sig * 2^(exp - 127) with bit 127 of hi:lo set, rounded to f. */
Sf sf_round(const SfFormat *f, bool sign, int32_t exp, uint64_t hi, uint64_t lo,
            SfStatus *s);
/* The NaN that an operation on two operands yields, at least one being a NaN or
 * unsupported; IE if one is signalling or unsupported. */
Sf sf_nan(const SfFormat *f, Sf a, Sf b, SfStatus *s);

/* Signed integer of `bits` bits in two's complement, sign-extended; the smallest integer
 * and IE if it does not fit. Unsigned: all ones. trunc: toward zero whatever s->rmode. */
int64_t sf_to_int(Sf a, unsigned bits, bool trunc, SfStatus *s);
uint64_t sf_to_uint(Sf a, unsigned bits, bool trunc, SfStatus *s);

typedef enum SfRel { SF_LT, SF_EQ, SF_GT, SF_UN } SfRel;
/* Raises DE, and IE for SNaN (and QNaN if signal). */
SfRel sf_compare(Sf a, Sf b, bool signal, SfStatus *s);

/* ---- binary32 ---- */
uint32_t sf32_add(uint32_t a, uint32_t b, SfStatus *s);
uint32_t sf32_sub(uint32_t a, uint32_t b, SfStatus *s);
uint32_t sf32_mul(uint32_t a, uint32_t b, SfStatus *s);
uint32_t sf32_div(uint32_t a, uint32_t b, SfStatus *s);
uint32_t sf32_sqrt(uint32_t a, SfStatus *s);
uint32_t sf32_fma(uint32_t a, uint32_t b, uint32_t c, SfStatus *s);
/* By s->rmode; the caller drops PE if imm8 bit 3 says so. */
uint32_t sf32_rint(uint32_t a, SfStatus *s);
uint32_t sf32_min(uint32_t a, uint32_t b, SfStatus *s); /* MINSS a, b */
uint32_t sf32_max(uint32_t a, uint32_t b, SfStatus *s);
SfRel sf32_compare(uint32_t a, uint32_t b, bool signal, SfStatus *s);
uint32_t sf32_from_i64(int64_t v, SfStatus *s);
uint32_t sf32_from_u64(uint64_t v, SfStatus *s);
uint32_t sf32_from_sf64(uint64_t a, SfStatus *s);
uint32_t sf32_from_sf16(uint16_t a, SfStatus *s); /* VCVTPH2PS: no DAZ, no DE */
uint16_t sf16_from_sf32(uint32_t a, SfStatus *s); /* VCVTPS2PH: no FTZ */
int32_t sf32_to_i32(uint32_t a, bool trunc, SfStatus *s);
int64_t sf32_to_i64(uint32_t a, bool trunc, SfStatus *s);
uint32_t sf32_to_u32(uint32_t a, bool trunc, SfStatus *s);
uint64_t sf32_to_u64(uint32_t a, bool trunc, SfStatus *s);

/* ---- binary64 ---- */
uint64_t sf64_add(uint64_t a, uint64_t b, SfStatus *s);
uint64_t sf64_sub(uint64_t a, uint64_t b, SfStatus *s);
uint64_t sf64_mul(uint64_t a, uint64_t b, SfStatus *s);
uint64_t sf64_div(uint64_t a, uint64_t b, SfStatus *s);
uint64_t sf64_sqrt(uint64_t a, SfStatus *s);
uint64_t sf64_fma(uint64_t a, uint64_t b, uint64_t c, SfStatus *s);
uint64_t sf64_rint(uint64_t a, SfStatus *s);
uint64_t sf64_min(uint64_t a, uint64_t b, SfStatus *s);
uint64_t sf64_max(uint64_t a, uint64_t b, SfStatus *s);
SfRel sf64_compare(uint64_t a, uint64_t b, bool signal, SfStatus *s);
uint64_t sf64_from_i64(int64_t v, SfStatus *s);
uint64_t sf64_from_u64(uint64_t v, SfStatus *s);
uint64_t sf64_from_sf32(uint32_t a, SfStatus *s);
int32_t sf64_to_i32(uint64_t a, bool trunc, SfStatus *s);
int64_t sf64_to_i64(uint64_t a, bool trunc, SfStatus *s);
uint32_t sf64_to_u32(uint64_t a, bool trunc, SfStatus *s);
uint64_t sf64_to_u64(uint64_t a, bool trunc, SfStatus *s);

#endif
