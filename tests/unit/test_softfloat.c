/* SPDX-License-Identifier: MIT */
/*
 * softfloat.c judged by the host's CPU: corner and random operands in all rounding modes,
 * with DAZ and FTZ (SSE) and all precision and exception masks (x87), results and flags.
 * x86-64 hosts only; what the host lacks (F16C, FMA, AVX-512) is left out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "target-x86/softfloat.h"
#include "tests/unit/fp_gen.h"
#include "tests/unit/hostjudge.h"

#if defined(__x86_64__)
#include <sys/mman.h>

#define SEED 0x6b1d5eedc0ffee11ull
#define CASES 50000 /* per row */

static int64_t int_value(void)
{
    uint64_t r = fp_rand();
    return r & 1 ? (int64_t)fp_rand() >> (r >> 58) : (int64_t)fp_frac(64);
}

/* ---- native execution ---- */

/* Everything the code made by sse_code() and x87_code() touches, offsets from rdi. */
typedef struct Block {
    uint32_t mxcsr, mxcsr_saved;   /* 0, 4 */
    uint16_t fcw, fsw;             /* 8, 10 */
    uint32_t pad;
    uint64_t x0[2], x1[2], x2[2];  /* 16, 32, 48: in; x0 out */
    uint64_t rax, rcx, flags, pad2; /* 64, 72, 80 */
    uint8_t f80a[16], f80b[16];    /* 96, 112 */
} __attribute__((aligned(16))) Block;

static uint8_t *code_page;

static int setup(void **state)
{
    code_page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    fp_seed(SEED);
    printf("seed %#llx\n", (unsigned long long)SEED);
    return code_page == MAP_FAILED ? -1 : 0;
}

static void assemble(const void *head, size_t nh, const uint8_t *body, const void *tail,
                     size_t nt)
{
    memcpy(code_page, head, nh);
    memcpy(code_page + nh, body + 1, body[0]);
    memcpy(code_page + nh + body[0], tail, nt);
}

static void sse_code(const uint8_t *insn)
{
    static const uint8_t head[] = {
        0x0f, 0xae, 0x5f, 0x04,       /* stmxcsr [rdi+4] */
        0x0f, 0xae, 0x17,             /* ldmxcsr [rdi] */
        0xf3, 0x0f, 0x6f, 0x47, 0x10, /* movdqu xmm0, [rdi+16] */
        0xf3, 0x0f, 0x6f, 0x4f, 0x20, 0xf3, 0x0f, 0x6f, 0x57, 0x30,
        0x48, 0x8b, 0x4f, 0x48,       /* mov rcx, [rdi+72] */
        0x31, 0xc0,
    };
    static const uint8_t tail[] = {
        0x9c, 0x8f, 0x47, 0x50,       /* pushf; pop [rdi+80] */
        0xf3, 0x0f, 0x7f, 0x47, 0x10, /* movdqu [rdi+16], xmm0 */
        0x48, 0x89, 0x47, 0x40,       /* mov [rdi+64], rax */
        0x0f, 0xae, 0x1f,             /* stmxcsr [rdi] */
        0x0f, 0xae, 0x57, 0x04,       /* ldmxcsr [rdi+4] */
        0xc3,
    };
    assemble(head, sizeof(head), insn, tail, sizeof(tail));
}

static void x87_code(const uint8_t *insn)
{
    static const uint8_t head[] = {
        0xdb, 0xe3,       /* fninit */
        0xdb, 0x6f, 0x70, /* fld tbyte [rdi+112] */
        0xdb, 0x6f, 0x60, /* fld tbyte [rdi+96] */
        0xd9, 0x6f, 0x08, /* fldcw [rdi+8] */
    };
    static const uint8_t tail[] = {
        0xdd, 0x7f, 0x0a, /* fnstsw [rdi+10] */
        0xdb, 0xe2,       /* fnclex */
        0xdb, 0x7f, 0x60, /* fstp tbyte [rdi+96] */
        0xdb, 0xe3,
        0xc3,
    };
    assemble(head, sizeof(head), insn, tail, sizeof(tail));
}

