/* SPDX-License-Identifier: MIT */
/*
 * FXSAVE, FXRSTOR and the XSAVE family (SDM vol. 1, chapter 13), RDRAND, RDSEED. Heavy.
 *
 * Every component in XCR0 but PKRU and AVX-512's counts as in use always: allowed by 13.6,
 * and the host's registers may hold the state anyway. Those of AVX-512 are in use if they
 * are not all zero: they are large. Areas are built in a local image and stored span by
 * span after one check of the whole, so that a fault leaves memory alone.
 */
#include <string.h>
#include "hw/core/nondet.h"
#include "target-x86/cpuid.h"
#include "target-x86/fpu.h"
#include "target-x86/rows_util.h"
#include "target-x86/sysregs.h"

enum {
    AREA_MXCSR = 24, AREA_ST = 32, AREA_XMM = 160, AREA_HEADER = 512, AREA_EXT = 576,
    AREA_MAX = X86_XSAVE_MAX,
};

static unsigned regs_shown(const X86Cpu *cpu)
{
    return cpu->hflags & HF_CS64 ? 16 : 8;
}

/* ---- images of components ---- */

static void put_le(uint8_t *p, unsigned n, uint64_t v)
{
    for (unsigned i = 0; i < n; i++) {
        p[i] = v >> (8 * i);
    }
}

static uint64_t get_le(const uint8_t *p, unsigned n)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < n; i++) {
        v |= (uint64_t)p[i] << (8 * i);
    }
    return v;
}

/* Bytes 0-23 and 32-159. wide: 64-bit FIP and FDP (REX.W); else selectors read 0. */
static void x87_image(const X86Xsave *x, bool wide, uint8_t *p)
{
    put_le(p, 2, x->fcw);
    put_le(p + 2, 2, x->fsw);
    p[4] = x->ftw;
    p[5] = 0;
    put_le(p + 6, 2, x->fop);
    put_le(p + 8, 8, wide ? x->fip : (uint32_t)x->fip);
    put_le(p + 16, 8, wide ? x->fdp : (uint32_t)x->fdp);
    for (unsigned i = 0; i < 8; i++) {
        put_le(p + AREA_ST + 16 * i, 8, x->st[i].m);
        put_le(p + AREA_ST + 16 * i + 8, 8, x->st[i].se);
    }
}

static void x87_from_image(X86Cpu *cpu, bool wide, const uint8_t *p)
{
    X86Xsave *x = &cpu->st.xsave;

    x->fcw = (get_le(p, 2) & 0x1f3f) | 0x40;
    x->fsw = get_le(p + 2, 2);
    x->ftw = p[4];
    x->fop = get_le(p + 6, 2) & 0x7ff;
    x->fip = get_le(p + 8, wide ? 8 : 4);
    x->fdp = get_le(p + 16, wide ? 8 : 4);
    for (unsigned i = 0; i < 8; i++) {
        x->st[i].m = get_le(p + AREA_ST + 16 * i, 8);
        x->st[i].se = get_le(p + AREA_ST + 16 * i + 8, 2);
    }
    x87_update_es(cpu);
}

static void x87_reset(X86Cpu *cpu)
{
    X86Xsave *x = &cpu->st.xsave;

    x87_init(x);
    x->fop = 0;
    x->fip = x->fdp = 0;
    memset(x->st, 0, sizeof(x->st));
    x87_update_es(cpu);
}

static void check_mxcsr(X86Cpu *cpu, uint32_t v)
{
    if (v & ~0xffffu) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
}

static void check_aligned(X86Cpu *cpu, const X86Insn *in, uint64_t ea, unsigned align)
{
    uint64_t lin = x86_linear(cpu, in->seg, ea, 1, false); /* #SS, #GP(0) come first */

    if (lin & (align - 1)) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
}

/* ---- FXSAVE, FXRSTOR ---- */

/* EFER.FFXSR: ring 0 of 64-bit mode leaves the XMM registers out. */
static bool fast_fx(const X86Cpu *cpu)
{
    return cpu->st.efer & EFER_FFXSR && cpu->hflags & HF_CS64 && cpu->st.cpl == 0;
}

static void exec_FXSAVE(X86Cpu *cpu, const X86Insn *in)
{
    const X86Xsave *x = &cpu->st.xsave;
    uint64_t ea = x86_ea(cpu, in);
    uint8_t image[AREA_HEADER] = { 0 };
    unsigned n = fast_fx(cpu) ? 0 : regs_shown(cpu);

    check_aligned(cpu, in, ea, 16);
    x87_image(x, in->opsize == 8, image);
    put_le(image + AREA_MXCSR, 4, x->mxcsr);
    put_le(image + AREA_MXCSR + 4, 4, 0xffff);
    memcpy(image + AREA_XMM, x->xmm, 16 * n);
    x86_store_bytes(cpu, in->seg, ea, image, AREA_XMM + 16 * n);
}

