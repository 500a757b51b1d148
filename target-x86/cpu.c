/* SPDX-License-Identifier: MIT */
/*
 * Reset state of an x86 vCPU (SDM vol. 3, 9.1.1, table 9-1), its mode word, and raising of
 * events. Leaf.
 */
#include "target-x86/cpu.h"
#include "target-x86/cpuid.h"
#include "target-x86/leaf.h"

/* ---- mode word ---- */

static bool flat_data(const X86Seg *s)
{
    return !s->base && s->limit == 0xffffffffu &&
           (s->attr & (SEG_UNUSABLE | SEG_P | SEG_S | SEG_CODE | SEG_E | SEG_W)) ==
               (SEG_P | SEG_S | SEG_W);
}

static bool flat_code(const X86Seg *s)
{
    /* Real mode keeps data-type rights in CS: readable is all that counts. */
    return !s->base && s->limit == 0xffffffffu && s->attr & SEG_R &&
           !(s->attr & SEG_UNUSABLE);
}

/* SDM vol. 3, 5.3 and 5.5, as check_segment in access.c. */
void x86_update_seg_end(X86Cpu *cpu, unsigned seg)
{
    const X86Seg *s = &cpu->st.seg[seg];
    uint64_t rd = (uint64_t)s->limit + 1, wr = rd;

    if (cpu->hflags & HF_PE && !(cpu->hflags & HF_VM)) {
        if (s->attr & SEG_UNUSABLE || (s->attr & (SEG_CODE | SEG_E)) == SEG_E) {
            rd = wr = 0;
        } else {
            rd = (s->attr & SEG_CODE) && !(s->attr & SEG_R) ? 0 : rd;
            wr = (s->attr & SEG_CODE) || !(s->attr & SEG_W) ? 0 : wr;
        }
    }
    cpu->seg_end[0][seg] = rd;
    cpu->seg_end[1][seg] = wr;
}

void x86_update_hflags(X86Cpu *cpu)
{
    const X86State *st = &cpu->st;
    uint64_t cr0 = st->cr0, cr4 = st->cr4, fl = st->rflags;
    uint32_t h = st->cpl;

    h |= cr0 & CR0_PE ? HF_PE : 0;
    h |= cr0 & CR0_EM ? HF_EM : 0;
    h |= cr0 & CR0_TS ? HF_TS : 0;
    h |= cr0 & CR0_MP ? HF_MP : 0;
    h |= fl & FL_VM ? HF_VM : 0;
    h |= fl & FL_TF ? HF_TF : 0;
    h |= fl & FL_DF ? HF_DF : 0;
    h |= st->dr7 & DR7_ENABLE_MASK || cpu->cpu.debug & CPU_DEBUG_WATCH ? HF_DBG : 0;
    h |= cr4 & CR4_OSFXSR ? HF_OSFXSR : 0;
    h |= st->int_shadow ? HF_SHADOW : 0;
    if (cr4 & CR4_OSXSAVE && (st->xcr0 & (XCR0_SSE | XCR0_AVX)) == (XCR0_SSE | XCR0_AVX)) {
        h |= HF_AVX;
        h |= (st->xcr0 & XCR0_AVX512) == XCR0_AVX512 ? HF_AVX512 : 0;
    }
    h |= st->cpl == 3 && cr0 & CR0_AM && fl & FL_AC ? HF_AC : 0;
    if (st->efer & EFER_LMA && st->seg[R_CS].attr & SEG_L) {
        h |= HF_LMA | HF_CS64 | HF_SS32;
    } else {
        h |= st->efer & EFER_LMA ? HF_LMA : 0;
        h |= st->seg[R_CS].attr & SEG_DB ? HF_CS32 : 0;
        h |= st->seg[R_SS].attr & SEG_DB ? HF_SS32 : 0;
        h |= flat_code(&st->seg[R_CS]) && flat_data(&st->seg[R_DS]) &&
                     flat_data(&st->seg[R_ES]) && flat_data(&st->seg[R_SS])
                 ? 0
                 : HF_SEGCHK;
    }
    cpu->hflags = h;
    for (unsigned i = 0; i < X86_NSEGS && !(h & HF_CS64); i++) {
        x86_update_seg_end(cpu, i);
    }
    cpu->mmu_idx = st->cpl == 3                                ? X86_MMU_USER
                   : cr4 & CR4_SMAP && !(fl & FL_AC) ? X86_MMU_KERNEL
                                                               : X86_MMU_KERNEL_AC;
}

/* ---- reset ---- */

