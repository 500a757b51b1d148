/* SPDX-License-Identifier: MIT */
/*
 * Profiling samples of an x86 vCPU's state, in signal context on its thread. Reads page
 * tables and RAM, changes nothing; no access right is asked for, and 5-level paging is not
 * known.
 */
#include "target-x86/sample.h"
#include "hw/core/machine.h"

enum { WALK_NONE, WALK_32, WALK_PAE, WALK_LONG };

static bool code64(const X86State *st)
{
    return st->efer & EFER_LMA && st->seg[R_CS].attr & SEG_L;
}

uint64_t x86_sample_linear(const X86State *st, unsigned seg, uint64_t off)
{
    return code64(st) ? off : (uint32_t)(st->seg[seg].base + off);
}

void x86_sample_state(const X86State *st, CpuSample *s)
{
    s->pc = x86_sample_linear(st, R_CS, st->rip);
    s->sp = x86_sample_linear(st, R_SS, st->gpr[R_SP]);
    s->fp = x86_sample_linear(st, R_SS, st->gpr[R_BP]);
    s->word = code64(st) ? 8 : st->seg[R_CS].attr & SEG_DB ? 4 : 2;
    s->user = st->cpl == 3;
    /* the kernel's is the one in the upper half, on whichever side of SWAPGS this is */
    uint64_t gs = st->seg[R_GS].base, other = st->msr.kernel_gs_base;
    s->percpu = !s->user && gs >> 63 ? gs : other >> 63 ? other : 0;
    s->entry = st->msr.lstar;
    s->space = st->cr3 & (st->cr4 & CR4_PAE ? 0xfffffffffffe0ull : 0xfffff000ull);
    s->mode = !(st->cr0 & CR0_PG)   ? WALK_NONE
              : st->efer & EFER_LMA ? WALK_LONG
              : st->cr4 & CR4_PAE   ? WALK_PAE
                                    : WALK_32;
    if (s->mode == WALK_LONG) {
        s->space &= ~0xfffull; /* PCID */
    }
}

/* ---- memory ---- */

static const uint8_t *ram(Cpu *c, uint64_t gpa, unsigned n)
{
    const FlatRange *r = address_space_find(&c->machine->mem, gpa);
    return r && r->host && r->last - gpa >= n - 1 ? r->host + (gpa - r->start) : NULL;
}

static uint64_t entry(Cpu *c, uint64_t at, unsigned n)
{
    const uint8_t *p = ram(c, at, n);
    if (!p) {
        return 0;
    }
    return n == 8 ? *(const volatile uint64_t *)p : *(const volatile uint32_t *)p;
}

/* SDM vol. 3, 4.3 to 4.5 */
static bool walk(Cpu *c, const CpuSample *s, uint64_t lin, uint64_t *gpa)
{
    unsigned bits = s->mode == WALK_32 ? 10 : 9, n = s->mode == WALK_32 ? 4 : 8;
    unsigned level = s->mode == WALK_LONG ? 4 : s->mode == WALK_PAE ? 3 : 2;
    uint64_t table = s->space;

    if (s->mode == WALK_NONE) {
        *gpa = (uint32_t)lin;
        return true;
    }
    for (;; level--) {
        unsigned shift = 12 + bits * (level - 1);
        uint64_t index = lin >> shift & ((1u << bits) - 1);
        uint64_t e = entry(c, table + index * n, n);
        if (!(e & 1)) {
            return false;
        }
        bool pdpte = s->mode == WALK_PAE && level == 3;
        if (level == 1 || (e & 0x80 && !pdpte && level < 4)) {
            uint64_t in_page = (1ull << shift) - 1;
            *gpa = (e & 0xffffffffff000ull & ~in_page) | (lin & in_page);
            return true;
        }
        table = e & 0xffffffffff000ull;
    }
}

const uint8_t *x86_sample_page(Cpu *c, const CpuSample *s, uint64_t lin)
{
    uint64_t gpa;
    return walk(c, s, lin & ~0xfffull, &gpa) ? ram(c, gpa, 4096) : NULL;
}