static void exec_FXRSTOR(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t ea = x86_ea(cpu, in);
    uint8_t image[AREA_HEADER];
    unsigned n = fast_fx(cpu) ? 0 : regs_shown(cpu);

    check_aligned(cpu, in, ea, 16);
    x86_load_bytes(cpu, in->seg, ea, image, AREA_HEADER);
    check_mxcsr(cpu, get_le(image + AREA_MXCSR, 4));
    x87_from_image(cpu, in->opsize == 8, image);
    cpu->st.xsave.mxcsr = get_le(image + AREA_MXCSR, 4);
    memcpy(cpu->st.xsave.xmm, image + AREA_XMM, 16 * n);
    cpu->st.xsave.xstate_bv |= XCR0_X87 | XCR0_SSE;
}

/* ---- XSAVE and its kin ---- */

static uint64_t check_xsave(X86Cpu *cpu, const X86Insn *in, uint64_t ea, bool supervisor)
{
    uint64_t asked = (uint32_t)cpu->st.gpr[R_AX] | cpu->st.gpr[R_DX] << 32;

    if (!(cpu->st.cr4 & CR4_OSXSAVE)) {
        x86_raise(cpu, EXC_UD);
    }
    if (cpu->st.cr0 & CR0_TS) {
        x86_raise(cpu, EXC_NM);
    }
    check_aligned(cpu, in, ea, 64);
    return asked & (cpu->st.xcr0 | (supervisor ? cpu->st.msr.xss : 0));
}

/* ---- vector components behind the legacy area ---- */

/* Where X86Xsave has component n, and how many bytes of it the mode shows: outside 64-bit
 * mode registers 8 and up are left alone (13.5.2, 13.5.5). */
static uint8_t *component(X86Cpu *cpu, unsigned n, unsigned *len)
{
    X86Xsave *x = &cpu->st.xsave;
    unsigned regs = regs_shown(cpu);

    switch (n) {
    case 2: *len = 16 * regs; return x->ymmh[0].b;
    case 5: *len = 64; return (uint8_t *)x->k;
    case 6: *len = 32 * regs; return x->zmmh[0][0].b;
    default: *len = regs == 16 ? 1024 : 0; return x->zmm16[0][0].b;
    }
}
static const uint8_t vector_components[] = { 2, 5, 6, 7 };

static bool all_zero(const uint8_t *p, unsigned n)
{
    uint64_t any = 0, v;

    for (unsigned i = 0; i < n; i += 8) {
        memcpy(&v, p + i, 8);
        any |= v;
    }
    return !any;
}

static uint64_t in_use(X86Cpu *cpu)
{
    uint64_t used = cpu->st.xcr0 & ~(cpu->st.pkru ? 0 : XCR0_PKRU);
    unsigned len;

    for (unsigned n = 5; n <= 7; n++) {
        if (used >> n & 1 && all_zero(component(cpu, n, &len), x86_xsave_comp[n].size)) {
            used &= ~BIT(n);
        }
    }
    return used;
}

/* Where extended component n lies in an area of these components. */
static unsigned place(unsigned n, uint64_t components, bool compact)
{
    return compact ? x86_xsave_size(components & ((1ull << n) - 1), true)
                   : x86_xsave_offset[n];
}

/* Spans of the image to store: neighbours are joined. */
typedef struct Spans {
    struct {
        uint16_t off, len;
    } s[10];
    unsigned n;
} Spans;

static void span(Spans *sp, unsigned off, unsigned len)
{
    if (sp->n && sp->s[sp->n - 1].off + sp->s[sp->n - 1].len == off) {
        sp->s[sp->n - 1].len += len;
        return;
    }
    sp->s[sp->n].off = off;
    sp->s[sp->n++].len = len;
}

/* Fills image with the components in `what` (and notes their places). */
static void legacy_image(X86Cpu *cpu, const X86Insn *in, uint64_t what, bool mxcsr,
                         uint8_t *image, Spans *sp)
{
    const X86Xsave *x = &cpu->st.xsave;

    if (what & XCR0_X87) {
        x87_image(x, in->opsize == 8, image);
        span(sp, 0, AREA_MXCSR);
    }
    if (mxcsr) {
        put_le(image + AREA_MXCSR, 4, x->mxcsr);
        put_le(image + AREA_MXCSR + 4, 4, 0xffff);
        span(sp, AREA_MXCSR, 8);
    }
    if (what & XCR0_X87) {
        span(sp, AREA_ST, 128);
    }
    if (what & XCR0_SSE) {
        memcpy(image + AREA_XMM, x->xmm, 16 * regs_shown(cpu));
        span(sp, AREA_XMM, 16 * regs_shown(cpu));
    }
}