static void run(Block *b)
{
    ((void (*)(Block *))(uintptr_t)code_page)(b);
}

/* ---- SSE ---- */

enum Kind {
    BIN32, BIN64, UN32, UN64, FMA32, FMA64, CMP32, CMP64, W32TO64, W64TO32, H16TO32,
    W32TO16, TO_I32_32, TO_I64_32, TO_I32_64, TO_I64_64, I32TO32, I64TO32, I32TO64, I64TO64,
};

typedef struct SseRow {
    const char *name;
    uint8_t insn[8]; /* length, bytes: xmm0 <- xmm0 op xmm1, FMA with xmm2; eax; ecx */
    uint8_t kind;
    bool flag;       /* signalling compare, truncation, or: unsigned target */
    union {
        uint32_t (*b32)(uint32_t, uint32_t, SfStatus *);
        uint64_t (*b64)(uint64_t, uint64_t, SfStatus *);
        uint32_t (*u32)(uint32_t, SfStatus *);
        uint64_t (*u64)(uint64_t, SfStatus *);
    };
    char need;       /* 'f' FMA, 'h' F16C, 'z' AVX-512F */
    bool is_unsigned;
    const char *order; /* FMA: which operands are a, b, c */
} SseRow;

static const SseRow sse_rows[] = {
    { "ADDSS", { 4, 0xf3, 0x0f, 0x58, 0xc1 }, BIN32, .b32 = sf32_add },
    { "SUBSS", { 4, 0xf3, 0x0f, 0x5c, 0xc1 }, BIN32, .b32 = sf32_sub },
    { "MULSS", { 4, 0xf3, 0x0f, 0x59, 0xc1 }, BIN32, .b32 = sf32_mul },
    { "DIVSS", { 4, 0xf3, 0x0f, 0x5e, 0xc1 }, BIN32, .b32 = sf32_div },
    { "MINSS", { 4, 0xf3, 0x0f, 0x5d, 0xc1 }, BIN32, .b32 = sf32_min },
    { "MAXSS", { 4, 0xf3, 0x0f, 0x5f, 0xc1 }, BIN32, .b32 = sf32_max },
    { "ADDSD", { 4, 0xf2, 0x0f, 0x58, 0xc1 }, BIN64, .b64 = sf64_add },
    { "SUBSD", { 4, 0xf2, 0x0f, 0x5c, 0xc1 }, BIN64, .b64 = sf64_sub },
    { "MULSD", { 4, 0xf2, 0x0f, 0x59, 0xc1 }, BIN64, .b64 = sf64_mul },
    { "DIVSD", { 4, 0xf2, 0x0f, 0x5e, 0xc1 }, BIN64, .b64 = sf64_div },
    { "MINSD", { 4, 0xf2, 0x0f, 0x5d, 0xc1 }, BIN64, .b64 = sf64_min },
    { "MAXSD", { 4, 0xf2, 0x0f, 0x5f, 0xc1 }, BIN64, .b64 = sf64_max },
    { "SQRTSS", { 4, 0xf3, 0x0f, 0x51, 0xc1 }, UN32, .u32 = sf32_sqrt },
    { "SQRTSD", { 4, 0xf2, 0x0f, 0x51, 0xc1 }, UN64, .u64 = sf64_sqrt },
    { "ROUNDSS", { 6, 0x66, 0x0f, 0x3a, 0x0a, 0xc1, 4 }, UN32, .u32 = sf32_rint },
    { "ROUNDSD", { 6, 0x66, 0x0f, 0x3a, 0x0b, 0xc1, 4 }, UN64, .u64 = sf64_rint },
    { "VFMADD132SS", { 5, 0xc4, 0xe2, 0x71, 0x99, 0xc2 }, FMA32, .need = 'f', .order = "021" },
    { "VFMADD213SS", { 5, 0xc4, 0xe2, 0x71, 0xa9, 0xc2 }, FMA32, .need = 'f', .order = "102" },
    { "VFMADD231SS", { 5, 0xc4, 0xe2, 0x71, 0xb9, 0xc2 }, FMA32, .need = 'f', .order = "120" },
    { "VFMADD132SD", { 5, 0xc4, 0xe2, 0xf1, 0x99, 0xc2 }, FMA64, .need = 'f', .order = "021" },
    { "VFMADD213SD", { 5, 0xc4, 0xe2, 0xf1, 0xa9, 0xc2 }, FMA64, .need = 'f', .order = "102" },
    { "VFMADD231SD", { 5, 0xc4, 0xe2, 0xf1, 0xb9, 0xc2 }, FMA64, .need = 'f', .order = "120" },
    { "UCOMISS", { 3, 0x0f, 0x2e, 0xc1 }, CMP32 },
    { "COMISS", { 3, 0x0f, 0x2f, 0xc1 }, CMP32, .flag = true },
    { "UCOMISD", { 4, 0x66, 0x0f, 0x2e, 0xc1 }, CMP64 },
    { "COMISD", { 4, 0x66, 0x0f, 0x2f, 0xc1 }, CMP64, .flag = true },
    { "CVTSS2SD", { 4, 0xf3, 0x0f, 0x5a, 0xc1 }, W32TO64 },
    { "CVTSD2SS", { 4, 0xf2, 0x0f, 0x5a, 0xc1 }, W64TO32 },
    { "VCVTPH2PS", { 5, 0xc4, 0xe2, 0x79, 0x13, 0xc1 }, H16TO32, .need = 'h' },
    { "VCVTPS2PH", { 6, 0xc4, 0xe3, 0x79, 0x1d, 0xc8, 4 }, W32TO16, .need = 'h' },
    { "CVTSS2SI", { 4, 0xf3, 0x0f, 0x2d, 0xc1 }, TO_I32_32 },
    { "CVTTSS2SI", { 4, 0xf3, 0x0f, 0x2c, 0xc1 }, TO_I32_32, .flag = true },
    { "CVTSS2SI r64", { 5, 0xf3, 0x48, 0x0f, 0x2d, 0xc1 }, TO_I64_32 },
    { "CVTTSS2SI r64", { 5, 0xf3, 0x48, 0x0f, 0x2c, 0xc1 }, TO_I64_32, .flag = true },
    { "CVTSD2SI", { 4, 0xf2, 0x0f, 0x2d, 0xc1 }, TO_I32_64 },
    { "CVTTSD2SI", { 4, 0xf2, 0x0f, 0x2c, 0xc1 }, TO_I32_64, .flag = true },
    { "CVTSD2SI r64", { 5, 0xf2, 0x48, 0x0f, 0x2d, 0xc1 }, TO_I64_64 },
    { "CVTTSD2SI r64", { 5, 0xf2, 0x48, 0x0f, 0x2c, 0xc1 }, TO_I64_64, .flag = true },
    { "VCVTSS2USI", { 6, 0x62, 0xf1, 0x7e, 8, 0x79, 0xc1 }, TO_I32_32, .need = 'z',
      .is_unsigned = true },
    { "VCVTSS2USI r64", { 6, 0x62, 0xf1, 0xfe, 8, 0x79, 0xc1 }, TO_I64_32, .need = 'z',
      .is_unsigned = true },
    { "VCVTTSD2USI", { 6, 0x62, 0xf1, 0x7f, 8, 0x78, 0xc1 }, TO_I32_64, .flag = true,
      .need = 'z', .is_unsigned = true },
    { "VCVTSD2USI r64", { 6, 0x62, 0xf1, 0xff, 8, 0x79, 0xc1 }, TO_I64_64, .need = 'z',
      .is_unsigned = true },
    { "CVTSI2SS", { 4, 0xf3, 0x0f, 0x2a, 0xc1 }, I32TO32 },
    { "CVTSI2SS r64", { 5, 0xf3, 0x48, 0x0f, 0x2a, 0xc1 }, I64TO32 },
    { "CVTSI2SD", { 4, 0xf2, 0x0f, 0x2a, 0xc1 }, I32TO64 },
    { "CVTSI2SD r64", { 5, 0xf2, 0x48, 0x0f, 0x2a, 0xc1 }, I64TO64 },
    { "VCVTUSI2SS r64", { 6, 0x62, 0xf1, 0xfe, 8, 0x7b, 0xc1 }, I64TO32, .need = 'z',
      .is_unsigned = true },
    { "VCVTUSI2SD r64", { 6, 0x62, 0xf1, 0xff, 8, 0x7b, 0xc1 }, I64TO64, .need = 'z',
      .is_unsigned = true },
};

