/* SPDX-License-Identifier: MIT */
/* access.h over flat memory; see x86_flat_access.h. */
#include "tests/unit/x86_flat_access.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "target-x86/access.h"
#include "target-x86/leaf.h"

#define WEAK __attribute__((weak))
#define PAGES (FLAT_SIZE / 4096)

unsigned flat_tlb_flushes, flat_tlb_page_flushes, flat_tlb_switches;
uint64_t flat_tlb_lin, flat_tlb_cr3;
bool flat_no_direct;
static uint8_t rights[PAGES];

/* ---- window ---- */

void flat_init(void)
{
    void *p = mmap((void *)FLAT_BASE, FLAT_SIZE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (p != (void *)FLAT_BASE) {
        perror("flat_init: mmap");
        exit(99);
    }
    memset(rights, FLAT_RW, sizeof(rights));
}

void flat_protect(uint64_t lin, uint64_t n, int r)
{
    for (uint64_t a = ALIGN_DOWN(lin, 4096); a < lin + n; a += 4096) {
        rights[(a - FLAT_BASE) / 4096] = r;
    }
}

static void *flat_ptr(X86Cpu *cpu, uint64_t lin, unsigned n, bool write)
{
    uint32_t err = (write ? PF_W : 0) | (cpu->st.cpl == 3 ? PF_U : 0);
    for (unsigned i = 0; i < n; i = i + 4096 - (lin + i) % 4096) {
        uint64_t a = lin + i;
        if (a < FLAT_BASE || a >= FLAT_BASE + FLAT_SIZE) {
            x86_raise_pf(cpu, a, err);
        }
        unsigned r = rights[(a - FLAT_BASE) / 4096];
        if (r == FLAT_NONE || (write && r == FLAT_RO)) {
            x86_raise_pf(cpu, a, err | (r == FLAT_RO ? PF_P : 0));
        }
    }
    return (void *)lin;
}

/* ---- segmentation ---- */

WEAK uint64_t x86_linear(X86Cpu *cpu, unsigned seg, uint64_t off, unsigned n, bool write)
{
    const X86Seg *s = &cpu->st.seg[seg];
    unsigned vec = seg == R_SS ? EXC_SS : EXC_GP;

    if (cpu->hflags & HF_CS64) {
        uint64_t lin = off + (seg == R_FS || seg == R_GS ? s->base : 0);
        if (sext(lin, 48) != (int64_t)lin || sext(lin + n - 1, 48) != (int64_t)(lin + n - 1)) {
            x86_raise_err(cpu, vec, 0);
        }
        return lin;
    }
    bool code = s->attr & SEG_CODE;
    if (s->attr & SEG_UNUSABLE) {
        x86_raise_err(cpu, vec, 0);
    }
    if ((cpu->hflags & HF_PE) && !(cpu->hflags & HF_VM) &&
        (write ? code || !(s->attr & SEG_W) : code && !(s->attr & SEG_R))) {
        x86_raise_err(cpu, vec, 0);
    }
    uint64_t last = off + n - 1;
    if (!code && (s->attr & SEG_E)) {
        uint32_t top = s->attr & SEG_DB ? 0xffffffffu : 0xffff;
        if (off <= s->limit || last > top) {
            x86_raise_err(cpu, vec, 0);
        }
    } else if (last > s->limit) {
        x86_raise_err(cpu, vec, 0);
    }
    return (uint32_t)(s->base + off);
}

/* ---- memory ---- */

WEAK uint64_t x86_lin_load(X86Cpu *cpu, uint64_t lin, unsigned size, unsigned mmu)
{
    uint64_t v = 0;
    memcpy(&v, flat_ptr(cpu, lin, size, false), size);
    return v;
}

WEAK void x86_lin_store(X86Cpu *cpu, uint64_t lin, unsigned size, uint64_t v, unsigned mmu)
{
    memcpy(flat_ptr(cpu, lin, size, true), &v, size);
}

WEAK uint8_t x86_sys_or8(X86Cpu *cpu, uint64_t lin, uint8_t bits)
{
    uint8_t *p = flat_ptr(cpu, lin, 1, true), old = *p;
    *p |= bits;
    return old;
}

WEAK uint64_t x86_load(X86Cpu *cpu, unsigned seg, uint64_t off, unsigned size)
{
    return x86_lin_load(cpu, x86_linear(cpu, seg, off, size, false), size, cpu->mmu_idx);
}

WEAK void x86_store(X86Cpu *cpu, unsigned seg, uint64_t off, unsigned size, uint64_t v)
{
    x86_lin_store(cpu, x86_linear(cpu, seg, off, size, true), size, v, cpu->mmu_idx);
}

WEAK void x86_load_bytes(X86Cpu *cpu, unsigned seg, uint64_t off, void *to, unsigned n)
{
    memcpy(to, flat_ptr(cpu, x86_linear(cpu, seg, off, n, false), n, false), n);
}

WEAK void x86_store_bytes(X86Cpu *cpu, unsigned seg, uint64_t off, const void *from,
                          unsigned n)
{
    memcpy(flat_ptr(cpu, x86_linear(cpu, seg, off, n, true), n, true), from, n);
}

WEAK void x86_probe_write(X86Cpu *cpu, unsigned seg, uint64_t off, unsigned n)
{
    flat_ptr(cpu, x86_linear(cpu, seg, off, n, true), n, true);
}

WEAK void x86_probe_read(X86Cpu *cpu, unsigned seg, uint64_t off)
{
    flat_ptr(cpu, x86_linear(cpu, seg, off, 1, false), 1, false);
}

WEAK void *x86_direct(X86Cpu *cpu, unsigned seg, uint64_t off, unsigned max, bool write,
                      unsigned *n)
{
    uint64_t lin = x86_linear(cpu, seg, off, 1, write);
    unsigned room = 4096 - lin % 4096;
    *n = MIN(room, max);
    if (flat_no_direct) {
        return NULL;
    }
    if (!(cpu->hflags & HF_CS64) && off + *n - 1 > cpu->st.seg[seg].limit) {
        return NULL;
    }
    return flat_ptr(cpu, lin, 1, write);
}

/* ---- operands ---- */

WEAK uint64_t x86_ea(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t a = in->disp;
    if (in->base == 16) {
        a += cpu->st.rip + in->len;
    } else if (in->base >= 0) {
        a += cpu->st.gpr[in->base];
    }
    if (in->index >= 0) {
        a += cpu->st.gpr[in->index] << in->scale;
    }
    return in->adsize == 8 ? a : in->adsize == 4 ? (uint32_t)a : (uint16_t)a;
}

static uint64_t cut(uint64_t v, unsigned size)
{
    return size == 8 ? v : v & ((1ull << size * 8) - 1);
}

WEAK uint64_t x86_opnd_read(X86Cpu *cpu, const X86Insn *in, unsigned n)
{
    const X86Opnd *o = &in->op[n];
    switch (o->kind) {
    case OPND_GPR:
        return x86_reg_get(cpu, o->reg, o->size);
    case OPND_GPR8H:
        return (uint8_t)(cpu->st.gpr[o->reg] >> 8);
    case OPND_MEM:
        return x86_load(cpu, in->seg, x86_ea(cpu, in), o->size);
    case OPND_IMM:
        return cut(o->reg ? in->imm2 : in->imm, o->size);
    case OPND_ONE:
        return 1;
    default:
        abort();
    }
}

WEAK void x86_opnd_write(X86Cpu *cpu, const X86Insn *in, unsigned n, uint64_t v)
{
    const X86Opnd *o = &in->op[n];
    switch (o->kind) {
    case OPND_GPR:
        x86_reg_set(cpu, o->reg, o->size, v);
        break;
    case OPND_GPR8H:
        cpu->st.gpr[o->reg] = (cpu->st.gpr[o->reg] & ~0xff00ull) | (v & 0xff) << 8;
        break;
    case OPND_MEM:
        x86_store(cpu, in->seg, x86_ea(cpu, in), o->size, v);
        break;
    default:
        abort();
    }
}

WEAK uint64_t x86_rmw_begin_mem(X86Cpu *cpu, unsigned seg, uint64_t off, unsigned size,
                                bool locked, X86Rmw *m)
{
    m->reg = NULL;
    m->lin = x86_linear(cpu, seg, off, size, true);
    m->host = flat_ptr(cpu, m->lin, size, true);
    m->size = size;
    m->locked = locked;
    m->old = 0;
    memcpy(&m->old, m->host, size);
    return m->old;
}

WEAK uint64_t x86_rmw_begin(X86Cpu *cpu, const X86Insn *in, unsigned n, X86Rmw *m)
{
    if (in->op[n].kind != OPND_MEM) {
        m->reg = &in->op[n];
        m->old = x86_opnd_read(cpu, in, n);
        return m->old;
    }
    return x86_rmw_begin_mem(cpu, in->seg, x86_ea(cpu, in), in->op[n].size, in->lock, m);
}

WEAK bool x86_rmw_end(X86Cpu *cpu, X86Rmw *m, uint64_t v)
{
    if (!m->reg) {
        memcpy(m->host, &v, m->size);
    } else if (m->reg->kind == OPND_GPR) {
        x86_reg_set(cpu, m->reg->reg, m->reg->size, v);
    } else {
        uint64_t *p = &cpu->st.gpr[m->reg->reg];
        *p = (*p & ~0xff00ull) | (v & 0xff) << 8;
    }
    return true;
}

WEAK bool x86_cmpxchg16(X86Cpu *cpu, unsigned seg, uint64_t off, uint64_t old[2],
                        const uint64_t new_value[2], bool locked)
{
    uint64_t lin = x86_linear(cpu, seg, off, 16, true);
    if (lin & 15) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    uint64_t *p = flat_ptr(cpu, lin, 16, true);
    if (p[0] == old[0] && p[1] == old[1]) {
        memcpy(p, new_value, 16);
        return true;
    }
    memcpy(old, p, 16);
    return false;
}

/* ---- engine ---- */

WEAK void x86_tlb_flush(X86Cpu *cpu, bool global)
{
    flat_tlb_flushes++;
}

WEAK void x86_tlb_flush_page(X86Cpu *cpu, uint64_t lin)
{
    flat_tlb_page_flushes++;
    flat_tlb_lin = lin;
}

WEAK void x86_tlb_flush_pcid(X86Cpu *cpu, uint16_t pcid)
{
    flat_tlb_flushes++;
}

WEAK void x86_tlb_switch(X86Cpu *cpu, uint64_t new_cr3, bool flush)
{
    flat_tlb_switches++;
    flat_tlb_cr3 = new_cr3;
}

WEAK void x86_fpu_sync(X86Cpu *cpu)
{
}

WEAK uint64_t x86_heavy(X86Cpu *cpu, uint64_t (*fn)(X86Cpu *, void *), void *arg)
{
    return fn(cpu, arg);
}

uint64_t x86_aside(X86Cpu *cpu, uint64_t (*fn)(X86Cpu *, void *), void *arg)
{
    return fn(cpu, arg);
}

NORETURN static void leave(X86Cpu *cpu)
{
    __builtin_longjmp(cpu->jmp, 1);
}

NORETURN static void raise_event(X86Cpu *cpu, X86Event e)
{
    e.valid = 1;
    cpu->st.event = e;
    leave(cpu);
}

WEAK NORETURN void x86_raise(X86Cpu *cpu, unsigned vector)
{
    raise_event(cpu, (X86Event){ .vector = vector });
}

WEAK NORETURN void x86_raise_err(X86Cpu *cpu, unsigned vector, uint32_t error)
{
    raise_event(cpu, (X86Event){ .vector = vector, .has_error = 1, .error = error });
}

WEAK NORETURN void x86_raise_pf(X86Cpu *cpu, uint64_t lin, uint32_t error)
{
    raise_event(cpu, (X86Event){ .vector = EXC_PF, .has_error = 1, .error = error,
                                 .cr2 = lin });
}

WEAK NORETURN void x86_raise_db(X86Cpu *cpu, uint64_t dr6_bits)
{
    raise_event(cpu, (X86Event){ .vector = EXC_DB, .dr6 = dr6_bits });
}

WEAK NORETURN void x86_raise_soft(X86Cpu *cpu, unsigned vector)
{
    raise_event(cpu, (X86Event){ .vector = vector, .soft = 1 });
}

WEAK NORETURN void x86_restart(X86Cpu *cpu)
{
    cpu->st.event.valid = 0;
    leave(cpu);
}

/* Only the mode bits a decoder and integer functions look at; cpu.c has the real one. */
WEAK void x86_update_hflags(X86Cpu *cpu)
{
    const X86State *st = &cpu->st;
    uint32_t h = st->cpl;
    bool pe = st->cr0 & CR0_PE, vm = st->rflags & FL_VM;

    h |= pe ? HF_PE : 0;
    h |= vm ? HF_VM : 0;
    h |= st->efer & EFER_LMA ? HF_LMA : 0;
    if ((st->efer & EFER_LMA) && (st->seg[R_CS].attr & SEG_L)) {
        h |= HF_CS64 | HF_SS32;
    } else {
        h |= st->seg[R_CS].attr & SEG_DB ? HF_CS32 : 0;
        h |= st->seg[R_SS].attr & SEG_DB ? HF_SS32 : 0;
        for (unsigned i = R_ES; i <= R_DS; i++) {
            h |= st->seg[i].base || st->seg[i].limit != 0xffffffffu ? HF_SEGCHK : 0;
        }
    }
    h |= st->rflags & FL_TF ? HF_TF : 0;
    h |= st->rflags & FL_DF ? HF_DF : 0;
    h |= st->dr7 & DR7_ENABLE_MASK ? HF_DBG : 0;
    h |= st->cr0 & CR0_EM ? HF_EM : 0;
    h |= st->cr0 & CR0_TS ? HF_TS : 0;
    h |= st->cr0 & CR0_MP ? HF_MP : 0;
    h |= st->cr4 & CR4_OSFXSR ? HF_OSFXSR : 0;
    h |= (st->cr4 & CR4_OSXSAVE) && (st->xcr0 & 6) == 6 ? HF_AVX : 0;
    h |= h & HF_AVX && (st->xcr0 & XCR0_AVX512) == XCR0_AVX512 ? HF_AVX512 : 0;
    h |= st->cpl == 3 && (st->cr0 & CR0_AM) && (st->rflags & FL_AC) ? HF_AC : 0;
    h |= st->int_shadow ? HF_SHADOW : 0;
    cpu->hflags = h;
    cpu->mmu_idx = st->cpl == 3 ? X86_MMU_USER : X86_MMU_KERNEL_AC;
}

/* ---- vCPU ---- */

void flat_cpu(X86Cpu *cpu, enum FlatMode mode)
{
    memset(cpu, 0, sizeof(*cpu));
    X86State *st = &cpu->st;
    bool wide = mode == FLAT_PROT32 || mode == FLAT_COMPAT32;
    bool lma = mode == FLAT_COMPAT32 || mode == FLAT_MODE64;
    bool small = mode == FLAT_REAL || mode == FLAT_PROT16 || mode == FLAT_V86;

    memset(cpu->feat, 0xff, sizeof(cpu->feat));
    st->rflags = FL_ONE | (mode == FLAT_V86 ? FL_VM | FL_IOPL : 0);
    st->cpl = mode == FLAT_V86 ? 3 : 0;
    st->cr0 = CR0_ET | CR0_NE | CR0_MP | (mode == FLAT_REAL ? 0 : CR0_PE);
    st->cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE | (lma ? CR4_PAE : 0);
    st->xcr0 = XCR0_X87 | XCR0_SSE | XCR0_AVX;
    st->efer = lma ? EFER_LMA | EFER_LME | EFER_SCE : 0;
    for (unsigned i = 0; i < X86_NSEGS; i++) {
        X86Seg *s = &st->seg[i];
        s->base = small ? FLAT_BASE : 0;
        s->limit = small ? 0xffff : 0xffffffffu;
        s->selector = mode == FLAT_REAL || mode == FLAT_V86 ? 0x1000 : (i == R_CS ? 8 : 16);
        s->attr = SEG_P | SEG_S | SEG_A | SEG_W | (small ? 0 : SEG_G) | (wide ? SEG_DB : 0) |
                  st->cpl << SEG_DPL_SHIFT;
    }
    if (mode != FLAT_REAL && mode != FLAT_V86) {
        st->seg[R_CS].attr |= SEG_CODE;
    }
    if (mode == FLAT_MODE64) {
        st->seg[R_CS].attr |= SEG_L;
        st->seg[R_SS].attr |= SEG_DB;
    }
    st->tr = (X86Seg){ .limit = 0x67, .attr = SEG_P | 0xb };
    st->ldt.attr = SEG_UNUSABLE;
    st->rip = FLAT_CODE - (small ? FLAT_BASE : 0);
    st->gpr[R_SP] = FLAT_STACK - (small ? FLAT_BASE : 0);
    st->dr6 = DR6_FIXED;
    st->dr7 = DR7_FIXED;
    st->xsave.fcw = 0x37f;
    st->xsave.mxcsr = 0x1f80;
    st->xsave.mxcsr_mask = 0xffff;
    st->xsave.xstate_bv = 7;
    x86_update_hflags(cpu);
}

int flat_run(X86Cpu *cpu, const X86Insn *in)
{
    cpu->st.event.valid = 0;
    if (__builtin_setjmp(cpu->jmp)) {
        return cpu->st.event.valid ? cpu->st.event.vector : FLAT_RESTART;
    }
    x86_exec_insn(cpu, in);
    cpu->st.rip = cpu->next_rip;
    return FLAT_OK;
}

int flat_exec(X86Cpu *cpu, const void *bytes, unsigned n)
{
    X86Insn in;
    if (x86_decode(&in, bytes, n, cpu->hflags, cpu->feat) <= 0) {
        return FLAT_BAD_DECODE;
    }
    return flat_run(cpu, &in);
}
