/* SPDX-License-Identifier: MIT */
/* Control registers, EFER, XCR0, PKRU and the TSC: checks and consequences. Leaf. */
#include "target-x86/sysregs.h"
#include "hw/core/nondet.h"
#include "target-x86/access.h"
#include "target-x86/cpuid.h"
#include "target-x86/leaf.h"
#include "target-x86/mmu.h"

static void changed(X86Cpu *cpu)
{
    cpu->end_block = 1;
    x86_update_hflags(cpu);
}

/* PAE paging in force with these values: the PDPTEs count. */
static bool pae_paging(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    return cr0 & CR0_PG && cr4 & CR4_PAE && !(efer & EFER_LME);
}

bool x86_set_cr0(X86Cpu *cpu, uint64_t v)
{
    X86State *st = &cpu->st;
    const uint64_t known = CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_NE | CR0_WP | CR0_AM |
                           CR0_NW | CR0_CD | CR0_PG;
    uint64_t old = st->cr0;

    if (v >> 32 || (v & CR0_PG && !(v & CR0_PE)) || (v & CR0_NW && !(v & CR0_CD))) {
        return false;
    }
    v = (v & known) | CR0_ET;
    uint64_t diff = old ^ v;
    if (diff & v & CR0_PG && st->efer & EFER_LME &&
        (!(st->cr4 & CR4_PAE) || st->seg[R_CS].attr & SEG_L)) {
        return false;
    }
    if (diff & old & CR0_PG && (cpu->hflags & HF_CS64 || st->cr4 & CR4_PCIDE)) {
        return false;
    }
    if (diff & (CR0_PG | CR0_CD | CR0_NW) && pae_paging(v, st->cr4, st->efer) &&
        !x86_load_pdptes(cpu, st->cr3)) {
        return false;
    }
    st->cr0 = v;
    if (diff & CR0_PG) {
        bool lma = v & CR0_PG && st->efer & EFER_LME;
        st->efer = (st->efer & ~EFER_LMA) | (lma ? EFER_LMA : 0);
    }
    if (diff & (CR0_PG | CR0_WP | CR0_PE)) {
        x86_tlb_flush(cpu, true);
    }
    changed(cpu);
    return true;
}

bool x86_set_cr3(X86Cpu *cpu, uint64_t v)
{
    X86State *st = &cpu->st;
    bool keep = false;

    if (st->cr4 & CR4_PCIDE) {
        keep = v >> 63;
        v &= ~BIT(63);
    }
    if (cpu->hflags & HF_LMA ? v & (x86_phys_reserved(cpu) | 0xfff0000000000000ull)
                             : v >> 32) {
        return false;
    }
    if (pae_paging(st->cr0, st->cr4, st->efer) && !x86_load_pdptes(cpu, v)) {
        return false;
    }
    st->cr3 = v;
    x86_tlb_switch(cpu, v, !keep);
    cpu->end_block = 1;
    return true;
}

uint64_t x86_cr4_mask(const X86Cpu *cpu)
{
    static const struct {
        uint16_t feature;
        uint32_t bits;
    } rows[] = {
        { X86F_VME, CR4_VME | CR4_PVI }, { X86F_TSC, CR4_TSD }, { X86F_DE, CR4_DE },
        { X86F_PSE, CR4_PSE }, { X86F_PAE, CR4_PAE }, { X86F_MCE, CR4_MCE },
        { X86F_PGE, CR4_PGE }, { X86F_FXSR, CR4_OSFXSR }, { X86F_SSE, CR4_OSXMMEXCPT },
        { X86F_UMIP, CR4_UMIP }, { X86F_FSGSBASE, CR4_FSGSBASE }, { X86F_PCID, CR4_PCIDE },
        { X86F_XSAVE, CR4_OSXSAVE }, { X86F_SMEP, CR4_SMEP }, { X86F_SMAP, CR4_SMAP },
        { X86F_PKU, CR4_PKE },
    };
    uint64_t m = CR4_PCE;

    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        m |= x86_has(cpu, rows[i].feature) ? rows[i].bits : 0;
    }
    return m;
}

bool x86_set_cr4(X86Cpu *cpu, uint64_t v)
{
    X86State *st = &cpu->st;
    uint64_t diff = st->cr4 ^ v;

    if (v & ~x86_cr4_mask(cpu)) {
        return false;
    }
    if (st->efer & EFER_LMA && !(v & CR4_PAE)) {
        return false;
    }
    if (diff & v & CR4_PCIDE && (!(st->efer & EFER_LMA) || st->cr3 & 0xfff)) {
        return false;
    }
    if (diff & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP) &&
        pae_paging(st->cr0, v, st->efer) && !x86_load_pdptes(cpu, st->cr3)) {
        return false;
    }
    st->cr4 = v;
    if (diff & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_PCIDE | CR4_SMEP | CR4_SMAP | CR4_PKE)) {
        x86_tlb_flush(cpu, true);
    }
    changed(cpu);
    return true;
}

uint64_t x86_efer_mask(const X86Cpu *cpu)
{
    return (x86_has(cpu, X86F_SYSCALL) ? EFER_SCE : 0) |
           (x86_has(cpu, X86F_LM) ? EFER_LME | EFER_LMA : 0) |
           (x86_has(cpu, X86F_NX) ? EFER_NXE : 0) |
           (x86_has(cpu, X86F_FXSROPT) ? EFER_FFXSR : 0);
}

bool x86_set_efer(X86Cpu *cpu, uint64_t v)
{
    X86State *st = &cpu->st;
    uint64_t diff = st->efer ^ v;

    if (v & ~x86_efer_mask(cpu) || (diff & EFER_LME && st->cr0 & CR0_PG)) {
        return false;
    }
    st->efer = (v & ~EFER_LMA) | (st->efer & EFER_LMA);
    if (diff & EFER_NXE) {
        x86_tlb_flush(cpu, true);
    }
    changed(cpu);
    return true;
}

bool x86_set_xcr0(X86Cpu *cpu, uint64_t v)
{
    uint64_t zmm = v & XCR0_AVX512;

    if (v & ~x86_xcr0_mask(cpu) || !(v & XCR0_X87) || (v & XCR0_AVX && !(v & XCR0_SSE)) ||
        (zmm && (zmm != XCR0_AVX512 || !(v & XCR0_AVX)))) {
        return false;
    }
    cpu->st.xcr0 = v;
    changed(cpu);
    return true;
}

void x86_set_pkru(X86Cpu *cpu, uint32_t v)
{
    if (cpu->st.pkru != v) {
        cpu->st.pkru = v;
        if (cpu->st.cr4 & CR4_PKE) {
            x86_tlb_flush(cpu, true);
            cpu->end_block = 1;
        }
    }
}

static uint64_t tapped_tsc(X86Cpu *cpu, void *arg) { return nondet_host_tsc(); }

/* nondet_host_tsc reads a register and touches no vector state: called directly. */
uint64_t x86_tsc(X86Cpu *cpu)
{
    if (unlikely(cpu->tapped)) {
        return x86_heavy(cpu, tapped_tsc, NULL) + cpu->st.tsc_offset;
    }
    return nondet_host_tsc() + cpu->st.tsc_offset;
}

void x86_set_tsc(X86Cpu *cpu, uint64_t v)
{
    uint64_t delta = v - x86_tsc(cpu);

    cpu->st.tsc_offset += delta;
    cpu->st.msr.tsc_adjust += delta;
}