static void extended_image(X86Cpu *cpu, uint64_t what, uint64_t layout, bool compact,
                           uint8_t *image, Spans *sp)
{
    for (unsigned i = 0; i < ARRAY_SIZE(vector_components); i++) {
        unsigned n = vector_components[i], at = place(n, layout, compact), len;
        const uint8_t *from = component(cpu, n, &len);
        if (what >> n & 1 && len) {
            memcpy(image + at, from, len);
            span(sp, at, len);
        }
    }
    if (what & XCR0_PKRU) {
        unsigned at = place(9, layout, compact);
        put_le(image + at, 8, cpu->st.pkru);
        span(sp, at, 8);
    }
}

static void save(X86Cpu *cpu, const X86Insn *in, bool compact, bool optimize, bool supervisor)
{
    uint64_t ea = x86_ea(cpu, in), rfbm = check_xsave(cpu, in, ea, supervisor);
    uint64_t used = in_use(cpu), bv;
    uint8_t image[AREA_MAX];
    Spans sp = { .n = 0 };

    if (compact) {
        bv = used & rfbm;
        memset(image + AREA_HEADER, 0, 64);
        put_le(image + AREA_HEADER + 8, 8, rfbm | BIT(63));
    } else {
        bv = x86_load(cpu, in->seg, ea + AREA_HEADER, 8);
        bv = (bv & ~rfbm) | (used & rfbm);
    }
    put_le(image + AREA_HEADER, 8, bv);
    uint64_t what = compact || optimize ? rfbm & used : rfbm;
    bool mxcsr = compact ? rfbm & XCR0_SSE : rfbm & (XCR0_SSE | XCR0_AVX);
    legacy_image(cpu, in, what, mxcsr, image, &sp);
    span(&sp, AREA_HEADER, compact ? 64 : 8);
    extended_image(cpu, what, rfbm, compact, image, &sp);
    x86_probe_write(cpu, in->seg, ea, x86_xsave_size(rfbm, compact));
    for (unsigned i = 0; i < sp.n; i++) {
        x86_store_bytes(cpu, in->seg, ea + sp.s[i].off, image + sp.s[i].off, sp.s[i].len);
    }
}

static void exec_XSAVE(X86Cpu *cpu, const X86Insn *in) { save(cpu, in, false, false, false); }
static void exec_XSAVEOPT(X86Cpu *cpu, const X86Insn *in)
{
    save(cpu, in, false, true, false);
}
static void exec_XSAVEC(X86Cpu *cpu, const X86Insn *in) { save(cpu, in, true, true, false); }
static void exec_XSAVES(X86Cpu *cpu, const X86Insn *in) { save(cpu, in, true, true, true); }

/* ---- XRSTOR, XRSTORS ---- */

/* 13.8.1, 13.12: what the header may say. Returns whether it is compact. */
static bool check_header(X86Cpu *cpu, const uint8_t *header, bool supervisor)
{
    uint64_t bv = get_le(header, 8), comp = get_le(header + 8, 8);
    uint64_t may = cpu->st.xcr0 | (supervisor ? cpu->st.msr.xss : 0);
    bool compact = comp >> 63, ok;

    if (compact) {
        ok = x86_has(cpu, X86F_XSAVEC) && !(comp & ~BIT(63) & ~may) &&
             !(bv & ~(comp & ~BIT(63))) && all_zero(header + 16, 48);
    } else {
        ok = !supervisor && !(bv & ~may) && all_zero(header + 8, 16);
    }
    if (!ok) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    return compact;
}