static bool host_has(char need)
{
    switch (need) {
    case 'f':
        return __builtin_cpu_supports("fma");
    case 'h':
        return __builtin_cpu_supports("avx2"); /* every such CPU has F16C */
    case 'z':
        return __builtin_cpu_supports("avx512f");
    default:
        return true;
    }
}

static unsigned source_width(const SseRow *r)
{
    switch (r->kind) {
    case BIN64: case UN64: case FMA64: case CMP64: case W64TO32: case TO_I32_64:
    case TO_I64_64:
        return 64;
    case H16TO32:
        return 16;
    default:
        return 32;
    }
}

static uint64_t eflags_of(SfRel rel)
{
    static const uint16_t fl[] = { [SF_LT] = 1, [SF_EQ] = 0x40, [SF_GT] = 0, [SF_UN] = 0x45 };
    return fl[rel];
}

static uint64_t to_int(const SseRow *r, Sf v, unsigned bits, SfStatus *s)
{
    uint64_t x = r->is_unsigned ? sf_to_uint(v, bits, r->flag, s)
                                : (uint64_t)sf_to_int(v, bits, r->flag, s);
    return bits == 32 ? (uint32_t)x : x;
}

static uint64_t ours(const SseRow *r, const Block *b, SfStatus *s)
{
    uint64_t x0 = b->x0[0], x1 = b->x1[0];
    uint64_t x[3] = { x0, x1, b->x2[0] };
    const char *n = r->order;
    switch (r->kind) {
    case BIN32:
        return r->b32(x0, x1, s);
    case BIN64:
        return r->b64(x0, x1, s);
    case UN32:
        return r->u32(x1, s);
    case UN64:
        return r->u64(x1, s);
    case FMA32:
        return sf32_fma(x[n[0] - '0'], x[n[1] - '0'], x[n[2] - '0'], s);
    case FMA64:
        return sf64_fma(x[n[0] - '0'], x[n[1] - '0'], x[n[2] - '0'], s);
    case CMP32:
        return eflags_of(sf32_compare(x0, x1, r->flag, s));
    case CMP64:
        return eflags_of(sf64_compare(x0, x1, r->flag, s));
    case W32TO64:
        return sf64_from_sf32(x1, s);
    case W64TO32:
        return sf32_from_sf64(x1, s);
    case H16TO32:
        return sf32_from_sf16(x1, s);
    case W32TO16:
        return sf16_from_sf32(x1, s);
    case TO_I32_32:
        return to_int(r, sf_unpack32(x1, s), 32, s);
    case TO_I64_32:
        return to_int(r, sf_unpack32(x1, s), 64, s);
    case TO_I32_64:
        return to_int(r, sf_unpack64(x1, s), 32, s);
    case TO_I64_64:
        return to_int(r, sf_unpack64(x1, s), 64, s);
    case I32TO32:
        return sf32_from_i64((int32_t)b->rcx, s);
    case I64TO32:
        return r->is_unsigned ? sf32_from_u64(b->rcx, s) : sf32_from_i64(b->rcx, s);
    case I32TO64:
        return sf64_from_i64((int32_t)b->rcx, s);
    default:
        return r->is_unsigned ? sf64_from_u64(b->rcx, s) : sf64_from_i64(b->rcx, s);
    }
}

