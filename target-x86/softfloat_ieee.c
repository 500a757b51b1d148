/* SPDX-License-Identifier: MIT */
/*
 * The binary16, 32 and 64 operations of softfloat.h: unpack, operate, pack. SDM vol. 2
 * under the SSE, F16C and FMA mnemonics.
 */
#include "target-x86/softfloat.h"

/* ---- binary32 ---- */
uint32_t sf32_add(uint32_t a, uint32_t b, SfStatus *s)
{
    return sf_pack32(sf_add(&sf_f32, sf_unpack32(a, s), sf_unpack32(b, s), s));
}

uint32_t sf32_sub(uint32_t a, uint32_t b, SfStatus *s)
{
    return sf_pack32(sf_sub(&sf_f32, sf_unpack32(a, s), sf_unpack32(b, s), s));
}

uint32_t sf32_mul(uint32_t a, uint32_t b, SfStatus *s)
{
    return sf_pack32(sf_mul(&sf_f32, sf_unpack32(a, s), sf_unpack32(b, s), s));
}

uint32_t sf32_div(uint32_t a, uint32_t b, SfStatus *s)
{
    return sf_pack32(sf_div(&sf_f32, sf_unpack32(a, s), sf_unpack32(b, s), s));
}

uint32_t sf32_sqrt(uint32_t a, SfStatus *s)
{
    return sf_pack32(sf_sqrt(&sf_f32, sf_unpack32(a, s), s));
}

uint32_t sf32_fma(uint32_t a, uint32_t b, uint32_t c, SfStatus *s)
{
    return sf_pack32(
        sf_fma(&sf_f32, sf_unpack32(a, s), sf_unpack32(b, s), sf_unpack32(c, s), s));
}

/* ROUNDxx does not raise DE. */
static Sf rint_no_de(Sf a, SfStatus *s)
{
    a.denormal = false;
    return sf_rint(a, s);
}

uint32_t sf32_rint(uint32_t a, SfStatus *s)
{
    return sf_pack32(rint_no_de(sf_unpack32(a, s), s));
}

/* The second operand wins if either is a NaN or both are zeros; it is not quieted. */
static bool first_wins(Sf a, Sf b, SfRel want, SfStatus *s)
{
    return sf_compare(a, b, true, s) == want;
}

static uint32_t daz32(uint32_t a, const SfStatus *s)
{
    return s->daz && !(a & 0x7f800000) ? a & 0x80000000 : a;
}

uint32_t sf32_min(uint32_t a, uint32_t b, SfStatus *s)
{
    bool first = first_wins(sf_unpack32(a, s), sf_unpack32(b, s), SF_LT, s);
    return daz32(first ? a : b, s);
}

uint32_t sf32_max(uint32_t a, uint32_t b, SfStatus *s)
{
    bool first = first_wins(sf_unpack32(a, s), sf_unpack32(b, s), SF_GT, s);
    return daz32(first ? a : b, s);
}

SfRel sf32_compare(uint32_t a, uint32_t b, bool signal, SfStatus *s)
{
    return sf_compare(sf_unpack32(a, s), sf_unpack32(b, s), signal, s);
}

uint32_t sf32_from_i64(int64_t v, SfStatus *s)
{
    return sf_pack32(sf_convert(&sf_f32, sf_unpack_int(v), s));
}

uint32_t sf32_from_u64(uint64_t v, SfStatus *s)
{
    return sf_pack32(sf_convert(&sf_f32, sf_unpack_uint(v), s));
}

uint32_t sf32_from_sf64(uint64_t a, SfStatus *s)
{
    return sf_pack32(sf_convert(&sf_f32, sf_unpack64(a, s), s));
}

uint32_t sf32_from_sf16(uint16_t a, SfStatus *s)
{
    Sf v = sf_unpack16(a);
    v.denormal = false;
    return sf_pack32(sf_convert(&sf_f32, v, s));
}

uint16_t sf16_from_sf32(uint32_t a, SfStatus *s)
{
    SfStatus t = *s;
    t.ftz = false;
    uint16_t r = sf_pack16(sf_convert(&sf_f16, sf_unpack32(a, s), &t));
    s->flags = t.flags;
    return r;
}

int32_t sf32_to_i32(uint32_t a, bool trunc, SfStatus *s)
{
    return sf_to_int(sf_unpack32(a, s), 32, trunc, s);
}