static void restore(X86Cpu *cpu, const X86Insn *in, bool supervisor)
{
    uint64_t ea = x86_ea(cpu, in), rfbm = check_xsave(cpu, in, ea, supervisor);
    X86Xsave *x = &cpu->st.xsave;
    uint8_t image[AREA_EXT], vec[ARRAY_SIZE(vector_components)][1024], pkru[8];
    unsigned nregs = regs_shown(cpu), len;

    x86_load_bytes(cpu, in->seg, ea, image, AREA_EXT);
    bool compact = check_header(cpu, image + AREA_HEADER, supervisor);
    uint64_t bv = get_le(image + AREA_HEADER, 8);
    uint64_t layout = get_le(image + AREA_HEADER + 8, 8);
    uint32_t mxcsr = get_le(image + AREA_MXCSR, 4);
    bool load_mxcsr = compact ? rfbm & bv & XCR0_SSE : rfbm & (XCR0_SSE | XCR0_AVX);
    if (load_mxcsr) {
        check_mxcsr(cpu, mxcsr);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(vector_components); i++) {
        unsigned n = vector_components[i];
        component(cpu, n, &len);
        if (rfbm & bv & BIT(n) && len) {
            x86_load_bytes(cpu, in->seg, ea + place(n, layout, compact), vec[i], len);
        }
    }
    if (rfbm & bv & XCR0_PKRU) {
        x86_load_bytes(cpu, in->seg, ea + place(9, layout, compact), pkru, 8);
    }
    /* nothing faults from here on */
    if (rfbm & XCR0_X87) {
        if (bv & XCR0_X87) {
            x87_from_image(cpu, in->opsize == 8, image);
        } else {
            x87_reset(cpu);
        }
    }
    if (load_mxcsr) {
        x->mxcsr = mxcsr;
    } else if (compact && rfbm & XCR0_SSE) {
        x->mxcsr = 0x1f80;
    }
    if (rfbm & XCR0_SSE) {
        if (bv & XCR0_SSE) {
            memcpy(x->xmm, image + AREA_XMM, 16 * nregs);
        } else {
            memset(x->xmm, 0, 16 * nregs);
        }
    }
    for (unsigned i = 0; i < ARRAY_SIZE(vector_components); i++) {
        unsigned n = vector_components[i];
        uint8_t *to = component(cpu, n, &len);
        if (rfbm & bv & BIT(n)) {
            memcpy(to, vec[i], len);
        } else if (rfbm & BIT(n)) {
            memset(to, 0, len);
        }
    }
    x->xstate_bv |= 7;
    if (rfbm & XCR0_PKRU) {
        x86_set_pkru(cpu, bv & XCR0_PKRU ? get_le(pkru, 4) : 0);
    }
}

static void exec_XRSTOR(X86Cpu *cpu, const X86Insn *in) { restore(cpu, in, false); }
static void exec_XRSTORS(X86Cpu *cpu, const X86Insn *in) { restore(cpu, in, true); }

/* ---- random numbers ---- */

static void exec_RDRAND(X86Cpu *cpu, const X86Insn *in)
{
    if (in->rep) { /* NFx: neither F2 nor F3 (F3 would be RDPID) */
        x86_raise(cpu, EXC_UD);
    }
    uint64_t v;

    nondet_random(&v, sizeof(v));
    x86_reg_set(cpu, in->rm, in->opsize, v);
    x86_set_flags(cpu, FL_STATUS, FL_CF);
}

/* ---- rows ---- */

#define AREA(mn, opc, e, fl, ft, fn)                                                     \
    { .name = mn, .map = MAP_0F, .op = (opc), .pp = PP_NP, .ext = EXT(e), OPS(M_),       \
      ROLES(NA), .flags = RF_MEM | RF_HEAVY | (fl), .feat = (ft), .exec = (fn) }

const X86Row x86_rows_xsave[] = {
    AREA("FXSAVE", 0xae, 0, RF_FPU, X86F_FXSR, exec_FXSAVE),
    AREA("FXRSTOR", 0xae, 1, RF_FPU, X86F_FXSR, exec_FXRSTOR),
    AREA("XSAVE", 0xae, 4, 0, X86F_XSAVE, exec_XSAVE),
    AREA("XRSTOR", 0xae, 5, 0, X86F_XSAVE, exec_XRSTOR),
    AREA("XSAVEOPT", 0xae, 6, 0, X86F_XSAVEOPT, exec_XSAVEOPT),
    AREA("XRSTORS", 0xc7, 3, RF_CPL0, X86F_XSAVES, exec_XRSTORS),
    AREA("XSAVEC", 0xc7, 4, 0, X86F_XSAVEC, exec_XSAVEC),
    AREA("XSAVES", 0xc7, 5, RF_CPL0, X86F_XSAVES, exec_XSAVES),
    { .name = "RDRAND", .map = MAP_0F, .op = 0xc7, .ext = EXT(6), OPS(Rv), ROLES(WR),
      .flags = RF_REG | RF_HEAVY, .feat = X86F_RDRAND, FLAGS(0, FL_STATUS, 0),
      .exec = exec_RDRAND },
    { .name = "RDSEED", .map = MAP_0F, .op = 0xc7, .ext = EXT(7), OPS(Rv), ROLES(WR),
      .flags = RF_REG | RF_HEAVY, .feat = X86F_RDSEED, FLAGS(0, FL_STATUS, 0),
      .exec = exec_RDRAND },
};
const unsigned x86_n_rows_xsave = ARRAY_SIZE(x86_rows_xsave);
