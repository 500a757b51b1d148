/* SPDX-License-Identifier: MIT */
/*
 * Descriptors, segment loads and stacks. SDM vol. 3, 3.4, 5.5-5.7; vol. 2, MOV to
 * segment registers. Leaf.
 */
#include "target-x86/seg.h"
#include "target-x86/leaf.h"

static bool is_real(const X86Cpu *cpu)
{
    return (cpu->hflags & (HF_PE | HF_VM)) != HF_PE;
}

/* ---- descriptors ---- */

uint64_t x86_sys_load64(X86Cpu *cpu, uint64_t lin)
{
    if ((lin & 0xfff) <= 0xff8) {
        return x86_sys_load(cpu, lin, 8);
    }
    uint64_t lo = x86_sys_load(cpu, lin, 4);
    return lo | x86_sys_load(cpu, lin + 4, 4) << 32;
}

/* Linear address of n bytes at a table index; false: beyond the limit. */
static bool table_at(X86Cpu *cpu, uint16_t selector, unsigned n, uint64_t *lin)
{
    uint64_t base = cpu->st.gdt.base;
    uint32_t limit = cpu->st.gdt.limit, at = selector & 0xfff8;

    if (selector & 4) {
        if (cpu->st.ldt.attr & SEG_UNUSABLE) {
            return false;
        }
        base = cpu->st.ldt.base;
        limit = cpu->st.ldt.limit;
    }
    *lin = base + at;
    if (!(cpu->hflags & HF_LMA)) {
        *lin = (uint32_t)*lin;
    }
    return at + n - 1 <= limit;
}

bool x86_desc_read(X86Cpu *cpu, uint16_t selector, X86Desc *d)
{
    if (!table_at(cpu, selector, 8, &d->lin)) {
        return false;
    }
    uint64_t v = x86_sys_load64(cpu, d->lin);
    d->lo = v;
    d->hi = v >> 32;
    return true;
}

bool x86_desc_read_high(X86Cpu *cpu, uint16_t selector, const X86Desc *d, uint32_t *high)
{
    uint64_t lin;

    if (!table_at(cpu, selector, 16, &lin)) {
        return false;
    }
    *high = x86_sys_load(cpu, d->lin + 8, 4);
    return true;
}

void x86_desc_touch(X86Cpu *cpu, X86Desc *d)
{
    if (!(d->hi & SEG_A << 8)) {
        x86_sys_or8(cpu, d->lin + 5, SEG_A);
        d->hi |= SEG_A << 8;
    }
}

X86Seg x86_desc_to_seg(const X86Desc *d, uint16_t selector)
{
    return (X86Seg){ .base = x86_desc_base(d), .limit = x86_desc_limit(d),
                     .attr = x86_desc_attr(d), .selector = selector };
}

X86Seg x86_null_seg(uint16_t selector)
{
    return (X86Seg){ .selector = selector, .attr = SEG_UNUSABLE };
}

/* ---- state words ---- */

void x86_set_cpl(X86Cpu *cpu, unsigned cpl)
{
    cpu->st.cpl = cpl;
    cpu->end_block = 1;
    x86_update_hflags(cpu);
}

void x86_write_flags(X86Cpu *cpu, uint64_t value, uint64_t mask)
{
    cpu->st.rflags = (cpu->st.rflags & ~mask) | (value & mask) | FL_ONE;
    if (!(cpu->st.dr7 & DR7_ENABLE_MASK)) {
        /* RF lasts for one instruction; without a breakpoint that it could hold back,
         * it is gone now: no need to step */
        cpu->st.rflags &= ~(uint64_t)FL_RF;
    }
    cpu->end_block = 1;
    x86_update_hflags(cpu);
}

void x86_set_shadow(X86Cpu *cpu, unsigned kind)
{
    cpu->st.int_shadow = kind;
    cpu->hflags |= HF_SHADOW;
    cpu->end_block = 1;
}

/* ---- loads ---- */

void x86_load_sreg_real(X86Cpu *cpu, unsigned seg, uint16_t selector)
{
    X86Seg *s = &cpu->st.seg[seg];

    s->selector = selector;
    s->base = (uint32_t)selector << 4;
    if (cpu->hflags & HF_VM) {
        s->limit = 0xffff;
        s->attr = SEG_P | SEG_S | SEG_W | SEG_A | 3 << SEG_DPL_SHIFT;
    } else {
        /* Real mode keeps limit and rights ("unreal mode"), but a null segment left by
         * protected mode is usable again. */
        s->attr &= ~SEG_UNUSABLE;
        if (!(s->attr & SEG_P)) {
            s->attr = SEG_P | SEG_S | SEG_W | SEG_A;
            s->limit = 0xffff;
        }
    }
    x86_update_seg_end(cpu, seg);
}