static uint64_t theirs(const SseRow *r, const Block *b)
{
    switch (r->kind) {
    case BIN32: case UN32: case FMA32: case W64TO32: case H16TO32: case I32TO32:
    case I64TO32:
        return (uint32_t)b->x0[0];
    case W32TO16:
        return (uint16_t)b->x0[0];
    case CMP32: case CMP64:
        return b->flags & 0x45;
    case TO_I32_32: case TO_I64_32: case TO_I32_64: case TO_I64_64:
        return b->rax;
    default:
        return b->x0[0];
    }
}

static unsigned judge_sse(const SseRow *r)
{
    unsigned bad = 0, w = source_width(r);

    sse_code(r->insn);
    for (unsigned i = 0; i < CASES && bad < 5; i++) {
        Block b = { .mxcsr = 0x1f80 | (fp_rand() & 3) << 13 | (fp_rand() & 1) << 6 | (fp_rand() & 1) << 15 };
        b.x0[0] = fp_value(w);
        b.x1[0] = fp_second(w, b.x0[0]);
        b.x2[0] = fp_value(w);
        b.rcx = int_value();
        Block in = b;
        SfStatus s = sf_status_sse(b.mxcsr);
        uint64_t o = ours(r, &b, &s);
        run(&b);
        uint64_t t = theirs(r, &b);
        if (o != t || s.flags != (b.mxcsr & SF_ALL)) {
            printf("%s %#lx %#lx %#lx rcx %#lx mxcsr %#x: is %#lx/%#x, should be %#lx/%#x\n",
                   r->name, (long)in.x0[0], (long)in.x1[0], (long)in.x2[0], (long)in.rcx,
                   in.mxcsr, (long)o, s.flags, (long)t, b.mxcsr & SF_ALL);
            bad++;
        }
    }
    return bad;
}

