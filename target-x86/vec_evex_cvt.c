/* SPDX-License-Identifier: MIT */
/*
 * Conversions that AVX-512 adds: to and from unsigned and 64-bit integers, packed and
 * scalar. SDM vol. 2 under each mnemonic. Heavy code.
 */
#include "target-x86/vec_fp.h"

/* ---- packed: elements of both sides by number ---- */
typedef uint64_t Convert(uint64_t v, SfStatus *s);

static ALWAYS_INLINE void convert(X86Cpu *cpu, const X86Insn *in, Convert *f)
{
    X86Vec v, d = { 0 };
    SfStatus e = fp_begin(cpu, in);
    unsigned n = x86_vec_nelem(in), from = in->op[1].size / n, to = in->op[0].size / n;
    x86_vec_read(cpu, in, 1, &v);
    for (unsigned i = 0; i < n; i++) {
        vec_set(&d, to, i, f(vec_get(&v, from, i), &e));
    }
    fp_end(cpu, &e);
    x86_vec_done_len(cpu, in, &d, MAX(in->op[0].size, 16));
}

#define TO_INT(nm, f, trunc)                    \
    static uint64_t nm(uint64_t v, SfStatus *s) \
    {                                           \
        return f(v, trunc, s);                  \
    }
#define FROM_INT(nm, f, type)                   \
    static uint64_t nm(uint64_t v, SfStatus *s) \
    {                                           \
        return f((type)v, s);                   \
    }
TO_INT(cvttps2udq, sf32_to_u32, true)
TO_INT(cvttpd2udq, sf64_to_u32, true)
TO_INT(cvttps2uqq, sf32_to_u64, true)
TO_INT(cvttpd2uqq, sf64_to_u64, true)
TO_INT(cvttps2qq, sf32_to_i64, true)
TO_INT(cvttpd2qq, sf64_to_i64, true)
TO_INT(cvtps2udq, sf32_to_u32, false)
TO_INT(cvtpd2udq, sf64_to_u32, false)
TO_INT(cvtps2uqq, sf32_to_u64, false)
TO_INT(cvtpd2uqq, sf64_to_u64, false)
TO_INT(cvtps2qq, sf32_to_i64, false)
TO_INT(cvtpd2qq, sf64_to_i64, false)
FROM_INT(cvtudq2ps, sf32_from_u64, uint32_t)
FROM_INT(cvtudq2pd, sf64_from_u64, uint32_t)
FROM_INT(cvtuqq2ps, sf32_from_u64, uint64_t)
FROM_INT(cvtuqq2pd, sf64_from_u64, uint64_t)
FROM_INT(cvtqq2ps, sf32_from_i64, int64_t)
FROM_INT(cvtqq2pd, sf64_from_i64, int64_t)

VEC_EXEC(VCVTTPS2UDQ, convert, cvttps2udq)
VEC_EXEC(VCVTTPD2UDQ, convert, cvttpd2udq)
VEC_EXEC(VCVTTPS2UQQ, convert, cvttps2uqq)
VEC_EXEC(VCVTTPD2UQQ, convert, cvttpd2uqq)
VEC_EXEC(VCVTTPS2QQ, convert, cvttps2qq)
VEC_EXEC(VCVTTPD2QQ, convert, cvttpd2qq)
VEC_EXEC(VCVTPS2UDQ, convert, cvtps2udq)
VEC_EXEC(VCVTPD2UDQ, convert, cvtpd2udq)
VEC_EXEC(VCVTPS2UQQ, convert, cvtps2uqq)
VEC_EXEC(VCVTPD2UQQ, convert, cvtpd2uqq)
VEC_EXEC(VCVTPS2QQ, convert, cvtps2qq)
VEC_EXEC(VCVTPD2QQ, convert, cvtpd2qq)
VEC_EXEC(VCVTUDQ2PS, convert, cvtudq2ps)
VEC_EXEC(VCVTUDQ2PD, convert, cvtudq2pd)
VEC_EXEC(VCVTUQQ2PS, convert, cvtuqq2ps)
VEC_EXEC(VCVTUQQ2PD, convert, cvtuqq2pd)
VEC_EXEC(VCVTQQ2PS, convert, cvtqq2ps)
VEC_EXEC(VCVTQQ2PD, convert, cvtqq2pd)

/* ---- scalar, unsigned ---- */
static void to_general(X86Cpu *cpu, const X86Insn *in, unsigned from, bool trunc)
{
    X86Vec v;
    SfStatus e = fp_begin(cpu, in);
    bool wide = in->op[0].size == 8;
    uint64_t r;
    x86_vec_read(cpu, in, 1, &v);
    if (from == 4) {
        r = wide ? sf32_to_u64(v.d[0], trunc, &e) : sf32_to_u32(v.d[0], trunc, &e);
    } else {
        r = wide ? sf64_to_u64(v.q[0], trunc, &e) : sf64_to_u32(v.q[0], trunc, &e);
    }
    fp_end(cpu, &e);
    x86_reg_set(cpu, in->op[0].reg, in->op[0].size, r);
}

void x86_vec_VCVTSS2USI(X86Cpu *cpu, const X86Insn *in)
{
    to_general(cpu, in, 4, false);
}
void x86_vec_VCVTTSS2USI(X86Cpu *cpu, const X86Insn *in)
{
    to_general(cpu, in, 4, true);
}
void x86_vec_VCVTSD2USI(X86Cpu *cpu, const X86Insn *in)
{
    to_general(cpu, in, 8, false);
}
void x86_vec_VCVTTSD2USI(X86Cpu *cpu, const X86Insn *in)
{
    to_general(cpu, in, 8, true);
}

/* The source is zero-extended from its size. */
void x86_vec_VCVTUSI2SS(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3];
    SfStatus e = fp_begin(cpu, in);
    x86_vec_fetch(cpu, in, s);
    s[0].d[0] = sf32_from_u64(s[1].q[0], &e);
    fp_end(cpu, &e);
    x86_vec_done_len(cpu, in, &s[0], 16);
}

void x86_vec_VCVTUSI2SD(X86Cpu *cpu, const X86Insn *in)
{
    X86Vec s[3];
    SfStatus e = fp_begin(cpu, in);
    x86_vec_fetch(cpu, in, s);
    s[0].q[0] = sf64_from_u64(s[1].q[0], &e);
    fp_end(cpu, &e);
    x86_vec_done_len(cpu, in, &s[0], 16);
}