/* SS := null is for 64-bit mode below CPL 3 only. */
static void load_null(X86Cpu *cpu, unsigned seg, uint16_t selector)
{
    unsigned cpl = cpu->st.cpl;

    if (seg == R_SS && (!(cpu->hflags & HF_CS64) || cpl == 3 || (selector & 3) != cpl)) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    cpu->st.seg[seg] = x86_null_seg(selector);
    if (seg == R_SS) {
        cpu->st.seg[seg].attr |= cpl << SEG_DPL_SHIFT;
    }
}

static void check_ss(X86Cpu *cpu, const X86Desc *d, uint16_t selector)
{
    unsigned cpl = cpu->st.cpl;

    if ((selector & 3) != cpl || x86_desc_dpl(d) != cpl ||
        (x86_desc_attr(d) & (SEG_S | SEG_CODE | SEG_W)) != (SEG_S | SEG_W)) {
        x86_raise_err(cpu, EXC_GP, selector & 0xfffc);
    }
    if (!x86_desc_present(d)) {
        x86_raise_err(cpu, EXC_SS, selector & 0xfffc);
    }
}

static void check_data(X86Cpu *cpu, const X86Desc *d, uint16_t selector)
{
    unsigned cpl = cpu->st.cpl, dpl = x86_desc_dpl(d);
    uint32_t attr = x86_desc_attr(d);
    bool conforming = x86_desc_is_code(d) && x86_desc_conforming(d);

    if (!(attr & SEG_S) || (attr & (SEG_CODE | SEG_R)) == SEG_CODE ||
        (!conforming && ((selector & 3) > dpl || cpl > dpl))) {
        x86_raise_err(cpu, EXC_GP, selector & 0xfffc);
    }
    if (!x86_desc_present(d)) {
        x86_raise_err(cpu, EXC_NP, selector & 0xfffc);
    }
}

void x86_load_sreg(X86Cpu *cpu, unsigned seg, uint16_t selector)
{
    X86Desc d;

    if (is_real(cpu)) {
        x86_load_sreg_real(cpu, seg, selector);
    } else if (!(selector & 0xfffc)) {
        load_null(cpu, seg, selector);
    } else {
        if (!x86_desc_read(cpu, selector, &d)) {
            x86_raise_err(cpu, EXC_GP, selector & 0xfffc);
        }
        if (seg == R_SS) {
            check_ss(cpu, &d, selector);
        } else {
            check_data(cpu, &d, selector);
        }
        x86_desc_touch(cpu, &d);
        cpu->st.seg[seg] = x86_desc_to_seg(&d, selector);
    }
    if (seg < R_FS) {
        cpu->end_block = 1;
        x86_update_hflags(cpu);
    } else {
        x86_update_seg_end(cpu, seg);
    }
}

void x86_drop_inner_segs(X86Cpu *cpu, unsigned cpl)
{
    static const uint8_t regs[] = { R_ES, R_DS, R_FS, R_GS };

    for (unsigned i = 0; i < ARRAY_SIZE(regs); i++) {
        X86Seg *s = &cpu->st.seg[regs[i]];
        bool conforming = (s->attr & (SEG_CODE | SEG_CONF)) == (SEG_CODE | SEG_CONF);
        if (s->attr & SEG_UNUSABLE) {
            s->selector = 0; /* null with an RPL too */
        } else if (!conforming && (s->attr >> SEG_DPL_SHIFT & 3) < cpl) {
            uint64_t base = s->base;
            *s = x86_null_seg(0);
            if (cpu->hflags & HF_LMA) {
                s->base = base; /* only selector and rights are said to change */
            }
        }
    }
}

/* ---- stacks ---- */

X86Stack x86_stack_here(X86Cpu *cpu)
{
    bool wide = cpu->hflags & HF_CS64;

    return (X86Stack){
        .ss = cpu->st.seg[R_SS],
        .sp = cpu->st.gpr[R_SP],
        .mask = wide ? ~0ull : cpu->hflags & HF_SS32 ? 0xffffffffu : 0xffff,
        .mmu = cpu->mmu_idx,
        .wide = wide,
    };
}