/* With unmasked exceptions the host raises #XM: whether, and with which flags. */
static unsigned judge_unmasked(const SseRow *r)
{
    static HostState h;
    unsigned bad = 0, w = source_width(r);

    for (unsigned i = 0; i < CASES / 100 && bad < 5; i++) {
        Block b = { .mxcsr = (fp_rand() & 0x1f80) | (fp_rand() & 0xe040) };
        b.x0[0] = fp_value(w);
        b.x1[0] = fp_second(w, b.x0[0]);
        b.x2[0] = fp_value(w);
        b.rcx = int_value();
        memset(&h.xsave, 0, offsetof(X86Xsave, ext));
        h.xsave.xstate_bv = 7;
        h.xsave.fcw = 0x37f;
        h.xsave.mxcsr = b.mxcsr;
        h.xsave.xmm[0].q[0] = b.x0[0];
        h.xsave.xmm[1].q[0] = b.x1[0];
        h.xsave.xmm[2].q[0] = b.x2[0];
        h.gpr[R_CX] = b.rcx;
        SfStatus s = sf_status_sse(b.mxcsr);
        ours(r, &b, &s);
        if (s.flags & ~s.mask & (SF_IE | SF_DE | SF_ZE)) {
            s.flags &= SF_IE | SF_DE | SF_ZE;
        }
        int want = s.flags & ~s.mask ? EXC_XM : HJ_OK;
        int got = hj_run(&h, r->insn + 1, r->insn[0], HJ_VECTOR);
        if (want != got || s.flags != (h.xsave.mxcsr & SF_ALL)) {
            printf("%s %#lx %#lx %#lx mxcsr %#x: is %d/%#x, should be %d/%#x\n", r->name,
                   (long)b.x0[0], (long)b.x1[0], (long)b.x2[0], b.mxcsr, want, s.flags, got,
                   h.xsave.mxcsr & SF_ALL);
            bad++;
        }
    }
    return bad;
}

static void unmasked_sse_exceptions_match_the_host(void **state)
{
    unsigned bad = 0;
    if (!hj_init()) {
        skip();
    }
    for (unsigned i = 0; i < sizeof(sse_rows) / sizeof(sse_rows[0]); i++) {
        if (host_has(sse_rows[i].need)) {
            bad += judge_unmasked(&sse_rows[i]);
        }
    }
    assert_int_equal(bad, 0);
}

static void sse_operations_match_the_host(void **state)
{
    unsigned bad = 0;
    for (unsigned i = 0; i < sizeof(sse_rows) / sizeof(sse_rows[0]); i++) {
        if (host_has(sse_rows[i].need)) {
            bad += judge_sse(&sse_rows[i]);
        }
    }
    assert_int_equal(bad, 0);
}