int64_t sf32_to_i64(uint32_t a, bool trunc, SfStatus *s)
{
    return sf_to_int(sf_unpack32(a, s), 64, trunc, s);
}

uint32_t sf32_to_u32(uint32_t a, bool trunc, SfStatus *s)
{
    return sf_to_uint(sf_unpack32(a, s), 32, trunc, s);
}

uint64_t sf32_to_u64(uint32_t a, bool trunc, SfStatus *s)
{
    return sf_to_uint(sf_unpack32(a, s), 64, trunc, s);
}

/* ---- binary64 ---- */
uint64_t sf64_add(uint64_t a, uint64_t b, SfStatus *s)
{
    return sf_pack64(sf_add(&sf_f64, sf_unpack64(a, s), sf_unpack64(b, s), s));
}

uint64_t sf64_sub(uint64_t a, uint64_t b, SfStatus *s)
{
    return sf_pack64(sf_sub(&sf_f64, sf_unpack64(a, s), sf_unpack64(b, s), s));
}

uint64_t sf64_mul(uint64_t a, uint64_t b, SfStatus *s)
{
    return sf_pack64(sf_mul(&sf_f64, sf_unpack64(a, s), sf_unpack64(b, s), s));
}

uint64_t sf64_div(uint64_t a, uint64_t b, SfStatus *s)
{
    return sf_pack64(sf_div(&sf_f64, sf_unpack64(a, s), sf_unpack64(b, s), s));
}

uint64_t sf64_sqrt(uint64_t a, SfStatus *s)
{
    return sf_pack64(sf_sqrt(&sf_f64, sf_unpack64(a, s), s));
}

uint64_t sf64_fma(uint64_t a, uint64_t b, uint64_t c, SfStatus *s)
{
    return sf_pack64(
        sf_fma(&sf_f64, sf_unpack64(a, s), sf_unpack64(b, s), sf_unpack64(c, s), s));
}

uint64_t sf64_rint(uint64_t a, SfStatus *s)
{
    return sf_pack64(rint_no_de(sf_unpack64(a, s), s));
}

static uint64_t daz64(uint64_t a, const SfStatus *s)
{
    return s->daz && !(a & 0x7ff0000000000000) ? a & 0x8000000000000000 : a;
}

uint64_t sf64_min(uint64_t a, uint64_t b, SfStatus *s)
{
    bool first = first_wins(sf_unpack64(a, s), sf_unpack64(b, s), SF_LT, s);
    return daz64(first ? a : b, s);
}

uint64_t sf64_max(uint64_t a, uint64_t b, SfStatus *s)
{
    bool first = first_wins(sf_unpack64(a, s), sf_unpack64(b, s), SF_GT, s);
    return daz64(first ? a : b, s);
}

SfRel sf64_compare(uint64_t a, uint64_t b, bool signal, SfStatus *s)
{
    return sf_compare(sf_unpack64(a, s), sf_unpack64(b, s), signal, s);
}

uint64_t sf64_from_i64(int64_t v, SfStatus *s)
{
    return sf_pack64(sf_convert(&sf_f64, sf_unpack_int(v), s));
}

uint64_t sf64_from_u64(uint64_t v, SfStatus *s)
{
    return sf_pack64(sf_convert(&sf_f64, sf_unpack_uint(v), s));
}

uint64_t sf64_from_sf32(uint32_t a, SfStatus *s)
{
    return sf_pack64(sf_convert(&sf_f64, sf_unpack32(a, s), s));
}

int32_t sf64_to_i32(uint64_t a, bool trunc, SfStatus *s)
{
    return sf_to_int(sf_unpack64(a, s), 32, trunc, s);
}

int64_t sf64_to_i64(uint64_t a, bool trunc, SfStatus *s)
{
    return sf_to_int(sf_unpack64(a, s), 64, trunc, s);
}

uint32_t sf64_to_u32(uint64_t a, bool trunc, SfStatus *s)
{
    return sf_to_uint(sf_unpack64(a, s), 32, trunc, s);
}

uint64_t sf64_to_u64(uint64_t a, bool trunc, SfStatus *s)
{
    return sf_to_uint(sf_unpack64(a, s), 64, trunc, s);
}