static void reset_segments(X86State *st)
{
    for (unsigned i = 0; i < X86_NSEGS; i++) {
        st->seg[i] = (X86Seg){ .limit = 0xffff, .attr = SEG_P | SEG_S | SEG_W | SEG_A };
    }
    st->seg[R_CS].selector = 0xf000;
    st->seg[R_CS].base = 0xffff0000u;
    st->seg[R_CS].attr |= SEG_CODE;
    st->ldt = (X86Seg){ .limit = 0xffff, .attr = SEG_P | 2 };
    st->tr = (X86Seg){ .limit = 0xffff, .attr = SEG_P | 11 };
    st->gdt = st->idt = (X86Table){ .limit = 0xffff };
}

static void reset_fpu(X86Xsave *x)
{
    leaf_zero(x, sizeof(*x));
    x->fcw = 0x40;
    x->ftw = 0xff; /* all tags "zero" */
    x->mxcsr = 0x1f80;
    x->mxcsr_mask = 0xffff;
    x->xstate_bv = 3;
}

static void reset_msrs(X86Cpu *cpu)
{
    X86Msrs *m = &cpu->st.msr;

    leaf_zero(m, sizeof(*m));
    m->pat = 0x0007040600070406ull;
    m->misc_enable = 0x1801; /* fast strings; no branch trace, no PEBS */
    m->mcg_ctl = ~0ull;
    m->feature_control = 1; /* locked, nothing enabled */
    m->hwcr = 1 << 24;      /* AMD: the TSC counts at the P0 rate */
    m->bios_sign = 0x0100000000000000ull; /* revision in the upper half: newer than any */
}

void x86_cpu_reset(X86Cpu *cpu, bool init)
{
    X86State *st = &cpu->st;
    uint32_t id[4];
    uint64_t keep = init ? st->cr0 & (CR0_CD | CR0_NW) : CR0_CD | CR0_NW;

    /* INIT keeps FPU, MSRs but EFER, XCR0, PKRU, TSC, CD and NW: table 9-1. */
    leaf_zero(st->gpr, sizeof(st->gpr));
    x86_cpuid(cpu, 1, 0, id);
    st->gpr[R_DX] = id[0];
    st->rip = 0xfff0;
    st->rflags = FL_ONE;
    reset_segments(st);
    st->cr0 = CR0_ET | keep;
    st->cr2 = st->cr3 = st->cr4 = st->efer = 0;
    leaf_zero(st->dr, sizeof(st->dr));
    leaf_zero(st->pdpte, sizeof(st->pdpte));
    st->dr6 = DR6_FIXED;
    st->dr7 = DR7_FIXED;
    st->cpl = st->int_shadow = st->nmi_masked = st->halted = 0;
    st->event.valid = 0;
    st->wait_sipi = cpu->cpu.index != 0;
    cpu->delivering = cpu->db_pending = cpu->db_delayed = 0;
    if (!init) {
        reset_fpu(&st->xsave);
        reset_msrs(cpu);
        st->xcr0 = XCR0_X87;
        st->pkru = 0;
    }
    cpu->end_block = 1;
    x86_update_hflags(cpu);
}

/* ---- raising ---- */

static NORETURN void raise_event(X86Cpu *cpu, X86Event e)
{
    e.valid = 1;
    cpu->st.event = e;
    __builtin_longjmp(cpu->jmp, 1);
}

void x86_raise(X86Cpu *cpu, unsigned vector)
{
    raise_event(cpu, (X86Event){ .vector = vector });
}

void x86_raise_err(X86Cpu *cpu, unsigned vector, uint32_t error)
{
    raise_event(cpu, (X86Event){ .vector = vector, .has_error = 1, .error = error });
}

void x86_raise_pf(X86Cpu *cpu, uint64_t lin, uint32_t error)
{
    cpu->user_faults += cpu->mmu_idx == X86_MMU_USER;
    raise_event(cpu, (X86Event){ .vector = EXC_PF, .has_error = 1, .error = error,
                                 .cr2 = lin });
}

void x86_raise_db(X86Cpu *cpu, uint64_t dr6_bits)
{
    raise_event(cpu, (X86Event){ .vector = EXC_DB, .dr6 = dr6_bits });
}

void x86_raise_soft(X86Cpu *cpu, unsigned vector)
{
    raise_event(cpu, (X86Event){ .vector = vector, .soft = 1 });
}

void x86_restart(X86Cpu *cpu)
{
    cpu->st.event.valid = 0;
    __builtin_longjmp(cpu->jmp, 1);
}