/* ---- x87 ---- */

static Sf80 sqrt80(Sf80 a, Sf80 b, SfStatus *s)
{
    return sf_pack80(sf_sqrt(&sf_f80, sf_unpack80(a), s));
}

static Sf80 rint80(Sf80 a, Sf80 b, SfStatus *s)
{
    return sf_pack80(sf_rint(sf_unpack80(a), s));
}

typedef Sf SfOp(const SfFormat *f, Sf a, Sf b, SfStatus *s);
typedef struct X87Row {
    const char *name;
    uint8_t insn[3];
    SfOp *op;
    Sf80 (*op1)(Sf80, Sf80, SfStatus *);
} X87Row;

static const X87Row x87_rows[] = {
    { "FADD", { 2, 0xd8, 0xc1 }, sf_add },   { "FSUB", { 2, 0xd8, 0xe1 }, sf_sub },
    { "FMUL", { 2, 0xd8, 0xc9 }, sf_mul },   { "FDIV", { 2, 0xd8, 0xf1 }, sf_div },
    { "FSQRT", { 2, 0xd9, 0xfa }, NULL, sqrt80 },
    { "FRNDINT", { 2, 0xd9, 0xfc }, NULL, rint80 },
};

/* What FSW says of the operation. */
static unsigned fsw_of(SfStatus *s)
{
    unsigned pre = s->flags & ~s->mask & (SF_IE | SF_DE | SF_ZE);
    if (pre) {
        s->flags &= SF_IE | SF_DE | SF_ZE;
        s->up = false;
    }
    return s->flags | (s->up ? 0x200 : 0);
}

static unsigned judge_x87(const X87Row *r)
{
    static const uint8_t prec[4] = { 24, 24, 53, 64 };
    unsigned bad = 0;

    x87_code(r->insn);
    for (unsigned i = 0; i < 8 * CASES && bad < 8; i++) {
        Block b = { .fcw = 0x40 | (fp_rand() & 3) << 10 };
        unsigned pc = fp_rand() % 3;
        b.fcw |= (pc ? pc + 1 : 0) << 8 | (fp_rand() & 3 ? 63 : fp_rand() & 63);
        Sf80 a = fp_value80(), c = fp_second80(a), got;
        memcpy(b.f80a, &a, 10);
        memcpy(b.f80b, &c, 10);
        SfStatus s = { .rmode = b.fcw >> 10 & 3, .mask = b.fcw & 63,
                       .prec = prec[b.fcw >> 8 & 3] };
        Sf80 o = r->op ? sf_pack80(r->op(&sf_f80, sf_unpack80(a), sf_unpack80(c), &s))
                       : r->op1(a, c, &s);
        unsigned fsw = fsw_of(&s);
        if (s.flags & ~s.mask & (SF_IE | SF_DE | SF_ZE)) {
            o = a;
        }
        run(&b);
        got = (Sf80){ 0 };
        memcpy(&got, b.f80a, 10);
        if (o.m != got.m || o.se != got.se || fsw != (b.fsw & 0x23f)) {
            printf("%s %04x.%016lx %04x.%016lx fcw %#x: is %04x.%016lx/%#x, should be "
                   "%04x.%016lx/%#x\n",
                   r->name, a.se, (long)a.m, c.se, (long)c.m, b.fcw, o.se, (long)o.m, fsw,
                   got.se, (long)got.m, b.fsw & 0x23f);
            bad++;
        }
    }
    return bad;
}

static void x87_arithmetic_matches_the_host(void **state)
{
    unsigned bad = 0;
    for (unsigned i = 0; i < sizeof(x87_rows) / sizeof(x87_rows[0]); i++) {
        bad += judge_x87(&x87_rows[i]);
    }
    assert_int_equal(bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sse_operations_match_the_host),
        cmocka_unit_test(unmasked_sse_exceptions_match_the_host),
        cmocka_unit_test(x87_arithmetic_matches_the_host),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}

#else

int main(void)
{
    return 77; /* automake: skipped */
}

#endif