/* Linear address of n bytes at off, 5.3. */
static uint64_t stack_lin(X86Cpu *cpu, const X86Stack *s, uint64_t off, unsigned n)
{
    uint64_t last = off + n - 1;

    if (s->wide) {
        if (sext(off, 48) != (int64_t)off || sext(last, 48) != (int64_t)last) {
            x86_raise_err(cpu, EXC_SS, s->error);
        }
        return off;
    }
    bool protected_mode = !is_real(cpu);
    bool down = protected_mode && (s->ss.attr & (SEG_CODE | SEG_E)) == SEG_E;
    if (protected_mode && s->ss.attr & SEG_UNUSABLE) {
        x86_raise_err(cpu, EXC_SS, s->error);
    }
    if (down ? off <= s->ss.limit || last > (s->ss.attr & SEG_DB ? 0xffffffffu : 0xffff)
             : last > s->ss.limit) {
        x86_raise_err(cpu, EXC_SS, s->error);
    }
    return (uint32_t)(s->ss.base + off);
}

void x86_stack_push(X86Cpu *cpu, X86Stack *s, unsigned size, uint64_t v)
{
    uint64_t sp = (s->sp - size) & s->mask;

    x86_lin_store(cpu, stack_lin(cpu, s, sp, size), size, v, s->mmu);
    s->sp = (s->sp & ~s->mask) | sp;
}

uint64_t x86_stack_pop(X86Cpu *cpu, X86Stack *s, unsigned size)
{
    uint64_t sp = s->sp & s->mask;
    uint64_t v = x86_lin_load(cpu, stack_lin(cpu, s, sp, size), size, s->mmu);

    s->sp = (s->sp & ~s->mask) | ((sp + size) & s->mask);
    return v;
}

void x86_stack_commit(X86Cpu *cpu, const X86Stack *s)
{
    uint64_t *p = &cpu->st.gpr[R_SP];

    *p = s->mask == 0xffff ? (*p & ~0xffffull) | (s->sp & 0xffff) : s->sp & s->mask;
}

static unsigned mmu_of(unsigned cpl)
{
    return cpl == 3 ? X86_MMU_USER : X86_MMU_KERNEL;
}

X86Stack x86_stack_inner(X86Cpu *cpu, unsigned dpl, unsigned ext)
{
    const X86Seg *tr = &cpu->st.tr;
    bool wide_tss = (tr->attr & SEG_TYPE) >= SYS_TSS32;
    uint32_t at = wide_tss ? 4 + dpl * 8 : 2 + dpl * 4, n = wide_tss ? 6 : 4;
    uint64_t sp;
    uint16_t sel;
    X86Desc d;

    if (tr->attr & SEG_UNUSABLE || at + n - 1 > tr->limit) {
        x86_raise_err(cpu, EXC_TS, (tr->selector & 0xfffc) | ext);
    }
    sp = x86_sys_load(cpu, tr->base + at, wide_tss ? 4 : 2);
    sel = x86_sys_load(cpu, tr->base + at + (wide_tss ? 4 : 2), 2);
    if (!(sel & 0xfffc)) {
        x86_raise_err(cpu, EXC_TS, ext);
    }
    uint32_t err = (sel & 0xfffc) | ext;
    if (!x86_desc_read(cpu, sel, &d) || (sel & 3) != dpl || x86_desc_dpl(&d) != dpl ||
        (x86_desc_attr(&d) & (SEG_S | SEG_CODE | SEG_W)) != (SEG_S | SEG_W)) {
        x86_raise_err(cpu, EXC_TS, err);
    }
    if (!x86_desc_present(&d)) {
        x86_raise_err(cpu, EXC_SS, err);
    }
    x86_desc_touch(cpu, &d);
    X86Stack s = { .ss = x86_desc_to_seg(&d, sel), .sp = sp, .mmu = mmu_of(dpl), .error = err };
    s.mask = s.ss.attr & SEG_DB ? 0xffffffffu : 0xffff;
    return s;
}

uint64_t x86_tss64_rsp(X86Cpu *cpu, unsigned dpl, unsigned ist, unsigned ext)
{
    const X86Seg *tr = &cpu->st.tr;
    uint32_t at = ist ? 0x24 + (ist - 1) * 8 : 4 + dpl * 8;

    if (tr->attr & SEG_UNUSABLE || at + 7 > tr->limit) {
        x86_raise_err(cpu, EXC_TS, (tr->selector & 0xfffc) | ext);
    }
    uint64_t sp = x86_sys_load64(cpu, tr->base + at);
    if (sext(sp, 48) != (int64_t)sp) {
        x86_raise_err(cpu, EXC_SS, ext);
    }
    return sp;
}
